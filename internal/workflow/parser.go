package workflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// parser gathers a definition and what is wrong with it.
type parser struct {
	def      *Definition
	problems []Problem
	checks   []func() // references, checked once all names are known
}

func (p *parser) add(path, remedy, format string, args ...any) {
	p.problems = append(p.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (p *parser) err() error {
	if len(p.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(p.problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return &DefinitionError{Problems: p.problems}
}

func property(path, name string) string { return expr.PropertyPath(path, name) }

// only reports properties that the language does not have.
func (p *parser) only(path string, o *value.Object, names ...string) {
	for _, k := range o.Keys() {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, k) }) {
			p.add(property(path, k), "remove it; known are "+strings.Join(names, ", "), "the property %q is not supported here", k)
		}
	}
}

// object gives a property that must be an object where it is present.
func (p *parser) object(path string, o *value.Object, name string) *value.Object {
	v, ok := o.Get(name)
	if !ok || v == nil {
		return nil
	}
	out, isObject := v.(*value.Object)
	if !isObject {
		p.add(property(path, name), "write an object", "%s must be an object, not a value of type %s", name, value.Type(v))
	}
	return out
}

// needed gives a property that must be there.
func (p *parser) needed(path string, o *value.Object, name, remedy string) (any, bool) {
	v, ok := o.Get(name)
	if !ok || v == nil {
		p.add(path, remedy, "the property %q is missing", name)
		return nil, false
	}
	return v, true
}

// compile compiles the expressions in a value; who is the action or trigger they belong to.
func (p *parser) compile(path string, v any, who user) *expr.Node {
	n, problems := expr.CompileValue(v)
	for _, problem := range problems {
		at := path
		if problem.Path != "" {
			at += "." + problem.Path
			if strings.HasPrefix(problem.Path, "[") {
				at = path + problem.Path
			}
		}
		p.add(at, "", "%v", problem.Err)
	}
	for _, t := range n.Templates() {
		for _, c := range t.Calls() {
			p.checks = append(p.checks, func() { p.reference(path, t, c, who) })
		}
	}
	return n
}

// field compiles one property; nil where it is absent.
func (p *parser) field(path string, o *value.Object, name string, who user) *expr.Node {
	v, ok := o.Get(name)
	if !ok {
		return nil
	}
	return p.compile(property(path, name), v, who)
}

func (p *parser) definition(o *value.Object, path string) {
	p.def.Source = o
	p.only(path, o, "$schema", "contentVersion", "parameters", "triggers", "actions", "outputs", "description", "metadata", "staticResults")
	if s := p.object(path, o, "staticResults"); s != nil && s.Len() > 0 {
		p.add(path+".staticResults", "remove them", "static results are not supported")
	}
	if schema := o.String("$schema"); schema != "" && !strings.Contains(strings.ToLower(schema), "/workflowdefinition.json") {
		p.add(path+".$schema", "use https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#", "%q is no schema of workflow definitions", schema)
	}
	p.parameters(path+".parameters", p.object(path, o, "parameters"))
	triggers := p.object(path, o, "triggers")
	if triggers != nil && triggers.Len() > MaxTriggers {
		p.add(path+".triggers", "split the workflow", "it has %d triggers; %d is the most", triggers.Len(), MaxTriggers)
	}
	triggers.Walk(func(name string, v any) { p.trigger(property(path+".triggers", name), name, v) })
	p.def.top = p.block(path+".actions", p.object(path, o, "actions"), nil, nil, 1)
	if len(p.def.actions) > MaxActions {
		p.add(path+".actions", "split the workflow", "it has %d actions; %d is the most", len(p.def.actions), MaxActions)
	}
	if outputs := p.object(path, o, "outputs"); outputs != nil && outputs.Len() > 0 {
		values := value.New()
		outputs.Walk(func(name string, v any) {
			at := property(path+".outputs", name)
			out, ok := v.(*value.Object)
			if !ok {
				p.add(at, `write {"type": "String", "value": …}`, "an output is an object")
				return
			}
			p.only(at, out, "type", "value", "description", "metadata")
			given, _ := out.Get("value")
			values.Set(name, given)
		})
		p.def.outputs = p.compile(path+".outputs", values, user{outputs: true})
	}
	for _, check := range p.checks {
		check()
	}
}

func (p *parser) parameters(path string, o *value.Object) {
	if o != nil && o.Len() > MaxParameters {
		p.add(path, "remove some", "it has %d parameters; %d is the most", o.Len(), MaxParameters)
	}
	o.Walk(func(name string, v any) {
		at := property(path, name)
		in, ok := v.(*value.Object)
		if !ok {
			p.add(at, `write {"type": "String"}`, "a parameter is an object")
			return
		}
		p.only(at, in, "type", "defaultValue", "allowedValues", "metadata", "description")
		param := &Parameter{Name: name}
		for _, t := range []string{"String", "SecureString", "Int", "Float", "Bool", "Array", "Object", "SecureObject"} {
			if strings.EqualFold(in.String("type"), t) {
				param.Type = t
			}
		}
		if param.Type == "" {
			p.add(property(at, "type"), "use String, SecureString, Int, Float, Bool, Array, Object or SecureObject", "%q is no type of a parameter", in.String("type"))
		}
		param.Default, param.HasDefault = in.Get("defaultValue")
		if list, ok := in.Get("allowedValues"); ok {
			param.AllowedValues, ok = list.([]any)
			if !ok {
				p.add(property(at, "allowedValues"), "write an array", "allowedValues must be an array")
			}
		}
		if param.HasDefault && param.Type != "" {
			if err := param.accepts(param.Default); err != nil {
				p.add(property(at, "defaultValue"), "correct the value or the type", "%v", err)
			}
		}
		p.def.Parameters = append(p.def.Parameters, param)
	})
}

// accepts checks a value against the parameter's type and its allowed values.
func (q *Parameter) accepts(v any) error {
	t := value.Type(v)
	ok := map[string]bool{
		"String": t == "String", "SecureString": t == "String", "Int": t == "Integer", "Float": t == "Float" || t == "Integer",
		"Bool": t == "Boolean", "Array": t == "Array", "Object": t == "Object" || t == "Array", "SecureObject": t == "Object" || t == "Array",
	}[q.Type]
	if !ok {
		return fmt.Errorf("the value is of type %s, the parameter %q of type %s", t, q.Name, q.Type)
	}
	if q.AllowedValues != nil && !slices.ContainsFunc(q.AllowedValues, func(a any) bool { return value.Equal(a, v) }) {
		return fmt.Errorf("the value is none of those that the parameter %q allows", q.Name)
	}
	return nil
}

// Bind checks the values given for the parameters and fills in defaults. Errors are *DefinitionError.
func (d *Definition) Bind(given map[string]any) (map[string]any, error) {
	p := &parser{}
	out := map[string]any{}
	for _, q := range d.Parameters {
		v, ok := given[q.Name]
		if !ok {
			v, ok = q.Default, q.HasDefault
		}
		at := property("$.parameters", q.Name)
		if !ok {
			p.add(at, `give it as {"value": …}, or a defaultValue in the definition`, "the parameter has no value")
			continue
		}
		if err := q.accepts(v); err != nil {
			p.add(at, "correct the value", "%v", err)
		}
		out[q.Name] = v
	}
	for name := range given {
		if !slices.ContainsFunc(d.Parameters, func(q *Parameter) bool { return q.Name == name }) {
			p.add(property("$.parameters", name), "declare it in the definition's parameters, or remove it", "the definition does not declare this parameter")
		}
	}
	return out, p.err()
}

// duration reads an ISO 8601 duration of days, hours, minutes and seconds, such as P1D or PT1H30M.
func duration(s string) (time.Duration, error) {
	fail := fmt.Errorf("%q is no ISO 8601 duration such as PT30S, PT1H or P1D", s)
	rest, ok := strings.CutPrefix(strings.ToUpper(s), "P")
	if !ok || rest == "" || strings.HasSuffix(rest, "T") {
		return 0, fail
	}
	days, clock, hasClock := strings.Cut(rest, "T")
	var total time.Duration
	read := func(s, units string) bool {
		for s != "" {
			n := strings.IndexAny(s, "WDHMSY")
			if n <= 0 {
				return false
			}
			at := strings.IndexByte(units, s[n])
			if at < 0 {
				return false
			}
			units = units[at+1:]
			var f float64
			if _, err := fmt.Sscanf(s[:n], "%f", &f); err != nil || strings.Trim(s[:n], "0123456789.") != "" || f < 0 || f > 1e6 {
				return false
			}
			unit := map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour, 'H': time.Hour, 'M': time.Minute, 'S': time.Second}[s[n]]
			total += time.Duration(f * float64(unit))
			s = s[n+1:]
		}
		return true
	}
	if !read(days, "WD") || hasClock && !read(clock, "HMS") || total < 0 {
		return 0, fail
	}
	return total, nil
}
