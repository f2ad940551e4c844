package csharp

import "slices"

// argument is an argument of a call: bound, except that lambdas wait for their target type.
type argument struct {
	name string
	mode string
	b    *bound
	decl *arg // out T name
}

// choice is a member chosen by overload resolution.
type choice struct {
	found
	method   []*Type
	ext      bool
	from     []int // for each parameter the index of its argument, -1 where its default stands
	expanded bool  // the last parameter collects the arguments from from[last] on
	rest     []int
	conv     []*bound // converted arguments, by index of argument
}

func (c *choice) param(i int) *Type { return c.m.params[i].t.subst(c.class, c.method) }

func (b *binder) arguments(as []arg) []argument {
	out := make([]argument, len(as))
	for i := range as {
		a := &as[i]
		out[i] = argument{name: a.name, mode: a.mode}
		if a.decl != "" {
			out[i].decl = a
			out[i].b = b.bad(0)
			continue
		}
		y := b.expr(a.x)
		if y.lambda == nil && y.group == nil && !y.deflt {
			y = b.mustValue(y)
		}
		out[i].b = y
	}
	return out
}

func anyBad(args []argument) bool {
	for _, a := range args {
		if a.decl == nil && a.b.value() && a.b.t.Kind == KindBad {
			return true
		}
	}
	return false
}

func (b *binder) call(x *expr) *bound {
	b.invoked = x.x
	callee := b.expr(x.x)
	b.invoked = nil
	if callee.group == nil {
		if callee.names != nil && callee.names.Kind == KindBad || callee.value() && callee.t.Kind == KindBad {
			b.arguments(x.args) // to report what is wrong with them
			return b.bad(x.pos)
		}
		callee = b.mustValue(callee)
		if callee.t.Kind != KindDelegate {
			if callee.t.Kind != KindBad {
				b.report(x.pos, "type", x.x.name, "%s is not a method; write it without ( )", x.x.name)
			}
			return b.bad(x.pos)
		}
		return b.callDelegate(x, callee)
	}
	args := b.arguments(x.args)
	g := callee.group
	if anyBad(args) {
		b.declareOuts(args, nil)
		return b.bad(x.pos)
	}
	c := b.choose(g, args)
	if c == nil {
		b.declareOuts(args, nil)
		return b.noOverload(x.pos, g, args)
	}
	b.declareOuts(args, c)
	recv := g.recv
	if !c.ext && recv != nil && c.m.static {
		return b.report(x.pos, "type", g.name, "%s.%s belongs to the type; write %s.%s(…)", g.of, g.name, g.of, g.name)
	}
	if recv == nil && !c.m.static {
		return b.report(x.pos, "type", g.name, "%s.%s belongs to an object, not to the type", g.of, g.name)
	}
	if c.ext {
		args = append([]argument{{b: recv}}, args...)
		recv = nil
	}
	return b.invoke(x.pos, recv, c, args)
}

// declareOuts declares the variables of out arguments, with the types that the chosen member gives them.
func (b *binder) declareOuts(args []argument, c *choice) {
	for i := range args {
		a := &args[i]
		if a.decl == nil {
			continue
		}
		t := bad
		if c != nil {
			shift := 0
			if c.ext {
				shift = 1
			}
			if p := slices.Index(c.from, i+shift); p >= 0 {
				t = c.param(p)
			}
		}
		if a.decl.typ.name != "var" || b.lib.types["var`0"] != nil {
			if u := b.typ(a.decl.typ); t.Kind != KindBad && !u.Is(t) && u.Kind != KindBad {
				b.report(a.decl.typ.pos, "type", u.String(), "the out argument is a %s, not a %s", t, u)
			}
		}
		if a.decl.decl == "_" {
			slot := b.temp()
			a.b = &bound{t: t, ev: func(f *Frame) Value { return f.l[slot] }, lv: &lvalue{set: func(_ []eval, v eval) eval { return v }}}
			continue
		}
		a.b = b.variable(a.decl.typ.pos, b.declare(a.decl.typ.pos, a.decl.decl, t))
	}
}

func (b *binder) noOverload(at int, g *group, args []argument) *bound {
	name := g.name
	if g.of != nil {
		name = g.of.String() + "." + g.name
	}
	if len(g.members) == 1 && !g.exts {
		return b.mismatch(at, name, g, args)
	}
	list := ""
	for i, a := range args {
		if i > 0 {
			list += ", "
		}
		switch {
		case a.b.lambda != nil:
			list += "lambda"
		case a.b.group != nil:
			list += "method " + a.b.group.name
		default:
			list += a.b.t.String()
		}
	}
	if len(g.members) == 0 {
		if b.usable(g) {
			return b.report(at, "type", name, "no form of %s takes (%s)", name, list)
		}
		return b.report(at, "unsupported", name, "%s has no member %s that policy expressions may use", g.of, g.name)
	}
	return b.report(at, "type", name, "no form of %s takes (%s)", name, list)
}

// usable tells whether some extension method of the group's name takes the group's receiver.
func (b *binder) usable(g *group) bool {
	for _, m := range b.lib.extensions[g.name] {
		targs := make([]*Type, len(m.tnames))
		if g.recv != nil {
			b.unify(m.params[0].t, g.recv.t, targs)
			if b.convert(g.recv, m.params[0].t.subst(nil, targs), false) != nil {
				return true
			}
		}
	}
	return false
}

// mismatch explains why the only form does not fit.
func (b *binder) mismatch(at int, name string, g *group, args []argument) *bound {
	m := g.members[0]
	c, ok := b.arrange(m, args, false)
	if !ok {
		return b.report(at, "type", name, "%s does not take %d arguments like these", name, len(args))
	}
	for p, i := range c.from {
		if i < 0 || args[i].decl != nil {
			continue
		}
		t := m.m.params[p].t.subst(m.class, g.types)
		if args[i].mode != m.m.params[p].mode {
			return b.report(at, "type", name, "the argument %s of %s is passed with %q, not %q", m.m.params[p].name, name, m.m.params[p].mode, args[i].mode)
		}
		if !t.open() && b.convert(args[i].b, t, false) == nil {
			return b.implicit(args[i].b, t)
		}
	}
	return b.report(at, "type", name, "the arguments do not fit %s", name)
}

// choose resolves a call: the best applicable member, extension methods where no other fits; nil when none does.
func (b *binder) choose(g *group, args []argument) *choice {
	if c := b.best(g, g.members, args, false); c != nil || !g.exts || g.recv == nil {
		return c
	}
	var exts []found
	for _, m := range b.lib.extensions[g.name] {
		exts = append(exts, found{m, nil})
	}
	all := append([]argument{{b: g.recv}}, args...)
	return b.best(g, exts, all, true)
}

func (b *binder) best(g *group, ms []found, args []argument, ext bool) *choice {
	var best *choice
	for _, m := range ms {
		for _, expanded := range []bool{false, true} {
			if expanded && (len(m.m.params) == 0 || !m.m.params[len(m.m.params)-1].params) {
				continue
			}
			c := b.applicable(g, m, args, expanded)
			if c == nil {
				continue
			}
			c.ext = ext
			if best == nil || b.better(c, best, args) {
				best = c
			}
			break
		}
	}
	return best
}

// arrange assigns arguments to parameters.
func (b *binder) arrange(m found, args []argument, expanded bool) (*choice, bool) {
	ps := m.m.params
	c := &choice{found: m, from: make([]int, len(ps)), expanded: expanded}
	for i := range c.from {
		c.from[i] = -1
	}
	fixed := len(ps)
	if expanded {
		fixed--
	}
	for i, a := range args {
		switch {
		case a.name != "":
			p := slices.IndexFunc(ps, func(p parameter) bool { return p.name == a.name })
			if p < 0 || c.from[p] >= 0 {
				return c, false
			}
			c.from[p] = i
		case i < fixed:
			c.from[i] = i
		case expanded:
			c.rest = append(c.rest, i)
		default:
			return c, false
		}
	}
	for i := range fixed {
		if c.from[i] < 0 && !ps[i].optional {
			return c, false
		}
	}
	return c, true
}

func (b *binder) applicable(g *group, m found, args []argument, expanded bool) *choice {
	c, ok := b.arrange(m, args, expanded)
	if !ok {
		return nil
	}
	if n := len(m.m.tnames); n > 0 {
		switch {
		case len(g.types) == n:
			c.method = g.types
		case len(g.types) == 0:
			if c.method = b.infer(c, args); c.method == nil {
				return nil
			}
		default:
			return nil
		}
	} else if len(g.types) > 0 {
		return nil
	}
	c.conv = make([]*bound, len(args))
	fit := func(i int, t *Type, mode string) bool {
		a := args[i]
		if a.mode != mode && !(a.mode == "in" && mode == "") {
			return false
		}
		if mode != "" {
			if a.decl == nil && (a.b.lv == nil || a.b.lv.set == nil || !a.b.t.Is(t)) {
				return false
			}
			c.conv[i] = a.b
			return true
		}
		b.work++
		if a.b.lambda != nil {
			okay := b.speculate(func() { c.conv[i] = b.convert(a.b, t, false) })
			return okay && c.conv[i] != nil
		}
		c.conv[i] = b.convert(a.b, t, false)
		return c.conv[i] != nil
	}
	for p, i := range c.from {
		if i >= 0 && !fit(i, c.param(p), m.m.params[p].mode) {
			return nil
		}
	}
	if expanded {
		elem := c.param(len(m.m.params) - 1).Elem()
		for _, i := range c.rest {
			if !fit(i, elem, "") {
				return nil
			}
		}
	}
	return c
}

// paramOf is the type that a choice gives argument i.
func (c *choice) paramOf(i int) *Type {
	for p, a := range c.from {
		if a == i {
			return c.param(p)
		}
	}
	return c.param(len(c.m.params) - 1).Elem()
}

// better tells whether c is a better choice than d, for arguments that fit both.
func (b *binder) better(c, d *choice, args []argument) bool {
	wins, losses := 0, 0
	for i := range args {
		switch s := b.betterConversion(args[i].b, c.paramOf(i), d.paramOf(i)); {
		case s > 0:
			wins++
		case s < 0:
			losses++
		}
	}
	if wins != losses {
		return losses == 0 || wins > 0 && losses > 0 && false
	}
	switch {
	case len(c.method) != len(d.method) && (len(c.method) == 0 || len(d.method) == 0):
		return len(c.method) == 0
	case c.expanded != d.expanded:
		return !c.expanded
	case len(c.m.params) != len(d.m.params):
		return len(c.m.params) < len(d.m.params)
	}
	return false
}

// betterConversion compares two targets for one argument: 1 when t is better, -1 when u is.
func (b *binder) betterConversion(x *bound, t, u *Type) int {
	if t.Is(u) {
		return 0
	}
	if x.lambda != nil {
		p, q := b.lib.info(t), b.lib.info(u)
		if p == nil || q == nil || p.result == nil || q.result == nil {
			return 0
		}
		r, s := p.result.subst(t.Args, nil), q.result.subst(u.Args, nil)
		if r.Is(s) {
			return 0
		}
		if result := b.lambdaResult(x.lambda, p.delegate(t)); result != nil {
			return b.betterConversion(&bound{t: result, ev: nullEval}, r, s)
		}
		return 0
	}
	if x.value() {
		switch {
		case x.t.Is(t):
			return 1
		case x.t.Is(u):
			return -1
		}
	}
	toU := b.convert(&bound{t: t, ev: nullEval}, u, false) != nil
	toT := b.convert(&bound{t: u, ev: nullEval}, t, false) != nil
	switch {
	case toU && !toT:
		return 1
	case toT && !toU:
		return -1
	case t.integral() && u.integral() && t.signed() != u.signed():
		if t.signed() {
			return 1
		}
		return -1
	}
	return 0
}

func nullEval(*Frame) Value { return Value{} }
