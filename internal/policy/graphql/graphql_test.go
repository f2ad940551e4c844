package graphql

import (
	"fmt"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in                  string
		depth, total, count int
		paths               string
	}{
		{`{ a b { c } }`, 2, 3, 3, "[/Query/a /Query/b /Query/b/c]"},
		{`query Q($x: [Int!] = [1, 2] @d(a: "}")) { alias: a(x: $x, y: {z: "{"}) @include(if: true) { b } }`, 2, 2, 2, "[/Query/a /Query/a/b]"},
		{`mutation { m { ...F ... on T { d } ... { e } } } fragment F on T { c { d } }`, 3, 3, 5, "[/Mutation/m /Mutation/m/c /Mutation/m/c/d /Mutation/m/d /Mutation/m/e]"},
		{`{ a(s: """block " }""") { b } } # comment {`, 2, 2, 2, "[/Query/a /Query/a/b]"},
		{`{ ...F } fragment F on T { a ...F }`, 1, 1, 1, "[/Query/a]"},
	} {
		q, err := Parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if q.Depth() != c.depth || q.TotalDepth() != c.total || q.Fields() != c.count || fmt.Sprint(q.Paths()) != c.paths {
			t.Errorf("%s: depth %d, total %d, fields %d, %v", c.in, q.Depth(), q.TotalDepth(), q.Fields(), q.Paths())
		}
	}
	for _, bad := range []string{``, `{`, `{ a`, `{ a { }`, `x { a }`, `{ a(b: "c) }`, `{ a(b: [) }`, `fragment F on T { a }`} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/Query/a", "/Query/a", true}, {"/Query/a", "/Query/a/b", false}, {"/Query/*", "/Query/a/b", true}, {"/*", "/Mutation/a", true},
		{"/__*", "/Query/__schema", true}, {"/Mutation/*", "/Query/a", false},
	} {
		if Match(c.pattern, c.path) != c.want {
			t.Errorf("%s over %s", c.pattern, c.path)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`query Q($x: Int) { a(x: $x) { ...F } } fragment F on T { b }`)
	f.Fuzz(func(t *testing.T, src string) {
		q, err := Parse(src)
		if err == nil {
			q.Depth()
			q.TotalDepth()
			q.Paths()
		}
	})
}
