package csharp

// left notes that a break or continue leaves the innermost loop or switch.
func (b *binder) left(c flow) {
	if n := len(b.breaks); n > 0 && c == breaking {
		b.breaks[n-1] = true
	}
}

// looped binds the body of a loop; broken tells whether a break leaves it.
func (b *binder) looped(s *stmt) (run exec, broken bool) {
	b.fn.loops++
	b.breaks = append(b.breaks, false)
	run, _ = b.inner(s)
	n := len(b.breaks) - 1
	broken, b.breaks = b.breaks[n], b.breaks[:n]
	b.fn.loops--
	return run, broken
}

// loop binds while, do and for.
func (b *binder) loop(s *stmt) (exec, bool) {
	b.open()
	defer b.close()
	var init []exec
	for _, d := range s.list {
		if d.kind == sVar {
			init = append(init, b.declaration(d))
		} else {
			init = append(init, b.exprStmt(d))
		}
	}
	cond := constant(s.pos, Bool, Boolean(true))
	if s.x != nil && s.kind != sDo {
		cond = b.condition(s.x)
	}
	body, broken := b.looped(s.body)
	if s.kind == sDo {
		cond = b.condition(s.x)
	}
	var post []exec
	for _, x := range s.post {
		if run := b.exprStmt(&stmt{kind: sExpr, pos: x.pos, x: x}); run != nil {
			post = append(post, run)
		}
	}
	test, after := cond.ev, sequence(post, func() []int { return nil })
	first := s.kind == sDo
	run := func(f *Frame) flow {
		for skip := first; skip || test(f).N != 0; skip = false {
			f.m.Step()
			switch body(f) {
			case breaking:
				return onward
			case returning:
				return returning
			}
			after(f)
		}
		return onward
	}
	sc := b.fn.scope
	all := sequence(append(init, run), func() []int { return sc.cells })
	return all, broken || !(cond.konst && cond.val.N != 0)
}

func (b *binder) foreach(s *stmt) exec {
	seq := b.val(s.x)
	if seq.t.Kind == KindBad {
		b.open()
		b.declare(s.pos, s.name, bad)
		b.looped(s.body)
		b.close()
		return nil
	}
	elem := b.lib.Element(seq.t)
	if own := b.find(seq.t, "GetEnumerator"); len(own) > 0 && own[0].m.kind == mMethod { // the pattern goes before the interfaces
		seq = b.invoke(seq.pos, seq, &choice{found: own[0]}, nil)
		elem = b.lib.Element(seq.t)
	}
	if elem == nil {
		b.report(s.x.pos, "type", "foreach", "%s is not a sequence, so foreach cannot walk it", seq.t)
		elem = bad
	} else if seq.t.Kind == KindString {
		seq = b.implicit(seq, EnumerableOf(CharT))
	}
	b.open()
	defer b.close()
	t := elem
	if s.typ.name != "var" {
		t = b.typ(s.typ)
	}
	v := b.declare(s.pos, s.name, t)
	slot := b.temp()
	item := b.convert(&bound{pos: s.pos, t: elem, ev: func(f *Frame) Value { return f.l[slot] }}, t, true)
	if item == nil {
		item = b.report(s.pos, "type", "foreach", "the elements are %s and cannot be a %s", elem, t)
	}
	set := b.variable(s.pos, v).lv.set(nil, item.ev)
	body, _ := b.looped(s.body)
	sc, ev := b.fn.scope, seq.ev
	cells := sc.cells
	return func(f *Frame) flow {
		src, ok := ev(f).R.(Seq)
		if !ok {
			throwNullReference()
		}
		next := src.Iter(f.m)
		for {
			f.m.Step()
			x, ok := next()
			if !ok {
				return onward
			}
			makeCells(f, cells)
			f.l[slot] = x
			set(f)
			switch body(f) {
			case breaking:
				return onward
			case returning:
				return returning
			}
		}
	}
}

func (b *binder) switchStmt(s *stmt) (exec, bool) {
	x := b.val(s.x)
	b.open()
	defer b.close()
	slot := b.temp()
	ev := x.ev
	subject := &bound{pos: x.pos, t: x.t, ev: func(f *Frame) Value { return f.l[slot] }}
	type arm struct {
		test func(f *Frame) bool
		to   int
	}
	var arms []arm
	bodies := make([]exec, len(s.cases))
	deflt, ends := -1, true
	b.fn.loops++
	b.breaks = append(b.breaks, false)
	reach := false
	for i, c := range s.cases {
		b.open()
		for _, l := range c.labels {
			if l.deflt {
				deflt = i
				continue
			}
			var test *bound
			if l.typ != nil {
				b.hole = append(b.hole, subject)
				test = b.expr(&expr{kind: xIs, pos: l.pos, x: &expr{kind: xHole, pos: l.pos}, typ: l.typ, name: l.name})
				b.hole = b.hole[:len(b.hole)-1]
			} else {
				test = b.isConstant(&expr{pos: l.pos, y: l.value}, subject)
			}
			t := test.ev
			if l.when != nil {
				w := b.condition(l.when).ev
				arms = append(arms, arm{func(f *Frame) bool { return t(f).N != 0 && w(f).N != 0 }, i})
				continue
			}
			arms = append(arms, arm{func(f *Frame) bool { return t(f).N != 0 }, i})
		}
		run, goesOn := b.statements(c.body)
		b.close()
		if goesOn {
			b.report(c.pos, "type", "switch", "control falls out of this case; end it with break or return")
			reach = true
		}
		bodies[i] = run
	}
	n := len(b.breaks) - 1
	ends = b.breaks[n] || deflt < 0 || reach
	b.breaks = b.breaks[:n]
	b.fn.loops--
	return func(f *Frame) flow {
		f.l[slot] = ev(f)
		to := deflt
		for _, a := range arms {
			if a.test(f) {
				to = a.to
				break
			}
		}
		if to < 0 {
			return onward
		}
		if c := bodies[to](f); c != breaking {
			return c
		}
		return onward
	}, ends
}
