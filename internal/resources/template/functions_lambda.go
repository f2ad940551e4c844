package template

import (
	"slices"
)

// lambda is a function that an expression makes: lambda('x', body).
type lambda struct {
	e     *env
	names []string
	body  *node
}

func lambdaFunctions() map[string]builtin {
	return map[string]builtin{
		"lambda":          {min: 1, max: -1, lazy: makeLambda},
		"lambdavariables": {min: 1, max: 1, call: lambdaVariable},
		"map":             {min: 2, max: 2, call: mapArray},
		"filter":          {min: 2, max: 2, call: filter},
		"sort":            {min: 2, max: 2, call: sortBy},
		"reduce":          {min: 3, max: 3, call: reduce},
		"toobject":        {min: 2, max: 3, call: toObject},
		"groupby":         {min: 2, max: 2, call: groupBy},
		"mapvalues":       {min: 2, max: 2, call: mapValues},
	}
}

func makeLambda(e *env, n *node) (any, error) {
	l := &lambda{e: e, body: n.args[len(n.args)-1]}
	for _, arg := range n.args[:len(n.args)-1] {
		name, ok := arg.literal.(string)
		if !ok {
			return nil, errorAt("", "the names of a lambda's arguments must be strings")
		}
		l.names = append(l.names, name)
	}
	return l, nil
}

func lambdaVariable(a *arguments) (any, error) {
	name := a.text(0)
	for i := len(a.e.lambdas) - 1; i >= 0; i-- {
		if v, ok := a.e.lambdas[i][name]; ok {
			return v, nil
		}
	}
	a.fail("there is no argument '%s' of a lambda here", name)
	return nil, nil
}

// call gives a lambda its arguments; those that it does not name are dropped.
func (l *lambda) call(args ...any) (any, error) {
	if l == nil {
		return nil, nil
	}
	own := map[string]any{}
	for i, name := range l.names {
		if i == len(args) {
			return nil, errorAt("", "a lambda here takes at most %d arguments, not %d", len(args), len(l.names))
		}
		own[name] = args[i]
	}
	e := *l.e
	e.lambdas = append(slices.Clip(l.e.lambdas), own)
	return e.eval(l.body)
}

func mapArray(a *arguments) (any, error) {
	out := []any{}
	f := a.lambda(1)
	for i, item := range a.array(0) {
		v, err := f.call(item, int64(i))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func filter(a *arguments) (any, error) {
	out := []any{}
	f := a.lambda(1)
	for i, item := range a.array(0) {
		v, err := f.call(item, int64(i))
		if err != nil {
			return nil, err
		}
		keep, ok := v.(bool)
		if !ok {
			a.fail("its lambda must give a bool, not %s", typeName(v))
		}
		if keep {
			out = append(out, item)
		}
	}
	return out, nil
}

func sortBy(a *arguments) (any, error) {
	out := slices.Clone(a.array(0))
	f := a.lambda(1)
	var failed error
	slices.SortStableFunc(out, func(x, y any) int {
		for _, c := range []struct {
			x, y  any
			order int
		}{{x, y, -1}, {y, x, 1}} {
			v, err := f.call(c.x, c.y)
			if err != nil && failed == nil {
				failed = err
			}
			if v == true {
				return c.order
			}
		}
		return 0
	})
	return out, failed
}

func reduce(a *arguments) (any, error) {
	sum, f := a.v[1], a.lambda(2)
	for i, item := range a.array(0) {
		var err error
		if sum, err = f.call(sum, item, int64(i)); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// keyed calls f with the text that a lambda gives for each item.
func (a *arguments) keyed(f func(key string, item any) error) error {
	by := a.lambda(1)
	for _, item := range a.array(0) {
		v, err := by.call(item)
		if err != nil {
			return err
		}
		key, ok := v.(string)
		if !ok {
			a.fail("its lambda must give a string, not %s", typeName(v))
			return nil
		}
		if err := f(key, item); err != nil {
			return err
		}
	}
	return nil
}

func toObject(a *arguments) (any, error) {
	out := map[string]any{}
	return out, a.keyed(func(key string, item any) (err error) {
		if a.has(2) {
			item, err = a.lambda(2).call(item)
		}
		out[key] = item
		return err
	})
}

func groupBy(a *arguments) (any, error) {
	out := map[string]any{}
	return out, a.keyed(func(key string, item any) error {
		list, _ := out[key].([]any)
		out[key] = append(list, item)
		return nil
	})
}

func mapValues(a *arguments) (any, error) {
	out := map[string]any{}
	f := a.lambda(1)
	for key, v := range a.object(0) {
		next, err := f.call(v)
		if err != nil {
			return nil, err
		}
		out[key] = next
	}
	return out, nil
}
