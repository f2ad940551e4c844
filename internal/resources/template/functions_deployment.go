package template

import (
	"strings"
)

func deploymentFunctions() map[string]builtin {
	info := func(name string, get func(s *Scope) map[string]any) builtin {
		return builtin{min: 0, max: 0, call: func(a *arguments) (any, error) {
			v := get(a.e.scope)
			if v == nil {
				a.fail("there is no %s at the scope of this deployment", name)
			}
			return v, nil
		}}
	}
	return map[string]builtin{
		"parameters":    {min: 1, max: 1, call: parameterValue},
		"variables":     {min: 1, max: 1, call: variableValue},
		"copyindex":     {min: 0, max: 2, call: copyIndex},
		"deployment":    info("deployment", func(s *Scope) map[string]any { return s.DeploymentInfo }),
		"environment":   info("environment", func(s *Scope) map[string]any { return s.Environment }),
		"subscription":  info("subscription", func(s *Scope) map[string]any { return s.SubscriptionInfo }),
		"resourcegroup": info("resource group", func(s *Scope) map[string]any { return s.GroupInfo }),
		"tenant":        info("tenant", func(s *Scope) map[string]any { return s.TenantInfo }),
		"deployer":      info("deployer", func(s *Scope) map[string]any { return s.Deployer }),
	}
}

func parameterValue(a *arguments) (any, error) {
	name := a.text(0)
	v, ok := a.e.params[strings.ToLower(name)]
	if !ok {
		a.fail("there is no parameter '%s' here; declare it, or correct the name", name)
		return nil, nil
	}
	if d, isDefault := v.(*pending); isDefault {
		return d.value()
	}
	return v, nil
}

func variableValue(a *arguments) (any, error) {
	name := a.text(0)
	if a.e.vars == nil {
		a.fail("variables cannot be used here")
		return nil, nil
	}
	return a.e.vars.value(name)
}

// copyIndex is copyIndex(), copyIndex(offset), copyIndex('loop') and copyIndex('loop', offset).
func copyIndex(a *arguments) (any, error) {
	name, shift := "", int64(0)
	if a.has(0) {
		if s, ok := a.v[0].(string); ok {
			name = s
		} else {
			shift = a.integer(0)
		}
	}
	if a.has(1) {
		shift = a.integer(1)
	}
	for _, any := range []bool{false, true} {
		for i := len(a.e.loops) - 1; i >= 0; i-- {
			if l := a.e.loops[i]; name == "" && (any || !l.named) || name != "" && strings.EqualFold(l.name, name) {
				return l.index + shift, nil
			}
		}
	}
	if name != "" {
		a.fail("there is no copy loop '%s' here", name)
	} else {
		a.fail("there is no copy loop here")
	}
	return nil, nil
}
