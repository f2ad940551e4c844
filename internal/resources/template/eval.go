package template

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// env is what an expression is evaluated in.
type env struct {
	ctx       context.Context
	scope     *Scope
	builtins  map[string]builtin
	functions map[string]*userFunction
	params    map[string]any // by lower-case name
	vars      *variables     // nil: there are none here
	loops     []loop
	lambdas   []map[string]any
	plan      *Plan   // nil until resources are known
	runtime   Runtime // nil while the deployment is planned
	tolerant  bool    // what needs a runtime stays as it is written
	depth     int
}

// loop is one turn of a copy loop.
type loop struct {
	name  string
	index int64
	named bool // a loop over a property: it is asked for by name alone
}

// in gives the environment within one more loop.
func (e *env) in(l loop) *env {
	c := *e
	c.loops = append(slices.Clip(e.loops), l)
	return &c
}

// value evaluates all expressions in a value.
func (e *env) value(path string, v any) (any, error) {
	switch v := v.(type) {
	case string:
		if !isExpression(v) {
			return unescape(v), nil
		}
		n, err := parseExpression(v)
		if err != nil {
			return nil, at(path, err)
		}
		made, err := e.eval(n)
		if notYet(err) && e.runtime == nil && e.tolerant {
			return v, nil
		}
		if err == nil && weight(made, maxWeight) < 0 {
			err = errorAt("", "the expression makes a value larger than 4 MB")
		}
		return made, at(path, err)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			var err error
			if out[i], err = e.value(element(path, i), item); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		return e.object(path, v)
	}
	return v, nil
}

// object evaluates a map; its member "copy" makes arrays of other members.
func (e *env) object(path string, o map[string]any) (any, error) {
	out := make(map[string]any, len(o))
	for _, name := range sortedKeys(o) {
		at := property(path, name)
		if loops, ok := copyLoops(name, o[name]); ok {
			for i, l := range loops {
				made, err := e.repeat(element(at, i), l)
				if err != nil {
					return nil, err
				}
				out[stringOf(l, "name")] = made
			}
			continue
		}
		key, err := e.key(at, name)
		if err != nil {
			return nil, err
		}
		if out[key], err = e.value(at, o[name]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// key evaluates a property's name, which may be an expression as well.
func (e *env) key(path, name string) (string, error) {
	if !isExpression(name) {
		return unescape(name), nil
	}
	v, err := e.value(path, name)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", errorAt(path, "the name of a property must be a string, not %s", typeName(v))
	}
	return s, nil
}

// copyLoops recognises the member that holds loops over properties: a list of {name, count, input}.
func copyLoops(name string, v any) ([]map[string]any, bool) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 || !strings.EqualFold(name, "copy") {
		return nil, false
	}
	var out []map[string]any
	for _, item := range list {
		o, ok := item.(map[string]any)
		if !ok || stringOf(o, "name") == "" {
			return nil, false
		}
		if _, ok := get(o, "count"); !ok {
			return nil, false
		}
		if _, ok := get(o, "input"); !ok {
			return nil, false
		}
		out = append(out, o)
	}
	return out, true
}

// repeat makes the array of a loop over a property, a variable or an output.
func (e *env) repeat(path string, l map[string]any) (any, error) {
	count, err := e.count(path, l)
	if err != nil {
		return nil, err
	}
	input, _ := get(l, "input")
	out := make([]any, count)
	name := stringOf(l, "name")
	for i := range out {
		if out[i], err = e.in(loop{name, int64(i), name != ""}).value(property(path, "input"), input); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxCopies is the most that one loop makes, Azure's limit.
const maxCopies = 800

func (e *env) count(path string, l map[string]any) (int, error) {
	raw, ok := get(l, "count")
	if !ok {
		return 0, errorAt(path, "the copy loop has no count")
	}
	v, err := e.value(property(path, "count"), raw)
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok || n < 0 || n > maxCopies {
		return 0, errorAt(property(path, "count"), "the count of a copy loop must be an integer from 0 to %d", maxCopies)
	}
	return int(n), nil
}

func (e *env) eval(n *node) (any, error) {
	switch {
	case n.base != nil:
		return e.member(n)
	case n.call == "":
		return n.literal, nil
	}
	if e.depth++; e.depth > 4*maxDepth {
		return nil, errorAt("", "the expression calls itself without end")
	}
	defer func() { e.depth-- }()
	if f := e.functions[n.call]; f != nil {
		return e.callUser(f, n)
	}
	f, ok := lookup(e.builtins, n)
	if !ok {
		return nil, unknownFunction(n.name)
	}
	if err := f.arity(n); err != nil {
		return nil, err
	}
	if f.lazy != nil {
		return f.lazy(e, n)
	}
	a := &arguments{e: e, name: n.name, v: make([]any, len(n.args))}
	for i, arg := range n.args {
		var err error
		if a.v[i], err = e.eval(arg); err != nil {
			return nil, err
		}
	}
	v, err := f.call(a)
	if a.err != nil {
		return nil, a.err
	}
	return v, err
}

func (e *env) member(n *node) (any, error) {
	base, err := e.eval(n.base)
	if err != nil {
		return nil, err
	}
	var key any = n.field
	if n.index != nil {
		if key, err = e.eval(n.index); err != nil {
			return nil, err
		}
	}
	v, ok, err := index(base, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		if o, isObject := base.(map[string]any); isObject {
			return nil, errorAt("", "the property '%v' does not exist; there are '%s'", key, strings.Join(sortedKeys(o), ", "))
		}
		return nil, errorAt("", "the index %v is outside of the array, which has %d elements", key, len(base.([]any)))
	}
	return v, nil
}

// index gives a member of an object or an element of an array; false where it is not there.
func index(base, key any) (any, bool, error) {
	switch b := base.(type) {
	case map[string]any:
		if s, ok := key.(string); ok {
			v, found := get(b, s)
			return v, found, nil
		}
	case []any:
		if i, ok := key.(int64); ok {
			if i < 0 || i >= int64(len(b)) {
				return nil, false, nil
			}
			return b[i], true, nil
		}
	}
	return nil, false, errorAt("", "%v cannot be taken of a value of type %s", key, typeName(base))
}

// get finds a member without regard to case, an exact match first.
func get(o map[string]any, name string) (any, bool) {
	if v, ok := o[name]; ok {
		return v, true
	}
	for _, key := range sortedKeys(o) {
		if strings.EqualFold(key, name) {
			return o[key], true
		}
	}
	return nil, false
}

func stringOf(o map[string]any, name string) string {
	v, _ := get(o, name)
	s, _ := v.(string)
	return s
}

func objectOf(o map[string]any, name string) map[string]any {
	v, _ := get(o, name)
	m, _ := v.(map[string]any)
	return m
}

func sortedKeys[V any](o map[string]V) []string { return slices.Sorted(maps.Keys(o)) }

// typeName is the template language's word for a value's type.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case int64:
		return "int"
	case float64:
		return "float"
	case []any:
		return "array"
	case *lambda:
		return "lambda"
	}
	return "object"
}
