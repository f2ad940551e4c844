package replica

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/snapshot"
)

func res(path, props string, secrets ...string) snapshot.Resource {
	r := snapshot.Resource{Path: path, Properties: json.RawMessage(props)}
	for n := 0; n < len(secrets); n += 2 {
		if r.Secrets == nil {
			r.Secrets = map[string]string{}
		}
		r.Secrets[secrets[n]] = secrets[n+1]
	}
	return r
}

// brief writes a difference in one line.
func brief(d Difference) string {
	var out []string
	for _, c := range d.Added {
		out = append(out, "+"+c.Path)
	}
	for _, c := range d.Changed {
		var props []string
		for _, p := range c.Properties {
			props = append(props, p.Property)
		}
		out = append(out, "~"+c.Path+"("+strings.Join(props, ",")+")")
	}
	for _, c := range d.Deleted {
		out = append(out, "-"+c.Path)
	}
	for _, u := range d.Inconclusive {
		out = append(out, "?"+u.Path)
	}
	return strings.Join(out, " ")
}

func TestDiff(t *testing.T) {
	type rs = []snapshot.Resource
	api := func(path, rev string, more string) snapshot.Resource {
		return res(path, fmt.Sprintf(`{"path":"echo","apiRevision":%q%s}`, rev, more))
	}
	for name, c := range map[string]struct {
		a, b rs
		want string
	}{
		"equal":                               {rs{res("tags/a", `{"displayName":"A"}`)}, rs{res("tags/a", `{"displayName":"A"}`)}, ""},
		"nulls and empties are nothing":       {rs{res("backends/a", `{"url":"u","credentials":{"header":{}},"tls":null}`)}, rs{res("backends/a", `{"url":"u"}`)}, ""},
		"numbers by value":                    {rs{res("products/a", `{"subscriptionsLimit":1.0}`)}, rs{res("products/a", `{"subscriptionsLimit":1}`)}, ""},
		"computed":                            {rs{res("users/a", `{"email":"e","registrationDate":"1"}`)}, rs{res("users/a", `{"email":"e","registrationDate":"2"}`)}, ""},
		"full and short references":           {rs{res("subscriptions/a", `{"scope":"/products/p"}`)}, rs{res("subscriptions/a", `{"scope":"/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/x/products/p"}`)}, ""},
		"a policy in either format":           {rs{res("policies/policy", `{"format":"xml","value":"<policies><inbound><set-variable name=\"a\" value=\"@(1 &lt; 2)\" /></inbound></policies>"}`)}, rs{res("policies/policy", `{"format":"rawxml","value":"<policies><inbound><set-variable name=\"a\" value=\"@(1 < 2)\" /></inbound></policies>"}`)}, ""},
		"another policy":                      {rs{res("policies/policy", `{"format":"rawxml","value":"<policies/>"}`)}, rs{res("policies/policy", `{"format":"rawxml","value":"<policies><inbound /></policies>"}`)}, "~policies/policy(value)"},
		"settings as they are from the start": {nil, rs{res("portalsettings/signin", `{"enabled":false}`)}, ""},
		"settings that were set":              {nil, rs{res("portalsettings/signin", `{"enabled":true}`)}, "+portalsettings/signin"},
		"nested and listed":                   {rs{res("backends/a", `{"circuitBreaker":{"rules":[{"n":1},{"n":2}]}}`)}, rs{res("backends/a", `{"circuitBreaker":{"rules":[{"n":1},{"n":3}]}}`)}, "~backends/a(circuitBreaker.rules[1].n)"},
		"secrets":                             {rs{res("subscriptions/a", `{}`, "primaryKey", "x")}, rs{res("subscriptions/a", `{}`, "primaryKey", "y")}, "~subscriptions/a(primaryKey)"},
		"secrets that nobody gives back":      {rs{res("loggers/a", `{}`, "json:credentials", `{"a":"b"}`)}, rs{res("loggers/a", `{}`)}, "?loggers/a"},
		"the form of a secret document":       {rs{res("loggers/a", `{}`, "json:credentials", `{"a":"b", "c":1}`)}, rs{res("loggers/a", `{}`, "json:credentials", `{"c":1,"a":"b"}`)}, ""},
		"another current revision": {rs{api("apis/echo", "1", ""), api("apis/echo;rev=2", "2", ""), res("apis/echo/operations/get", `{"method":"GET"}`)},
			rs{api("apis/echo", "2", ""), api("apis/echo;rev=1", "1", ""), res("apis/echo;rev=1/operations/get", `{"method":"GET"}`)}, ""},
		"case of names": {rs{res("tags/A", `{}`)}, rs{res("tags/a", `{}`)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Diff(c.a, c.b)
			if err != nil || brief(d) != c.want {
				t.Errorf("got %q, %v; want %q", brief(d), err, c.want)
			}
			if out, _ := json.Marshal(d); strings.Contains(string(out), `"x"`) || strings.Contains(string(out), `"y"`) {
				t.Errorf("a secret is shown: %s", out)
			}
		})
	}
	if _, err := Diff(nil, []snapshot.Resource{res("novelties/a", `{}`)}); tandem.KindOf(err) != tandem.Unsupported {
		t.Errorf("a kind that is not known was compared: %v", err)
	}
	if _, err := Diff(nil, []snapshot.Resource{res("tags/a", `{}`), res("tags/A", `{}`)}); tandem.KindOf(err) != tandem.Invalid {
		t.Errorf("a resource that stands twice was compared: %v", err)
	}
}

// TestDiffIsSymmetric: what one direction adds the other deletes, and what is changed is changed in both.
func TestDiffIsSymmetric(t *testing.T) {
	draw := func(rt *rapid.T, side string) (out []snapshot.Resource) {
		for _, n := range rapid.SliceOfDistinct(rapid.StringMatching(`[ab]{1,3}`), strings.ToLower).Draw(rt, side) {
			out = append(out, res("tags/"+n, fmt.Sprintf(`{"displayName":%q,"n":%d}`, n, rapid.IntRange(0, 1).Draw(rt, "n"))))
		}
		return out
	}
	rapid.Check(t, func(rt *rapid.T) {
		a, b := draw(rt, "a"), draw(rt, "b")
		there, err := Diff(a, b)
		if err != nil {
			rt.Fatal(err)
		}
		back, err := Diff(b, a)
		if err != nil {
			rt.Fatal(err)
		}
		paths := func(cs []Change) (out []string) {
			for _, c := range cs {
				out = append(out, c.Path)
			}
			return out
		}
		if !slices.Equal(paths(there.Added), paths(back.Deleted)) || !slices.Equal(paths(there.Changed), paths(back.Changed)) || there.Unchanged != back.Unchanged {
			rt.Fatalf("%s against %s", brief(there), brief(back))
		}
		if len(there.Added)+len(there.Changed)+there.Unchanged != len(b) {
			rt.Fatalf("%s does not account for %d resources", brief(there), len(b))
		}
	})
}

func TestPlan(t *testing.T) {
	type rs = []snapshot.Resource
	var many rs
	for n := range 30 {
		many = append(many, res(fmt.Sprintf("tags/t%02d", n), `{"displayName":"T"}`))
	}
	overlay, err := ParseOverlay("o.yaml", []byte("rules:\n  - paths: [backends/*]\n    property: url\n    replace: '\\.west\\.'\n    with: '.east.'\n  - paths: [namedValues/region]\n    property: value\n    set: east\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		want, have rs
		o          PlanOptions
		diff       string
		notes      string
	}{
		"mass deletion":          {many[:10], many, PlanOptions{}, "", "guard"},
		"mass deletion allowed":  {many[:10], many, PlanOptions{AllowDeletions: true}, "", ""},
		"only":                   {rs{res("tags/a", `{}`), res("products/p", `{}`)}, nil, PlanOptions{Only: []string{"products/*"}}, "+products/p", ""},
		"only leaves the rest":   {nil, rs{res("tags/a", `{}`), res("products/p", `{}`)}, PlanOptions{Only: []string{"products"}}, "-products/p", ""},
		"exclude":                {rs{res("tags/a", `{"displayName":"new"}`)}, rs{res("tags/a", `{"displayName":"old"}`), res("tags/b", `{}`)}, PlanOptions{Exclude: []string{"tags/**"}}, "", ""},
		"tier":                   {rs{res("gateways/g", `{}`), res("tags/a", `{}`)}, nil, PlanOptions{Tier: "Basic"}, "+tags/a", "unsupported gateways/g"},
		"built-in groups stay":   {nil, rs{res("groups/developers", `{"type":"system"}`), res("groups/mine", `{"type":"custom"}`)}, PlanOptions{}, "-groups/mine", "kept groups/developers"},
		"overlay":                {rs{res("backends/a", `{"url":"https://a.west.test"}`), res("namedValues/region", `{"displayName":"region","value":"west"}`)}, rs{res("backends/a", `{"url":"https://a.east.test"}`), res("namedValues/region", `{"displayName":"region","value":"east"}`)}, PlanOptions{Overlay: overlay}, "", ""},
		"a reference to nowhere": {rs{res("policies/policy", `{"format":"rawxml","value":"<policies><inbound><set-backend-service backend-id=\"gone\" /><set-header name=\"a\"><value>{{lost}}</value></set-header></inbound></policies>"}`)}, nil, PlanOptions{}, "+policies/policy", "unresolved backends/gone unresolved namedValues/lost"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := NewPlan(c.want, c.have, c.o)
			if err != nil {
				t.Fatal(err)
			}
			var notes []string
			if p.Guard != "" {
				notes = append(notes, "guard")
				if err := p.Allowed(); tandem.KindOf(err) != tandem.Precondition || !strings.Contains(err.Error(), "--allow-deletions") {
					t.Errorf("the guard says %v", err)
				}
			}
			for _, r := range p.Unsupported {
				notes = append(notes, "unsupported "+r.Path)
			}
			for _, r := range p.Kept {
				notes = append(notes, "kept "+r.Path)
			}
			for _, u := range p.Unresolved {
				notes = append(notes, "unresolved "+u.Refers)
			}
			if got := strings.Join(notes, " "); got != c.notes {
				t.Errorf("notes %q, want %q", got, c.notes)
			}
			if got := brief(p.Difference); !strings.HasPrefix(name, "mass") && got != c.diff {
				t.Errorf("plan %q, want %q", got, c.diff)
			}
		})
	}
	if _, err := NewPlan(nil, nil, PlanOptions{Overlay: overlay}); tandem.KindOf(err) != tandem.Invalid {
		t.Errorf("a rule that changes nothing was passed over: %v", err)
	}
	for _, bad := range []string{"rules:\n  - paths: [a]\n", "rules:\n  - property: url\n    set: x\n", "rules:\n  - paths: ['[']\n    property: a\n    set: x\n", "rulez: []\n", "rules:\n  - paths: [a]\n    replace: '('\n"} {
		if _, err := ParseOverlay("o.yaml", []byte(bad)); tandem.KindOf(err) != tandem.Invalid || !strings.Contains(err.Error(), "o.yaml") {
			t.Errorf("%q was taken: %v", bad, err)
		}
	}
}

func TestParseRequests(t *testing.T) {
	got, err := ParseRequests("r.http", []byte("# comment\n### first\nGET /a?b=c\nX-Key: v\n\n###\n\nPOST /b HTTP/1.1\nContent-Type: text/plain\n\nline 1\n\nline 2\n"))
	if err != nil || len(got) != 2 || got[0].Name != "first" || got[0].Path != "/a?b=c" || got[0].Header.Get("X-Key") != "v" || got[1].Name != "POST /b" || string(got[1].Body) != "line 1\n\nline 2" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"GET a\n", "hello\n", "GET /a\nno header\n", "get /a\n"} {
		if _, err := ParseRequests("r.http", []byte(bad)); tandem.KindOf(err) != tandem.Invalid || !strings.Contains(err.Error(), "r.http:") {
			t.Errorf("%q was taken: %v", bad, err)
		}
	}
}

func FuzzParseRequests(f *testing.F) {
	f.Add([]byte("### a\nGET /a\nB: c\n\nbody\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := ParseRequests("f", data)
		for _, r := range all {
			if err != nil || !strings.HasPrefix(r.Path, "/") || r.Method == "" {
				t.Errorf("%+v, %v", r, err)
			}
		}
	})
}

func FuzzParseOverlay(f *testing.F) {
	f.Add([]byte("rules:\n  - paths: [a]\n    property: b\n    set: c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := ParseOverlay("f", data); (o == nil) == (err == nil) {
			t.Errorf("%v and %v", o, err)
		}
	})
}
