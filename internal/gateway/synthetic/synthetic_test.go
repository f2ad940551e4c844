package synthetic

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

const library = `
"A book."
type Book implements Node { id: ID! title: String! pages: Int author: Author! tags: [String!] kind: Kind old: String @deprecated(reason: "gone") }
type Author implements Node { id: ID! name: String books(first: Int = 2): [Book!]! }
interface Node { id: ID! }
union Found = Book | Author
enum Kind { NOVEL ESSAY }
scalar Any
input NewBook { title: String! kind: Kind = NOVEL }
type Query { book(id: ID!): Book books: [Book] author(id: ID!): Author found: [Found!]! node: Node any: Any broken: Int strict: Int! }
type Mutation { add(book: NewBook!): Book! }
type Subscription { added: Book }
`

func fixed(v string) Resolver {
	return func(context.Context, []byte, []byte) ([]byte, error) { return []byte(v), nil }
}

func aLibrary(t testing.TB) *Schema {
	s, err := New(library, map[string]Resolver{
		"Query/book": func(_ context.Context, args, _ []byte) ([]byte, error) {
			var a struct{ ID string }
			if err := json.Unmarshal(args, &a); err != nil {
				return nil, err
			}
			if a.ID == "0" {
				return nil, nil
			}
			return []byte(`{"id":` + a.ID + `,"title":"T` + a.ID + `","pages":7,"kind":"NOVEL","tags":["a","b"],"authorId":9}`), nil
		},
		"Query/books":  fixed(`[{"id":1,"title":"A"},{"id":2,"title":null},null]`),
		"Query/author": fixed(`{"id":"9","name":"N"}`),
		"Query/found":  fixed(`[{"__typename":"Book","id":1,"title":"A"},{"__typename":"Author","id":2,"name":"N"}]`),
		"Query/node":   fixed(`{"id":1}`),
		"Query/any":    fixed(`{"z":[1,{"y":2}]}`),
		"Query/broken": func(context.Context, []byte, []byte) ([]byte, error) { return nil, errors.New("the source is gone") },
		"Query/strict": fixed(`"x"`),
		"Book/author": func(_ context.Context, _, parent []byte) ([]byte, error) {
			if !strings.Contains(string(parent), `"id"`) {
				return nil, errors.New("no parent")
			}
			return []byte(`{"id":"9","name":"N"}`), nil
		},
		"Author/books": func(_ context.Context, args, _ []byte) ([]byte, error) {
			return []byte(`[{"id":1,"title":` + string(args[len(`{"first":`):len(args)-1]) + `}]`), nil
		},
		"Mutation/add": func(_ context.Context, args, _ []byte) ([]byte, error) {
			return []byte(`{"id":5,"title":"` + strings.ReplaceAll(string(args), `"`, "'") + `"}`), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestExecute(t *testing.T) {
	s := aLibrary(t)
	for name, c := range map[string]struct {
		query, op, vars, want string
	}{
		"fields in order":    {query: `{ book(id: 3) { title id pages kind tags __typename } }`, want: `{"data":{"book":{"title":"T3","id":"3","pages":7,"kind":"NOVEL","tags":["a","b"],"__typename":"Book"}}}`},
		"aliases and nested": {query: `{ one: book(id: "1") { author { name } } two: book(id: "2") { id } }`, want: `{"data":{"one":{"author":{"name":"N"}},"two":{"id":"2"}}}`},
		"arguments":          {query: `{ author(id: 9) { books { title } more: books(first: 5) { title } } }`, want: `{"data":{"author":{"books":[{"title":"2"}],"more":[{"title":"5"}]}}}`},
		"variables":          {query: `query Q($id: ID!, $no: Boolean = false) { book(id: $id) { id title @include(if: $no) } }`, vars: `{"id":"4"}`, want: `{"data":{"book":{"id":"4"}}}`},
		"fragments":          {query: `query { book(id: 1) { ...b ... on Node { id } } } fragment b on Book { id title }`, want: `{"data":{"book":{"id":"1","title":"T1"}}}`},
		"a union":            {query: `{ found { __typename ... on Book { title } ... on Author { name } } }`, want: `{"data":{"found":[{"__typename":"Book","title":"A"},{"__typename":"Author","name":"N"}]}}`},
		"null":               {query: `{ book(id: 0) { id } }`, want: `{"data":{"book":null}}`},
		"null goes up":       {query: `{ books { id title } }`, want: `{"errors":[{"message":"The field may not be null.","locations":[{"line":1,"column":14}],"path":["books",1,"title"]}],"data":{"books":[{"id":"1","title":"A"},null,null]}}`},
		"a broken source":    {query: `{ broken any }`, want: `{"errors":[{"message":"the source is gone","locations":[{"line":1,"column":3}],"path":["broken"]}],"data":{"broken":null,"any":{"z":[1,{"y":2}]}}}`},
		"null to the top":    {query: `{ strict any }`, want: `{"errors":[{"message":"a text is not a value of Int","locations":[{"line":1,"column":3}],"path":["strict"]}],"data":null}`},
		"an unclear type":    {query: `{ node { id } }`, want: `{"errors":[{"message":"The value does not tell by __typename which Node it is.","locations":[{"line":1,"column":3}],"path":["node"]}],"data":{"node":null}}`},
		"mutation":           {query: `mutation { add(book: {title: "x"}) { id title } }`, want: `{"data":{"add":{"id":"5","title":"{'book':{'kind':'NOVEL','title':'x'}}"}}}`},
		"named":              {query: `query A { any } query B { book(id: 1) { id } }`, op: "B", want: `{"data":{"book":{"id":"1"}}}`},
		"unnamed":            {query: `query A { any } query B { any }`, want: `!{"errors":[{"message":"The operation is not one of the document, or it is not named and there are several."}]}`},
		"subscription":       {query: `subscription { added { id } }`, want: `!{"errors":[{"message":"Subscriptions are not supported."}]}`},
		"syntax":             {query: `{ book(`, want: `!{"errors":[{"message":"Expected Name, found \u003cEOF\u003e","locations":[{"line":1,"column":8}]}]}`},
		"type by name":       {query: `{ __type(name: "Book") { name description fields { name type { kind name ofType { name } } } interfaces { name } } }`, want: `{"data":{"__type":{"name":"Book","description":"A book.","fields":[{"name":"id","type":{"kind":"NON_NULL","name":null,"ofType":{"name":"ID"}}},{"name":"title","type":{"kind":"NON_NULL","name":null,"ofType":{"name":"String"}}},{"name":"pages","type":{"kind":"SCALAR","name":"Int","ofType":null}},{"name":"author","type":{"kind":"NON_NULL","name":null,"ofType":{"name":"Author"}}},{"name":"tags","type":{"kind":"LIST","name":null,"ofType":{"name":null}}},{"name":"kind","type":{"kind":"ENUM","name":"Kind","ofType":null}}],"interfaces":[{"name":"Node"}]}}}`},
		"schema":             {query: `{ __schema { queryType { name } mutationType { name } } }`, want: `{"data":{"__schema":{"queryType":{"name":"Query"},"mutationType":{"name":"Mutation"}}}}`},
		"deprecated":         {query: `{ __type(name: "Kind") { enumValues { name isDeprecated } possibleTypes { name } inputFields { name } } }`, want: `{"data":{"__type":{"enumValues":[{"name":"NOVEL","isDeprecated":false},{"name":"ESSAY","isDeprecated":false}],"possibleTypes":null,"inputFields":null}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := Request{Query: c.query, OperationName: c.op}
			if c.vars != "" {
				if err := json.Unmarshal([]byte(c.vars), &r.Variables); err != nil {
					t.Fatal(err)
				}
			}
			answer, ok := s.Execute(t.Context(), r)
			got := string(answer)
			if !ok {
				got = "!" + got
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// The query that GraphQL's tools ask first is answered without an error.
func TestIntrospection(t *testing.T) {
	const query = `query IntrospectionQuery { __schema { queryType { name } mutationType { name } subscriptionType { name } types { ...FullType } directives { name description locations args { ...InputValue } } } }
fragment FullType on __Type { kind name description fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason } inputFields { ...InputValue } interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }`
	answer, ok := aLibrary(t).Execute(t.Context(), Request{Query: query})
	if !ok || strings.Contains(string(answer), `"errors"`) || !strings.Contains(string(answer), `"deprecationReason":"gone"`) || !strings.Contains(string(answer), `"defaultValue":"NOVEL"`) {
		t.Errorf("%s", answer)
	}
}

// Resolvers are bounded, however the request multiplies them.
func TestBounds(t *testing.T) {
	var calls, now, most atomic.Int64
	s, err := New(`type Query { a: [Query!]! }`, map[string]Resolver{"Query/a": func(context.Context, []byte, []byte) ([]byte, error) {
		calls.Add(1)
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		defer now.Add(-1)
		return []byte(`[{},{},{},{},{},{},{},{}]`), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := s.Execute(t.Context(), Request{Query: `{a{a{a{a{a{a{a{a{__typename}}}}}}}}}`})
	if calls.Load() > mostCalls || most.Load() > mostAtOnce+1 || !strings.Contains(string(answer), "too many calls") {
		t.Errorf("%d calls, %d at once", calls.Load(), most.Load())
	}
}

func TestWhatResolves(t *testing.T) {
	s, err := New(`type Query { a: Int b: Int }`, map[string]Resolver{"Query/a": fixed("1"), "Query/x": fixed("1"), "Y/a": fixed("1")})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(append(s.Unknown(), s.Unresolved()...), " "); got != "Query/x Y/a Query/b" {
		t.Errorf("got %s", got)
	}
	if _, err := New(`type Query {`, nil); err == nil {
		t.Error("half a schema was read")
	}
}

func FuzzExecute(f *testing.F) {
	s := aLibrary(f)
	f.Add(`{ book(id: 3) { title ...f } } fragment f on Book { author { books { id } } }`)
	f.Fuzz(func(t *testing.T, query string) {
		if answer, _ := s.Execute(t.Context(), Request{Query: query}); !json.Valid(answer) {
			t.Errorf("%q gave %s", query, answer)
		}
	})
}
