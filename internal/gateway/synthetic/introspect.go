package synthetic

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// typeOf is a type as introspection sees it: a definition, or a list or a non-null of another.
type typeOf struct {
	t   *ast.Type
	def *ast.Definition
}

// inputValue is an argument or a field of an input.
type inputValue struct {
	name, description string
	t                 *ast.Type
	standard          *ast.Value
	deprecated        ast.DirectiveList
}

// introspect resolves the fields of introspection (section 4). ok is false for all others.
func (x *execution) introspect(t *ast.Definition, f *ast.Field, parent any, args map[string]any) (value any, ok bool) {
	switch p := parent.(type) {
	case *ast.Schema:
		return x.ofSchema(p, f.Name), true
	case typeOf:
		return x.ofType(p, f.Name, args["includeDeprecated"] == true), true
	case *ast.FieldDefinition:
		return x.ofField(p, f.Name), true
	case inputValue:
		return x.ofInput(p, f.Name), true
	case *ast.EnumValueDefinition:
		return named(f.Name, p.Name, p.Description, p.Directives), true
	case *ast.DirectiveDefinition:
		return x.ofDirective(p, f.Name), true
	}
	if t == x.schema.Query {
		switch f.Name {
		case "__schema":
			return x.schema, true
		case "__type":
			name, _ := args["name"].(string)
			if def := x.schema.Types[name]; def != nil {
				return typeOf{def: def}, true
			}
			return nil, true
		}
	}
	return nil, false
}

func (x *execution) ofSchema(s *ast.Schema, field string) any {
	root := func(d *ast.Definition) any {
		if d == nil {
			return nil
		}
		return typeOf{def: d}
	}
	switch field {
	case "description":
		return text(s.Description)
	case "queryType":
		return root(s.Query)
	case "mutationType":
		return root(s.Mutation)
	case "subscriptionType":
		return root(s.Subscription)
	case "types":
		return sortedList(s.Types, func(d *ast.Definition) any { return typeOf{def: d} })
	case "directives":
		return sortedList(s.Directives, func(d *ast.DirectiveDefinition) any { return d })
	}
	return nil
}

func sortedList[T any](m map[string]T, as func(T) any) []any {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	out := make([]any, 0, len(m))
	for _, name := range names {
		out = append(out, as(m[name]))
	}
	return out
}

// text is a description; none is null.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// wrap is a type of a field or an argument.
func (x *execution) wrap(t *ast.Type) typeOf {
	if t.NonNull || t.Elem != nil {
		return typeOf{t: t}
	}
	return typeOf{def: x.schema.Types[t.NamedType]}
}

func (x *execution) ofType(t typeOf, field string, deprecated bool) any {
	if t.def == nil {
		switch {
		case field == "kind" && t.t.NonNull:
			return "NON_NULL"
		case field == "kind":
			return "LIST"
		case field == "ofType" && t.t.NonNull:
			bare := *t.t
			bare.NonNull = false
			return x.wrap(&bare)
		case field == "ofType":
			return x.wrap(t.t.Elem)
		}
		return nil
	}
	d := t.def
	switch field {
	case "kind":
		return string(d.Kind)
	case "name":
		return d.Name
	case "description":
		return text(d.Description)
	case "specifiedByURL":
		if by := d.Directives.ForName("specifiedBy"); by != nil && by.Arguments.ForName("url") != nil {
			return by.Arguments.ForName("url").Value.Raw
		}
	case "fields":
		if d.Kind != ast.Object && d.Kind != ast.Interface {
			return nil
		}
		out := []any{}
		for _, f := range d.Fields {
			if !strings.HasPrefix(f.Name, "__") && (deprecated || f.Directives.ForName("deprecated") == nil) {
				out = append(out, f)
			}
		}
		return out
	case "interfaces":
		if d.Kind != ast.Object && d.Kind != ast.Interface {
			return nil
		}
		out := []any{}
		for _, name := range d.Interfaces {
			out = append(out, typeOf{def: x.schema.Types[name]})
		}
		return out
	case "possibleTypes":
		if d.Kind != ast.Interface && d.Kind != ast.Union {
			return nil
		}
		out := []any{}
		for _, p := range x.schema.GetPossibleTypes(d) {
			out = append(out, typeOf{def: p})
		}
		return out
	case "enumValues":
		if d.Kind != ast.Enum {
			return nil
		}
		out := []any{}
		for _, v := range d.EnumValues {
			if deprecated || v.Directives.ForName("deprecated") == nil {
				out = append(out, v)
			}
		}
		return out
	case "inputFields":
		if d.Kind != ast.InputObject {
			return nil
		}
		out := []any{}
		for _, f := range d.Fields {
			out = append(out, inputValue{f.Name, f.Description, f.Type, f.DefaultValue, f.Directives})
		}
		return out
	}
	return nil
}

// named answers what fields, arguments and values of enumerations have in common.
func named(field, name, description string, ds ast.DirectiveList) any {
	switch field {
	case "name":
		return name
	case "description":
		return text(description)
	case "isDeprecated":
		return ds.ForName("deprecated") != nil
	case "deprecationReason":
		if d := ds.ForName("deprecated"); d != nil {
			if reason := d.Arguments.ForName("reason"); reason != nil {
				return reason.Value.Raw
			}
			return "No longer supported"
		}
	}
	return nil
}

func (x *execution) ofField(d *ast.FieldDefinition, field string) any {
	switch field {
	case "args":
		return arguments(d.Arguments)
	case "type":
		return x.wrap(d.Type)
	}
	return named(field, d.Name, d.Description, d.Directives)
}

func arguments(list ast.ArgumentDefinitionList) []any {
	out := []any{}
	for _, a := range list {
		out = append(out, inputValue{a.Name, a.Description, a.Type, a.DefaultValue, a.Directives})
	}
	return out
}

func (x *execution) ofInput(v inputValue, field string) any {
	switch field {
	case "type":
		return x.wrap(v.t)
	case "defaultValue":
		if v.standard != nil {
			return v.standard.String()
		}
		return nil
	}
	return named(field, v.name, v.description, v.deprecated)
}

func (x *execution) ofDirective(d *ast.DirectiveDefinition, field string) any {
	switch field {
	case "locations":
		out := []any{}
		for _, l := range d.Locations {
			out = append(out, string(l))
		}
		return out
	case "args":
		return arguments(d.Arguments)
	case "isRepeatable":
		return d.IsRepeatable
	}
	return named(field, d.Name, d.Description, nil)
}
