package arm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// FilterFunc is a function that a filter may call beside the common ones.
type FilterFunc struct {
	Name string
	Call func(args []any) (any, error)
}

type evaluation struct {
	filter *Filter
	lookup func(path string) (any, bool)
	funcs  []FilterFunc
	vars   map[string]any // of any()
}

func (e *evaluation) fail(format string, args ...any) error {
	return Errorf(http.StatusBadRequest, "InvalidFilter", "The $filter '%.200s' is invalid: %s.", e.filter.text, fmt.Sprintf(format, args...))
}

// Match evaluates the filter over one item. lookup gives a field by its path as written ("properties/displayName"): a string,
// bool, number, json.Number, time.Time, []any or nil; false says that items have no such field, which is an error of the
// filter. An item that lacks a field which others have gives nil, true. Errors are *Error, 400 InvalidFilter.
func (f *Filter) Match(lookup func(path string) (any, bool), funcs ...FilterFunc) (bool, error) {
	e := &evaluation{filter: f, lookup: lookup, funcs: funcs}
	v, err := f.root.eval(e)
	if err != nil {
		return false, err
	}
	return e.truth(v)
}

func (e *evaluation) truth(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case nil:
		return false, nil
	default:
		return false, e.fail("'%v' is not a condition", v)
	}
}

func (l literal) eval(*evaluation) (any, error) { return l.value, nil }

func ofVariable(path, variable string) bool {
	return path == variable || strings.HasPrefix(path, variable+"/")
}

func (f field) eval(e *evaluation) (any, error) {
	for name, v := range e.vars {
		if f.path == name {
			return plain(v), nil
		}
		if rest, ok := strings.CutPrefix(f.path, name+"/"); ok {
			object, _ := v.(map[string]any)
			got, _ := FoldGet(object, strings.Split(rest, "/")...)
			return plain(got), nil
		}
	}
	v, known := e.lookup(f.path)
	if !known {
		return nil, e.fail("the field '%s' cannot be filtered by", f.path)
	}
	return plain(v), nil
}

// plain brings numbers to float64.
func plain(v any) any {
	switch n := v.(type) {
	case json.Number:
		f, err := n.Float64()
		if err != nil {
			return n.String()
		}
		return f
	case int:
		return float64(n)
	case int64:
		return float64(n)
	}
	return v
}

func (l logic) eval(e *evaluation) (any, error) {
	for _, side := range []expr{l.left, l.right} {
		v, err := side.eval(e)
		if err != nil {
			return nil, err
		}
		truth, err := e.truth(v)
		if err != nil {
			return nil, err
		}
		if truth == (l.op == "or") {
			return truth, nil
		}
	}
	return l.op == "and", nil
}

func (n negation) eval(e *evaluation) (any, error) {
	v, err := n.of.eval(e)
	if err != nil {
		return nil, err
	}
	truth, err := e.truth(v)
	return !truth, err
}

func (c callExpr) eval(e *evaluation) (any, error) {
	args := make([]any, len(c.args))
	for i, a := range c.args {
		v, err := a.eval(e)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	for _, f := range e.funcs {
		if strings.EqualFold(f.Name, c.name) {
			return f.Call(args)
		}
	}
	if _, known := commonFuncs()[c.name]; !known {
		return nil, e.fail("the function '%s' is not known here", c.name)
	}
	text := make([]string, len(args))
	for i, a := range args {
		s, ok := a.(string)
		if !ok && a != nil {
			return nil, e.fail("%s takes text, not '%v'", c.name, a)
		}
		text[i] = lower(s)
	}
	switch c.name {
	case "contains":
		return strings.Contains(text[0], text[1]), nil
	case "substringof":
		return strings.Contains(text[1], text[0]), nil
	case "startswith":
		return strings.HasPrefix(text[0], text[1]), nil
	case "endswith":
		return strings.HasSuffix(text[0], text[1]), nil
	case "tolower":
		return text[0], nil
	default:
		return strings.ToUpper(text[0]), nil
	}
}

// commonFuncs are the functions that every filter may call, with the number of their arguments.
func commonFuncs() map[string]int {
	return map[string]int{"contains": 2, "substringof": 2, "startswith": 2, "endswith": 2, "tolower": 1, "toupper": 1}
}

func (a anyExpr) eval(e *evaluation) (any, error) {
	v, err := field{a.list}.eval(e)
	if err != nil || v == nil {
		return false, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, e.fail("'%s' is not a list", a.list)
	}
	if a.of == nil {
		return len(list) > 0, nil
	}
	outer := e.vars
	defer func() { e.vars = outer }()
	for _, item := range list {
		e.vars = map[string]any{a.variable: item}
		for name, v := range outer {
			if name != a.variable {
				e.vars[name] = v
			}
		}
		v, err := a.of.eval(e)
		if err != nil {
			return nil, err
		}
		if truth, err := e.truth(v); truth || err != nil {
			return truth, err
		}
	}
	return false, nil
}
