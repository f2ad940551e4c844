package arm

import (
	"net/http"
	"slices"
	"strings"
)

// verb is the last word of a derived action, after Azure's rule.
func verb(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead:
		return "read"
	case http.MethodDelete:
		return "delete"
	case http.MethodPost:
		return "action"
	default:
		return "write"
	}
}

// bind works out of a route what does not change between requests: the type it serves, the action it needs and what its
// scope is.
func bind(namespace string, types []TypeInfo, route Route) (*boundRoute, error) {
	b := &boundRoute{Route: route, namespace: namespace}
	segments := strings.Split(strings.TrimPrefix(route.Pattern, "/"), "/")
	kinds, tail := patternTypes(segments)
	b.listed = tail%2 == 1
	if _, isParam := placeholder(segments[len(segments)-1]); route.Method == http.MethodPost && !b.listed && !isParam {
		// POST .../git/regenerateKey: the action stands in a name's place.
		kinds, b.listed = append(kinds, segments[len(segments)-1]), true
	}
	b.typeName = strings.Join(kinds, "/")
	if route.Action != "" {
		b.action = strings.Split(route.Action, "/")
	} else {
		b.action = append(slices.Clone(kinds), verb(route.Method))
	}
	if within, ok := strings.CutPrefix(b.typeName, namespace+"/"); ok {
		b.info = typeInfo(types, within)
	}
	return b, nil
}

// patternTypes gives the provider's name and the types of a pattern, and how many segments follow the provider (or the
// start, where there is none): an odd number means that the last type has no name after it.
func patternTypes(segments []string) (kinds []string, tail int) {
	start := 0
	kinds = []string{"Microsoft.Resources"}
	if i := lastProviders(segments); i >= 0 && i+1 < len(segments) && !strings.HasPrefix(segments[i+1], "{") {
		kinds, start = []string{segments[i+1]}, i+2
	}
	for i := start; i < len(segments); i += 2 {
		kinds = append(kinds, segments[i])
	}
	return kinds, len(segments) - start
}

// typeInfo finds what a provider told about a type or, where it told nothing, about the nearest type above.
func typeInfo(types []TypeInfo, name string) *TypeInfo {
	for name != "" {
		for i := range types {
			if strings.EqualFold(types[i].Name, name) {
				return &types[i]
			}
		}
		cut := strings.LastIndexByte(name, '/')
		if cut < 0 {
			return nil
		}
		name = name[:cut]
	}
	return nil
}

// actionOf is the action of a request, for example Microsoft.ApiManagement/service/backup/action.
func (b *boundRoute) actionOf(params map[string]string) string {
	out := make([]string, len(b.action))
	for i, s := range b.action {
		if name, ok := placeholder(s); ok {
			s = params[name]
		}
		out[i] = s
	}
	return strings.Join(out, "/")
}

// scopeOf is the id that is checked: the resource or, for a list or an action, what it is on.
func (b *boundRoute) scopeOf(r *Request) string {
	if b.Scope != nil {
		return b.Scope(r)
	}
	path := r.Path
	if b.listed {
		path = path[:strings.LastIndexByte(path, '/')]
		// A list or an action directly below a provider ("/subscriptions/s/providers/Microsoft.X/things") is on what
		// stands before the provider.
		segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
		if n := len(segments); n >= 2 && strings.EqualFold(segments[n-2], "providers") {
			path = joinPath(segments[:n-2])
		}
	}
	if path == "" {
		return "/"
	}
	return path
}
