package synthetic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
)

// Bounds of one request.
const (
	mostAtOnce = 16     // resolvers that run at the same time
	mostCalls  = 1000   // of resolvers
	mostValues = 200000 // in the answer
)

// execution is one request under way.
type execution struct {
	*Schema
	ctx       context.Context
	variables map[string]any
	slots     chan struct{}

	mu     sync.Mutex
	errors []Error
	calls  int
	values int
}

// object is an answer's object: its members in the order they were asked for.
type object struct {
	names  []string
	values []any
}

// collected is one member of an answer: the field, maybe asked for several times.
type collected struct {
	name   string
	fields []*ast.Field
}

// failed notes what went wrong with a field.
func (x *execution) failed(f *ast.Field, path []any, format string, args ...any) {
	e := Error{Message: fmt.Sprintf(format, args...), Path: path}
	if f != nil && f.Position != nil {
		e.Locations = []Location{{f.Position.Line, f.Position.Column}}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.errors = append(x.errors, e)
}

// allowed counts against a bound.
func (x *execution) allowed(count *int, most int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	*count++
	return *count <= most
}

// collect gathers the fields of a selection for a type (section 6.3.2).
func (x *execution) collect(t *ast.Definition, set ast.SelectionSet, out []collected) []collected {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if !x.wanted(sel.Directives) {
				continue
			}
			at := -1
			for i := range out {
				if out[i].name == sel.Alias {
					at = i
				}
			}
			if at < 0 {
				out, at = append(out, collected{name: sel.Alias}), len(out)
			}
			out[at].fields = append(out[at].fields, sel)
		case *ast.InlineFragment:
			if x.wanted(sel.Directives) && x.applies(t, sel.TypeCondition) {
				out = x.collect(t, sel.SelectionSet, out)
			}
		case *ast.FragmentSpread:
			if x.wanted(sel.Directives) && x.applies(t, sel.Definition.TypeCondition) {
				out = x.collect(t, sel.Definition.SelectionSet, out)
			}
		}
	}
	return out
}

func (x *execution) wanted(ds ast.DirectiveList) bool {
	is := func(name string) (value, present bool) {
		d := ds.ForName(name)
		if d == nil {
			return false, false
		}
		v, _ := d.ArgumentMap(x.variables)["if"].(bool)
		return v, true
	}
	if skip, _ := is("skip"); skip {
		return false
	}
	include, present := is("include")
	return include || !present
}

// applies tells whether an object of type t is one of a fragment's type.
func (x *execution) applies(t *ast.Definition, condition string) bool {
	if condition == "" || condition == t.Name {
		return true
	}
	def := x.schema.Types[condition]
	if def == nil {
		return false
	}
	for _, possible := range x.schema.GetPossibleTypes(def) {
		if possible.Name == t.Name {
			return true
		}
	}
	return false
}

// object runs a selection on an object. alive is false where a member that may not be null is: then the object is null.
func (x *execution) object(t *ast.Definition, set ast.SelectionSet, parent any, path []any, serial bool) (out any, alive bool) {
	members := x.collect(t, set, nil)
	o := &object{names: make([]string, len(members)), values: make([]any, len(members))}
	dead := make([]bool, len(members))
	x.each(len(members), serial, func(i int) {
		o.names[i] = members[i].name
		v, ok := x.field(t, members[i], parent, append(path[:len(path):len(path)], members[i].name))
		o.values[i], dead[i] = v, !ok
	})
	for _, d := range dead {
		if d {
			return nil, false
		}
	}
	return o, true
}

// each does n things, some of them at the same time where there is a place for that.
func (x *execution) each(n int, serial bool, do func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		if i < n-1 && !serial {
			select {
			case x.slots <- struct{}{}:
				wg.Go(func() {
					defer func() { <-x.slots }()
					do(i)
				})
				continue
			default:
			}
		}
		do(i)
	}
	wg.Wait()
}

// field gives a field's value, complete. ok is false where it is null and may not be.
func (x *execution) field(t *ast.Definition, c collected, parent any, path []any) (value any, ok bool) {
	f := c.fields[0]
	if f.Name == "__typename" {
		return t.Name, true
	}
	if !x.allowed(&x.values, mostValues) {
		x.failed(f, path, "The answer is too large.")
		return nil, !f.Definition.Type.NonNull
	}
	value, err := x.resolve(t, f, parent)
	if err != nil {
		x.failed(f, path, "%v", err)
		return nil, !f.Definition.Type.NonNull
	}
	var inner ast.SelectionSet
	for _, f := range c.fields {
		inner = append(inner, f.SelectionSet...)
	}
	return x.complete(f, f.Definition.Type, inner, value, path)
}

func (x *execution) resolve(t *ast.Definition, f *ast.Field, parent any) (any, error) {
	args := x.arguments(f)
	if v, ok := x.introspect(t, f, parent, args); ok {
		return v, nil
	}
	r := x.resolvers[t.Name+"/"+f.Name]
	if r == nil {
		members, _ := parent.(map[string]any)
		return members[f.Name], nil
	}
	if !x.allowed(&x.calls, mostCalls) {
		return nil, errors.New("the request needs too many calls of resolvers")
	}
	if err := context.Cause(x.ctx); err != nil {
		return nil, err
	}
	raw, err := r(x.ctx, appendJSON(nil, args), appendJSON(nil, parent))
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("the resolver's answer is not JSON")
	}
	return v, nil
}

// complete makes a value one of its type (section 6.4.3).
func (x *execution) complete(f *ast.Field, t *ast.Type, set ast.SelectionSet, value any, path []any) (out any, ok bool) {
	if value == nil {
		if t.NonNull {
			x.failed(f, path, "The field may not be null.")
		}
		return nil, !t.NonNull
	}
	if t.Elem != nil {
		list, isList := value.([]any)
		if !isList {
			x.failed(f, path, "The value is not a list.")
			return nil, !t.NonNull
		}
		values, dead := make([]any, len(list)), make([]bool, len(list))
		x.each(len(list), false, func(i int) {
			v, ok := x.complete(f, t.Elem, set, list[i], append(path[:len(path):len(path)], i))
			values[i], dead[i] = v, !ok
		})
		for _, d := range dead {
			if d {
				return nil, !t.NonNull
			}
		}
		return values, true
	}
	def := x.schema.Types[t.NamedType]
	switch def.Kind {
	case ast.Scalar, ast.Enum:
		v, err := leaf(def, value)
		if err != nil {
			x.failed(f, path, "%v", err)
			return nil, !t.NonNull
		}
		return v, true
	case ast.Interface, ast.Union:
		concrete := x.concrete(def, value)
		if concrete == nil {
			x.failed(f, path, "The value does not tell by __typename which %s it is.", def.Name)
			return nil, !t.NonNull
		}
		def = concrete
	}
	v, alive := x.object(def, set, value, path, false)
	if !alive {
		return nil, !t.NonNull
	}
	return v, true
}

// concrete is the type of an object where the schema allows several.
func (x *execution) concrete(def *ast.Definition, value any) *ast.Definition {
	possible := x.schema.GetPossibleTypes(def)
	if len(possible) == 1 {
		return possible[0]
	}
	members, _ := value.(map[string]any)
	name, _ := members["__typename"].(string)
	for _, p := range possible {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// leaf makes a value a scalar of its type (section 3.5). Scalars of the schema's own take any JSON.
func leaf(def *ast.Definition, value any) (any, error) {
	switch v := value.(type) {
	case string:
		switch {
		case def.Kind == ast.Enum && def.EnumValues.ForName(v) == nil:
			return nil, fmt.Errorf("%q is not a value of %s", v, def.Name)
		case def.Name == "Int" || def.Name == "Float":
			if n := json.Number(v); def.Name == "Int" && isInt(n) || def.Name == "Float" && isFloat(n) {
				return n, nil
			}
			return nil, fmt.Errorf("a text is not a value of %s", def.Name)
		case def.Name == "Boolean":
			return nil, errors.New("a text is not a value of Boolean")
		}
	case json.Number:
		switch def.Name {
		case "Int":
			if !isInt(v) {
				return nil, fmt.Errorf("%s is not a value of Int", v)
			}
		case "String", "ID":
			return v.String(), nil
		case "Boolean":
			return nil, errors.New("a number is not a value of Boolean")
		}
	case bool:
		switch def.Name {
		case "String":
			return fmt.Sprint(v), nil
		case "Int", "Float", "ID":
			return nil, fmt.Errorf("a boolean is not a value of %s", def.Name)
		}
	case []any, map[string]any:
		if def.BuiltIn || def.Kind == ast.Enum {
			return nil, fmt.Errorf("a list or an object is not a value of %s", def.Name)
		}
	}
	if _, isText := value.(string); def.Kind == ast.Enum && !isText {
		return nil, fmt.Errorf("the value is not one of %s", def.Name)
	}
	return value, nil
}

func isInt(n json.Number) bool {
	v, err := n.Int64()
	return err == nil && v >= -1<<31 && v < 1<<31
}

func isFloat(n json.Number) bool {
	_, err := n.Float64()
	return err == nil
}

// appendJSON writes values of this package: objects keep their order.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case *object:
		b = append(b, '{')
		for i, name := range v.names {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSON(b, name), ':')
			b = appendJSON(b, v.values[i])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e)
		}
		return append(b, ']')
	}
	raw, err := json.Marshal(v)
	if err != nil { // what is not JSON never comes this far
		return append(b, "null"...)
	}
	return append(b, raw...)
}
