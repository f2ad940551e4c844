package csharp

import "unsafe"

// equality binds == and !=.
func (b *binder) equality(at int, l, r *bound, not bool) *bound {
	op, flip := "==", uint64(0)
	if not {
		op, flip = "!=", 1
	}
	result := func(ev eval) *bound { return &bound{pos: at, t: Bool, ev: ev} }
	if l.t.Kind == KindBad || r.t.Kind == KindBad {
		return b.bad(at)
	}
	if l.t.Kind == KindNull && r.t.Kind != KindNull {
		l, r = r, l
	}
	x, y := l.ev, r.ev
	if r.t.Kind == KindNull {
		switch {
		case l.t.Kind == KindNull:
			return constant(at, Bool, Value{N: 1 ^ flip})
		case l.t.Kind == KindNullable:
			return result(func(f *Frame) Value { return flipped(x(f).R == nil, flip) })
		case l.t.Reference():
			isNull := nullCheck(l.t)
			return result(func(f *Frame) Value { return flipped(isNull(x(f)), flip) })
		}
		return b.report(at, "type", op, "%s is never null", l.t)
	}
	if l.t.Kind == KindString && r.t.Kind == KindString {
		if r.konst && !l.konst && r.val.S != "" {
			want := r.val.S
			return result(func(f *Frame) Value { return flipped(x(f).S == want, flip) })
		}
		return fold(result(func(f *Frame) Value {
			a, c := x(f), y(f)
			return flipped(a.S == c.S && (a.N == c.N || len(a.S) > 0), flip)
		}), l, r)
	}
	if z := b.operator(at, op, l, r); z != nil {
		return z
	}
	switch {
	case l.t.Kind == KindBool && r.t.Kind == KindBool, l.t.Kind == KindEnum && l.t.Is(r.t):
		return fold(result(func(f *Frame) Value { return flipped(x(f).N == y(f).N, flip) }), l, r)
	case l.t.Kind == KindEnum && r.konst, r.t.Kind == KindEnum && l.konst:
		enum := l.t
		if enum.Kind != KindEnum {
			enum = r.t
		}
		if p, q := b.convert(l, enum, false), b.convert(r, enum, false); p != nil && q != nil {
			return b.equality(at, p, q, not)
		}
	case l.t.Kind == KindNullable || r.t.Kind == KindNullable:
		return b.nullableEquality(at, l, r, not)
	case l.t.numeric() && r.t.numeric():
		t := b.promote(l, r)
		if t == nil {
			break
		}
		l, r = b.implicit(l, t), b.implicit(r, t)
		return fold(result(comparison(op, t, l.ev, r.ev)), l, r)
	case l.t.Reference() && r.t.Reference():
		if b.standard(l, r.t, true) == nil && b.standard(r, l.t, true) == nil {
			break
		}
		from, to := l.t, r.t
		return result(func(f *Frame) Value { return flipped(sameObject(Box(x(f), from), Box(y(f), to)), flip) })
	}
	return b.report(at, "type", op, "the operator %s does not apply to %s and %s", op, l.t, r.t)
}

func flipped(b bool, flip uint64) Value {
	if b {
		return Value{N: 1 ^ flip}
	}
	return Value{N: flip}
}

// nullableEquality compares nullables: equal when both are null or both hold equal values.
func (b *binder) nullableEquality(at int, l, r *bound, not bool) *bound {
	elem := func(t *Type) *Type {
		if t.Kind == KindNullable {
			return t.Elem()
		}
		return t
	}
	lib, flip := b.lib, uint64(0)
	if not {
		flip = 1
	}
	sl, sr := b.temp(), b.temp()
	p, q := elem(l.t), elem(r.t)
	z := b.equality(at, &bound{pos: l.pos, t: p, ev: func(f *Frame) Value { return lib.Unbox(f.l[sl].R, p) }},
		&bound{pos: r.pos, t: q, ev: func(f *Frame) Value { return lib.Unbox(f.l[sr].R, q) }}, not)
	if z.t.Kind == KindBad {
		return z
	}
	box := func(x *bound, f *Frame) Value {
		if x.t.Kind == KindNullable {
			return x.ev(f)
		}
		return Value{R: Box(x.ev(f), x.t)}
	}
	return &bound{pos: at, t: Bool, ev: func(f *Frame) Value {
		a, c := box(l, f), box(r, f)
		if a.R == nil || c.R == nil {
			return flipped(a.R == nil && c.R == nil, flip)
		}
		f.l[sl], f.l[sr] = a, c
		return z.ev(f)
	}}
}

// sameObject is == on objects: reference equality. Two boxed values are never the same; two strings are when they share
// their memory, as a string does with itself.
func sameObject(a, c any) bool {
	if a == nil || c == nil {
		return a == nil && c == nil
	}
	if s, ok := a.(string); ok {
		t, ok := c.(string)
		return ok && len(s) == len(t) && unsafe.StringData(s) == unsafe.StringData(t)
	}
	if simple(a) != nil || simple(c) != nil {
		return false
	}
	switch a.(type) {
	case SeqFunc, mapped, Chars, defaultStruct:
		return false
	}
	defer func() { _ = recover() }() // objects of a type that Go cannot compare are not the same
	return a == c
}
