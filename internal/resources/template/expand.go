package template

import (
	"fmt"
	"strings"
)

// expand makes the resources of all declarations, each turn of a loop one.
func (p *Plan) expand() error {
	made := map[*declaration][]*Resource{}
	for _, d := range p.t.resources {
		var bases []*Resource
		if d.parent == nil {
			bases = []*Resource{nil}
		} else {
			bases = made[d.parent]
		}
		for _, parent := range bases {
			some, err := p.instances(d, parent)
			if err != nil {
				return err
			}
			made[d] = append(made[d], some...)
			p.Resources = append(p.Resources, some...)
		}
	}
	ids := map[string]*Resource{}
	for _, r := range p.Resources {
		p.index(r)
		if old := ids[strings.ToLower(r.ID)]; old != nil && !r.Skipped && !old.Skipped && !r.Existing && !old.Existing {
			return errorAt(r.Path, "the resource %s is defined twice, here and at %s", r.ID, old.Path)
		}
		if !r.Skipped {
			ids[strings.ToLower(r.ID)] = r
		}
	}
	return nil
}

func (p *Plan) index(r *Resource) {
	for i, key := range []string{r.symbol, r.ID, r.Name, r.Type + "/" + r.Name, typeAndNames(r.Type, r.Name)} {
		if key = strings.ToLower(key); key == "" || i > 0 && len(p.byName[key]) > 0 && p.byName[key][0].symbol != "" && strings.EqualFold(p.byName[key][0].symbol, key) {
			continue // a symbol is meant before a name that is written alike
		}
		if list := p.byName[key]; len(list) == 0 || list[len(list)-1] != r {
			p.byName[key] = append(list, r)
		}
	}
	if r.symbol != "" && r.loop != nil {
		p.byName[strings.ToLower(fmt.Sprintf("%s[%d]", r.symbol, r.loop.index))] = []*Resource{r}
	}
	if r.loop != nil {
		p.byLoop[strings.ToLower(r.loop.name)] = append(p.byLoop[strings.ToLower(r.loop.name)], r)
	}
}

// typeAndNames writes the relative id: type, name, type, name.
func typeAndNames(kind, name string) string {
	types, names := strings.Split(kind, "/"), strings.Split(name, "/")
	if len(types) != len(names)+1 {
		return ""
	}
	return interleave(types, names)
}

// instances makes the resources of one declaration.
func (p *Plan) instances(d *declaration, parent *Resource) ([]*Resource, error) {
	e := p.env
	if parent != nil {
		e = parent.env
	}
	raw, ok := get(d.body, "copy")
	if !ok {
		r, err := p.resource(d, parent, e, nil)
		return []*Resource{r}, err
	}
	path := property(d.path, "copy")
	l, _ := raw.(map[string]any)
	name := stringOf(l, "name")
	if name == "" {
		return nil, errorAt(path, "the loop has no name")
	}
	count, err := e.count(path, l)
	if err != nil {
		return nil, err
	}
	batch := count
	if mode := stringOf(l, "mode"); strings.EqualFold(mode, "serial") {
		batch = 1
		if size, ok := get(l, "batchSize"); ok {
			v, err := e.value(property(path, "batchSize"), size)
			if n, isInt := v.(int64); err == nil && isInt && n > 0 {
				batch = int(n)
			} else {
				return nil, errorAt(property(path, "batchSize"), "an integer above zero is expected")
			}
		}
	}
	var out []*Resource
	for i := range count {
		one := loop{name: name, index: int64(i)}
		r, err := p.resource(d, parent, e.in(one), &one)
		if err != nil {
			return nil, err
		}
		if start := i / batch * batch; start > 0 { // a batch waits for the one before
			r.DependsOn = append(r.DependsOn, out[start-batch:start]...)
		}
		out = append(out, r)
	}
	return out, nil
}

func (p *Plan) resource(d *declaration, parent *Resource, e *env, l *loop) (*Resource, error) {
	r := &Resource{Path: d.path, symbol: d.symbol, decl: d, env: e, loop: l}
	if l != nil {
		r.Path = fmt.Sprintf("%s(%s %d)", d.path, l.name, l.index)
	}
	text := func(name string) (string, error) {
		v, err := e.value(property(r.Path, name), d.body[sameKey(d.body, name)])
		s, ok := v.(string)
		if err == nil && !ok && v != nil {
			err = errorAt(property(r.Path, name), "a string is expected, not %s", typeName(v))
		}
		return s, err
	}
	if raw, ok := get(d.body, "condition"); ok {
		v, err := e.value(property(r.Path, "condition"), raw)
		holds, isBool := v.(bool)
		if err == nil && !isBool {
			err = errorAt(property(r.Path, "condition"), "a bool is expected, not %s", typeName(v))
		}
		if err != nil {
			return nil, p.early(property(r.Path, "condition"), err)
		}
		r.Skipped = !holds
	}
	existing, _ := get(d.body, "existing")
	r.Existing = existing == true
	var err error
	if r.Type, err = text("type"); err == nil {
		if r.Name, err = text("name"); err == nil {
			r.APIVersion, err = text("apiVersion")
		}
	}
	if err != nil {
		return nil, p.early(r.Path, err)
	}
	if parent != nil {
		r.Type, r.Name = parent.Type+"/"+r.Type, parent.Name+"/"+r.Name
	}
	scope, err := p.scopeOf(r, parent, text)
	if err != nil {
		return nil, p.early(r.Path, err)
	}
	rest := typeAndNames(r.Type, r.Name)
	if rest == "" || r.Name == "" {
		return nil, errorAt(property(r.Path, "name"), "the name '%s' and the type '%s' do not fit: the name must have one part less than the type, parted by /", r.Name, r.Type)
	}
	r.ID = scope + "/providers/" + rest
	if strings.EqualFold(r.Type, groupType) {
		r.ID = scope + "/resourceGroups/" + r.Name
	}
	return r, nil
}

// early words what is asked for before resources are there.
func (p *Plan) early(path string, err error) error {
	if notYet(err) {
		return errorAt(path, "names and conditions must be known before anything is deployed; they cannot ask for resources")
	}
	return err
}

// scopeOf is the id that a resource lies at.
func (p *Plan) scopeOf(r *Resource, parent *Resource, text func(string) (string, error)) (string, error) {
	s := *p.env.scope
	if parent != nil {
		return strings.TrimSuffix(parent.ID, "/providers/"+typeAndNames(parent.Type, parent.Name)), nil
	}
	explicit, err := text("scope")
	if err != nil {
		return "", err
	}
	switch {
	case explicit == "/":
		return "", nil
	case strings.HasPrefix(explicit, "/"):
		return strings.TrimRight(explicit, "/"), nil
	case explicit != "":
		return s.id() + "/providers/" + explicit, nil
	}
	if strings.EqualFold(r.Type, deploymentType) || r.Existing {
		subscription, err := text("subscriptionId")
		if err != nil {
			return "", err
		}
		group, err := text("resourceGroup")
		if err != nil {
			return "", err
		}
		if subscription != "" {
			s.Subscription, s.Group = subscription, group
		} else if group != "" {
			s.Group = group
		}
	}
	if strings.EqualFold(r.Type, groupType) {
		s.Group = ""
	}
	return s.id(), nil
}
