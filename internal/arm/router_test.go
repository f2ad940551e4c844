package arm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

type table struct {
	namespace string
	types     []TypeInfo
	routes    []Route
}

func (t table) Namespace() string { return t.namespace }
func (t table) Types() []TypeInfo { return t.types }
func (t table) Routes() []Route   { return t.routes }

func TestRouter(t *testing.T) {
	const svc = "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.ApiManagement/service/{n}"
	var routes []Route
	for _, p := range []string{"/subscriptions", "/subscriptions/{s}", "/subscriptions/{s}/providers/{ns}", svc, svc + "/apis", svc + "/apis/{a}",
		svc + "/policies/policy", svc + "/apis/{a}/operations/{o}/policies/policy", svc + "/portalsettings/signin", svc + "/portalsettings/{p}",
		svc + "/files/{rest...}", "/{scope...}/providers/Microsoft.Authorization/roleAssignments/{name}", "/{scope...}/providers/Microsoft.Authorization/roleAssignments"} {
		routes = append(routes, Route{Method: "GET", Pattern: p})
	}
	routes = append(routes, Route{Method: "POST", Pattern: svc + "/backup"})
	r, err := newRouter([]Provider{table{namespace: "Microsoft.ApiManagement", routes: routes}})
	if err != nil {
		t.Fatal(err)
	}
	const base = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ApiManagement/service/x"
	for _, c := range []struct{ method, path, pattern, params string }{
		{"GET", "//subscriptions/1", "/subscriptions/{s}", "s=1"},
		{"GET", "/SUBSCRIPTIONS/1/", "/subscriptions/{s}", "s=1"},
		{"GET", "/subscriptions/1/resourcegroups/rg/PROVIDERS/microsoft.apimanagement/SERVICE/x", svc, "g=rg n=x s=1"},
		{"GET", base + "/apis/echo;rev=2", svc + "/apis/{a}", "a=echo;rev=2 g=rg n=x s=1"},
		{"GET", base + "/apis/echo%3Brev%3D2", svc + "/apis/{a}", "a=echo;rev=2 g=rg n=x s=1"},
		{"GET", base + "/apis/a%2520b", svc + "/apis/{a}", "a=a%20b g=rg n=x s=1"},
		{"GET", base + "/apis//echo/", svc + "/apis/{a}", "a=echo g=rg n=x s=1"},
		{"GET", base + "/policies/Policy", svc + "/policies/policy", "g=rg n=x s=1"},
		{"GET", base + "/portalsettings/SignIn", svc + "/portalsettings/signin", "g=rg n=x s=1"},
		{"GET", base + "/portalsettings/other", svc + "/portalsettings/{p}", "g=rg n=x p=other s=1"},
		{"GET", base + "/files/a/b/c", svc + "/files/{rest...}", "g=rg n=x rest=a/b/c s=1"},
		{"POST", base + "/BACKUP", svc + "/backup", "g=rg n=x s=1"},
		{"GET", base + "/backup", "", "POST"},
		{"DELETE", base, "", "GET"},
		{"GET", base + "/nothing", "", ""},
		{"GET", base + "/files", "", ""},
		{"GET", "/", "", ""},
		{"GET", "/subscriptions/1/providers/Microsoft.Authorization", "/subscriptions/{s}/providers/{ns}", "ns=Microsoft.Authorization s=1"},
		{"GET", "/providers/Microsoft.Authorization/roleAssignments/7", routes[11].Pattern, "name=7 scope="},
		{"GET", "//subscriptions/1/providers/Microsoft.Authorization/roleAssignments/7", routes[11].Pattern, "name=7 scope=/subscriptions/1"},
		{"GET", base + "/providers/Microsoft.Authorization/roleAssignments", routes[12].Pattern, "scope=" + base},
	} {
		segments, err := splitPath(c.path)
		if err != nil {
			t.Fatal(err)
		}
		m, allowed := r.find(c.method, segments)
		got, detail := "", strings.Join(allowed, " ")
		if m != nil {
			var pairs []string
			for _, k := range slices.Sorted(maps.Keys(m.params)) {
				pairs = append(pairs, k+"="+m.params[k])
			}
			got, detail = m.route.Pattern, strings.Join(pairs, " ")
		}
		if got != c.pattern || detail != c.params {
			t.Errorf("%s %s: got %q %q, want %q %q", c.method, c.path, got, detail, c.pattern, c.params)
		}
	}
}

func TestRouteClashesAreRefused(t *testing.T) {
	for _, patterns := range [][2]string{{"/a/{x}", "/A/{y}"}, {"/a/b", "/a/B"}, {"/a/{x...}", "/a/{y...}"}, {"/a/{x...}/b", "/c"}} {
		_, err := newRouter([]Provider{table{routes: []Route{{Method: "GET", Pattern: patterns[0]}, {Method: "GET", Pattern: patterns[1]}}}})
		if err == nil {
			t.Errorf("%v: no error", patterns)
		}
	}
}

func TestPathsThatAreRefused(t *testing.T) {
	for _, p := range []string{"/a/../b", "/a/./b", "/a/%2e%2e/b", "/a%2Fb", "/a%5Cb", "/a%00", "/a%0A", "/%ff", "/%zz", strings.Repeat("/a", maxSegments+1)} {
		if _, err := splitPath(p); err == nil {
			t.Errorf("%q: no error", p)
		}
	}
}

func TestActionsAndScopes(t *testing.T) {
	const rg = "/subscriptions/1/resourceGroups/rg"
	const svc = rg + "/providers/Microsoft.ApiManagement/service/x"
	for _, c := range []struct{ method, pattern, path, action, scope string }{
		{"GET", "/subscriptions/{s}", "/subscriptions/1", "Microsoft.Resources/subscriptions/read", "/subscriptions/1"},
		{"PUT", "/subscriptions/{s}/resourceGroups/{g}", rg, "Microsoft.Resources/subscriptions/resourceGroups/write", rg},
		{"DELETE", "/subscriptions/{s}/resourceGroups/{g}", rg, "Microsoft.Resources/subscriptions/resourceGroups/delete", rg},
		{"GET", "/subscriptions/{s}/resourceGroups", "/subscriptions/1/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups/read", "/subscriptions/1"},
		{"GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.ApiManagement/service/{n}", svc, "Microsoft.ApiManagement/service/read", svc},
		{"HEAD", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.ApiManagement/service/{n}/apis/{a}", svc + "/apis/a", "Microsoft.ApiManagement/service/apis/read", svc + "/apis/a"},
		{"GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.ApiManagement/service/{n}/apis", svc + "/apis", "Microsoft.ApiManagement/service/apis/read", svc},
		{"PATCH", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.ApiManagement/service/{n}/policies/policy", svc + "/policies/policy", "Microsoft.ApiManagement/service/policies/write", svc + "/policies/policy"},
		{"POST", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.ApiManagement/service/{n}/backup", svc + "/backup", "Microsoft.ApiManagement/service/backup/action", svc},
		{"POST", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.ApiManagement/service/{n}/subscriptions/{x}/listSecrets", svc + "/subscriptions/a/listSecrets", "Microsoft.ApiManagement/service/subscriptions/listSecrets/action", svc + "/subscriptions/a"},
		{"POST", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.ApiManagement/service/{n}/tenant/{x}/git/regenerateKey", svc + "/tenant/access/git/regenerateKey", "Microsoft.ApiManagement/service/tenant/git/regenerateKey/action", svc + "/tenant/access/git"},
		{"POST", "/subscriptions/{s}/providers/Microsoft.ApiManagement/checkNameAvailability", "/subscriptions/1/providers/Microsoft.ApiManagement/checkNameAvailability", "Microsoft.ApiManagement/checkNameAvailability/action", "/subscriptions/1"},
		{"GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.ApiManagement/service", rg + "/providers/Microsoft.ApiManagement/service", "Microsoft.ApiManagement/service/read", rg},
		{"GET", "/providers/Microsoft.X/things", "/providers/Microsoft.X/things", "Microsoft.X/things/read", "/"},
		{"PUT", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Network/trafficManagerProfiles/{p}/{kind}/{e}", rg + "/providers/Microsoft.Network/trafficManagerProfiles/p/ExternalEndpoints/e", "Microsoft.Network/trafficManagerProfiles/ExternalEndpoints/write", rg + "/providers/Microsoft.Network/trafficManagerProfiles/p/ExternalEndpoints/e"},
		{"PUT", "/{scope...}/providers/Microsoft.Authorization/roleAssignments/{n}", svc + "/providers/Microsoft.Authorization/roleAssignments/1", "Microsoft.Authorization/roleAssignments/write", svc + "/providers/Microsoft.Authorization/roleAssignments/1"},
		{"GET", "/{scope...}/providers/Microsoft.Authorization/roleAssignments", svc + "/providers/Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/roleAssignments/read", svc},
	} {
		r, err := newRouter([]Provider{table{routes: []Route{{Method: c.method, Pattern: c.pattern}}}})
		if err != nil {
			t.Fatal(err)
		}
		segments, _ := splitPath(c.path)
		m, _ := r.find(c.method, segments)
		if m == nil {
			t.Fatalf("%s does not match %s", c.path, c.pattern)
		}
		action, scope := m.route.actionOf(m.params), m.route.scopeOf(&Request{Path: c.path, Params: m.params})
		if action != c.action || scope != c.scope {
			t.Errorf("%s %s: got %s at %s, want %s at %s", c.method, c.pattern, action, scope, c.action, c.scope)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/subscriptions/1", "//a%2fb", "/a%252F", "/;rev=1/", "/%c3%a4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		segments, err := splitPath(path)
		if err != nil {
			return
		}
		// What was read and written again reads the same.
		again, err := splitPath(escapePath(joinPath(segments)))
		if err != nil || !slices.Equal(segments, again) {
			t.Fatalf("%q: %q became %q, %v", path, segments, again, err)
		}
	})
}

func ExampleRequest_Link() {
	r := &Request{Base: "https://127.0.0.1:8443"}
	fmt.Println(r.Link("/subscriptions/1/apis/echo;rev=2", "api-version=2024-05-01"))
	// Output: https://127.0.0.1:8443/subscriptions/1/apis/echo;rev=2?api-version=2024-05-01
}
