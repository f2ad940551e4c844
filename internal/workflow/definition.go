// Package workflow runs Logic Apps workflow definitions (Microsoft.Logic/workflows, the Consumption kind): it validates
// them when they are saved, fires their triggers, carries their actions out and keeps the history of their runs, all in a
// store, so that a run goes on after a crash where it stood.
//
// The parts: Parse makes a Definition; Engine executes, one at a time over a store; Provider is the management API, which
// any number of processes may serve; Run carries one file out by hand; Lint and Convert read definitions for people.
//
// Source: the Workflow Definition Language schema 2016-06-01 and the REST API Microsoft.Logic 2016-06-01 to 2019-05-01.
package workflow

import (
	"fmt"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// Limits on one definition, those of Azure Logic Apps.
const (
	MaxActions    = 500
	MaxNesting    = 8
	MaxTriggers   = 10
	MaxVariables  = 250
	MaxParameters = 50
	MaxNameLength = 80
)

// Problem is one thing that is wrong with a definition.
type Problem struct {
	Path    string // JSON path, from "$" for the definition itself
	Message string
	Remedy  string
}

// DefinitionError holds all problems that were found. It is of kind tandem.Invalid.
type DefinitionError struct{ Problems []Problem }

// Error implements error.
func (e *DefinitionError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s: %s", p.Path, p.Message)
		if p.Remedy != "" {
			b.WriteString("; " + p.Remedy)
		}
	}
	return b.String()
}

// Is makes the error one of kind tandem.Invalid.
func (e *DefinitionError) Is(target error) bool { return target == tandem.Invalid }

// Definition is a workflow definition that was validated.
type Definition struct {
	Source     *value.Object // as written, without a wrapper
	Parameters []*Parameter
	Triggers   []*Trigger

	top       *block
	actions   map[string]*action // all of them, at any depth, by name
	names     []string           // in the order of the text
	outputs   *expr.Node         // the values of the outputs by name; nil: none
	variables map[string]string  // type by name
}

// block is a list of actions that run after one another as their runAfter says.
type block struct {
	actions []*action
}

// action is one action of a definition.
type action struct {
	name, kind, path string
	source           *value.Object // as written
	after            []dependency
	parent           *action   // the scope around it; nil at the top
	loops            []*action // the loops around it, outermost first
	inputs           *expr.Node
	tracked          *expr.Node
	secureIn         bool
	secureOut        bool
	limit            limit
	options          []string
	repetitions      int // how many iterations of a Foreach run at a time; 0: the default
	spec             spec
	blocks           []*block // of actions with actions in them
}

type dependency struct {
	on       *action
	statuses []Status
}

func (a *action) option(name string) bool {
	return slices.ContainsFunc(a.options, func(o string) bool { return strings.EqualFold(o, name) })
}

// Parameter is a parameter that a definition declares.
type Parameter struct {
	Name, Type    string // String, SecureString, Int, Float, Bool, Array, Object or SecureObject
	Default       any
	HasDefault    bool
	AllowedValues []any
}

// Secret tells whether values of the parameter must not be shown.
func (p *Parameter) Secret() bool { return strings.HasPrefix(p.Type, "Secure") }

// Parse reads and validates a definition: the definition alone, {"definition": …, "parameters": …}, or a whole resource
// with "properties". Values of parameters beside the definition come back as they are. Errors are *DefinitionError, with
// every problem that was found, or of kind tandem.Invalid where the text is no JSON.
func Parse(text []byte) (*Definition, map[string]any, error) {
	v, err := value.Decode(text)
	if err != nil {
		return nil, nil, err
	}
	return ParseValue(v)
}

// ParseValue is Parse for a document that is read already.
func ParseValue(v any) (*Definition, map[string]any, error) {
	p := &parser{def: &Definition{actions: map[string]*action{}, variables: map[string]string{}}}
	path := "$"
	o, ok := v.(*value.Object)
	if inner := o.Object("properties"); ok && inner != nil && o.Object("definition") == nil && o.Object("actions") == nil {
		o, path = inner, "$.properties"
	}
	var given *value.Object
	if inner, wrapped := o.Get("definition"); ok && wrapped {
		given = o.Object("parameters")
		o, ok = inner.(*value.Object)
		path += ".definition"
	}
	if !ok {
		p.add(path, `write {"definition": {"$schema": …, "triggers": …, "actions": …}}`, "a workflow definition is an object")
		return nil, nil, p.err()
	}
	p.definition(o, path)
	values := map[string]any{}
	given.Walk(func(name string, v any) {
		if o, ok := v.(*value.Object); ok {
			if inner, ok := o.Get("value"); ok {
				values[name] = inner
			}
		}
	})
	if err := p.err(); err != nil {
		return nil, nil, err
	}
	return p.def, values, nil
}

// trigger finds a trigger by name, or the only one where the name is empty.
func (d *Definition) trigger(name string) *Trigger {
	for _, t := range d.Triggers {
		if strings.EqualFold(t.Name, name) || name == "" && len(d.Triggers) == 1 {
			return t
		}
	}
	return nil
}

// find finds an action by name: exactly, else without regard to case.
func (d *Definition) find(name string) *action {
	if a, ok := d.actions[name]; ok {
		return a
	}
	for _, n := range d.names {
		if strings.EqualFold(n, name) {
			return d.actions[n]
		}
	}
	return nil
}
