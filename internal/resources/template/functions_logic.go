package template

import (
	"strings"
)

func logicFunctions() map[string]builtin {
	compare := func(holds func(int) bool) builtin {
		return builtin{min: 2, max: 2, call: func(a *arguments) (any, error) { return holds(a.compare()), nil }}
	}
	constant := func(v bool) builtin {
		return builtin{min: 0, max: 0, call: func(*arguments) (any, error) { return v, nil }}
	}
	return map[string]builtin{
		"true":            constant(true),
		"false":           constant(false),
		"not":             {min: 1, max: 1, call: func(a *arguments) (any, error) { return !a.boolean(0), nil }},
		"and":             {min: 2, max: -1, lazy: func(e *env, n *node) (any, error) { return e.until(n, false) }},
		"or":              {min: 2, max: -1, lazy: func(e *env, n *node) (any, error) { return e.until(n, true) }},
		"if":              {min: 3, max: 3, lazy: choose},
		"bool":            {min: 1, max: 1, call: toBool},
		"coalesce":        {min: 1, max: -1, lazy: coalesce},
		"equals":          {min: 2, max: 2, call: func(a *arguments) (any, error) { return equal(a.v[0], a.v[1]), nil }},
		"less":            compare(func(c int) bool { return c < 0 }),
		"lessorequals":    compare(func(c int) bool { return c <= 0 }),
		"greater":         compare(func(c int) bool { return c > 0 }),
		"greaterorequals": compare(func(c int) bool { return c >= 0 }),
	}
}

// until evaluates conditions until one is stop.
func (e *env) until(n *node, stop bool) (any, error) {
	for i, arg := range n.args {
		v, err := e.eval(arg)
		if err != nil {
			return nil, err
		}
		b, ok := v.(bool)
		if !ok {
			return nil, errorAt("", "the function '%s': its argument %d must be of type bool, not %s", n.name, i+1, typeName(v))
		}
		if b == stop {
			return stop, nil
		}
	}
	return !stop, nil
}

// choose evaluates only the branch that is taken.
func choose(e *env, n *node) (any, error) {
	v, err := e.eval(n.args[0])
	if err != nil {
		return nil, err
	}
	switch v {
	case true:
		return e.eval(n.args[1])
	case false:
		return e.eval(n.args[2])
	}
	return nil, errorAt("", "the function 'if': its condition must be of type bool, not %s", typeName(v))
}

func coalesce(e *env, n *node) (any, error) {
	for _, arg := range n.args {
		if v, err := e.eval(arg); err != nil || v != nil {
			return v, err
		}
	}
	return nil, nil
}

func toBool(a *arguments) (any, error) {
	switch v := a.v[0].(type) {
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case string:
		switch strings.ToLower(v) {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
	}
	a.fail("only a bool, an int, 'true', 'false', '1' and '0' can become a bool")
	return nil, nil
}

// compare is -1, 0 or 1: numbers by value, texts by code point.
func (a *arguments) compare() int {
	if s, ok := a.v[0].(string); ok {
		return strings.Compare(s, a.text(1))
	}
	x, y := a.number(0), a.number(1)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
