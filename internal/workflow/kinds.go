package workflow

import (
	"context"

	"tandem/internal/workflow/value"
)

// spec is what an action of some type does.
type spec interface {
	// instant tells that the action has no effect outside of the run and takes no time: it is journalled once, at its end,
	// and simply done again after a crash.
	instant() bool
	// run carries the action out. It returns early, with any outcome, when ctx ends.
	run(ctx context.Context, x *exec) outcome
}

// kind is one type of action: its name, the properties it has beside the common ones, and how it is read.
type kind struct {
	name       string
	properties []string
	parse      func(p *parser, a *action, o *value.Object, depth int) spec
}

// kinds is the table of all types of actions.
func kinds() []kind {
	return []kind{
		{"AppendToArrayVariable", []string{"inputs"}, parseVariable("AppendToArrayVariable")},
		{"AppendToStringVariable", []string{"inputs"}, parseVariable("AppendToStringVariable")},
		{"Compose", []string{"inputs"}, parseCompose},
		{"DecrementVariable", []string{"inputs"}, parseVariable("DecrementVariable")},
		{"Foreach", []string{"foreach", "actions"}, parseForeach},
		{"Http", []string{"inputs", "limit"}, parseHTTP},
		{"If", []string{"expression", "actions", "else"}, parseIf},
		{"IncrementVariable", []string{"inputs"}, parseVariable("IncrementVariable")},
		{"InitializeVariable", []string{"inputs"}, parseInitialize},
		{"Join", []string{"inputs"}, parseJoin},
		{"ParseJson", []string{"inputs"}, parseParseJSON},
		{"Query", []string{"inputs"}, parseQuery},
		{"Response", []string{"inputs"}, parseResponse},
		{"Scope", []string{"actions"}, parseScope},
		{"Select", []string{"inputs"}, parseSelect},
		{"SetVariable", []string{"inputs"}, parseVariable("SetVariable")},
		{"Switch", []string{"expression", "cases", "default"}, parseSwitch},
		{"Table", []string{"inputs"}, parseTable},
		{"Terminate", []string{"inputs"}, parseTerminate},
		{"Until", []string{"expression", "actions", "limit"}, parseUntil},
		{"Wait", []string{"inputs"}, parseWait},
	}
}

func kindNames() []string {
	var out []string
	for _, k := range kinds() {
		out = append(out, k.name)
	}
	return out
}

// inputs gives an action's inputs, which must be an object with some of the names.
func (p *parser) inputs(a *action, o *value.Object, names ...string) *value.Object {
	v, ok := p.needed(a.path, o, "inputs", "give the action its inputs")
	if !ok {
		return value.New()
	}
	in, ok := v.(*value.Object)
	if !ok {
		p.add(property(a.path, "inputs"), "write an object", "the inputs must be an object, not a value of type %s", value.Type(v))
		return value.New()
	}
	p.only(property(a.path, "inputs"), in, names...)
	return in
}

// require reports inputs that are missing.
func (p *parser) require(a *action, in *value.Object, names ...string) {
	for _, n := range names {
		if _, ok := in.Get(n); !ok {
			p.add(property(a.path, "inputs"), "give it", "the input %q is missing", n)
		}
	}
}
