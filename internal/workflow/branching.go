package workflow

import (
	"context"
	"strings"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// inner reads a list of actions inside of an action.
func (p *parser) inner(a *action, path string, o *value.Object, depth int) *block {
	loops := a.loops
	if a.kind == "Foreach" || a.kind == "Until" {
		loops = append(append([]*action{}, loops...), a)
	}
	b := p.block(path, o, a, loops, depth+1)
	a.blocks = append(a.blocks, b)
	return b
}

// group is a Scope.
type group struct{ b *block }

func parseScope(p *parser, a *action, o *value.Object, depth int) spec {
	return &group{b: p.inner(a, property(a.path, "actions"), p.object(a.path, o, "actions"), depth)}
}

func (*group) instant() bool { return false }

func (s *group) run(ctx context.Context, x *exec) outcome { return x.r.block(ctx, s.b, x.indexes) }

// choose runs one of several blocks. Which one is journalled first: after a crash the variables it was chosen by may be
// others.
func (x *exec) choose(ctx context.Context, pick func() (int, *outcome), blocks []*block) outcome {
	chosen := -1
	if p, started := x.rec.Progress.(*value.Object); started {
		v, _ := p.Get("branch")
		n, _ := v.(int64)
		chosen = int(n)
	} else {
		n, bad := pick()
		if bad != nil {
			return *bad
		}
		chosen = n
		x.rec.Progress = value.New("branch", int64(n))
		if err := x.checkpoint(); err != nil {
			return outcome{}
		}
	}
	for i, b := range blocks {
		if i == chosen {
			continue
		}
		for _, a := range b.actions {
			if x.r.record(a, x.indexes) == nil && x.r.skip(a, x.indexes, codeBranch, "The branch of the action was not taken.") == "" {
				return outcome{}
			}
		}
	}
	if chosen < 0 || chosen >= len(blocks) {
		return ok(nil)
	}
	return x.r.block(ctx, blocks[chosen], x.indexes)
}

// branch is an If.
type branch struct {
	condition *condition
	blocks    []*block // if it holds, and else
}

func parseIf(p *parser, a *action, o *value.Object, depth int) spec {
	s := &branch{}
	if v, found := p.needed(a.path, o, "expression", "give the condition"); found {
		s.condition = p.condition(property(a.path, "expression"), v, user{action: a})
	}
	s.blocks = append(s.blocks, p.inner(a, property(a.path, "actions"), p.object(a.path, o, "actions"), depth))
	if other := p.object(a.path, o, "else"); other != nil {
		at := property(a.path, "else")
		p.only(at, other, "actions")
		s.blocks = append(s.blocks, p.inner(a, property(at, "actions"), p.object(at, other, "actions"), depth))
	}
	return s
}

func (*branch) instant() bool { return false }

func (s *branch) run(ctx context.Context, x *exec) outcome {
	return x.choose(ctx, func() (int, *outcome) {
		holds, err := s.condition.holds(x.r.env(&x.scope))
		if err != nil {
			out := fail(codeTemplate, "The condition of action '%s' cannot be evaluated: %v", x.a.name, err)
			return 0, &out
		}
		x.rec.Outputs = value.New("expressionResult", holds)
		if holds {
			return 0, nil
		}
		return 1, nil
	}, s.blocks)
}

// pick is a Switch.
type pick struct {
	on     *expr.Node
	cases  []any
	blocks []*block // those of the cases, then the default's
}

func parseSwitch(p *parser, a *action, o *value.Object, depth int) spec {
	s := &pick{}
	if v, found := p.needed(a.path, o, "expression", "give the value to switch on"); found {
		s.on = p.compile(property(a.path, "expression"), v, user{action: a})
	}
	at := property(a.path, "cases")
	p.object(a.path, o, "cases").Walk(func(name string, v any) {
		at := property(at, name)
		c, isObject := v.(*value.Object)
		if !isObject {
			p.add(at, `write {"case": …, "actions": …}`, "a case is an object")
			return
		}
		p.only(at, c, "case", "actions")
		given, _ := p.needed(at, c, "case", "give the value of the case")
		if t := value.Type(given); given != nil && t != "String" && t != "Integer" {
			p.add(property(at, "case"), "use a string or an integer", "a case cannot be of type %s", t)
		}
		for _, other := range s.cases {
			if value.Equal(other, given) {
				p.add(property(at, "case"), "remove one of them", "two cases have the same value")
			}
		}
		s.cases = append(s.cases, given)
		s.blocks = append(s.blocks, p.inner(a, property(at, "actions"), p.object(at, c, "actions"), depth))
	})
	if len(s.cases) > 25 {
		p.add(at, "nest another Switch", "there are %d cases; 25 is the most", len(s.cases))
	}
	other := p.object(a.path, o, "default")
	if other != nil {
		p.only(property(a.path, "default"), other, "actions")
	} else {
		other = value.New()
	}
	at = property(a.path, "default")
	s.blocks = append(s.blocks, p.inner(a, property(at, "actions"), p.object(at, other, "actions"), depth))
	return s
}

func (*pick) instant() bool { return false }

func (s *pick) run(ctx context.Context, x *exec) outcome {
	return x.choose(ctx, func() (int, *outcome) {
		v, bad := x.eval(s.on)
		if bad != nil {
			return 0, bad
		}
		x.rec.Inputs = value.New("expression", v)
		for i, c := range s.cases {
			if value.Equal(c, v) {
				return i, nil
			}
		}
		return len(s.cases), nil
	}, s.blocks)
}

// condition is the expression of an If: text with an expression, or an object such as {"and": [{"equals": [a, b]}]}.
type condition struct {
	node *expr.Node // a Boolean, or an argument
	op   string
	args []*condition
}

func (p *parser) condition(path string, v any, who user) *condition {
	o, isObject := v.(*value.Object)
	if !isObject {
		n := p.compile(path, v, who)
		if c, known := n.Constant(); known {
			if _, isBool := c.(bool); !isBool {
				p.add(path, `write "@equals(…)"`, "the condition is no expression")
			}
		}
		return &condition{node: n}
	}
	if o.Len() != 1 {
		p.add(path, `write {"and": […]} or {"equals": [a, b]}`, "a condition has exactly one operator, this one has %d", o.Len())
		return &condition{}
	}
	op := o.Keys()[0]
	given, _ := o.Get(op)
	at := property(path, op)
	c := &condition{op: strings.ToLower(op)}
	switch c.op {
	case "and", "or":
		list, isList := given.([]any)
		if !isList {
			p.add(at, "write an array of conditions", "%s takes an array", op)
		}
		for i, e := range list {
			c.args = append(c.args, p.condition(expr.ElementPath(at, i), e, who))
		}
	case "not":
		c.args = []*condition{p.condition(at, given, who)}
	case "equals", "greater", "greaterorequals", "less", "lessorequals", "contains", "startswith", "endswith":
		list, _ := given.([]any)
		if len(list) != 2 {
			p.add(at, "give two values", "%s compares two values", op)
		}
		for i, e := range list {
			c.args = append(c.args, &condition{node: p.compile(expr.ElementPath(at, i), e, who)})
		}
	default:
		p.add(at, "use and, or, not, equals, greater, greaterOrEquals, less, lessOrEquals, contains, startsWith, endsWith", "the operator %q is not supported", op)
	}
	return c
}

func (c *condition) holds(env *expr.Env) (bool, error) {
	var v any
	var err error
	switch c.op {
	case "":
		v, err = c.node.Eval(env)
	case "and", "or":
		for _, a := range c.args {
			holds, err := a.holds(env)
			if err != nil || holds == (c.op == "or") {
				return holds, err
			}
		}
		return c.op == "and", nil
	case "not":
		holds, err := c.args[0].holds(env)
		return !holds, err
	default:
		values := make([]any, len(c.args))
		for i, a := range c.args {
			if values[i], err = a.node.Eval(env); err != nil {
				return false, err
			}
		}
		v, err = expr.Apply(c.op, values...)
	}
	if err != nil {
		return false, err
	}
	if s, isText := v.(string); isText && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false")) {
		return strings.EqualFold(s, "true"), nil
	}
	b, isBool := v.(bool)
	if !isBool {
		return false, &expr.Error{Code: expr.CodeEvaluation, Message: "the condition gives a value of type " + value.Type(v), Remedy: "make it give true or false"}
	}
	return b, nil
}
