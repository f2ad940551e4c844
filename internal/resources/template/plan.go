package template

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Options say where a template is deployed and with what.
type Options struct {
	Scope      *Scope
	Parameters map[string]any // as requests carry them: {"name": {"value": …}}
	// Known looks whether a resource can be deployed, by its id; nil: all can.
	Known func(id, apiVersion string) error
}

// Plan is a template bound to a place and to values: what is to be deployed, in which order.
type Plan struct {
	Resources []*Resource
	t         *Template
	env       *env
	byName    map[string][]*Resource // by all that expressions may call a resource, lower case
	byLoop    map[string][]*Resource
}

// Resource is one resource to deploy.
type Resource struct {
	ID, Type, Name, APIVersion string
	Path                       string // in the template
	Skipped                    bool   // its condition does not hold
	Existing                   bool   // it is only referred to
	DependsOn                  []*Resource

	symbol string
	decl   *declaration
	env    *env
	loop   *loop
}

// Plan binds the template. The error is an *Error or Errors.
func (t *Template) Plan(ctx context.Context, o Options) (*Plan, error) {
	p := &Plan{t: t, byName: map[string][]*Resource{}, byLoop: map[string][]*Resource{}}
	e := &env{ctx: ctx, scope: o.Scope, builtins: t.builtins, functions: t.functions, params: map[string]any{}}
	p.env = e
	if t.outer != nil {
		e.functions, e.params, e.vars, e.loops = t.outer.env.functions, t.outer.env.params, t.outer.env.vars, t.outer.env.loops
	} else {
		if err := t.bind(e, o.Parameters); err != nil {
			return nil, err
		}
		variables := objectOf(t.source, "variables")
		vars, err := bindVariables(e, variables)
		if err != nil {
			return nil, err
		}
		e.vars = vars
	}
	e.plan = p
	if err := p.expand(); err != nil {
		return nil, err
	}
	for _, r := range p.Resources {
		if o.Known != nil && !r.Skipped {
			if err := o.Known(r.ID, r.APIVersion); err != nil {
				return nil, at(r.Path, errorAt("", "%s", err.Error()))
			}
		}
	}
	if err := p.order(); err != nil {
		return nil, err
	}
	return p, nil
}

// bind takes values for the parameters, and evaluates defaults where none is given.
func (t *Template) bind(e *env, given map[string]any) error {
	var problems Errors
	values := map[string]any{}
	for _, name := range sortedKeys(given) {
		path := property("parameters", name)
		o, _ := given[name].(map[string]any)
		v, ok := get(o, "value")
		switch _, reference := get(o, "reference"); {
		case reference:
			problems = append(problems, errorAt(path, "references to key vaults cannot be followed here; give the value"))
		case !ok:
			problems = append(problems, errorAt(path, "an object with a member value is expected"))
		case !slices.ContainsFunc(t.parameters, func(p *parameter) bool { return strings.EqualFold(p.name, name) }):
			problems = append(problems, errorAt(path, "the template declares no such parameter"))
		}
		values[strings.ToLower(name)] = v
	}
	for _, p := range t.parameters {
		key := strings.ToLower(p.name)
		v, isGiven := values[key]
		nullable, _ := get(p.spec, "nullable")
		switch {
		case isGiven && (v != nil || !p.hasDefault):
			e.params[key] = v
		case p.hasDefault:
			e.params[key] = &pending{name: "the parameter '" + p.name + "'", make: func() (any, error) { return e.value(property(p.path, "defaultValue"), p.value) }}
		case nullable == true:
			e.params[key] = nil
		default:
			problems = append(problems, errorAt(p.path, "the parameter has no default, and no value is given for it"))
		}
	}
	if len(problems) > 0 {
		return problems
	}
	for _, p := range t.parameters {
		key := strings.ToLower(p.name)
		v := e.params[key]
		if d, ok := v.(*pending); ok {
			var err error
			if v, err = d.value(); err != nil {
				return err
			}
		}
		e.params[key] = v
		if err := t.check(p.path, p.spec, v, 0); err != nil {
			return err
		}
	}
	return nil
}

// Values are the parameters with their values, as a deployment shows them: those that are secret without.
func (p *Plan) Values() map[string]any {
	out := map[string]any{}
	for _, q := range p.t.parameters {
		shown := map[string]any{"type": stringOf(q.spec, "type")}
		if shown["type"] == "" {
			shown["type"] = "object"
		}
		if v, ok := p.env.params[strings.ToLower(q.name)]; ok && !p.t.secret(q.spec, 0) {
			shown["value"] = v
		}
		out[q.name] = shown
	}
	return out
}

// secret says whether a declaration, or a part of it, is of a secure type.
func (t *Template) secret(spec map[string]any, depth int) bool {
	if spec == nil || depth > maxReferences {
		return depth > maxReferences
	}
	if secure(stringOf(spec, "type")) {
		return true
	}
	if ref := stringOf(spec, "$ref"); ref != "" && t.secret(objectOf(t.definitions, strings.TrimPrefix(ref, "#/definitions/")), depth+1) {
		return true
	}
	for _, part := range objectOf(spec, "properties") {
		o, _ := part.(map[string]any)
		if t.secret(o, depth+1) {
			return true
		}
	}
	return t.secret(objectOf(spec, "items"), depth+1)
}

// find gives the resources that an expression means by a symbol, a name or an id.
func (p *Plan) find(name string) []*Resource {
	return p.byName[strings.ToLower(strings.TrimRight(name, "/"))]
}

// order finds what each resource depends on, and refuses circles.
func (p *Plan) order() error {
	for _, r := range p.Resources {
		if err := p.depend(r); err != nil {
			return err
		}
	}
	state := map[*Resource]int{}
	var visit func(r *Resource, way []string) error
	visit = func(r *Resource, way []string) error {
		way = append(way, r.Type+"/"+r.Name)
		switch state[r] {
		case 1:
			return errorAt(r.Path, "the resources depend on each other in a circle: %s", strings.Join(way, " → "))
		case 2:
			return nil
		}
		state[r] = 1
		for _, on := range r.DependsOn {
			if err := visit(on, way); err != nil {
				return err
			}
		}
		state[r] = 2
		return nil
	}
	for _, r := range p.Resources {
		if err := visit(r, nil); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) depend(r *Resource) error {
	add := func(on ...*Resource) {
		for _, o := range on {
			if o != r && !slices.Contains(r.DependsOn, o) {
				r.DependsOn = append(r.DependsOn, o)
			}
		}
	}
	raw, _ := get(r.decl.body, "dependsOn")
	v, err := r.env.value(property(r.Path, "dependsOn"), raw)
	if err != nil {
		return err
	}
	list, ok := v.([]any)
	if v != nil && !ok {
		return errorAt(property(r.Path, "dependsOn"), "an array is expected")
	}
	for i, item := range list {
		name, _ := item.(string)
		found := append(slices.Clone(p.find(name)), p.byLoop[strings.ToLower(name)]...)
		if len(found) == 0 {
			return errorAt(element(property(r.Path, "dependsOn"), i), "the resource '%s' is not defined in this template; name one that is, or leave the line out", name)
		}
		add(found...)
	}
	if r.decl.parent != nil {
		for _, o := range p.Resources {
			if o.decl == r.decl.parent && strings.HasPrefix(strings.ToLower(r.ID), strings.ToLower(o.ID)+"/") {
				add(o)
			}
		}
	}
	for name, v := range r.decl.body {
		if !slices.Contains([]string{"resources", "dependson", "condition", "copy", "name", "type"}, strings.ToLower(name)) {
			p.implied(r.env, v, add)
		}
	}
	return nil
}

// implied finds the resources that expressions refer to. What cannot be evaluated yet implies nothing.
func (p *Plan) implied(e *env, v any, add func(...*Resource)) {
	switch v := v.(type) {
	case string:
		if !isExpression(v) {
			return
		}
		root, err := parseExpression(v)
		if err != nil {
			return
		}
		root.walk(func(n *node) {
			if len(n.args) == 0 || n.call != "reference" && n.call != "references" && !strings.HasPrefix(n.call, "list") {
				return
			}
			if name, err := e.eval(n.args[0]); err == nil {
				if s, ok := name.(string); ok {
					add(p.find(s)...)
				}
			}
		})
	case []any:
		for _, item := range v {
			p.implied(e, item, add)
		}
	case map[string]any:
		for name, item := range v {
			loops, ok := copyLoops(name, item)
			if !ok {
				p.implied(e, item, add)
			}
			for _, l := range loops {
				count, err := e.count("", l)
				input, _ := get(l, "input")
				for i := 0; err == nil && i < count; i++ {
					p.implied(e.in(loop{stringOf(l, "name"), int64(i), true}), input, add)
				}
			}
		}
	}
}

// notYet says whether an error is only that a value is known later.
func notYet(err error) bool { return errors.Is(err, errNotYet) }
