package synthetic

import (
	"encoding/json"
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
)

// arguments gives a field's arguments as its definition types them: defaults in place, an ID a text, one value a list of
// one where a list is wanted (sections 3.5.5, 3.10, 3.11).
func (x *execution) arguments(f *ast.Field) map[string]any {
	args := f.ArgumentMap(x.variables)
	for _, a := range f.Definition.Arguments {
		if v, given := args[a.Name]; given {
			args[a.Name] = x.coerce(a.Type, v)
		}
	}
	return args
}

func (x *execution) coerce(t *ast.Type, value any) any {
	if value == nil {
		return nil
	}
	if t.Elem != nil {
		list, isList := value.([]any)
		if !isList {
			return []any{x.coerce(t.Elem, value)}
		}
		out := make([]any, len(list))
		for i, v := range list {
			out[i] = x.coerce(t.Elem, v)
		}
		return out
	}
	if t.NamedType == "ID" {
		switch v := value.(type) {
		case json.Number, int64, int, float64:
			return fmt.Sprint(v)
		}
		return value
	}
	def := x.schema.Types[t.NamedType]
	members, isObject := value.(map[string]any)
	if def == nil || def.Kind != ast.InputObject || !isObject {
		return value
	}
	out := make(map[string]any, len(members))
	for _, f := range def.Fields {
		v, given := members[f.Name]
		if !given && f.DefaultValue != nil {
			if standard, err := f.DefaultValue.Value(nil); err == nil {
				v, given = standard, true
			}
		}
		if given {
			out[f.Name] = x.coerce(f.Type, v)
		}
	}
	return out
}
