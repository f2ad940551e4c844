package template

import (
	"maps"
	"slices"
	"strings"
)

func objectFunctions() map[string]builtin {
	return map[string]builtin{
		"createobject": {min: 0, max: -1, call: createObject},
		"null":         {min: 0, max: 0, call: func(*arguments) (any, error) { return nil, nil }},
		"items":        {min: 1, max: 1, call: items},
		"objectkeys": {min: 1, max: 1, call: func(a *arguments) (any, error) {
			out := []any{}
			for _, key := range foldedKeys(a.object(0)) {
				out = append(out, key)
			}
			return out, nil
		}},
		"union":        {min: 1, max: -1, call: union},
		"intersection": {min: 1, max: -1, call: intersection},
		"shallowmerge": {min: 1, max: 1, call: shallowMerge},
		"tryget":       {min: 2, max: -1, call: tryGet},
		"any":          {min: 1, max: 1, call: func(a *arguments) (any, error) { return a.v[0], nil }},
	}
}

// foldedKeys are the keys in the order that items() gives them: alphabetically.
func foldedKeys(o map[string]any) []string {
	return slices.SortedFunc(maps.Keys(o), func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
}

func createObject(a *arguments) (any, error) {
	if len(a.v)%2 != 0 {
		a.fail("names and values must come in pairs")
		return nil, nil
	}
	out := map[string]any{}
	for i := 0; i < len(a.v); i += 2 {
		out[a.text(i)] = a.v[i+1]
	}
	return out, nil
}

func items(a *arguments) (any, error) {
	out := []any{}
	o := a.object(0)
	for _, key := range foldedKeys(o) {
		out = append(out, map[string]any{"key": key, "value": o[key]})
	}
	return out, nil
}

func union(a *arguments) (any, error) {
	if _, ok := a.v[0].([]any); ok {
		out := []any{}
		for i := range a.v {
			for _, v := range a.array(i) {
				if !slices.ContainsFunc(out, func(o any) bool { return equal(o, v) }) {
					out = append(out, v)
				}
			}
		}
		return out, nil
	}
	out := map[string]any{}
	for i := range a.v {
		out = merge(out, a.object(i))
	}
	return out, nil
}

// merge unites objects, those within them as well; elsewhere the later value wins.
func merge(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	for key, v := range b {
		name := sameKey(out, key)
		old, isOld := out[name].(map[string]any)
		next, isNext := v.(map[string]any)
		if isOld && isNext {
			v = merge(old, next)
		}
		out[name] = v
	}
	return out
}

// sameKey is the key that an object has for a name, or the name.
func sameKey(o map[string]any, name string) string {
	if _, ok := o[name]; ok {
		return name
	}
	for key := range o {
		if strings.EqualFold(key, name) {
			return key
		}
	}
	return name
}

func intersection(a *arguments) (any, error) {
	if first, ok := a.v[0].([]any); ok {
		out := []any{}
		for _, v := range first {
			everywhere := !slices.ContainsFunc(out, func(o any) bool { return equal(o, v) })
			for i := 1; i < len(a.v); i++ {
				everywhere = everywhere && slices.ContainsFunc(a.array(i), func(o any) bool { return equal(o, v) })
			}
			if everywhere {
				out = append(out, v)
			}
		}
		return out, nil
	}
	out := maps.Clone(a.object(0))
	for i := 1; i < len(a.v); i++ {
		other := a.object(i)
		maps.DeleteFunc(out, func(key string, v any) bool {
			o, ok := get(other, key)
			return !ok || !equal(o, v)
		})
	}
	return out, nil
}

func shallowMerge(a *arguments) (any, error) {
	out := map[string]any{}
	for _, v := range a.array(0) {
		o, ok := v.(map[string]any)
		if !ok {
			a.wrong(0, "array of objects")
		}
		for key, v := range o {
			out[sameKey(out, key)] = v
		}
	}
	return out, nil
}

// tryGet follows names and indexes, and gives null where one is not there.
func tryGet(a *arguments) (any, error) {
	v := a.v[0]
	for _, key := range a.v[1:] {
		if v == nil {
			return nil, nil
		}
		next, ok, err := index(v, key)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, nil
		}
		v = next
	}
	return v, nil
}
