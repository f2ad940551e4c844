package csharp

func (b *binder) create(x *expr) *bound {
	t := b.typ(x.typ)
	args := b.arguments(x.args)
	if t.Kind == KindBad || anyBad(args) {
		return b.bad(x.pos)
	}
	if t.Kind == KindDelegate && len(args) == 1 {
		return b.implicit(args[0].b, t)
	}
	if t.Kind == KindNullable {
		t = t.Elem()
	}
	info := b.lib.info(t)
	var y *bound
	switch {
	case info == nil || len(info.special[mConstructor]) == 0:
		if len(args) == 0 && !t.Reference() && t.Kind != KindStatic {
			y = constant(x.pos, t, Value{})
			break
		}
		return b.report(x.pos, "unsupported", "new "+t.String(), "%s cannot be made with new in policy expressions", t)
	case len(args) == 0 && !t.Reference():
		y = constant(x.pos, t, Value{})
	default:
		g := &group{name: "new", of: t}
		for _, m := range info.special[mConstructor] {
			g.members = append(g.members, found{m, t.Args})
		}
		c := b.choose(g, args)
		if c == nil {
			g.name, g.of = "new "+t.String(), nil
			return b.noOverload(x.pos, g, args)
		}
		y = b.invoke(x.pos, nil, c, args)
		y.t = t
	}
	if x.init == nil {
		return y
	}
	return b.initialise(x.init, y)
}

// initialise binds { … } after new: the object is made, then each item applied to it.
func (b *binder) initialise(in *initializer, y *bound) *bound {
	slot, make := b.temp(), y.ev
	obj := &bound{pos: y.pos, t: y.t, ev: func(f *Frame) Value { return f.l[slot] }}
	steps := b.initSteps(in, obj)
	return &bound{pos: y.pos, t: y.t, ev: func(f *Frame) Value {
		// An initialiser may run the same code again, in recursion of a local function; frames are apart.
		v := make(f)
		f.l[slot] = v
		for _, s := range steps {
			s(f)
		}
		return f.l[slot]
	}}
}

func (b *binder) initSteps(in *initializer, obj *bound) []eval {
	var steps []eval
	for _, it := range in.items {
		switch {
		case it.name != "" || it.index != nil:
			target := b.initTarget(it, obj)
			if it.init != nil {
				if target.t.Kind != KindBad {
					steps = append(steps, b.initSteps(it.init, target)...)
				}
				continue
			}
			val := b.expr(it.value)
			lv := b.assignable(&expr{pos: it.pos, x: &expr{name: it.name}}, target, false)
			if lv != nil {
				steps = append(steps, lv.set(evals(lv.parts), b.implicit(val, target.t).ev))
			}
		default:
			list := it.list
			if it.value != nil {
				list = []*expr{it.value}
			}
			add := &expr{kind: xCall, pos: it.pos, x: &expr{kind: xMember, pos: it.pos, name: "Add", x: &expr{kind: xHole, pos: it.pos}}}
			for _, x := range list {
				add.args = append(add.args, arg{x: x})
			}
			b.hole = append(b.hole, obj)
			steps = append(steps, b.expr(add).ev)
			b.hole = b.hole[:len(b.hole)-1]
		}
	}
	return steps
}

func (b *binder) initTarget(it initItem, obj *bound) *bound {
	hole := &expr{kind: xHole, pos: it.pos}
	x := &expr{kind: xMember, pos: it.pos, name: it.name, x: hole}
	if it.index != nil {
		x = &expr{kind: xIndex, pos: it.pos, x: hole, args: it.index}
	}
	b.hole = append(b.hole, obj)
	defer func() { b.hole = b.hole[:len(b.hole)-1] }()
	return b.expr(x)
}

func (b *binder) createArray(x *expr) *bound {
	var elem *Type
	if x.typ != nil {
		if elem = b.typ(x.typ); elem.Kind == KindBad {
			return b.bad(x.pos)
		}
	}
	if x.init != nil {
		return b.arrayOf(x.pos, elem, x.init, len(x.args) > 0)
	}
	args := b.arguments(x.args)
	if len(args) != 1 {
		return b.report(x.pos, "unsupported", "multidimensional array", "only arrays of one dimension are supported")
	}
	size := b.implicit(args[0].b, LongT).ev
	return &bound{pos: x.pos, t: ArrayOf(elem), ev: func(f *Frame) Value {
		n := int64(size(f).N)
		if n < 0 || n > 1<<31-1 {
			Throw("OverflowException", "Arithmetic operation resulted in an overflow.")
		}
		per := 40
		if elem.Kind == KindByte {
			per = 1
		}
		f.m.Charge(int(n) * per)
		return Value{R: NewArray(elem, int(n))}
	}}
}

// arrayOf binds the elements of an array initialiser; elem nil means their best common type.
func (b *binder) arrayOf(at int, elem *Type, in *initializer, sized bool) *bound {
	items := make([]*bound, len(in.items))
	for i, it := range in.items {
		if it.value == nil {
			return b.report(it.pos, "unsupported", "nested array initialiser", "an element of an array is a single expression here")
		}
		items[i] = b.expr(it.value)
	}
	if elem == nil {
		for i, y := range items {
			y = b.mustValue(y)
			items[i] = y
			if y.t.Kind == KindNull || y.t.Kind == KindBad {
				continue
			}
			if elem == nil {
				elem = y.t
			} else if b.convert(y, elem, false) == nil {
				elem = y.t
			}
		}
		if elem == nil {
			for _, y := range items {
				if y.t.Kind == KindBad {
					return y
				}
			}
			return b.report(at, "type", "new[]", "the type of the elements is not clear; write new T[] { … }")
		}
	}
	evs := make([]eval, len(items))
	for i, y := range items {
		evs[i] = b.implicit(y, elem).ev
	}
	return &bound{pos: at, t: ArrayOf(elem), ev: func(f *Frame) Value {
		a := NewArray(elem, len(evs))
		f.m.Charge(48 * len(evs))
		for i, ev := range evs {
			a.Put(i, ev(f))
		}
		return Value{R: a}
	}}
}

func (b *binder) createAnonymous(x *expr) *bound {
	shape := &anonymous{}
	var evs []eval
	for _, it := range x.init.items {
		y := b.val(it.value)
		if y.t.Kind == KindNull {
			y = b.report(it.pos, "type", it.name, "the type of %s is not clear; cast the null", it.name)
		}
		shape.names = append(shape.names, it.name)
		shape.types = append(shape.types, y.t)
		evs = append(evs, y.ev)
	}
	t := b.anonymousType(shape)
	return &bound{pos: x.pos, t: t, ev: func(f *Frame) Value {
		a := &Anon{T: t, V: make([]Value, len(evs))}
		f.m.Charge(64 + 40*len(evs))
		for i, ev := range evs {
			a.V[i] = ev(f)
		}
		a.h = HeightOf(a.V...)
		return Value{R: a}
	}}
}

var anonymousDecl = &Decl{Name: "<>f__AnonymousType0", Kind: KindClass}

// anonymousType gives the one type of a shape within the expression.
func (b *binder) anonymousType(s *anonymous) *Type {
	for _, t := range b.anons {
		if len(t.anon.names) != len(s.names) {
			continue
		}
		same := true
		for i := range s.names {
			same = same && t.anon.names[i] == s.names[i] && t.anon.types[i].Is(s.types[i])
		}
		if same {
			return t
		}
	}
	t := &Type{Kind: KindClass, Decl: anonymousDecl, anon: s}
	b.anons = append(b.anons, t)
	return t
}
