package template

import (
	"context"
	"slices"
	"strings"
)

// Body evaluates what is sent for a resource. Without a runtime, expressions that need deployed resources are left as they
// stand.
func (p *Plan) Body(ctx context.Context, r *Resource, runtime Runtime) (map[string]any, error) {
	e := *r.env
	e.ctx, e.runtime, e.plan, e.tolerant = ctx, runtime, p, runtime == nil
	out := map[string]any{}
	for _, name := range sortedKeys(r.decl.body) {
		if slices.Contains([]string{"condition", "type", "apiversion", "name", "comments", "dependson", "scope", "copy", "resources", "existing", "resourcegroup",
			"subscriptionid", "metadata"}, strings.ToLower(name)) {
			continue
		}
		path := property(r.Path, name)
		v := r.decl.body[name]
		var err error
		if strings.EqualFold(name, "properties") && strings.EqualFold(r.Type, deploymentType) {
			v, err = e.deploymentProperties(path, v)
		} else {
			v, err = e.value(path, v)
		}
		if err != nil {
			return nil, err
		}
		if v != nil { // null stands for a member that is not there
			out[name] = v
		}
	}
	if weight(out, maxWeight) < 0 {
		return nil, errorAt(r.Path, "the resource gets larger than 4 MB")
	}
	return out, nil
}

// deploymentProperties leaves the template of a nested deployment alone: it is evaluated when that is deployed.
func (e *env) deploymentProperties(path string, v any) (any, error) {
	properties, _ := v.(map[string]any)
	rest := map[string]any{}
	for name, part := range properties {
		if !strings.EqualFold(name, "template") {
			rest[name] = part
		}
	}
	out, err := e.object(path, rest)
	if err != nil {
		return nil, err
	}
	inner, _ := get(properties, "template")
	out.(map[string]any)["template"] = inner
	return out, nil
}

// Outer gives the plan as a nested deployment that evaluates its expressions here sees it; nil where the resource is none.
func (p *Plan) Outer(r *Resource) *Plan {
	if !strings.EqualFold(r.Type, deploymentType) || isInner(r.decl.body) {
		return nil
	}
	c := *p
	c.env = r.env
	return &c
}

// Scope is where the template is deployed, as its functions see it.
func (p *Plan) Scope() *Scope { return p.env.scope }

// Outputs evaluates the outputs: {"name": {"type", "value"}}. Those of a secure type have no value.
func (p *Plan) Outputs(ctx context.Context, runtime Runtime) (map[string]any, error) {
	e := *p.env
	e.ctx, e.runtime, e.plan = ctx, runtime, p
	out := map[string]any{}
	for _, name := range sortedKeys(p.t.outputs) {
		path := property("outputs", name)
		spec, ok := p.t.outputs[name].(map[string]any)
		if !ok {
			return nil, errorAt(path, "an object is expected")
		}
		if raw, ok := get(spec, "condition"); ok {
			holds, err := e.value(property(path, "condition"), raw)
			if err != nil {
				return nil, err
			}
			if holds != true {
				continue
			}
		}
		kind := stringOf(spec, "type")
		if p.t.secret(spec, 0) {
			out[name] = map[string]any{"type": kind}
			continue
		}
		v, err := e.output(path, spec)
		if err == nil {
			err = p.t.check(path, spec, v, 0)
		}
		if err != nil {
			return nil, err
		}
		if kind == "" {
			kind = typeName(v)
		}
		out[name] = map[string]any{"type": kind, "value": v}
	}
	return out, nil
}

func (e *env) output(path string, spec map[string]any) (any, error) {
	if l := objectOf(spec, "copy"); l != nil {
		return e.repeat(property(path, "copy"), l)
	}
	raw, ok := get(spec, "value")
	if !ok {
		return nil, errorAt(path, "the output has no value")
	}
	return e.value(property(path, "value"), raw)
}
