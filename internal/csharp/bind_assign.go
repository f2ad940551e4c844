package csharp

import "strings"

func (b *binder) index(x *expr) *bound {
	left := b.val(x.x)
	args := b.arguments(x.args)
	if left.t.Kind == KindBad || anyBad(args) {
		return b.bad(x.pos)
	}
	if left.t.Kind == KindArray && len(args) == 1 {
		return b.element(x.pos, left, args[0].b)
	}
	var ms []found
	for _, s := range b.lib.supers(left.t) {
		if info := b.lib.info(s); info != nil {
			for _, m := range info.special[mIndexer] {
				ms = append(ms, found{m, s.Args})
			}
		}
	}
	if len(ms) == 0 {
		return b.report(x.pos, "unsupported", left.t.String()+".[]", "%s cannot be indexed with [ ]", left.t)
	}
	c := b.choose(&group{name: "[]", of: left.t, members: ms}, args)
	if c == nil {
		return b.noOverload(x.pos, &group{name: "[]", of: left.t, members: ms}, args)
	}
	recv := b.receiver(left, c.m)
	parts := []*bound{recv}
	for p, i := range c.from {
		if i < 0 {
			def := c.m.params[p].def
			parts = append(parts, constant(x.pos, c.param(p), def))
			continue
		}
		parts = append(parts, c.conv[i])
	}
	get, set, isNull := c.m.body(c.class, c.method), c.m.setter(c.class), nullCheck(recv.t)
	y := &bound{pos: x.pos, t: c.m.ret.subst(c.class, nil)}
	y.lv = &lvalue{parts: parts, get: func(parts []eval) eval { return callEval(get, parts, isNull) }}
	y.ev = y.lv.get(evals(parts))
	if set != nil {
		y.lv.set = func(parts []eval, val eval) eval {
			n := len(parts)
			return func(f *Frame) Value {
				a := f.m.push(n + 1)
				for i, p := range parts {
					a[i] = p(f)
				}
				a[n] = val(f)
				v := a[n]
				if isNull != nil && isNull(a[0]) {
					throwNullReference()
				}
				set(f.m, a)
				f.m.pop(n + 1)
				return v
			}
		}
	}
	return y
}

func evals(parts []*bound) []eval {
	out := make([]eval, len(parts))
	for i, p := range parts {
		out[i] = p.ev
	}
	return out
}

// element binds array[i].
func (b *binder) element(at int, left, idx *bound) *bound {
	if t := idx.t; t.Kind == KindLong || t.Kind == KindULong || t.Kind == KindUInt {
		idx = b.implicit(idx, LongT)
	} else {
		idx = b.implicit(idx, IntT)
	}
	y := &bound{pos: at, t: left.t.Elem()}
	locate := func(f *Frame, parts []eval) (*Array, int) {
		a, _ := parts[0](f).R.(*Array)
		i := int64(parts[1](f).N)
		if a == nil {
			throwNullReference()
		}
		if i < 0 || i >= int64(a.Len()) {
			Throw("IndexOutOfRangeException", "Index was outside the bounds of the array.")
		}
		return a, int(i)
	}
	y.lv = &lvalue{
		parts: []*bound{left, idx},
		get: func(parts []eval) eval {
			return func(f *Frame) Value {
				a, i := locate(f, parts)
				return a.At(i)
			}
		},
		set: func(parts []eval, val eval) eval {
			return func(f *Frame) Value {
				a, i := locate(f, parts)
				v := val(f)
				a.Put(i, v)
				return v
			}
		},
	}
	y.ev = y.lv.get(evals(y.lv.parts))
	return y
}

// assignable gives the target of an assignment, nil after reporting that it is none.
func (b *binder) assignable(x *expr, y *bound, compound bool) *lvalue {
	switch {
	case y.t.Kind == KindBad && y.value():
		return nil
	case y.lv == nil:
		b.mustValue(y)
		b.report(x.pos, "type", "assignment", "this cannot be assigned to")
		return nil
	case y.lv.set == nil:
		name := "this"
		if x.x != nil && x.x.name != "" {
			name = x.x.name
		}
		b.report(x.pos, "type", name, "%s can be read, but not assigned to", name)
		return nil
	}
	return y.lv
}

func (b *binder) assign(x *expr) *bound {
	target := b.expr(x.x)
	lv := b.assignable(x, target, x.name != "=")
	right := b.expr(x.y)
	if lv == nil {
		return b.bad(x.pos)
	}
	t := target.t
	if x.name == "=" {
		val := b.implicit(right, t)
		return &bound{pos: x.pos, t: t, ev: lv.set(evals(lv.parts), val.ev)}
	}
	right = b.mustValue(right)
	if right.t.Kind == KindBad {
		return right
	}
	return b.compound(x.pos, target, strings.TrimSuffix(x.name, "="), right, false)
}

// compound binds a op= b: the target's parts are computed once. With before set the result is the old value.
func (b *binder) compound(at int, target *bound, op string, right *bound, before bool) *bound {
	lv := target.lv
	var save []eval
	parts := make([]eval, len(lv.parts))
	base := b.fn.slots
	b.fn.slots += len(parts) + 1
	old := base + len(parts)
	for i, p := range lv.parts {
		save = append(save, p.ev)
		parts[i] = func(f *Frame) Value { return f.l[base+i] }
	}
	get := lv.get(parts)
	var result *bound
	read := &bound{pos: at, t: target.t, ev: func(f *Frame) Value { return f.l[old] }}
	result = b.arith(at, op, read, right)
	if result.t.Kind == KindBad {
		return result
	}
	// x op= y converts back where x op y is wider than x, if y itself converts to x's type or the operator is a shift.
	z := b.convert(result, target.t, false)
	if z == nil && (right.konst || b.convert(right, target.t, false) != nil || op == "<<" || op == ">>") {
		z = b.convert(result, target.t, true)
	}
	if z == nil {
		return b.implicit(result, target.t)
	}
	set := lv.set(parts, z.ev)
	ev := func(f *Frame) Value {
		for i, p := range save {
			f.l[base+i] = p(f)
		}
		f.l[old] = get(f)
		was := f.l[old]
		v := set(f)
		if before {
			return was
		}
		return v
	}
	return &bound{pos: at, t: target.t, ev: ev}
}

// increment binds ++ and --, before or after their operand.
func (b *binder) increment(x *expr, after bool) *bound {
	target := b.expr(x.x)
	lv := b.assignable(x, target, true)
	if lv == nil {
		return b.bad(x.pos)
	}
	t := target.t
	if t.Kind == KindNullable {
		t = t.Elem()
	}
	if !t.numeric() && t.Kind != KindEnum {
		return b.report(x.pos, "type", x.name, "the operator %s does not apply to %s", x.name, target.t)
	}
	return b.compound(x.pos, target, x.name[:1], constant(x.pos, IntT, Int(1)), after)
}
