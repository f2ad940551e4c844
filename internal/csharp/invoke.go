package csharp

// invoke binds the call of a chosen member.
func (b *binder) invoke(at int, recv *bound, c *choice, args []argument) *bound {
	m := c.m
	fn := m.body(c.class, c.method)
	var evs []eval
	var isNull func(Value) bool
	var fixed []Value // the arguments after the first, while all of them are constants
	if recv != nil {
		recv = b.receiver(recv, m)
		evs = append(evs, recv.ev)
		isNull = nullCheck(recv.t)
	}
	note := func(konst bool, v Value) {
		if konst && len(evs) > 1 && len(fixed) == len(evs)-2 {
			fixed = append(fixed, v)
		}
	}
	type out struct {
		at  int
		set func(v Value) eval
		get eval
	}
	var outs []out
	for p, i := range c.from {
		param := m.params[p]
		switch {
		case c.expanded && p == len(c.from)-1:
			evs = append(evs, b.collect(c, args))
		case i < 0:
			def := param.def
			if param.t.Kind == KindObject {
				def = Value{}
			}
			evs = append(evs, func(*Frame) Value { return def })
			note(true, def)
		case param.mode != "":
			lv := args[i].b.lv
			slot := b.temp()
			read := args[i].b.ev
			if param.mode == "out" {
				read = nullEval
			}
			var parts []eval
			for _, q := range lv.parts {
				parts = append(parts, q.ev)
			}
			outs = append(outs, out{at: len(evs), get: lv.set(parts, func(f *Frame) Value { return f.l[slot] }), set: func(v Value) eval {
				return func(f *Frame) Value { f.l[slot] = v; return v }
			}})
			evs = append(evs, read)
		default:
			conv := c.conv[i]
			if args[i].b.lambda != nil { // bind it again, so that its errors and its variables count
				conv = b.implicit(args[i].b, c.param(p))
			}
			evs = append(evs, conv.ev)
			note(conv.konst, conv.val)
		}
	}
	x := &bound{pos: at, t: m.ret.subst(c.class, c.method)}
	switch {
	case len(outs) == 0 && len(evs) > 1 && len(fixed) == len(evs)-1:
		x.ev = fixedEval(fn, evs[0], fixed, isNull)
		return x
	case len(outs) == 0:
		x.ev = callEval(fn, evs, isNull)
		return x
	}
	x.ev = func(f *Frame) Value {
		a := f.m.push(len(evs))
		for i, ev := range evs {
			a[i] = ev(f)
		}
		if isNull != nil && isNull(a[0]) {
			throwNullReference()
		}
		v := fn(f.m, a)
		for _, o := range outs {
			o.set(a[o.at])(f)
			o.get(f)
		}
		f.m.pop(len(evs))
		return v
	}
	return x
}

// fixedEval makes a call whose arguments are constants but for the first: the header lookup of nearly every policy.
func fixedEval(fn Fn, first eval, rest []Value, isNull func(Value) bool) eval {
	n := len(rest) + 1
	return func(f *Frame) Value {
		a := f.m.push(n)
		v := first(f)
		if isNull != nil && isNull(v) {
			throwNullReference()
		}
		a[0] = v
		copy(a[1:], rest)
		v = fn(f.m, a)
		f.m.pop(n)
		return v
	}
}

// callEval makes the call of fn with the computed arguments; isNull tests the first one.
func callEval(fn Fn, evs []eval, isNull func(Value) bool) eval {
	switch len(evs) {
	case 0:
		return func(f *Frame) Value { return fn(f.m, nil) }
	case 1:
		return propertyEval(fn, evs[0], isNull)
	case 2:
		x, y := evs[0], evs[1]
		return func(f *Frame) Value {
			a := f.m.push(2)
			a[0] = x(f)
			a[1] = y(f)
			if isNull != nil && isNull(a[0]) {
				throwNullReference()
			}
			v := fn(f.m, a)
			f.m.pop(2)
			return v
		}
	case 3:
		x, y, z := evs[0], evs[1], evs[2]
		return func(f *Frame) Value {
			a := f.m.push(3)
			a[0] = x(f)
			a[1] = y(f)
			a[2] = z(f)
			if isNull != nil && isNull(a[0]) {
				throwNullReference()
			}
			v := fn(f.m, a)
			f.m.pop(3)
			return v
		}
	}
	return func(f *Frame) Value {
		a := f.m.push(len(evs))
		for i, ev := range evs {
			a[i] = ev(f)
		}
		if isNull != nil && isNull(a[0]) {
			throwNullReference()
		}
		v := fn(f.m, a)
		f.m.pop(len(evs))
		return v
	}
}

// collect makes the array of a params parameter.
func (b *binder) collect(c *choice, args []argument) eval {
	elem := c.param(len(c.m.params) - 1).Elem()
	evs := make([]eval, len(c.rest))
	for k, i := range c.rest {
		conv := c.conv[i]
		if args[i].b.lambda != nil {
			conv = b.implicit(args[i].b, elem)
		}
		evs[k] = conv.ev
	}
	return func(f *Frame) Value {
		a := NewArray(elem, len(evs))
		f.m.Charge(48 * len(evs))
		for i, ev := range evs {
			a.Put(i, ev(f))
		}
		return Value{R: a}
	}
}

// callDelegate binds the call of a variable that holds a delegate.
func (b *binder) callDelegate(x *expr, callee *bound) *bound {
	info := b.lib.info(callee.t)
	sig := info.delegate(callee.t)
	args := b.arguments(x.args)
	if len(args) != len(sig.params) {
		return b.report(x.pos, "type", callee.t.String(), "%s takes %d arguments, not %d", callee.t, len(sig.params), len(args))
	}
	evs := make([]eval, len(args))
	for i, a := range args {
		if a.decl != nil || a.mode != "" {
			return b.report(x.pos, "type", a.mode, "a delegate takes no %s arguments", a.mode)
		}
		evs[i] = b.implicit(a.b, sig.params[i]).ev
	}
	fn := callee.ev
	return &bound{pos: x.pos, t: sig.ret, ev: func(f *Frame) Value {
		d := fn(f)
		a := f.m.push(len(evs))
		for i, ev := range evs {
			a[i] = ev(f)
		}
		v := f.m.invoke(d, a)
		f.m.pop(len(evs))
		return v
	}}
}
