package template

import (
	"strings"
)

func resourceFunctions() map[string]builtin {
	return map[string]builtin{
		"resourceid":             {min: 2, max: -1, call: resourceID},
		"subscriptionresourceid": {min: 2, max: -1, call: subscriptionResourceID},
		"tenantresourceid":       {min: 2, max: -1, call: func(a *arguments) (any, error) { return a.typed("", a.texts(0)), nil }},
		"extensionresourceid": {min: 3, max: -1, call: func(a *arguments) (any, error) {
			return a.typed(strings.TrimRight(a.text(0), "/"), a.texts(1)), nil
		}},
		"reference":    {min: 1, max: 3, where: inResources, call: reference},
		"references":   {min: 1, max: 2, where: inResources, call: references},
		"resourceinfo": {min: 1, max: 1, where: inResources, call: resourceInfo},
	}
}

// typed makes {base}/providers/{type}/{name}… of a type and its names, in turn.
func (a *arguments) typed(base string, words []string) string {
	if a.err != nil {
		return ""
	}
	types := strings.Split(words[0], "/")
	names := words[1:]
	if len(types) != len(names)+1 {
		a.fail("the type '%s' needs %d names, and there are %d", words[0], len(types)-1, len(names))
		return ""
	}
	if strings.EqualFold(words[0], groupType) && strings.Count(base, "/") == 2 {
		return base + "/resourceGroups/" + names[0]
	}
	return base + "/providers/" + interleave(types, names)
}

const (
	groupType      = "Microsoft.Resources/resourceGroups"
	deploymentType = "Microsoft.Resources/deployments"
)

// interleave writes namespace/type/name/type/name….
func interleave(types, names []string) string {
	var b strings.Builder
	b.WriteString(types[0])
	for i, name := range names {
		b.WriteString("/" + types[i+1] + "/" + name)
	}
	return b.String()
}

// before parts the arguments into what stands in front of the type and the rest.
func (a *arguments) before() (front, rest []string) {
	words := a.texts(0)
	for i, w := range words {
		if strings.Contains(w, "/") {
			return words[:i], words[i:]
		}
	}
	a.fail("none of the arguments is a resource type, as 'Microsoft.ApiManagement/service'")
	return nil, nil
}

func resourceID(a *arguments) (any, error) {
	front, rest := a.before()
	s := *a.e.scope
	switch {
	case len(front) == 1 && s.Group != "":
		s.Group = front[0]
	case len(front) == 1:
		s.Subscription = front[0]
	case len(front) == 2:
		s.Subscription, s.Group = front[0], front[1]
	case len(front) > 2:
		a.fail("at most a subscription and a resource group may stand before the type")
	}
	return a.typed(s.id(), rest), nil
}

func subscriptionResourceID(a *arguments) (any, error) {
	front, rest := a.before()
	s := Scope{Subscription: a.e.scope.Subscription}
	if len(front) == 1 {
		s.Subscription = front[0]
	} else if len(front) > 1 {
		a.fail("at most a subscription may stand before the type")
	}
	return a.typed(s.id(), rest), nil
}

// target finds what a name, a symbol or an id means: the id, and the api-version to ask with.
func (a *arguments) target(name, version string) (id, apiVersion string) {
	if a.e.plan == nil {
		a.fail("resources cannot be asked here")
		return "", ""
	}
	found := a.e.plan.find(name)
	switch {
	case len(found) == 1:
		if version == "" {
			version = found[0].APIVersion
		}
		return found[0].ID, version
	case len(found) > 1:
		a.fail("'%s' means %d resources of this template; give the id of one", name, len(found))
	case !strings.HasPrefix(name, "/"):
		a.fail("the resource '%s' is not defined in this template; give its whole id", name)
	case version == "":
		a.fail("the resource %s is not defined in this template; give the api-version to read it with", name)
	}
	return name, version
}

// full reads the last argument of reference: 'Full' asks for the whole resource.
func (a *arguments) full(i int) bool {
	if !a.has(i) {
		return false
	}
	if !strings.EqualFold(a.text(i), "full") {
		a.fail("the only word after the api-version is 'Full'")
	}
	return true
}

func reference(a *arguments) (any, error) {
	version := ""
	if a.has(1) {
		version = a.text(1)
	}
	whole := a.full(2)
	id, version := a.target(a.text(0), version)
	if a.err != nil {
		return nil, nil
	}
	return a.read(id, version, whole)
}

func (a *arguments) read(id, version string, whole bool) (any, error) {
	if a.e.runtime == nil {
		return nil, errNotYet
	}
	v, err := a.e.runtime.Read(a.e.ctx, id, version)
	if err != nil || whole {
		return v, err
	}
	properties, _ := get(v, "properties")
	return properties, nil
}

// references are all resources of a loop, by its symbolic name.
func references(a *arguments) (any, error) {
	whole := a.full(1)
	if a.e.plan == nil || a.err != nil {
		a.fail("resources cannot be asked here")
		return nil, nil
	}
	out := []any{}
	for _, r := range a.e.plan.find(a.text(0)) {
		if r.Skipped {
			continue
		}
		v, err := a.read(r.ID, r.APIVersion, whole)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// resourceInfo tells of a resource of the template what is known without asking for it.
func resourceInfo(a *arguments) (any, error) {
	if a.e.plan == nil {
		a.fail("resources cannot be named here")
		return nil, nil
	}
	found := a.e.plan.find(a.text(0))
	if len(found) != 1 {
		a.fail("'%s' means %d resources of this template, not one", a.v[0], len(found))
		return nil, nil
	}
	r := found[0]
	return map[string]any{"id": r.ID, "name": r.Name, "type": r.Type, "apiVersion": r.APIVersion}, nil
}

// list is listKeys, listSecrets and every other action of that kind.
func list(a *arguments) (any, error) {
	version, body := "", any(nil)
	if a.has(1) {
		version = a.text(1)
	}
	if a.has(2) {
		body = a.v[2]
	}
	id, version := a.target(a.text(0), version)
	if a.err != nil {
		return nil, nil
	}
	if a.e.runtime == nil {
		return nil, errNotYet
	}
	return a.e.runtime.Invoke(a.e.ctx, a.name, id, version, body)
}
