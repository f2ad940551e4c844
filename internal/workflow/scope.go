package workflow

import (
	"fmt"
	"slices"
	"strings"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// scope is where an expression stands: its action, the iterations around it, and the element of Select and its like.
type scope struct {
	a       *action
	indexes []int
	element any
	hasElem bool
	current *value.Object // what action() gives
}

// env lets expressions look at the run from a scope.
func (r *runner) env(s *scope) *expr.Env {
	return &expr.Env{Now: r.clock.Now, GUID: r.guid, Rand: r.rand, Ref: func(name string, args []any) (any, error) { return r.ref(s, name, args) }}
}

func (r *runner) ref(s *scope, name string, args []any) (any, error) {
	text := ""
	if len(args) > 0 {
		t, ok := args[0].(string)
		if !ok {
			return nil, fmt.Errorf("the name must be a string, not a value of type %s", value.Type(args[0]))
		}
		text = t
	}
	switch name {
	case "parameters":
		for n, v := range r.parameters {
			if strings.EqualFold(n, text) {
				return v, nil
			}
		}
		return nil, fmt.Errorf("the parameter %q is not declared", text)
	case "variables":
		r.mu.Lock()
		defer r.mu.Unlock()
		for n, v := range r.variables {
			if strings.EqualFold(n, text) {
				return v, nil
			}
		}
		return nil, fmt.Errorf("the variable %q has not been initialized yet; let the action run after its InitializeVariable", text)
	case "trigger":
		return r.trigger, nil
	case "triggerOutputs", "triggerBody":
		outputs, _ := r.trigger.Get("outputs")
		if name == "triggerOutputs" {
			return outputs, nil
		}
		o, _ := outputs.(*value.Object)
		body, _ := o.Get("body")
		return body, nil
	case "workflow":
		return r.info, nil
	case "listCallbackUrl":
		if r.callback == nil {
			return nil, fmt.Errorf("the workflow has no callback URL here")
		}
		url, err := r.callback()
		return url, err
	case "action":
		return s.current, nil
	case "item":
		if s.hasElem {
			return s.element, nil
		}
		for i := len(s.loops()) - 1; i >= 0; i-- {
			if s.loops()[i].kind == "Foreach" {
				return r.itemOf(s, i)
			}
		}
		return nil, fmt.Errorf("there is no Foreach around the action")
	case "items", "iterationIndexes":
		for i, l := range s.loops() {
			if strings.EqualFold(l.name, text) && i < len(s.indexes) {
				if name == "iterationIndexes" || l.kind == "Until" {
					return int64(s.indexes[i]), nil
				}
				return r.itemOf(s, i)
			}
		}
		return nil, fmt.Errorf("the loop %q is not around the action", text)
	case "result":
		return r.result(s, text)
	}
	rec, err := r.find(s, text)
	if err != nil {
		return nil, err
	}
	switch name {
	case "actions":
		return rec.object(), nil
	case "outputs":
		return rec.Outputs, nil
	default:
		o, _ := rec.Outputs.(*value.Object)
		body, _ := o.Get("body")
		return body, nil
	}
}

// loops are the loops around the scope's action, and itself where one of its own expressions is evaluated per iteration.
func (s *scope) loops() []*action {
	if s.a == nil {
		return nil
	}
	if len(s.indexes) > len(s.a.loops) {
		return append(slices.Clone(s.a.loops), s.a)
	}
	return s.a.loops
}

// itemOf gives the element of the Foreach at depth i of the scope's loops.
func (r *runner) itemOf(s *scope, i int) (any, error) {
	loop := s.loops()[i]
	rec := r.record(loop, s.indexes[:i])
	if rec == nil {
		return nil, fmt.Errorf("the loop %q has not started", loop.name)
	}
	p, _ := rec.Progress.(*value.Object)
	items, _ := p.Get("items")
	list, _ := items.([]any)
	if s.indexes[i] >= len(list) {
		return nil, fmt.Errorf("the loop %q has no element %d", loop.name, s.indexes[i])
	}
	return list[s.indexes[i]], nil
}

// find gives the record of the action that a name means, seen from a scope: within a loop that is around both, that of the
// same iteration; within an Until that has ended, that of the last one.
func (r *runner) find(s *scope, name string) (*Record, error) {
	target := r.def.find(name)
	if target == nil {
		return nil, fmt.Errorf("the action %q does not exist", name)
	}
	var indexes []int
	around := s.loops()
	for i, l := range target.loops {
		switch {
		case i < len(around) && around[i] == l:
			indexes = append(indexes, s.indexes[i])
		case l.kind == "Until":
			rec := r.record(l, indexes)
			if rec == nil || rec.Count == 0 {
				return nil, fmt.Errorf("the loop %q around the action %q has not run", l.name, name)
			}
			indexes = append(indexes, rec.Count-1)
		default:
			return nil, fmt.Errorf("the action %q is inside of the Foreach %q and has a result for each element; use result('%s')", name, l.name, l.name)
		}
	}
	rec := r.record(target, indexes)
	if rec == nil {
		return nil, fmt.Errorf("the action %q has not run; let this one run after it", name)
	}
	return rec, nil
}

// result gives the records of the actions directly inside of a scoped action, of all its iterations.
func (r *runner) result(s *scope, name string) (any, error) {
	rec, err := r.find(s, name)
	if err != nil {
		return nil, err
	}
	a := r.def.find(name)
	out := []any{}
	collect := func(indexes []int) {
		for _, b := range a.blocks {
			for _, inner := range b.actions {
				if in := r.record(inner, indexes); in != nil {
					out = append(out, in.object())
				}
			}
		}
	}
	if a.kind != "Foreach" && a.kind != "Until" {
		collect(rec.Indexes)
		return out, nil
	}
	for i := range rec.Count {
		collect(append(slices.Clone(rec.Indexes), i))
	}
	return out, nil
}
