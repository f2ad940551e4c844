package gateway

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/exchange"
	"tandem/internal/policy"
)

func routerOf(paths ...string) *router {
	r := &router{}
	for _, p := range paths {
		r.add(strings.ToLower(p), &api{prefixes: []string{strings.ToLower(p)}, info: &policy.APIInfo{ID: p}})
	}
	return r
}

// TestAPIPaths holds the choice of an API: the longest path that ends at a segment of the request's.
func TestAPIPaths(t *testing.T) {
	r := routerOf("", "orders", "orders/v2", "Orders;rev=2", "a/b/c")
	for _, c := range []struct{ path, api, rest string }{
		{"/orders", "orders", "/"},
		{"/orders/", "orders", "/"},
		{"/ORDERS/17", "orders", "/17"},
		{"/orders/v2/17", "orders/v2", "/17"},
		{"/orders/v22/17", "orders", "/v22/17"},
		{"/orders;rev=2/17", "Orders;rev=2", "/17"},
		{"/a/b/c/d", "a/b/c", "/d"},
		{"/a/b", "", "/a/b"},
		{"/", "", "/"},
		{"/ordersx", "", "/ordersx"},
	} {
		a, rest := r.find(c.path, &exchange.Request{})
		if a == nil || a.info.ID != c.api || rest != c.rest {
			t.Errorf("%s: got %v with rest %q, want API %q with rest %q", c.path, a, rest, c.api, c.rest)
		}
	}
	if a, _ := routerOf("orders").find("/other", &exchange.Request{}); a != nil {
		t.Errorf("/other is routed to %s", a.info.ID)
	}
}

// TestLongestPath compares the router with a plain search over all APIs.
func TestLongestPath(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "c", "B", "ab"})
	path := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(segment, 0, 4).Draw(t, "segments"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOfNDistinct(path, 1, 8, strings.ToLower).Draw(t, "apis")
		asked := "/" + path.Draw(t, "asked")
		best, found := "", false
		for _, p := range paths {
			low := strings.ToLower(p)
			if p == "" || strings.HasPrefix(strings.ToLower(asked)+"/", "/"+low+"/") {
				if !found || len(low) > len(best) {
					best, found = low, true
				}
			}
		}
		a, _ := routerOf(paths...).find(asked, &exchange.Request{})
		if found != (a != nil) || found && a.prefixes[0] != best {
			t.Fatalf("%s among %q: got %v, want %q (%v)", asked, paths, a, best, found)
		}
	})
}

// TestOperations holds the precedence of templates and what their parameters match.
func TestOperations(t *testing.T) {
	var tr tree
	for _, line := range []string{
		"GET /parcels", "POST /parcels", "GET /parcels/{id}", "GET /parcels/lost", "DELETE /parcels/{id}", "GET /parcels/{id}/events", "GET /files/{*path}", "GET /files/{name}.json",
		"GET /find?q={text}", "GET /find", "GET /Customers({key})", "GET /", "* /any",
	} {
		method, template, _ := strings.Cut(line, " ")
		op := &operation{method: method, template: template, info: &policy.OperationInfo{ID: line}}
		if _, query, ok := strings.Cut(template, "?"); ok {
			name, value, _ := strings.Cut(query, "=")
			op.query = []queryParam{{name: name, param: strings.Trim(value, "{}")}}
		}
		tr.insert(op)
	}
	for _, c := range []struct{ request, operation, params string }{
		{"GET /parcels", "GET /parcels", ""},
		{"GET /PARCELS/", "GET /parcels", ""},
		{"POST /parcels", "POST /parcels", ""},
		{"GET /parcels/p1", "GET /parcels/{id}", "id=p1"},
		{"GET /parcels/p%201", "GET /parcels/{id}", "id=p 1"},
		{"GET /parcels/lost", "GET /parcels/lost", ""},
		{"DELETE /parcels/lost", "DELETE /parcels/{id}", "id=lost"},
		{"GET /parcels/p1/events", "GET /parcels/{id}/events", "id=p1"},
		{"GET /files/a/b/c", "GET /files/{*path}", "path=a/b/c"},
		{"GET /files/a.json", "GET /files/{name}.json", "name=a"},
		{"GET /files/a.json/b", "GET /files/{*path}", "path=a.json/b"},
		{"GET /find?q=x%20y", "GET /find?q={text}", "text=x y"},
		{"GET /find?r=x", "GET /find", ""},
		{"GET /customers(7)", "GET /Customers({key})", "key=7"},
		{"GET /", "GET /", ""},
		{"PATCH /any", "* /any", ""},
		{"PUT /parcels", "", ""},
		{"GET /parcels/p1/other", "", ""},
		{"GET /nothing", "", ""},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		path, query, _ := strings.Cut(target, "?")
		s := search{method: method, query: query}
		op := tr.find(path, &s)
		got, params := "", ""
		if op != nil {
			got = op.info.ID
			for _, p := range op.matched(&s, nil) {
				params += p.Name + "=" + p.Value
			}
		}
		if got != c.operation || params != c.params {
			t.Errorf("%s: got %q with %q, want %q with %q", c.request, got, params, c.operation, c.params)
		}
	}
}
