package workflow

import (
	"slices"
	"strings"
	"time"

	"tandem/internal/workflow/value"
)

// limit bounds an action or a loop.
type limit struct {
	count   int
	timeout time.Duration // zero: none
}

// user is who uses an expression, and thereby what it may refer to.
type user struct {
	action  *action // nil: a trigger, or the outputs
	trigger bool
	outputs bool
	tracked bool // trackedProperties, which may look at the action itself
	element bool // inside of Select, Query and Table, item() is the element
	inside  bool // evaluated after the action's own actions, as Until's condition is
}

// block reads a list of actions.
func (p *parser) block(path string, o *value.Object, parent *action, loops []*action, depth int) *block {
	b := &block{}
	if depth > MaxNesting {
		p.add(path, "flatten the workflow, or split it", "actions nest deeper than %d", MaxNesting)
		return b
	}
	objects := map[*action]*value.Object{}
	o.Walk(func(name string, v any) {
		at := property(path, name)
		in, ok := v.(*value.Object)
		if !ok {
			p.add(at, `write {"type": "Compose", …}`, "an action is an object")
			return
		}
		a := &action{name: name, path: at, source: in, parent: parent, loops: loops}
		switch {
		case p.def.actions[name] != nil:
			p.add(at, "rename one of them", "the name %q is used by another action too, at %s", name, p.def.actions[name].path)
			return
		case len(name) > MaxNameLength || name == "":
			p.add(at, "shorten the name", "an action's name has 1 to %d characters", MaxNameLength)
		case strings.ContainsAny(name, "<>%&\\?/@#:|\"\x00"):
			p.add(at, "rename it", "an action's name must not have any of < > %% & \\ ? / @ # : |")
		}
		p.def.actions[name] = a
		p.def.names = append(p.def.names, name)
		b.actions = append(b.actions, a)
		objects[a] = in
		p.action(a, in, depth)
	})
	for _, a := range b.actions {
		p.runAfter(b, a, objects[a])
	}
	p.cycles(b)
	return b
}

func (p *parser) action(a *action, o *value.Object, depth int) {
	t := o.String("type")
	if t == "" {
		p.add(a.path, `write "type": "Compose", "Http" or another`, "the action has no type")
		return
	}
	for _, k := range kinds() {
		if strings.EqualFold(k.name, t) {
			a.kind = k.name
			p.only(a.path, o, append([]string{"type", "runAfter", "description", "metadata", "runtimeConfiguration", "operationOptions", "trackedProperties", "kind"}, k.properties...)...)
			p.common(a, o)
			a.spec = k.parse(p, a, o, depth)
			return
		}
	}
	remedy := "use one of " + strings.Join(kindNames(), ", ")
	if strings.Contains(strings.ToLower(t), "apiconnection") {
		remedy = "managed connectors run in Azure only; call the service with an Http action"
	}
	p.add(property(a.path, "type"), remedy, "the action type %q is not supported", t)
}

func (p *parser) common(a *action, o *value.Object) {
	at := property(a.path, "runtimeConfiguration")
	if rc := p.object(a.path, o, "runtimeConfiguration"); rc != nil {
		p.only(at, rc, "secureData", "concurrency")
		a.secureIn, a.secureOut = p.secure(at, rc)
		if c := p.object(at, rc, "concurrency"); c != nil {
			p.only(property(at, "concurrency"), c, "repetitions")
			n, _ := c.Get("repetitions")
			count, ok := n.(int64)
			if !ok || count < 1 || count > 50 || a.kind != "Foreach" {
				p.add(property(at, "concurrency"), "give repetitions from 1 to 50, on a Foreach only", "the concurrency is not valid")
			}
			a.repetitions = int(count)
		}
	}
	if v, ok := o.Get("operationOptions"); ok {
		for _, option := range strings.Split(value.Text(v), ",") {
			option = strings.TrimSpace(option)
			if option != "" && !slices.ContainsFunc(knownOptions(a.kind), func(k string) bool { return strings.EqualFold(k, option) }) {
				p.add(property(a.path, "operationOptions"), "remove it", "the option %q is not supported for an action of type %s", option, a.kind)
			}
			a.options = append(a.options, option)
		}
	}
	if l := p.object(a.path, o, "limit"); l != nil {
		at := property(a.path, "limit")
		p.only(at, l, "count", "timeout")
		if n, ok := l.Get("count"); ok {
			count, whole := n.(int64)
			if !whole || count < 1 || count > 5000 || a.kind != "Until" {
				p.add(property(at, "count"), "give a whole number from 1 to 5000, on an Until only", "the limit's count is not valid")
			}
			a.limit.count = int(count)
		}
		if s, ok := l.Get("timeout"); ok {
			d, err := duration(value.Text(s))
			if err != nil || d <= 0 {
				p.add(property(at, "timeout"), "write it like PT30M", "%q is no duration above zero", value.Text(s))
			}
			a.limit.timeout = d
		}
	}
	a.tracked = p.field(a.path, o, "trackedProperties", user{action: a, tracked: true})
}

func knownOptions(kind string) []string {
	switch kind {
	case "Http":
		return []string{"DisableAsyncPattern", "DisableAutomaticDecompression", "SuppressWorkflowHeaders", "SuppressWorkflowHeadersOnResponse"}
	case "Foreach":
		return []string{"Sequential"}
	case "Until":
		return []string{"FailWhenLimitsReached"}
	}
	return nil
}

// secure reads runtimeConfiguration.secureData.
func (p *parser) secure(path string, rc *value.Object) (in, out bool) {
	s := p.object(path, rc, "secureData")
	if s == nil {
		return false, false
	}
	at := property(path, "secureData")
	p.only(at, s, "properties")
	v, _ := s.Get("properties")
	list, _ := v.([]any)
	for _, e := range list {
		switch strings.ToLower(value.Text(e)) {
		case "inputs":
			in = true
		case "outputs":
			out = true
		default:
			p.add(property(at, "properties"), `use "inputs" and "outputs"`, "%q cannot be secured", value.Text(e))
		}
	}
	return in, out
}

func (p *parser) runAfter(b *block, a *action, o *value.Object) {
	path := property(a.path, "runAfter")
	p.object(a.path, o, "runAfter").Walk(func(name string, v any) {
		at := property(path, name)
		var on *action
		for _, other := range b.actions {
			if other.name == name || on == nil && strings.EqualFold(other.name, name) {
				on = other
			}
		}
		if on == nil || on == a {
			p.add(at, "name an action beside this one, in the same scope", "the action %q, after which this one runs, is not beside it", name)
			return
		}
		d := dependency{on: on}
		list, _ := v.([]any)
		if len(list) == 0 {
			p.add(at, `write ["Succeeded"]`, "runAfter must list at least one status")
		}
		for _, e := range list {
			s, ok := readStatus(value.Text(e))
			if !ok {
				p.add(at, "use Succeeded, Failed, Skipped, TimedOut or Cancelled", "%q is no status to run after", value.Text(e))
			}
			d.statuses = append(d.statuses, s)
		}
		a.after = append(a.after, d)
	})
}

func readStatus(s string) (Status, bool) {
	for _, known := range []Status{Succeeded, Failed, Skipped, TimedOut, Cancelled} {
		if strings.EqualFold(string(known), s) {
			return known, true
		}
	}
	return "", false
}

// cycles reports actions that wait for each other.
func (p *parser) cycles(b *block) {
	state := map[*action]int{} // 1: being visited, 2: done
	var visit func(a *action) bool
	visit = func(a *action) bool {
		switch state[a] {
		case 1:
			return true
		case 2:
			return false
		}
		state[a] = 1
		defer func() { state[a] = 2 }()
		for _, d := range a.after {
			if visit(d.on) {
				p.add(property(a.path, "runAfter"), "break the circle", "the actions wait for each other in a circle, through %q", d.on.name)
			}
		}
		return false
	}
	for _, a := range b.actions {
		visit(a)
	}
}
