package workflow

import (
	"slices"
	"strings"

	"tandem/internal/workflow/expr"
)

// reference checks what one call in an expression refers to.
func (p *parser) reference(path string, t *expr.Template, c expr.Call, who user) {
	bad := func(remedy, format string, args ...any) {
		p.add(path, remedy, "in %q: "+format, append([]any{t.Text()}, args...)...)
	}
	name, constant := "", false
	if len(c.Args) > 0 {
		name, constant = c.Args[0].(string)
	}
	switch c.Name {
	case "body", "outputs", "actions", "result", "formDataValue", "formDataMultiValues", "multipartBody":
		if who.trigger {
			bad("use trigger functions only", "a trigger cannot refer to actions")
			return
		}
		if !constant {
			return
		}
		a := p.def.find(name)
		switch {
		case a == nil:
			bad("name an action of this definition", "the action %q does not exist", name)
		case a == who.action && !who.tracked && len(a.blocks) == 0:
			bad("refer to an earlier action", "the action %q refers to itself", name)
		case c.Name == "result" && len(a.blocks) == 0:
			bad("name a Scope, Foreach, Until, If or Switch", "result() is for actions with actions in them, %q has none", name)
		}
	case "variables":
		if constant && !p.declared(name) {
			bad("declare it with an InitializeVariable action", "the variable %q is not declared", name)
		}
	case "parameters":
		if constant && !slices.ContainsFunc(p.def.Parameters, func(q *Parameter) bool { return strings.EqualFold(q.Name, name) }) {
			bad("declare it in the definition's parameters", "the parameter %q is not declared", name)
		}
	case "item":
		if !who.element && (who.action == nil || !slices.ContainsFunc(who.action.loops, func(l *action) bool { return l.kind == "Foreach" })) {
			bad("use it inside of Foreach, Select, Query or Table", "item() has no array to take an element of")
		}
	case "items", "iterationIndexes":
		if !constant {
			return
		}
		kind := map[string]string{"items": "Foreach", "iterationIndexes": "Until"}[c.Name]
		var around []*action
		if who.action != nil {
			around = who.action.loops
			if who.inside {
				around = append(slices.Clone(around), who.action)
			}
		}
		if !slices.ContainsFunc(around, func(l *action) bool {
			return strings.EqualFold(l.name, name) && (l.kind == kind || c.Name == "items" && l.kind == "Until")
		}) {
			bad("name a loop around this action", "%q is no %s loop around this action", name, kind)
		}
	case "action":
		if !who.tracked && !who.inside {
			bad("name the action with actions()", "action() is for trackedProperties only")
		}
	case "trigger", "triggerBody", "triggerOutputs", "triggerFormDataValue", "triggerFormDataMultiValues", "triggerMultipartBody":
		if len(p.def.Triggers) == 0 {
			bad("add a trigger", "the definition has no trigger")
		}
	case "listCallbackUrl":
		if !slices.ContainsFunc(p.def.Triggers, func(t *Trigger) bool { return t.Kind == "Request" }) {
			bad("add a Request trigger", "only a Request trigger has a callback URL")
		}
	}
}

func (p *parser) declared(name string) bool {
	for declared := range p.def.variables {
		if strings.EqualFold(declared, name) {
			return true
		}
	}
	return false
}
