package csharp

func (b *binder) throwStmt(s *stmt) exec {
	if s.x == nil {
		v := b.fn.catch
		if v == nil {
			b.report(s.pos, "type", "throw", "throw without a value is allowed in a catch clause only")
			return nil
		}
		slot := v.slot
		return func(f *Frame) flow { panic(f.l[slot].R.(*Exception)) }
	}
	ev := throwing(b.implicit(b.val(s.x), ExceptionT).ev)
	return func(f *Frame) flow {
		ev(f)
		return onward
	}
}

// handler is a bound catch clause.
type handler struct {
	t    *Type
	set  eval
	slot int
	when eval
	run  exec
}

func (b *binder) tryStmt(s *stmt) (exec, bool) {
	run, ends := b.block(s.body)
	var handlers []handler
	for _, c := range s.catches {
		h := handler{t: ExceptionT}
		if c.typ != nil {
			h.t = b.typ(c.typ)
			if h.t.Kind != KindBad && !b.lib.subtype(h.t, ExceptionT) {
				b.report(c.pos, "type", h.t.String(), "%s is not an exception", h.t)
			}
		}
		b.open()
		// The exception has a nameless variable too, so that throw; finds it.
		held := &variable{name: "", t: h.t, slot: b.temp(), fn: b.fn}
		h.slot = held.slot
		if c.name != "" {
			v := b.declare(c.pos, c.name, h.t)
			h.set = b.variable(c.pos, v).lv.set(nil, func(f *Frame) Value { return f.l[held.slot] })
			if v.cell {
				h.set = withCell(v.slot, h.set)
				b.fn.scope.cells = nil
			}
		}
		if c.when != nil {
			h.when = b.condition(c.when).ev
		}
		was := b.fn.catch
		b.fn.catch = held
		body, goesOn := b.block(c.body)
		b.fn.catch = was
		b.close()
		h.run = body
		ends = ends || goesOn
		handlers = append(handlers, h)
	}
	if len(handlers) > 0 {
		run = guarded(run, handlers)
	}
	if s.finally == nil {
		return run, ends
	}
	b.fn.final++
	final, goesOn := b.block(s.finally)
	b.fn.final--
	return finally(run, final), ends && goesOn
}

// guarded runs a block and hands the exceptions that it throws to the handlers.
func guarded(run exec, handlers []handler) exec {
	return func(f *Frame) (c flow) {
		m := f.m
		asp, depth, nest := m.asp, m.depth, m.nest
		e := attempt(func() { c = run(f) })
		if e == nil {
			return c
		}
		m.asp, m.depth, m.nest = asp, depth, nest
		for _, h := range handlers {
			if h.t.Kind == KindBad || !m.lib.instance(e, h.t) {
				continue
			}
			f.l[h.slot] = Value{R: e}
			if h.set != nil {
				h.set(f)
			}
			if h.when != nil && h.when(f).N == 0 {
				continue
			}
			return h.run(f)
		}
		panic(e)
	}
}

// attempt runs f and gives the exception that it throws. Limits and other panics pass.
func attempt(f func()) (e *Exception) {
	defer func() {
		if r := recover(); r != nil {
			e = asException(r)
		}
	}()
	f()
	return nil
}

func asException(r any) *Exception {
	if e, ok := r.(*Exception); ok {
		return e
	}
	panic(r)
}

// finally runs a block, and after it, come what may, another one. Where a limit stopped the run nothing more is run.
func finally(run, final exec) exec {
	return func(f *Frame) (c flow) {
		m := f.m
		asp, depth, nest := m.asp, m.depth, m.nest
		e := attempt(func() { c = run(f) })
		if e != nil {
			m.asp, m.depth, m.nest = asp, depth, nest
		}
		ret := f.ret
		final(f)
		f.ret = ret
		if e != nil {
			panic(e)
		}
		return c
	}
}

// Disposer is implemented by objects whose Dispose does something.
type Disposer interface{ NetDispose() }

func (b *binder) usingStmt(s *stmt) (exec, bool) {
	b.open()
	defer b.close()
	var init []exec
	var held []*bound
	if s.x != nil {
		y := b.val(s.x)
		slot, ev := b.temp(), y.ev
		init = append(init, func(f *Frame) flow { f.l[slot] = ev(f); return onward })
		held = append(held, &bound{pos: y.pos, t: y.t, ev: func(f *Frame) Value { return f.l[slot] }})
	}
	for _, d := range s.list {
		init = append(init, b.declaration(d))
		for _, one := range d.decls {
			if v := b.lookup(one.name); v != nil {
				held = append(held, b.variable(one.pos, v))
			}
		}
	}
	for _, h := range held {
		if h.t.Kind != KindBad && !b.lib.subtype(h.t, disposable) {
			b.report(s.pos, "type", "using", "%s is not IDisposable, so using does not apply", h.t)
		}
	}
	body, ends := b.inner(s.body)
	run := finally(body, func(f *Frame) flow {
		for _, h := range held {
			if d, ok := h.ev(f).R.(Disposer); ok {
				d.NetDispose()
			}
		}
		return onward
	})
	sc := b.fn.scope
	return sequence(append(init, run), func() []int { return sc.cells }), ends
}
