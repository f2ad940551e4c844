package template

import (
	"reflect"
	"slices"
	"strings"
)

// sequenceFunctions work on arrays, and most on texts as well.
func sequenceFunctions() map[string]builtin {
	return map[string]builtin{
		"concat":      {min: 1, max: -1, call: concat},
		"array":       {min: 1, max: 1, call: toArray},
		"createarray": {min: 0, max: -1, call: func(a *arguments) (any, error) { return slices.Clone(a.v), nil }},
		"contains":    {min: 2, max: 2, call: contains},
		"empty":       {min: 1, max: 1, call: empty},
		"length":      {min: 1, max: 1, call: func(a *arguments) (any, error) { return int64(a.size()), nil }},
		"first":       {min: 1, max: 1, call: func(a *arguments) (any, error) { return a.end(true), nil }},
		"last":        {min: 1, max: 1, call: func(a *arguments) (any, error) { return a.end(false), nil }},
		"skip":        {min: 2, max: 2, call: func(a *arguments) (any, error) { return a.part(true), nil }},
		"take":        {min: 2, max: 2, call: func(a *arguments) (any, error) { return a.part(false), nil }},
		"indexof":     {min: 2, max: 2, call: func(a *arguments) (any, error) { return a.find(strings.Index), nil }},
		"lastindexof": {min: 2, max: 2, call: func(a *arguments) (any, error) { return a.find(strings.LastIndex), nil }},
		"range":       {min: 2, max: 2, call: makeRange},
		"flatten":     {min: 1, max: 1, call: flatten},
		"indexfromend": {min: 2, max: 2, call: func(a *arguments) (any, error) {
			v, ok := a.fromEnd()
			if !ok {
				a.fail("the index is outside of the array, which has %d elements", len(a.array(0)))
			}
			return v, nil
		}},
		"tryindexfromend": {min: 2, max: 2, call: func(a *arguments) (any, error) { v, _ := a.fromEnd(); return v, nil }},
	}
}

func equal(a, b any) bool {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(float64); ok {
			return float64(x) == y
		}
	case float64:
		if y, ok := b.(int64); ok {
			return x == float64(y)
		}
	}
	return reflect.DeepEqual(a, b)
}

func concat(a *arguments) (any, error) {
	if _, ok := a.v[0].([]any); ok {
		out := []any{}
		for i := range a.v {
			out = append(out, a.array(i)...)
		}
		return out, nil
	}
	var b strings.Builder
	for i, v := range a.v {
		if _, wrong := v.([]any); wrong {
			a.wrong(i, "string, as the first")
		}
		b.WriteString(a.toText(v))
	}
	return b.String(), nil
}

func toArray(a *arguments) (any, error) {
	if list, ok := a.v[0].([]any); ok {
		return list, nil
	}
	return []any{a.v[0]}, nil
}

func contains(a *arguments) (any, error) {
	switch in := a.v[0].(type) {
	case string:
		return strings.Contains(in, a.toText(a.v[1])), nil
	case []any:
		return slices.ContainsFunc(in, func(v any) bool { return equal(v, a.v[1]) }), nil
	case map[string]any:
		_, ok := get(in, a.text(1))
		return ok, nil
	}
	a.wrong(0, "array, object or string")
	return nil, nil
}

func (a *arguments) size() int {
	switch v := a.v[0].(type) {
	case string:
		return len(units(v))
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	}
	a.wrong(0, "array, object or string")
	return 0
}

func empty(a *arguments) (any, error) {
	return a.v[0] == nil || a.size() == 0, nil
}

func (a *arguments) end(first bool) any {
	n := a.size()
	if n == 0 || a.err != nil {
		if _, text := a.v[0].(string); text {
			return ""
		}
		return nil
	}
	i := 0
	if !first {
		i = n - 1
	}
	if s, ok := a.v[0].(string); ok {
		return fromUnits(units(s)[i : i+1])
	}
	if list := a.array(0); list != nil {
		return list[i]
	}
	return nil
}

func (a *arguments) part(skip bool) any {
	n := max(0, a.integer(1))
	if s, ok := a.v[0].(string); ok {
		u := units(s)
		n := min(n, int64(len(u)))
		if skip {
			return fromUnits(u[n:])
		}
		return fromUnits(u[:n])
	}
	list := a.array(0)
	n = min(n, int64(len(list)))
	if skip {
		return slices.Clone(list[n:])
	}
	return slices.Clone(list[:n])
}

// find is indexOf and lastIndexOf: without regard to case in texts, by value in arrays.
func (a *arguments) find(in func(s, t string) int) any {
	if list, ok := a.v[0].([]any); ok {
		found := int64(-1)
		for i, v := range list {
			if equal(v, a.v[1]) && (found < 0 || in("aa", "a") == 1) {
				found = int64(i)
			}
		}
		return found
	}
	s := strings.ToLower(a.text(0))
	i := in(s, strings.ToLower(a.text(1)))
	if i < 0 {
		return int64(-1)
	}
	return int64(len(units(s[:i])))
}

func makeRange(a *arguments) (any, error) {
	start, count := a.integer(0), a.integer(1)
	if count < 0 || count > 10_000 {
		a.fail("the count must be 0 to 10000")
		return nil, nil
	}
	out := make([]any, count)
	for i := range out {
		out[i] = start + int64(i)
	}
	return out, nil
}

func flatten(a *arguments) (any, error) {
	out := []any{}
	for _, v := range a.array(0) {
		list, ok := v.([]any)
		if !ok {
			a.wrong(0, "array of arrays")
		}
		out = append(out, list...)
	}
	return out, nil
}

func (a *arguments) fromEnd() (any, bool) {
	list, i := a.array(0), a.integer(1)
	if i < 1 || i > int64(len(list)) {
		return nil, false
	}
	return list[int64(len(list))-i], true
}
