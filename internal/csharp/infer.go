package csharp

// infer finds the type arguments of a generic method from its arguments; nil when they do not determine them.
func (b *binder) infer(c *choice, args []argument) []*Type {
	targs := make([]*Type, len(c.m.tnames))
	type pair struct {
		t *Type
		a *bound
	}
	var pairs []pair
	for p, i := range c.from {
		if i >= 0 && args[i].decl == nil {
			pairs = append(pairs, pair{c.m.params[p].t.subst(c.class, nil), args[i].b})
		}
	}
	if c.expanded {
		elem := c.m.params[len(c.m.params)-1].t.subst(c.class, nil).Elem()
		for _, i := range c.rest {
			pairs = append(pairs, pair{elem, args[i].b})
		}
	}
	for _, q := range pairs {
		if q.a.value() && q.a.t.Kind != KindNull && !q.a.deflt {
			b.unify(q.t, q.a.t, targs)
		}
		if l := q.a.lambda; l != nil {
			if info := b.lib.info(q.t); info != nil && q.t.Kind == KindDelegate && len(info.invoke) == len(l.params) {
				for i, p := range l.params {
					if p.typ != nil {
						if t, err := b.lib.resolve(p.typ, nil, nil); err == nil {
							b.unify(info.invoke[i].subst(q.t.Args, nil), t, targs)
						}
					}
				}
			}
		}
	}
	// Lambdas and method groups give the types of their results once the types of their parameters are known.
	done := make([]bool, len(pairs))
	for progress := true; progress; {
		progress = false
		for i, q := range pairs {
			if done[i] || q.a.lambda == nil && q.a.group == nil || q.t.Kind != KindDelegate {
				continue
			}
			info := b.lib.info(q.t)
			sig := info.delegate(q.t.subst(nil, targs))
			ready := true
			for _, p := range sig.params {
				ready = ready && !p.open()
			}
			if !ready {
				continue
			}
			done[i], progress = true, true
			if !sig.ret.open() {
				continue
			}
			var result *Type
			if q.a.lambda != nil {
				result = b.lambdaResult(q.a.lambda, sig)
			} else {
				result = b.groupResult(q.a.group, sig)
			}
			if result != nil && result.Kind != KindVoid {
				b.unify(sig.ret, result, targs)
			}
		}
	}
	for _, t := range targs {
		if t == nil {
			return nil
		}
	}
	return targs
}

// unify makes the open type p fit the actual type a.
func (b *binder) unify(p, a *Type, targs []*Type) {
	if a == nil || a.Kind == KindBad || !p.open() {
		return
	}
	if p.Kind == KindParam {
		if p.Index >= len(targs) || a.Kind == KindNull {
			return
		}
		old := targs[p.Index]
		if old == nil || !old.Is(a) && b.standard(&bound{t: old, ev: nullEval}, a, false) != nil {
			targs[p.Index] = a
		}
		return
	}
	switch p.Kind {
	case KindArray:
		if a.Kind == KindArray {
			b.unify(p.Elem(), a.Elem(), targs)
		}
		return
	case KindNullable:
		if a.Kind == KindNullable {
			b.unify(p.Elem(), a.Elem(), targs)
		} else {
			b.unify(p.Elem(), a, targs)
		}
		return
	}
	if p.Decl == EnumerableDecl && a.Kind == KindString {
		b.unify(p.Args[0], CharT, targs)
		return
	}
	if p.Kind == KindDelegate && a.Kind == KindDelegate && a.Decl != p.Decl {
		if d, o := b.lib.info(p), b.lib.info(a); d != nil && o != nil && len(d.invoke) == len(o.invoke) {
			want, have := d.delegate(p), o.delegate(a)
			for i := range want.params {
				b.unify(want.params[i], have.params[i], targs)
			}
			b.unify(want.ret, have.ret, targs)
		}
		return
	}
	if s := b.lib.as(a, p.Decl); s != nil {
		for i := range p.Args {
			b.unify(p.Args[i], s.Args[i], targs)
		}
	}
}

// signature is what a delegate takes and gives.
type signature struct {
	params []*Type
	ret    *Type
}

func (info *typeInfo) delegate(t *Type) signature {
	s := signature{ret: info.result.subst(t.Args, nil)}
	for _, p := range info.invoke {
		s.params = append(s.params, p.subst(t.Args, nil))
	}
	return s
}

// lambdaResult gives the type that a lambda's body has when its parameters are of the given types, nil when it has none.
func (b *binder) lambdaResult(l *expr, sig signature) *Type {
	var t *Type
	ok := b.speculate(func() {
		_, t = b.lambda(l, sig.params, nil)
	})
	if !ok {
		return nil
	}
	return t
}

func (b *binder) groupResult(g *group, sig signature) *Type {
	c := b.choose(g, groupArgs(sig))
	if c == nil {
		return nil
	}
	return c.m.ret.subst(c.class, c.method)
}

func groupArgs(sig signature) []argument {
	args := make([]argument, len(sig.params))
	for i, p := range sig.params {
		args[i].b = &bound{t: p, ev: nullEval}
	}
	return args
}

// lambdaTo binds a lambda as a delegate.
func (b *binder) lambdaTo(x *bound, to *Type, info *typeInfo) *bound {
	sig := info.delegate(to)
	l := x.lambda
	for _, p := range sig.params {
		if p.open() {
			return nil
		}
	}
	if l.params == nil && l.body != nil && len(sig.params) > 0 { // delegate { … } takes what comes
		l = &expr{kind: xLambda, pos: l.pos, body: l.body}
		for range sig.params {
			l.params = append(l.params, param{name: ""})
		}
	}
	if len(l.params) != len(sig.params) {
		return nil
	}
	for i, p := range l.params {
		if p.typ != nil && !b.typ(p.typ).Is(sig.params[i]) {
			return nil
		}
	}
	ret := sig.ret
	if ret.open() {
		ret = nil
	}
	ev, _ := b.lambda(l, sig.params, ret)
	if ev == nil {
		return nil
	}
	return b.as(x, to, func(f *Frame) Value {
		fn := ev(f)
		fn.T = to
		return Value{R: fn}
	})
}

// groupTo binds the name of methods as a delegate.
func (b *binder) groupTo(x *bound, to *Type, info *typeInfo) *bound {
	sig := info.delegate(to)
	g := x.group
	args := make([]argument, len(sig.params))
	base := b.fn.slots
	b.fn.slots += len(sig.params)
	for i, p := range sig.params {
		args[i].b = &bound{t: p, ev: func(f *Frame) Value { return f.l[base+i] }}
	}
	c := b.choose(g, args)
	if c == nil || g.recv != nil && !c.ext && c.m.static || g.recv == nil && !c.m.static {
		return nil
	}
	recv := g.recv
	recvSlot := b.temp()
	var ev eval
	if recv != nil {
		ev = recv.ev
		recv = &bound{t: recv.t, ev: func(f *Frame) Value { return f.l[recvSlot] }}
	}
	all := args
	if c.ext {
		all = append([]argument{{b: recv}}, args...)
	}
	y := b.invoke(x.pos, map[bool]*bound{false: recv, true: nil}[c.ext], c, all)
	if sig.ret.Kind != KindVoid {
		if y = b.convert(y, sig.ret, false); y == nil {
			return nil
		}
	}
	slots := b.fn
	return b.as(x, to, func(f *Frame) Value {
		var r Value
		if ev != nil {
			r = ev(f)
		}
		return Native(to, func(m *Machine, a []Value) Value {
			g := m.enter(slots.slots)
			copy(g.l[base:], a)
			g.l[recvSlot] = r
			v := y.ev(g)
			m.leave()
			return v
		})
	})
}
