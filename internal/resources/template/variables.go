package template

import (
	"errors"
	"strings"
)

// errNotYet is what an expression gives that needs resources, while the deployment is planned.
var errNotYet = errors.New("the value is known once the resources are deployed")

// pending is a value that is evaluated when it is first asked for.
type pending struct {
	make    func() (any, error)
	started bool
	done    bool
	v       any
	err     error
	name    string
}

func (p *pending) value() (any, error) {
	if p.done {
		return p.v, p.err
	}
	if p.started {
		return nil, errorAt("", "%s is defined by itself", p.name)
	}
	p.started = true
	p.v, p.err = p.make()
	p.done = true
	return p.v, p.err
}

// variables are those of a template, by lower-case name.
type variables struct{ all map[string]*pending }

func (v *variables) value(name string) (any, error) {
	p := v.all[strings.ToLower(name)]
	if p == nil {
		return nil, errorAt("", "there is no variable '%s'; declare it, or correct the name", name)
	}
	return p.value()
}

// bindVariables prepares the variables of a template; loops among them make arrays.
func bindVariables(e *env, section map[string]any) (*variables, error) {
	out := &variables{all: map[string]*pending{}}
	add := func(name string, eval func() (any, error)) {
		out.all[strings.ToLower(name)] = &pending{name: "the variable '" + name + "'", make: eval}
	}
	e.vars = out
	for name, raw := range section {
		path := property("variables", name)
		if loops, ok := copyLoops(name, raw); ok {
			for i, l := range loops {
				add(stringOf(l, "name"), func() (any, error) { return e.repeat(element(path, i), l) })
			}
			continue
		}
		add(name, func() (any, error) { return e.value(path, raw) })
	}
	for _, name := range sortedKeys(out.all) {
		if _, err := out.all[name].value(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxWeight bounds a value that an expression makes: nodes and characters, the size of the largest template.
const maxWeight = 4 << 20

// weight counts a value's nodes and characters, and stops above left.
func weight(v any, left int) int {
	switch v := v.(type) {
	case string:
		left -= len(v)
	case []any:
		for _, item := range v {
			if left = weight(item, left-1); left < 0 {
				return left
			}
		}
	case map[string]any:
		for key, item := range v {
			if left = weight(item, left-1-len(key)); left < 0 {
				return left
			}
		}
	}
	return left - 1
}

// userFunction is one that the template defines.
type userFunction struct {
	name   string
	params []parameter
	output any
	path   string
}

func (e *env) callUser(f *userFunction, n *node) (any, error) {
	if len(n.args) != len(f.params) {
		return nil, errorAt("", "the function '%s' takes %d arguments, not %d", f.name, len(f.params), len(n.args))
	}
	inner := &env{ctx: e.ctx, scope: e.scope, builtins: e.builtins, functions: e.functions, params: map[string]any{}, depth: e.depth}
	for i, arg := range n.args {
		v, err := e.eval(arg)
		if err != nil {
			return nil, err
		}
		inner.params[strings.ToLower(f.params[i].name)] = v
	}
	return inner.value(f.path, f.output)
}
