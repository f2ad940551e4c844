package expr

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tandem/internal/workflow/value"
)

// maxItems is how many elements a function may make: what one array of a workflow may hold.
const maxItems = 100_000

func collectionFunctions() []function {
	return []function{
		{name: "chunk", min: 2, max: 2, eval: chunk},
		{name: "contains", min: 2, max: 2, eval: func(a *args) (any, error) {
			switch c := a.any(0).(type) {
			case string:
				return strings.Contains(c, value.Text(a.any(1))), nil
			case []any:
				return slices.ContainsFunc(c, func(e any) bool { return value.Equal(e, a.any(1)) }), nil
			case *value.Object:
				_, ok := c.Get(a.text(1))
				return ok, nil
			}
			a.wrong(0, "a string, an array or an object")
			return nil, nil
		}},
		{name: "empty", min: 1, max: 1, eval: func(a *args) (any, error) {
			if a.any(0) == nil {
				return true, nil
			}
			n, err := length(a)
			return n == int64(0), err
		}},
		{name: "first", min: 1, max: 1, eval: func(a *args) (any, error) { return end(a, true) }},
		{name: "last", min: 1, max: 1, eval: func(a *args) (any, error) { return end(a, false) }},
		{name: "intersection", min: 1, max: -1, eval: intersection},
		{name: "union", min: 1, max: -1, eval: union},
		{name: "join", min: 2, max: 2, eval: func(a *args) (any, error) {
			var parts []string
			for _, v := range a.array(0) {
				parts = append(parts, ContentText(v))
			}
			return strings.Join(parts, a.text(1)), nil
		}},
		{name: "length", min: 1, max: 1, eval: length},
		{name: "reverse", min: 1, max: 1, eval: func(a *args) (any, error) {
			out := slices.Clone(a.array(0))
			slices.Reverse(out)
			return out, nil
		}},
		{name: "skip", min: 2, max: 2, eval: func(a *args) (any, error) { return cut(a, true) }},
		{name: "take", min: 2, max: 2, eval: func(a *args) (any, error) { return cut(a, false) }},
		{name: "sort", min: 1, max: 2, eval: sortArray},
	}
}

func length(a *args) (any, error) {
	switch c := a.any(0).(type) {
	case string:
		return int64(len(units(c))), nil
	case []any:
		return int64(len(c)), nil
	case *value.Object:
		return int64(c.Len()), nil
	}
	a.wrong(0, "a string, an array or an object")
	return nil, nil
}

func chunk(a *args) (any, error) {
	n := a.integer(1)
	if a.err == nil && n < 1 {
		return nil, fmt.Errorf("the length of a chunk must be at least 1")
	}
	out := []any{}
	switch c := a.any(0).(type) {
	case string:
		for u := units(c); a.err == nil && len(u) > 0; {
			k := min(int(n), len(u))
			out, u = append(out, fromUnits(u[:k])), u[k:]
		}
	case []any:
		for a.err == nil && len(c) > 0 {
			k := min(int(n), len(c))
			out, c = append(out, slices.Clone(c[:k])), c[k:]
		}
	default:
		a.wrong(0, "a string or an array")
	}
	return out, nil
}

func end(a *args, first bool) (any, error) {
	switch c := a.any(0).(type) {
	case string:
		u := units(c)
		switch {
		case len(u) == 0:
			return "", nil
		case first:
			return fromUnits(u[:1]), nil
		default:
			return fromUnits(u[len(u)-1:]), nil
		}
	case []any:
		switch {
		case len(c) == 0:
			return nil, nil
		case first:
			return c[0], nil
		default:
			return c[len(c)-1], nil
		}
	}
	a.wrong(0, "a string or an array")
	return nil, nil
}

func cut(a *args, skip bool) (any, error) {
	n := max(0, a.integer(1))
	switch c := a.any(0).(type) {
	case string:
		u := units(c)
		k := min(int(min(n, 1<<31)), len(u))
		if skip {
			return fromUnits(u[k:]), nil
		}
		return fromUnits(u[:k]), nil
	case []any:
		k := min(int(min(n, 1<<31)), len(c))
		if skip {
			return slices.Clone(c[k:]), nil
		}
		return slices.Clone(c[:k]), nil
	}
	a.wrong(0, "a string or an array")
	return nil, nil
}

// lists gives the arguments as arrays: several arrays, or one array of arrays.
func collections(a *args) []any {
	if a.len() == 1 {
		if list, ok := a.any(0).([]any); ok && len(list) > 0 {
			if _, nested := list[0].([]any); nested {
				return list
			}
		}
	}
	return a.values
}

func intersection(a *args) (any, error) {
	all := collections(a)
	if first, ok := all[0].(*value.Object); ok {
		out := value.New()
		for _, k := range first.Keys() {
			v, _ := first.Get(k)
			in := true
			for _, other := range all[1:] {
				o, ok := other.(*value.Object)
				if !ok {
					return nil, fmt.Errorf("all arguments must be objects, as the first one is")
				}
				w, has := o.Get(k)
				in = in && has && value.Equal(v, w)
			}
			if in {
				out.Set(k, v)
			}
		}
		return out, nil
	}
	out := []any{}
	first, ok := all[0].([]any)
	if !ok {
		a.wrong(0, "an array or an object")
		return nil, nil
	}
	for _, v := range first {
		in := !slices.ContainsFunc(out, func(e any) bool { return value.Equal(e, v) })
		for _, other := range all[1:] {
			list, ok := other.([]any)
			if !ok {
				return nil, fmt.Errorf("all arguments must be arrays, as the first one is")
			}
			in = in && slices.ContainsFunc(list, func(e any) bool { return value.Equal(e, v) })
		}
		if in {
			out = append(out, v)
		}
	}
	return out, nil
}

func union(a *args) (any, error) {
	all := collections(a)
	if _, ok := all[0].(*value.Object); ok {
		out := value.New()
		for _, arg := range all {
			o, ok := arg.(*value.Object)
			if !ok {
				return nil, fmt.Errorf("all arguments must be objects, as the first one is")
			}
			o.Walk(func(k string, v any) { out.Set(k, v) }) // of two with one name the last wins
		}
		return out, nil
	}
	out := []any{}
	seen := map[string]bool{}
	for _, arg := range all {
		list, ok := arg.([]any)
		if !ok {
			return nil, fmt.Errorf("all arguments must be arrays, or all objects")
		}
		for _, v := range list {
			if k := string(value.Encode(v)); !seen[k] {
				seen[k] = true
				out = append(out, v)
			}
		}
	}
	return out, nil
}

func sortArray(a *args) (any, error) {
	out := slices.Clone(a.array(0))
	by := a.textOr(1, "")
	var failed error
	slices.SortStableFunc(out, func(x, y any) int {
		if by != "" {
			ox, okx := x.(*value.Object)
			oy, oky := y.(*value.Object)
			if !okx || !oky {
				failed = fmt.Errorf("to sort by the property %q all elements must be objects", by)
				return 0
			}
			x, _ = ox.Get(by)
			y, _ = oy.Get(by)
		}
		n, err := compare(x, y)
		if err != nil {
			failed = err
		}
		return n
	})
	return out, failed
}

// compare orders two numbers or two strings.
func compare(x, y any) (int, error) {
	if i, ok := x.(int64); ok {
		if j, ok := y.(int64); ok {
			return cmp.Compare(i, j), nil
		}
	}
	if f, ok := value.Float(x); ok {
		if g, ok := value.Float(y); ok {
			return cmp.Compare(f, g), nil
		}
	}
	if s, ok := x.(string); ok {
		if t, ok := y.(string); ok {
			return strings.Compare(s, t), nil
		}
	}
	if b, ok := x.(bool); ok {
		if c, ok := y.(bool); ok {
			return cmp.Compare(map[bool]int{true: 1}[b], map[bool]int{true: 1}[c]), nil
		}
	}
	return 0, fmt.Errorf("a value of type %s does not compare with one of type %s", value.Type(x), value.Type(y))
}
