package synthetic

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// Resolver gives the value of a field as JSON. args is an object; parent is the value of the object that the field is of.
type Resolver func(ctx context.Context, args, parent []byte) ([]byte, error)

// Schema is a schema with its resolvers. It is immutable.
type Schema struct {
	schema    *ast.Schema
	resolvers map[string]Resolver // by "Type/field"
	rules     *rules.Rules
}

// New reads a schema in the definition language. A resolver's name is "Type/field".
func New(text string, resolvers map[string]Resolver) (*Schema, error) {
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema", Input: text})
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	s := &Schema{schema: schema, resolvers: resolvers, rules: rules.NewDefaultRules()}
	return s, nil
}

// Unknown lists the resolvers whose field the schema does not have.
func (s *Schema) Unknown() (out []string) {
	for path := range s.resolvers {
		typ, field, _ := strings.Cut(path, "/")
		if def := s.schema.Types[typ]; def == nil || def.Fields.ForName(field) == nil {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// Unresolved lists the fields of the root types that nothing resolves: they would always be null.
func (s *Schema) Unresolved() (out []string) {
	for _, root := range []*ast.Definition{s.schema.Query, s.schema.Mutation} {
		if root == nil {
			continue
		}
		for _, f := range root.Fields {
			if path := root.Name + "/" + f.Name; s.resolvers[path] == nil && !strings.HasPrefix(f.Name, "__") {
				out = append(out, path)
			}
		}
	}
	return out
}

// Request is what a client asks.
type Request struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

// Error is one entry of "errors".
type Error struct {
	Message   string     `json:"message"`
	Locations []Location `json:"locations,omitempty"`
	Path      []any      `json:"path,omitempty"`
}

// Location is a place in the request's document.
type Location struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Execute answers a request with the JSON of a GraphQL response. ok is false where the request could not be run at all.
func (s *Schema) Execute(ctx context.Context, r Request) (answer []byte, ok bool) {
	data, errs, ok := s.run(ctx, r)
	var out struct {
		Errors []Error         `json:"errors,omitempty"`
		Data   json.RawMessage `json:"data,omitempty"`
	}
	out.Errors, out.Data = errs, data
	answer, err := json.Marshal(out)
	if err != nil { // a resolver's JSON was looked at when it came
		return []byte(`{"errors":[{"message":"The answer could not be written."}]}`), false
	}
	return answer, ok
}

func (s *Schema) run(ctx context.Context, r Request) (json.RawMessage, []Error, bool) {
	doc, list := gqlparser.LoadQueryWithRules(s.schema, r.Query, s.rules)
	if len(list) > 0 {
		return nil, errorsOf(list), false
	}
	op := doc.Operations.ForName(r.OperationName)
	if op == nil {
		return nil, []Error{{Message: "The operation is not one of the document, or it is not named and there are several."}}, false
	}
	variables, err := validator.VariableValues(s.schema, op, r.Variables)
	if err != nil {
		return nil, errorsOf(err), false
	}
	root := s.schema.Query
	switch op.Operation {
	case ast.Mutation:
		root = s.schema.Mutation
	case ast.Subscription:
		return nil, []Error{{Message: "Subscriptions are not supported."}}, false
	}
	x := &execution{Schema: s, ctx: ctx, variables: variables, slots: make(chan struct{}, mostAtOnce)}
	v, alive := x.object(root, op.SelectionSet, nil, nil, op.Operation == ast.Mutation)
	slices.SortStableFunc(x.errors, func(a, b Error) int { return strings.Compare(fmt.Sprint(a.Path), fmt.Sprint(b.Path)) })
	if !alive {
		return json.RawMessage("null"), x.errors, true
	}
	return appendJSON(nil, v), x.errors, true
}

func errorsOf(err error) (out []Error) {
	list, isList := err.(gqlerror.List)
	if one, isOne := err.(*gqlerror.Error); isOne {
		list, isList = gqlerror.List{one}, true
	}
	if !isList {
		return []Error{{Message: err.Error()}}
	}
	for _, e := range list {
		one := Error{Message: e.Message}
		for _, l := range e.Locations {
			one.Locations = append(one.Locations, Location{l.Line, l.Column})
		}
		out = append(out, one)
	}
	return out
}
