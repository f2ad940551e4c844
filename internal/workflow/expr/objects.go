package expr

import (
	"fmt"

	"tandem/internal/workflow/value"
)

func objectFunctions() []function {
	return []function{
		{name: "addProperty", min: 3, max: 3, eval: func(a *args) (any, error) {
			o, name := a.object(0), a.text(1)
			if o.Has(name) {
				return nil, fmt.Errorf("the property %q is already there; use setProperty() to overwrite it", name)
			}
			return o.With(name, a.any(2)), nil
		}},
		{name: "setProperty", min: 3, max: 3, eval: func(a *args) (any, error) { return a.object(0).With(a.text(1), a.any(2)), nil }},
		{name: "removeProperty", min: 2, max: 2, eval: func(a *args) (any, error) { return a.object(0).Without(a.text(1)), nil }},
		{name: "coalesce", min: 1, max: -1, lazy: true, eval: func(a *args) (any, error) {
			for _, n := range a.call.args {
				if v, err := n.eval(a.env); err != nil || v != nil {
					return v, err
				}
			}
			return nil, nil
		}},
	}
}

// References are the functions that read the workflow and its run; Env.Ref answers them.
func References() []string {
	var out []string
	for _, fn := range referenceFunctions() {
		out = append(out, fn.name)
	}
	return out
}

func referenceFunctions() []function {
	ref := func(name string, least, most int) function {
		return function{name: name, min: least, max: most, eval: func(a *args) (any, error) {
			if a.env.Ref == nil {
				return nil, fmt.Errorf("there is no workflow run to read from")
			}
			return a.env.Ref(name, a.values)
		}}
	}
	form := func(name, from string, least int, many bool) function {
		return function{name: name, min: least, max: least, eval: func(a *args) (any, error) {
			if a.env.Ref == nil {
				return nil, fmt.Errorf("there is no workflow run to read from")
			}
			body, err := a.env.Ref(from, a.values[:least-1])
			if err != nil {
				return nil, err
			}
			return formValues(body, a.text(least-1), many)
		}}
	}
	multipart := func(name, from string, least int) function {
		return function{name: name, min: least, max: least, eval: func(a *args) (any, error) {
			if a.env.Ref == nil {
				return nil, fmt.Errorf("there is no workflow run to read from")
			}
			body, err := a.env.Ref(from, a.values[:least-1])
			if err != nil {
				return nil, err
			}
			return partBody(body, a.integer(least-1))
		}}
	}
	return []function{
		ref("action", 0, 0), ref("actions", 1, 1), ref("body", 1, 1), ref("outputs", 1, 1),
		ref("item", 0, 0), ref("items", 1, 1), ref("iterationIndexes", 1, 1), ref("listCallbackUrl", 0, 0),
		ref("parameters", 1, 1), ref("result", 1, 1), ref("trigger", 0, 0), ref("triggerBody", 0, 0),
		ref("triggerOutputs", 0, 0), ref("variables", 1, 1), ref("workflow", 0, 0),
		form("formDataValue", "body", 2, false), form("formDataMultiValues", "body", 2, true),
		form("triggerFormDataValue", "triggerBody", 1, false), form("triggerFormDataMultiValues", "triggerBody", 1, true),
		multipart("multipartBody", "body", 2), multipart("triggerMultipartBody", "triggerBody", 1),
	}
}

func formValues(body any, key string, many bool) (any, error) {
	o, _ := body.(*value.Object)
	list, ok := o.Get("$formdata")
	pairs, isArray := list.([]any)
	if !ok || !isArray {
		return nil, fmt.Errorf("the body is no form data")
	}
	found := []any{}
	for _, p := range pairs {
		if pair, ok := p.(*value.Object); ok && pair.String("key") == key {
			v, _ := pair.Get("value")
			found = append(found, v)
		}
	}
	if many {
		return found, nil
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("the key %q has %d values; use the function for several values", key, len(found))
}

func partBody(body any, i int64) (any, error) {
	o, _ := body.(*value.Object)
	list, _ := o.Get("$multipart")
	parts, ok := list.([]any)
	if !ok {
		return nil, fmt.Errorf("the body has no parts")
	}
	if i < 0 || i >= int64(len(parts)) {
		return nil, fmt.Errorf("there is no part %d among %d", i, len(parts))
	}
	part, _ := parts[i].(*value.Object)
	v, _ := part.Get("body")
	return v, nil
}
