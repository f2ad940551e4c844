package template

import (
	"slices"
	"strings"
)

// parameter is one that a template, or one of its functions, declares.
type parameter struct {
	name       string
	path       string
	spec       map[string]any
	value      any // the default, unevaluated
	hasDefault bool
}

// kind is the type in lower case.
func (p *parameter) kind() string { return strings.ToLower(stringOf(p.spec, "type")) }

// Secure says whether values of a type may be shown to nobody.
func secure(kind string) bool {
	return strings.EqualFold(kind, "secureString") || strings.EqualFold(kind, "secureObject")
}

// maxReferences bounds how often one type may lead to another.
const maxReferences = 32

// check holds a value to a declaration: type, allowedValues, bounds, and the parts of objects and arrays.
func (t *Template) check(path string, spec map[string]any, v any, depth int) error {
	if depth > maxReferences {
		return errorAt(path, "its type is defined by itself")
	}
	if ref := stringOf(spec, "$ref"); ref != "" {
		def := objectOf(t.definitions, strings.TrimPrefix(ref, "#/definitions/"))
		if def == nil {
			return errorAt(path, "the type %q is not among the template's definitions", ref)
		}
		if err := t.check(path, def, v, depth+1); err != nil {
			return err
		}
	}
	if nullable, _ := get(spec, "nullable"); v == nil && nullable == true {
		return nil
	}
	kind := strings.ToLower(stringOf(spec, "type"))
	if kind != "" && !isOfType(kind, v) {
		return errorAt(path, "a value of type %s is expected, not %s", stringOf(spec, "type"), typeName(v))
	}
	if raw, ok := get(spec, "allowedValues"); ok {
		allowed, _ := raw.([]any)
		if err := checkAllowed(path, kind, allowed, v); err != nil {
			return err
		}
	}
	if err := checkBounds(path, spec, v); err != nil {
		return err
	}
	return t.checkParts(path, spec, v, depth)
}

func isOfType(kind string, v any) bool {
	ok := false
	switch kind {
	case "string", "securestring":
		_, ok = v.(string)
	case "int":
		_, ok = v.(int64)
	case "bool":
		_, ok = v.(bool)
	case "array":
		_, ok = v.([]any)
	case "object", "secureobject":
		_, ok = v.(map[string]any)
	}
	return ok
}

func knownType(kind string) bool {
	return slices.Contains([]string{"string", "securestring", "int", "bool", "array", "object", "secureobject"}, kind)
}

func checkAllowed(path, kind string, allowed []any, v any) error {
	isAllowed := func(v any) bool { return slices.ContainsFunc(allowed, func(a any) bool { return equal(a, v) }) }
	if isAllowed(v) {
		return nil
	}
	if list, ok := v.([]any); ok && kind == "array" && !slices.ContainsFunc(list, func(v any) bool { return !isAllowed(v) }) {
		return nil
	}
	if secure(kind) {
		return errorAt(path, "the value is not among the allowed ones")
	}
	return errorAt(path, "the value %s is not among the allowed ones, %s", shorten(compact(v)), shorten(compact(allowed)))
}

func checkBounds(path string, spec map[string]any, v any) error {
	var n int64
	low, high := "minLength", "maxLength"
	switch v := v.(type) {
	case int64:
		n, low, high = v, "minValue", "maxValue"
	case string:
		n = int64(len(units(v)))
	case []any:
		n = int64(len(v))
	default:
		return nil
	}
	what := "length"
	if low == "minValue" {
		what = "value"
	}
	if raw, _ := get(spec, low); raw != nil {
		if least, ok := raw.(int64); ok && n < least {
			return errorAt(path, "its %s %d is below %s, which is %d", what, n, low, least)
		}
	}
	if raw, _ := get(spec, high); raw != nil {
		if most, ok := raw.(int64); ok && n > most {
			return errorAt(path, "its %s %d is above %s, which is %d", what, n, high, most)
		}
	}
	return nil
}

func (t *Template) checkParts(path string, spec map[string]any, v any, depth int) error {
	switch v := v.(type) {
	case map[string]any:
		declared := objectOf(spec, "properties")
		for _, name := range sortedKeys(declared) {
			part, _ := declared[name].(map[string]any)
			value, given := get(v, name)
			if nullable, _ := get(part, "nullable"); !given && nullable == true {
				continue
			}
			if !given {
				return errorAt(path, "the property '%s' is missing", name)
			}
			if err := t.check(property(path, name), part, value, depth+1); err != nil {
				return err
			}
		}
		if additional, ok := get(spec, "additionalProperties"); ok && additional == false {
			for name := range v {
				if _, known := get(declared, name); !known {
					return errorAt(path, "the property '%s' is not expected", name)
				}
			}
		}
	case []any:
		if part := objectOf(spec, "items"); part != nil {
			for i, item := range v {
				if err := t.check(element(path, i), part, item, depth+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
