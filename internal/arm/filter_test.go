package arm

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func item(path string) (any, bool) {
	v, ok := map[string]any{"name": "Echo API", "count": json.Number("5"), "on": true, "none": nil, "properties/state": "published",
		"created": time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC), "names": []any{"a", "b"}, "keys": []any{map[string]any{"id": "1", "n": 7}}}[path]
	return v, ok
}

func TestFilter(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"name eq 'echo api'", "true"},
		{"name eq 'it''s'", "false"},
		{"'Echo API' eq name", "true"},
		{"name ne 'x' and count gt 4", "true"},
		{"count ge 5 and count le 5 and not (count lt 5)", "true"},
		{"count eq 5.0 or unknown", "true"},
		{"on", "true"},
		{"not on or count eq 4", "false"},
		{"on eq false", "false"},
		{"none eq null", "true"},
		{"none ne 'x'", "true"},
		{"none gt 1", "false"},
		{"contains(name,'API')", "true"},
		{"substringof('api',name)", "true"},
		{"startswith(name, 'echo') and endswith(name,'API')", "true"},
		{"startswith(name,'x') eq false", "true"},
		{"tolower(name) eq 'echo api'", "true"},
		{"properties/state eq 'published'", "true"},
		{"created ge datetime'2024-05-01T00:00:00Z' and created lt 2024-05-02", "true"},
		{"created gt '2024-01-01T00:00:00Z'", "true"},
		{"names/any(n: n eq 'B')", "true"},
		{"names/any(n:n eq 'c')", "false"},
		{"names/any()", "true"},
		{"keys/any(k: k/id eq '1' and k/n eq 7)", "true"},
		{"(((name eq 'echo api')))", "true"},
		{"name eq 'x' or name eq 'echo api' and count eq 4", "false"},
		{"always()", "true"},
		{"", "at position 1: it ends where a value is needed"},
		{"name", "not a condition"},
		{"name eq", "it ends where a value is needed"},
		{"name eq 'x", "no closing quote"},
		{"name eq 5", "cannot be compared"},
		{"unknown eq 5", "'unknown' cannot be filtered by"},
		{"name like 'x'", "'like' is not expected"},
		{"(name eq 'x'", "')' is missing"},
		{"contains(name)", "contains takes 2 arguments"},
		{"contains(name,5)", "takes text"},
		{"nosuch(1)", "'nosuch' is not known"},
		{"name eq 'x' garbage", "'garbage' is not expected"},
		{"name/any(x: x eq 1)", "is not a list"},
		{"names/any(x x eq 1)", "':' is missing"},
		{"names/any(a: names/any(b: names/any(c: c eq '1')))", "nested too deeply"},
		{"created gt datetime'yesterday'", "is not a time"},
		{"name eq 1x2", "neither a number nor a time"},
		{"name eq ;", "not expected"},
		{strings.Repeat("(", 100), "nested too deeply"},
		{strings.Repeat("not ", 100), "nested too deeply"},
	} {
		f, err := ParseFilter(c.filter)
		var got bool
		if err == nil {
			got, err = f.Match(item, FilterFunc{Name: "always", Call: func([]any) (any, error) { return true, nil }})
		}
		text := map[bool]string{true: "true", false: "false"}[got]
		if err != nil {
			if e := AsError(err); e.Status != 400 || e.Code != "InvalidFilter" {
				t.Errorf("%s: %v", c.filter, err)
			}
			text = err.Error()
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: got %s, want %s", c.filter, text, c.want)
		}
	}
}

func TestFilterParts(t *testing.T) {
	f, err := ParseFilter("atScope() and assignedTo('x') and principalId eq 'y' and keys/any(k: k/id eq other)")
	if err != nil {
		t.Fatal(err)
	}
	terms := f.Conjuncts()
	if len(terms) != 4 {
		t.Fatalf("%d terms", len(terms))
	}
	if name, args, ok := terms[1].Call(); !ok || name != "assignedto" || args[0] != "x" {
		t.Errorf("call: %s %v %v", name, args, ok)
	}
	if name, v, ok := terms[2].Equality(); !ok || name != "principalId" || v != "y" {
		t.Errorf("equality: %s %v %v", name, v, ok)
	}
	if _, _, ok := terms[0].Equality(); ok {
		t.Error("a call is no equality")
	}
	if got := f.Fields(); !slices.Equal(got, []string{"principalId", "keys", "other"}) {
		t.Errorf("fields: %v", got)
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"name eq 'echo api'", "not (count lt 5) or on", "names/any(n: n eq 'B')", "created lt 2024-05-02T00:00:00Z",
		"keys/any(k: k/id eq '1')", "contains(name,'''')", "count eq -1e5", "((", "a eq 'ü'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := ParseFilter(text)
		if err == nil {
			filter.Fields()
			filter.Conjuncts()
			_, err = filter.Match(item)
		}
		if err != nil {
			if e := AsError(err); e.Status != 400 {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
