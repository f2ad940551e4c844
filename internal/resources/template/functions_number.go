package template

import (
	"math"
	"strconv"
	"strings"
)

func numberFunctions() map[string]builtin {
	two := func(f func(a *arguments, x, y int64) int64) builtin {
		return builtin{min: 2, max: 2, call: func(a *arguments) (any, error) { return f(a, a.integer(0), a.integer(1)), nil }}
	}
	return map[string]builtin{
		"add": two(func(a *arguments, x, y int64) int64 { return a.inRange(x+y, (x+y > x) == (y > 0)) }),
		"sub": two(func(a *arguments, x, y int64) int64 { return a.inRange(x-y, (x-y < x) == (y > 0)) }),
		"mul": two(func(a *arguments, x, y int64) int64 {
			return a.inRange(x*y, x == 0 || (x*y)/x == y && (x != -1 || y != math.MinInt64))
		}),
		"div": two(func(a *arguments, x, y int64) int64 {
			if y == 0 {
				a.fail("nothing can be divided by zero")
				return 0
			}
			return x / y
		}),
		"mod": two(func(a *arguments, x, y int64) int64 {
			if y == 0 {
				a.fail("nothing can be divided by zero")
				return 0
			}
			return x % y
		}),
		"int":   {min: 1, max: 1, call: toInt},
		"float": {min: 1, max: 1, call: toFloat},
		"min":   {min: 1, max: -1, call: func(a *arguments) (any, error) { return a.extreme(func(x, y int64) bool { return x < y }), nil }},
		"max":   {min: 1, max: -1, call: func(a *arguments) (any, error) { return a.extreme(func(x, y int64) bool { return x > y }), nil }},
	}
}

func (a *arguments) inRange(v int64, ok bool) int64 {
	if !ok {
		a.fail("the result is too large for an integer of 64 bits")
	}
	return v
}

func (a *arguments) number(i int) float64 {
	switch v := a.v[i].(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	a.wrong(i, "int")
	return 0
}

func toInt(a *arguments) (any, error) {
	switch v := a.v[0].(type) {
	case int64:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
	case string:
		if i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return i, nil
		}
	}
	a.fail("%s is not an integer", compact(a.v[0]))
	return nil, nil
}

func toFloat(a *arguments) (any, error) {
	switch v := a.v[0].(type) {
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	case string:
		if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f, nil
		}
	}
	a.fail("%s is not a number", compact(a.v[0]))
	return nil, nil
}

// extreme is min or max of integers, given one by one or as an array.
func (a *arguments) extreme(better func(x, y int64) bool) any {
	list := a.v
	if one, ok := a.v[0].([]any); ok && len(a.v) == 1 {
		list = one
	}
	var best *int64
	for _, v := range list {
		i, ok := v.(int64)
		if !ok {
			a.fail("it takes integers, not %s", typeName(v))
			return nil
		}
		if best == nil || better(i, *best) {
			best = &i
		}
	}
	if best == nil {
		a.fail("the array is empty")
		return nil
	}
	return *best
}
