package csharp

func (b *binder) unary(x *expr) *bound {
	if x.name == "++" || x.name == "--" {
		return b.increment(x, false)
	}
	y := b.val(x.x)
	if y.t.Kind == KindBad {
		return y
	}
	if x.name == "!" {
		if y.t.Kind == KindNullable && y.t.Elem().Kind == KindBool {
			return b.lift(x.pos, y, func(y *bound) *bound { return b.not(x.pos, y) })
		}
		return b.not(x.pos, b.implicit(y, Bool))
	}
	if y.t.Kind == KindNullable {
		return b.lift(x.pos, y, func(y *bound) *bound { return b.sign(x, y) })
	}
	return b.sign(x, y)
}

func (b *binder) not(at int, y *bound) *bound {
	ev := y.ev
	return fold(&bound{pos: at, t: Bool, ev: func(f *Frame) Value { return Value{N: ev(f).N ^ 1} }}, y)
}

// sign binds unary + - ~.
func (b *binder) sign(x *expr, y *bound) *bound {
	if z := b.operator(x.pos, x.name, y); z != nil {
		return z
	}
	t := y.t
	if t.Kind == KindEnum && x.name == "~" {
		ev := y.ev
		return &bound{pos: x.pos, t: t, ev: func(f *Frame) Value { return Value{N: wrap(^ev(f).N, KindInt)} }}
	}
	if !t.numeric() || x.name == "~" && !t.integral() {
		return b.report(x.pos, "type", x.name, "the operator %s does not apply to %s", x.name, t)
	}
	switch {
	case t.Kind < KindInt:
		t = IntT
	case t.Kind == KindUInt && x.name == "-":
		t = LongT
		if y.konst && y.val.N == 1<<31 {
			return constant(x.pos, IntT, Long(-1<<31))
		}
	case t.Kind == KindULong && x.name == "-":
		if y.konst && y.val.N == 1<<63 {
			return constant(x.pos, LongT, Value{N: 1 << 63})
		}
		return b.report(x.pos, "type", x.name, "the operator - does not apply to ulong")
	}
	y = b.implicit(y, t)
	ev := y.ev
	switch x.name {
	case "~":
		return fold(&bound{pos: x.pos, t: t, ev: func(f *Frame) Value { return Value{N: wrap(^ev(f).N, t.Kind)} }}, y)
	case "-":
		zero := constant(x.pos, t, Value{})
		sub := arithmetic("-", t, b.checked, zero.ev, ev)
		if t.Kind == KindDouble || t.Kind == KindFloat {
			sub = func(f *Frame) Value { return Double(-ev(f).Float()) }
		}
		return fold(&bound{pos: x.pos, t: t, ev: sub}, y)
	}
	return &bound{pos: x.pos, t: t, ev: ev, konst: y.konst, val: y.val}
}

// lift applies an operator on values to nullables: null where an operand is.
func (b *binder) lift(at int, y *bound, op func(*bound) *bound) *bound {
	slot, ev, elem, lib := b.temp(), y.ev, y.t.Elem(), b.lib
	z := op(&bound{pos: y.pos, t: elem, ev: func(f *Frame) Value { return lib.Unbox(f.l[slot].R, elem) }})
	if z.t.Kind == KindBad {
		return z
	}
	return &bound{pos: at, t: NullableOf(z.t), ev: func(f *Frame) Value {
		v := ev(f)
		if v.R == nil {
			return v
		}
		f.l[slot] = v
		return Value{R: Box(z.ev(f), z.t)}
	}}
}

func (b *binder) binary(x *expr) *bound {
	// A long chain a + b + c leans to the left; walk it without recursion.
	var chain []*expr
	for left := x; ; left = left.x {
		chain = append(chain, left)
		if left.x.kind != xBinary {
			break
		}
	}
	last := chain[len(chain)-1]
	y := b.operand(last.x, last.name)
	for i := len(chain) - 1; i >= 0; i-- {
		y = b.operate(chain[i], y, b.operand(chain[i].y, chain[i].name))
	}
	return y
}

func (b *binder) operand(x *expr, op string) *bound {
	y := b.expr(x)
	if op == "??" && y.deflt {
		return y
	}
	return b.mustValue(y)
}

func (b *binder) operate(x *expr, l, r *bound) *bound {
	if l.t.Kind == KindBad || r.t.Kind == KindBad {
		return b.bad(x.pos)
	}
	switch x.name {
	case "&&", "||":
		l, r = b.implicit(l, Bool), b.implicit(r, Bool)
		a, c := l.ev, r.ev
		if x.name == "&&" {
			return fold(&bound{pos: x.pos, t: Bool, ev: func(f *Frame) Value {
				if a(f).N == 0 {
					return Value{}
				}
				return c(f)
			}}, l, r)
		}
		return fold(&bound{pos: x.pos, t: Bool, ev: func(f *Frame) Value {
			if a(f).N != 0 {
				return Value{N: 1}
			}
			return c(f)
		}}, l, r)
	case "??":
		return b.coalesce(x, l, r)
	case "==", "!=":
		return b.equality(x.pos, l, r, x.name == "!=")
	}
	return b.arith(x.pos, x.name, l, r)
}

func (b *binder) coalesce(x *expr, l, r *bound) *bound {
	ev, isNull := l.ev, nullCheck(l.t)
	t := l.t
	if l.t.Kind == KindNullable {
		isNull = func(v Value) bool { return v.R == nil }
		if inner := l.t.Elem(); !r.isThrow && b.convert(r, inner, false) != nil && r.t.Kind != KindNull {
			lib, right := b.lib, b.implicit(r, inner).ev
			return &bound{pos: x.pos, t: inner, ev: func(f *Frame) Value {
				if v := ev(f); v.R != nil {
					return lib.Unbox(v.R, inner)
				}
				return right(f)
			}}
		}
	}
	if isNull == nil {
		return b.report(x.pos, "type", "??", "%s is never null, so ?? does not apply", l.t)
	}
	if l.t.Kind == KindNull {
		return r
	}
	if b.convert(r, t, false) == nil {
		if b.convert(l, r.t, false) == nil {
			return b.report(x.pos, "type", "??", "the operator ?? does not apply to %s and %s", l.t, r.t)
		}
		t = r.t
	}
	slot := b.temp()
	held := b.implicit(&bound{pos: l.pos, t: l.t, ev: func(f *Frame) Value { return f.l[slot] }}, t).ev
	right := b.implicit(r, t).ev
	return &bound{pos: x.pos, t: t, ev: func(f *Frame) Value {
		v := ev(f)
		if isNull(v) {
			return right(f)
		}
		f.l[slot] = v
		return held(f)
	}}
}

// arith binds + - * / % & | ^ << >> < > <= >= on any operands.
func (b *binder) arith(at int, op string, l, r *bound) *bound {
	if y := b.operator(at, op, l, r); y != nil { // before strings: XNamespace + string is an XName
		return y
	}
	if op == "+" && (l.t.Kind == KindString || r.t.Kind == KindString) {
		return b.concat(at, l, r)
	}
	if l.t.Kind == KindNullable || r.t.Kind == KindNullable {
		return b.lifted(at, op, l, r)
	}
	none := func() *bound {
		return b.report(at, "type", op, "the operator %s does not apply to %s and %s", op, l.t, r.t)
	}
	logical := op == "&" || op == "|" || op == "^"
	relation := op == "<" || op == ">" || op == "<=" || op == ">="
	switch {
	case logical && l.t.Kind == KindBool && r.t.Kind == KindBool:
		return fold(&bound{pos: at, t: Bool, ev: arithmetic(op, ULong, false, l.ev, r.ev)}, l, r)
	case l.t.Kind == KindEnum && l.t.Is(r.t):
		switch {
		case logical:
			return fold(&bound{pos: at, t: l.t, ev: arithmetic(op, IntT, false, l.ev, r.ev)}, l, r)
		case relation:
			return fold(&bound{pos: at, t: Bool, ev: comparison(op, IntT, l.ev, r.ev)}, l, r)
		case op == "-":
			return fold(&bound{pos: at, t: IntT, ev: arithmetic(op, IntT, false, l.ev, r.ev)}, l, r)
		}
		return none()
	case l.t.Kind == KindEnum && r.t.integral() && (op == "+" || op == "-"):
		return &bound{pos: at, t: l.t, ev: arithmetic(op, IntT, false, l.ev, r.ev)}
	case op == "<<" || op == ">>":
		t := l.t
		if t.integral() && t.Kind < KindInt {
			t = IntT
		}
		count := b.convert(r, IntT, false)
		if !t.integral() || count == nil {
			return none()
		}
		return fold(&bound{pos: at, t: t, ev: shift(op, t.Kind, b.implicit(l, t).ev, count.ev)}, l, r)
	}
	t := b.promote(l, r)
	if t == nil || (logical && !t.integral()) {
		return none()
	}
	l, r = b.implicit(l, t), b.implicit(r, t)
	if relation {
		return fold(&bound{pos: at, t: Bool, ev: comparison(op, t, l.ev, r.ev)}, l, r)
	}
	if r.konst && t.integral() && r.val.N == 0 && (op == "/" || op == "%") {
		return b.report(at, "type", op, "division by the constant zero")
	}
	return fold(&bound{pos: at, t: t, ev: arithmetic(op, t, b.checked, l.ev, r.ev)}, l, r)
}

// promote gives the type in which a binary operator works, nil when there is none.
func (b *binder) promote(l, r *bound) *Type {
	x, y := l.t, r.t
	if !x.numeric() || !y.numeric() {
		return nil
	}
	either := func(k Kind) bool { return x.Kind == k || y.Kind == k }
	switch {
	case either(KindDecimal):
		if either(KindDouble) || either(KindFloat) {
			return nil
		}
		return DecimalT
	case either(KindDouble):
		return DoubleT
	case either(KindFloat):
		return Float
	case either(KindULong):
		if other := b.convert(l, ULong, false); other == nil || b.convert(r, ULong, false) == nil {
			return nil
		}
		return ULong
	case either(KindLong):
		return LongT
	case either(KindUInt):
		if b.convert(l, UInt, false) == nil || b.convert(r, UInt, false) == nil {
			return LongT
		}
		return UInt
	}
	return IntT
}

// lifted binds an arithmetic or relational operator where an operand is nullable.
func (b *binder) lifted(at int, op string, l, r *bound) *bound {
	lib := b.lib
	operand := func(x *bound) (*bound, eval, bool) {
		if x.t.Kind == KindNull {
			return nil, nil, false
		}
		slot, ev := b.temp(), x.ev
		if x.t.Kind != KindNullable {
			return &bound{pos: x.pos, t: x.t, ev: func(f *Frame) Value { return f.l[slot] }},
				func(f *Frame) Value { f.l[slot] = ev(f); return Value{N: 1} }, true
		}
		elem := x.t.Elem()
		return &bound{pos: x.pos, t: elem, ev: func(f *Frame) Value { return lib.Unbox(f.l[slot].R, elem) }},
			func(f *Frame) Value { f.l[slot] = ev(f); return Boolean(f.l[slot].R != nil) }, true
	}
	x, hasX, okX := operand(l)
	y, hasY, okY := operand(r)
	if !okX || !okY {
		t := Bool
		if op != "<" && op != ">" && op != "<=" && op != ">=" {
			t = l.t
			if l.t.Kind == KindNull {
				t = r.t
			}
		}
		return &bound{pos: at, t: t, ev: func(*Frame) Value { return Value{} }}
	}
	z := b.arith(at, op, x, y)
	if z.t.Kind == KindBad {
		return z
	}
	both := func(f *Frame) bool {
		a, c := hasX(f).N, hasY(f).N
		return a&c != 0
	}
	if op == "<" || op == ">" || op == "<=" || op == ">=" {
		return &bound{pos: at, t: Bool, ev: func(f *Frame) Value {
			if !both(f) {
				return Value{}
			}
			return z.ev(f)
		}}
	}
	return &bound{pos: at, t: NullableOf(z.t), ev: func(f *Frame) Value {
		if !both(f) {
			return Value{}
		}
		return Value{R: Box(z.ev(f), z.t)}
	}}
}

// operator looks for an operator that one of the operands' types declares.
func (b *binder) operator(at int, op string, operands ...*bound) *bound {
	var ms []found
	for i, o := range operands {
		if o.t.Kind == KindInterface || i == 1 && o.t.Is(operands[0].t) {
			continue
		}
		t := o.t
		if t.Kind == KindNullable {
			continue
		}
		for _, s := range b.lib.supers(t) {
			if info := b.lib.info(s); info != nil {
				for _, m := range info.operators[op] {
					if len(m.params) == len(operands) {
						ms = append(ms, found{m, s.Args})
					}
				}
			}
		}
	}
	if len(ms) == 0 {
		return nil
	}
	args := make([]argument, len(operands))
	for i, o := range operands {
		args[i].b = o
	}
	c := b.choose(&group{name: op, members: ms}, args)
	if c == nil {
		return nil
	}
	return b.invoke(at, nil, c, args)
}
