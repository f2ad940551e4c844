package arm

import (
	"fmt"
	"slices"
	"strings"

	"tandem"
)

// router finds the route of a path: a trie by segment for ordinary patterns, another one for extension resources, whose
// patterns start at the path's last "providers".
type router struct {
	root, extensions *node
}

type node struct {
	literals    map[string]*node // by lower-case literal
	placeholder *node
	routes      map[string]*boundRoute // by method
	rest        map[string]*boundRoute // by method: {name...} matches all that follows
}

// boundRoute is a route with what was worked out of its pattern.
type boundRoute struct {
	Route
	namespace string   // of the provider that contributed it
	params    []string // names of the placeholders, in order
	action    []string // segments of the action; "{name}" is taken from the parameters
	listed    bool     // the path names no resource: a list or an action; the scope is the path without its last segment
	info      *TypeInfo
	typeName  string // the full type, for errors
}

// match is a route with the values of its placeholders.
type match struct {
	route  *boundRoute
	params map[string]string
}

const extensionPrefix = "/{scope...}/providers/"

func newRouter(providers []Provider) (*router, error) {
	t := &router{root: &node{}, extensions: &node{}}
	for _, p := range providers {
		types := p.Types()
		for _, route := range p.Routes() {
			b, err := bind(p.Namespace(), types, route)
			if err == nil {
				err = t.add(b)
			}
			if err != nil {
				return nil, &tandem.Error{Op: "add route", Subject: route.Method + " " + route.Pattern, Kind: tandem.Invalid, Err: err,
					Remedy: "correct the route table of provider " + p.Namespace()}
			}
		}
	}
	return t, nil
}

func (t *router) add(b *boundRoute) error {
	n, pattern := t.root, b.Pattern
	if tail, ok := strings.CutPrefix(pattern, extensionPrefix); ok {
		n, pattern = t.extensions, "/providers/"+tail
		b.params = append(b.params, "scope")
	}
	segments := strings.Split(strings.TrimPrefix(pattern, "/"), "/")
	for i, s := range segments {
		name, isParam := placeholder(s)
		switch {
		case isParam && strings.HasSuffix(name, "..."):
			if i != len(segments)-1 {
				return fmt.Errorf("%s must be the last segment", s)
			}
			b.params = append(b.params, strings.TrimSuffix(name, "..."))
			return put(&n.rest, b)
		case isParam:
			b.params = append(b.params, name)
			if n.placeholder == nil {
				n.placeholder = &node{}
			}
			n = n.placeholder
		default:
			if n.literals == nil {
				n.literals = map[string]*node{}
			}
			next := n.literals[lower(s)]
			if next == nil {
				next = &node{}
				n.literals[lower(s)] = next
			}
			n = next
		}
	}
	return put(&n.routes, b)
}

func put(routes *map[string]*boundRoute, b *boundRoute) error {
	if *routes == nil {
		*routes = map[string]*boundRoute{}
	}
	if old := (*routes)[b.Method]; old != nil {
		return fmt.Errorf("it clashes with %s", old.Pattern)
	}
	(*routes)[b.Method] = b
	return nil
}

func placeholder(segment string) (string, bool) {
	if len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}' {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}

// find gives the route, or the methods that the path does serve (empty: none).
func (t *router) find(method string, segments []string) (*match, []string) {
	var allowed []string
	if i := lastProviders(segments); i >= 0 {
		values := []string{joinPath(segments[:i])}
		if m, also := t.extensions.find(method, segments[i:], values); m != nil {
			return m, nil
		} else {
			allowed = also
		}
	}
	m, also := t.root.find(method, segments, nil)
	if m != nil {
		return m, nil
	}
	allowed = append(allowed, also...)
	slices.Sort(allowed)
	return nil, slices.Compact(allowed)
}

func (n *node) find(method string, segments, values []string) (*match, []string) {
	if len(segments) == 0 {
		return pick(n.routes, method, values)
	}
	var allowed []string
	if next := n.literals[lower(segments[0])]; next != nil {
		m, also := next.find(method, segments[1:], values)
		if m != nil {
			return m, nil
		}
		allowed = append(allowed, also...)
	}
	if n.placeholder != nil {
		m, also := n.placeholder.find(method, segments[1:], append(values[:len(values):len(values)], segments[0]))
		if m != nil {
			return m, nil
		}
		allowed = append(allowed, also...)
	}
	m, also := pick(n.rest, method, append(values[:len(values):len(values)], strings.Join(segments, "/")))
	return m, append(allowed, also...)
}

func pick(routes map[string]*boundRoute, method string, values []string) (*match, []string) {
	if b := routes[method]; b != nil {
		params := make(map[string]string, len(values))
		for i, name := range b.params {
			params[name] = values[i]
		}
		return &match{route: b, params: params}, nil
	}
	var allowed []string
	for m := range routes {
		allowed = append(allowed, m)
	}
	return nil, allowed
}

// lastProviders is the index of the last segment "providers" that stands where an id has a type's place, or -1.
func lastProviders(segments []string) int {
	for i := len(segments) - 1; i >= 0; i-- {
		if strings.EqualFold(segments[i], "providers") {
			return i
		}
	}
	return -1
}

func joinPath(segments []string) string {
	if len(segments) == 0 {
		return ""
	}
	return "/" + strings.Join(segments, "/")
}
