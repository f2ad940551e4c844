package csharp

// implicit converts x to the type to, or reports that C# does not.
func (b *binder) implicit(x *bound, to *Type) *bound {
	if y := b.convert(x, to, false); y != nil {
		return y
	}
	if x.lambda != nil {
		return b.report(x.pos, "type", "lambda", "the lambda does not fit the type %s", to)
	}
	if x.group != nil {
		return b.report(x.pos, "type", x.group.name, "the method %s is not called; write %s(…)", x.group.name, x.group.name)
	}
	hint := ""
	if b.convert(x, to, true) != nil {
		hint = "; a cast (" + to.String() + ") would do it"
	}
	return b.report(x.pos, "type", x.t.String(), "cannot convert %s to %s%s", x.t, to, hint)
}

func (b *binder) as(x *bound, t *Type, ev eval) *bound {
	return &bound{pos: x.pos, t: t, ev: ev}
}

// convert gives x as a value of type to, nil when C# has no such conversion.
func (b *binder) convert(x *bound, to *Type, explicit bool) *bound {
	if y := b.standard(x, to, explicit); y != nil {
		return y
	}
	if !x.value() {
		return nil
	}
	return b.userDefined(x, to, explicit)
}

// standard are the conversions that the language itself has.
func (b *binder) standard(x *bound, to *Type, explicit bool) *bound {
	switch {
	case x.lambda != nil:
		if info := b.lib.info(to); to.Kind == KindDelegate && info != nil {
			return b.lambdaTo(x, to, info)
		}
		return nil
	case x.group != nil:
		if info := b.lib.info(to); to.Kind == KindDelegate && info != nil {
			return b.groupTo(x, to, info)
		}
		return nil
	case x.deflt, x.isThrow:
		return b.as(x, to, x.ev)
	case !x.value() || to.Kind == KindVoid:
		return nil
	case x.t.Kind == KindBad || to.Kind == KindBad:
		return b.as(x, to, x.ev)
	case x.t.Is(to):
		return x
	case x.t.Kind == KindVoid:
		return nil
	case x.t.Kind == KindNull:
		if to.Reference() || to.Kind == KindNullable {
			return b.as(x, to, x.ev)
		}
		return nil
	}
	from, ev := x.t, x.ev
	if to.Kind == KindNullable {
		return b.toNullable(x, to, explicit)
	}
	if from.Kind == KindNullable {
		if to.Kind == KindObject {
			return b.as(x, to, ev)
		}
		if !explicit {
			return nil
		}
		inner := from.Elem()
		lib := b.lib
		return b.convert(b.as(x, inner, func(f *Frame) Value {
			v := ev(f)
			if v.R == nil {
				Throw("InvalidOperationException", "Nullable object must have a value.")
			}
			return lib.Unbox(v.R, inner)
		}), to, true)
	}
	if y := b.number(x, to, explicit); y != nil {
		return y
	}
	if b.lib.subtype(from, to) {
		return b.upcast(x, to)
	}
	if from.Kind == KindDelegate && to.Kind == KindDelegate && b.sameSignature(from, to) {
		return b.as(x, to, ev)
	}
	if explicit && b.downcast(from, to) {
		lib := b.lib
		return b.as(x, to, func(f *Frame) Value {
			v := ev(f)
			r := v.R
			if from.Kind == KindString {
				r = Box(v, from)
			}
			return lib.Unbox(r, to)
		})
	}
	return nil
}

// sameSignature tells whether a local function, whose type has no name in C#, fits a delegate type.
func (b *binder) sameSignature(from, to *Type) bool {
	p, q := b.lib.info(from), b.lib.info(to)
	if p == nil || q == nil || from.Decl.Namespace != "" || len(p.invoke) != len(q.invoke) {
		return false
	}
	s, u := p.delegate(from), q.delegate(to)
	for i := range s.params {
		if !s.params[i].Is(u.params[i]) {
			return false
		}
	}
	return s.ret.Is(u.ret) || u.ret.Kind == KindVoid
}

func (b *binder) toNullable(x *bound, to *Type, explicit bool) *bound {
	inner := to.Elem()
	if x.t.Kind == KindNullable {
		from, ev, lib := x.t.Elem(), x.ev, b.lib
		slot := b.temp()
		y := b.convert(b.as(x, from, func(f *Frame) Value { return f.l[slot] }), inner, explicit)
		if y == nil {
			return nil
		}
		return b.as(x, to, func(f *Frame) Value {
			v := ev(f)
			if v.R == nil {
				return v
			}
			f.l[slot] = lib.Unbox(v.R, from)
			return Value{R: Box(y.ev(f), inner)}
		})
	}
	if explicit && x.t.Kind == KindObject {
		ev, lib := x.ev, b.lib
		return b.as(x, to, func(f *Frame) Value { return lib.Unbox(ev(f).R, to) })
	}
	y := b.standard(x, inner, explicit)
	if y == nil {
		return nil
	}
	return b.as(x, to, func(f *Frame) Value { return Value{R: Box(y.ev(f), inner)} })
}

// upcast sees x as one of its supertypes.
func (b *binder) upcast(x *bound, to *Type) *bound {
	from, ev := x.t, x.ev
	if from.Kind == KindString && to.Kind == KindInterface && to.Decl == EnumerableDecl {
		return b.as(x, to, func(f *Frame) Value {
			v := ev(f)
			if v.NullString() {
				return Value{}
			}
			return Value{R: Chars(v.S)}
		})
	}
	if from.Kind >= KindBool && from.Kind <= KindEnum || from.Kind == KindStruct {
		return b.as(x, to, func(f *Frame) Value { return Value{R: Box(ev(f), from)} })
	}
	if to.Decl != nil && len(to.Args) == 1 && variant(to.Decl) {
		if s := b.lib.as(from, to.Decl); s != nil && !s.Is(to) && (s.Args[0].Kind == KindString) != (to.Args[0].Kind == KindString) {
			lib, elem := b.lib, s.Args[0]
			return b.as(x, to, func(f *Frame) Value { return lib.mapSeq(ev(f), elem, to.Args[0]) })
		}
	}
	return b.as(x, to, ev)
}

// downcast tells whether C# has an explicit reference conversion or unboxing from one type to the other.
func (b *binder) downcast(from, to *Type) bool {
	switch {
	case from.Kind == KindObject:
		return true
	case !from.Reference():
		return false
	case from.Kind == KindInterface:
		return to.Kind != KindStatic
	case to.Kind == KindInterface:
		return from.Kind == KindClass
	case from.Kind == KindArray && to.Kind == KindArray:
		return b.lib.subtype(to, from)
	}
	return b.lib.subtype(to, from)
}

// userDefined looks for conversion operators in both types and their bases.
func (b *binder) userDefined(x *bound, to *Type, explicit bool) *bound {
	target := to
	if to.Kind == KindNullable {
		target = to.Elem()
	}
	type candidate struct {
		f     found
		score int
	}
	best := candidate{score: -1}
	consider := func(t *Type) {
		if t.Kind == KindInterface {
			return
		}
		for _, s := range b.lib.supers(t) {
			info := b.lib.info(s)
			if info == nil {
				continue
			}
			kinds := []memberKind{mImplicit}
			if explicit {
				kinds = append(kinds, mExplicit)
			}
			for _, k := range kinds {
				for _, m := range info.special[k] {
					param, ret := m.params[0].t.subst(s.Args, nil), m.ret.subst(s.Args, nil)
					score := 0
					switch {
					case x.t.Is(param):
						score += 8
					case b.lib.subtype(x.t, param):
						score += 6
					case b.standard(x, param, false) != nil:
						score += 4
					case explicit && b.standard(x, param, true) != nil:
						score += 2
					default:
						continue
					}
					switch r := (&bound{t: ret, ev: x.ev}); {
					case ret.Is(to):
						score += 9
					case ret.Is(target):
						score += 8
					case b.standard(r, to, false) != nil:
						score += 4
					case explicit && b.standard(r, to, true) != nil:
						score += 2
					default:
						continue
					}
					if score > best.score {
						best = candidate{found{m, s.Args}, score}
					}
				}
			}
		}
	}
	consider(x.t)
	if !target.Is(x.t) {
		consider(target)
	}
	if best.score < 0 {
		return nil
	}
	m := best.f.m
	in := b.standard(x, m.params[0].t.subst(best.f.class, nil), true)
	fn := m.body(best.f.class, nil)
	ev := in.ev
	y := b.as(x, m.ret.subst(best.f.class, nil), func(f *Frame) Value {
		a := f.m.push(1)
		a[0] = ev(f)
		v := fn(f.m, a)
		f.m.pop(1)
		return v
	})
	return b.standard(y, to, true)
}

// body gives the member's function for actual type arguments.
func (m *member) body(class, method []*Type) Fn {
	if m.def.Fn != nil {
		return m.def.Fn
	}
	all := make([]*Type, 0, len(class)+len(method))
	return m.def.Make(append(append(all, class...), method...))
}

func (m *member) setter(class []*Type) Fn {
	if m.def.Set != nil || m.def.MakeSet == nil {
		return m.def.Set
	}
	return m.def.MakeSet(class)
}
