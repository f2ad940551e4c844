package csharp

// expr binds an expression of any kind.
func (b *binder) expr(x *expr) *bound {
	if b.work++; b.work > maxWork {
		panic(tooComplex{})
	}
	switch x.kind {
	case xLiteral:
		return constant(x.pos, x.lit, x.val)
	case xParen:
		y := b.expr(x.x)
		if y.value() {
			c := *y
			c.text, c.isThrow = nil, y.isThrow
			return &c
		}
		return y
	case xName:
		return b.name(x)
	case xPredef:
		return &bound{pos: x.pos, names: b.typ(x.typ), t: bad}
	case xMember:
		return b.member(x)
	case xCall:
		return b.call(x)
	case xIndex:
		return b.index(x)
	case xCond:
		return b.condChain(x)
	case xHole:
		return b.hole[len(b.hole)-1]
	case xUnary:
		return b.unary(x)
	case xPostfix:
		return b.increment(x, true)
	case xBinary:
		return b.binary(x)
	case xTernary:
		return b.ternary(x)
	case xAssign:
		return b.assign(x)
	case xCast:
		return b.cast(x)
	case xAs:
		return b.asType(x)
	case xIs:
		return b.isType(x)
	case xNew:
		return b.create(x)
	case xNewArray:
		return b.createArray(x)
	case xAnon:
		return b.createAnonymous(x)
	case xLambda:
		return &bound{pos: x.pos, t: bad, lambda: x}
	case xInterp:
		return b.interpolated(x)
	case xDefault:
		if x.typ == nil {
			return &bound{pos: x.pos, t: null, deflt: true, ev: func(*Frame) Value { return Value{} }}
		}
		return constant(x.pos, b.typ(x.typ), Value{})
	case xTypeof:
		return b.report(x.pos, "unsupported", "typeof", "typeof is not supported: policy expressions may not use System.Type")
	case xChecked:
		defer func(was bool) { b.checked = was }(b.checked)
		b.checked = x.name == "checked"
		return b.val(x.x)
	case xThrow:
		y := b.implicit(b.val(x.x), ExceptionT)
		return &bound{pos: x.pos, t: null, isThrow: true, ev: throwing(y.ev)}
	}
	return b.report(x.pos, "unsupported", "expression", "this kind of expression is not supported")
}

func throwing(ev eval) eval {
	return func(f *Frame) Value {
		e, ok := ev(f).R.(*Exception)
		if !ok {
			throwNullReference()
		}
		panic(e)
	}
}

// val binds an expression that must be a value: not a type, a namespace or a method.
func (b *binder) val(x *expr) *bound { return b.mustValue(b.expr(x)) }

func (b *binder) mustValue(y *bound) *bound {
	switch {
	case y.names != nil && y.names.Kind != KindBad:
		return b.report(y.pos, "type", y.names.String(), "%s is a type, where a value is expected", y.names)
	case y.ns != "":
		return b.report(y.pos, "type", y.ns, "the name %s does not exist here", y.ns)
	case y.group != nil:
		return b.report(y.pos, "type", y.group.name, "the method %s is not called; write %s(…)", y.group.name, y.group.name)
	case y.lambda != nil:
		return b.report(y.pos, "type", "lambda", "a lambda is allowed only where a delegate type is expected")
	case y.names != nil:
		return b.bad(y.pos)
	case y.t.Kind == KindVoid:
		return b.report(y.pos, "type", "void", "this call gives no value")
	}
	return y
}

func (b *binder) name(x *expr) *bound {
	if len(x.types) == 0 {
		if v := b.lookup(x.name); v != nil {
			if v.t.Kind == KindBad && v.t != bad {
				return b.bad(x.pos)
			}
			return b.variable(x.pos, v)
		}
		if g, ok := b.globals[x.name]; ok {
			i := g.index
			return &bound{pos: x.pos, t: g.t, ev: func(f *Frame) Value { return f.m.globals[i] }}
		}
	}
	if b.lib.types[arity(x.name, len(x.types))] != nil {
		return &bound{pos: x.pos, t: bad, names: b.typ(&typeExpr{pos: x.pos, name: x.name, args: x.types})}
	}
	if b.lib.namespaces[x.name] {
		return &bound{pos: x.pos, t: bad, ns: x.name}
	}
	if len(x.types) > 0 || x.name != "" && x.name[0] >= 'A' && x.name[0] <= 'Z' {
		return b.report(x.pos, "unsupported", x.name, "the name %s is not known; it is no variable, and no type that policy expressions may use", x.name)
	}
	return b.report(x.pos, "type", x.name, "the name %s does not exist here", x.name)
}

func (b *binder) member(x *expr) *bound {
	left := b.expr(x.x)
	if left.ns != "" {
		full := left.ns + "." + x.name
		if b.lib.types[arity(full, len(x.types))] != nil {
			return &bound{pos: x.pos, t: bad, names: b.typ(&typeExpr{pos: x.pos, name: full, args: x.types})}
		}
		if b.lib.namespaces[full] {
			return &bound{pos: x.pos, t: bad, ns: full}
		}
		return b.report(x.pos, "unsupported", full, "the type %s is not known; it is not on the list of types that policy expressions may use", full)
	}
	var types []*Type
	for _, te := range x.types {
		types = append(types, b.typ(te))
	}
	if left.names != nil {
		return b.staticMember(x, left.names, types)
	}
	left = b.mustValue(left)
	if left.t.Kind == KindBad {
		return left
	}
	return b.instanceMember(x, left, types)
}

// find collects the members of a name in t, its bases and interfaces; a nearer property hides farther ones.
func (b *binder) find(t *Type, name string) []found {
	var out []found
	chain := b.lib.supers(t)
	if t.Kind != KindObject {
		chain = append(chain, Object)
	}
	for _, s := range chain {
		info := b.lib.info(s)
		if info == nil {
			continue
		}
		for _, m := range info.members[name] {
			if m.kind == mProperty && len(out) == 0 {
				return []found{{m, s.Args}}
			}
			if m.kind == mMethod && !m.ext {
				out = append(out, found{m, s.Args})
			}
		}
	}
	return out
}

func (b *binder) staticMember(x *expr, t *Type, types []*Type) *bound {
	if t.Kind == KindBad {
		return b.bad(x.pos)
	}
	info := b.lib.info(t)
	if info != nil && info.values != nil {
		if n, ok := info.values[x.name]; ok {
			return constant(x.pos, t, Long(n))
		}
	}
	ms := b.find(t, x.name)
	if info != nil && len(ms) == 0 {
		for _, m := range info.members[x.name] { // an extension method called as a static one
			ms = append(ms, found{m, nil})
		}
	}
	if len(ms) == 0 {
		return b.missing(x.pos, t, x.name)
	}
	if ms[0].m.kind == mProperty {
		if !ms[0].m.static {
			return b.report(x.pos, "type", t.String()+"."+x.name, "%s.%s belongs to an object, not to the type", t, x.name)
		}
		return b.property(x.pos, nil, ms[0])
	}
	return &bound{pos: x.pos, t: bad, group: &group{name: x.name, of: t, members: ms, types: types}}
}

func (b *binder) missing(at int, t *Type, name string) *bound {
	return b.report(at, "unsupported", t.String()+"."+name, "%s has no member %s that policy expressions may use", t, name)
}

func (b *binder) instanceMember(x *expr, left *bound, types []*Type) *bound {
	t := left.t
	if t.anon != nil {
		for i, n := range t.anon.names {
			if n == x.name {
				ev := left.ev
				return &bound{pos: x.pos, t: t.anon.types[i], ev: func(f *Frame) Value {
					a, ok := ev(f).R.(*Anon)
					if !ok {
						throwNullReference()
					}
					return a.V[i]
				}}
			}
		}
	}
	ms := b.find(t, x.name)
	if t.Kind == KindDelegate && x.name == "Invoke" {
		return left
	}
	if len(ms) > 0 && ms[0].m.kind == mProperty && b.invoked == x && ms[0].m.ret.Kind != KindDelegate && len(b.lib.extensions[x.name]) > 0 {
		ms = nil
	}
	if len(ms) > 0 && ms[0].m.kind == mProperty {
		if ms[0].m.static {
			return b.report(x.pos, "type", t.String()+"."+x.name, "%s.%s belongs to the type; write %s.%s", t, x.name, t, x.name)
		}
		return b.property(x.pos, left, ms[0])
	}
	if len(ms) == 0 && len(b.lib.extensions[x.name]) == 0 {
		if t.Kind == KindNull {
			return b.report(x.pos, "type", "null", "null has no members")
		}
		return b.missing(x.pos, t, x.name)
	}
	return &bound{pos: x.pos, t: bad, group: &group{name: x.name, recv: left, of: t, members: ms, types: types, exts: true}}
}

// property binds the use of a property; left is nil for a static one.
func (b *binder) property(at int, left *bound, p found) *bound {
	t := p.m.ret.subst(p.class, nil)
	get, set := p.m.body(p.class, nil), p.m.setter(p.class)
	x := &bound{pos: at, t: t}
	if left == nil {
		x.ev = func(f *Frame) Value { return get(f.m, nil) }
		return x
	}
	recv := b.receiver(left, p.m)
	ev := recv.ev
	isNull := nullCheck(recv.t)
	x.ev = propertyEval(get, ev, isNull)
	x.lv = &lvalue{parts: []*bound{recv}, get: func(parts []eval) eval { return propertyEval(get, parts[0], isNull) }}
	if set != nil {
		x.lv.set = func(parts []eval, val eval) eval {
			return func(f *Frame) Value {
				a := f.m.push(2)
				a[0] = parts[0](f)
				a[1] = val(f)
				r := a[1]
				if isNull != nil && isNull(a[0]) {
					throwNullReference()
				}
				set(f.m, a)
				f.m.pop(2)
				return r
			}
		}
	}
	return x
}

func propertyEval(get Fn, recv eval, isNull func(Value) bool) eval {
	if isNull == nil {
		return func(f *Frame) Value {
			a := f.m.push(1)
			a[0] = recv(f)
			v := get(f.m, a)
			f.m.pop(1)
			return v
		}
	}
	return func(f *Frame) Value {
		a := f.m.push(1)
		v := recv(f)
		if isNull(v) {
			throwNullReference()
		}
		a[0] = v
		v = get(f.m, a)
		f.m.pop(1)
		return v
	}
}

// nullCheck gives the test for null of a reference type, nil where values are never null.
func nullCheck(t *Type) func(Value) bool {
	switch {
	case t.Kind == KindString:
		return Value.NullString
	case t.Reference():
		return func(v Value) bool { return v.R == nil }
	}
	return nil
}

// receiver brings a receiver into the form that the member's own type has: a value that uses Object's members is boxed.
func (b *binder) receiver(left *bound, m *member) *bound {
	if m.owner.self.Kind == KindObject && left.t.Kind != KindObject {
		return b.upcast(left, Object)
	}
	if left.t.Kind == KindString && m.owner.decl == EnumerableDecl {
		return b.upcast(left, EnumerableOf(CharT))
	}
	return left
}

// condChain binds x?.y: the receiver once, then the chain unless it is null.
func (b *binder) condChain(x *expr) *bound {
	left := b.val(x.x)
	if left.t.Kind == KindBad {
		return left
	}
	slot := b.temp()
	recv := &bound{pos: left.pos, t: left.t, ev: func(f *Frame) Value { return f.l[slot] }}
	isNull := nullCheck(left.t)
	if left.t.Kind == KindNullable {
		lib, elem := b.lib, left.t.Elem()
		isNull = func(v Value) bool { return v.R == nil }
		recv = &bound{pos: left.pos, t: elem, ev: func(f *Frame) Value { return lib.Unbox(f.l[slot].R, elem) }}
	}
	if isNull == nil {
		return b.report(x.pos, "type", "?.", "%s is never null; write a plain dot", left.t)
	}
	b.hole = append(b.hole, recv)
	y := b.expr(x.y)
	b.hole = b.hole[:len(b.hole)-1]
	if y.group != nil || y.names != nil {
		return b.mustValue(y)
	}
	t, chain, ev := y.t, y.ev, left.ev
	if t.Kind == KindBad {
		return y
	}
	if t.Kind != KindVoid && !t.Reference() && t.Kind != KindNullable {
		t = NullableOf(t)
		inner := y.t
		chain = func(f *Frame) Value { return Value{R: Box(y.ev(f), inner)} }
	}
	return &bound{pos: x.pos, t: t, ev: func(f *Frame) Value {
		v := ev(f)
		if isNull(v) {
			return Value{}
		}
		f.l[slot] = v
		return chain(f)
	}}
}

func (b *binder) cast(x *expr) *bound {
	t := b.typ(x.typ)
	y := b.expr(x.x)
	if y.lambda == nil && y.group == nil && !y.deflt {
		y = b.mustValue(y)
	}
	if z := b.convert(y, t, true); z != nil {
		c := *z
		c.lv, c.text, c.pos = nil, nil, x.pos
		return &c
	}
	return b.report(x.pos, "type", y.t.String(), "cannot cast %s to %s", y.t, t)
}

func (b *binder) asType(x *expr) *bound {
	t := b.typ(x.typ)
	y := b.val(x.x)
	if t.Kind == KindBad || y.t.Kind == KindBad {
		return b.bad(x.pos)
	}
	if !t.Reference() && t.Kind != KindNullable {
		return b.report(x.pos, "type", "as", "as needs a type that can be null, and %s cannot; write %s? or a cast", t, t)
	}
	if z := b.standard(y, t, false); z != nil {
		return &bound{pos: x.pos, t: t, ev: z.ev}
	}
	if b.standard(y, t, true) == nil {
		return b.report(x.pos, "type", "as", "%s can never be a %s", y.t, t)
	}
	lib, ev, from := b.lib, y.ev, y.t
	return &bound{pos: x.pos, t: t, ev: func(f *Frame) Value {
		r := Box(ev(f), from)
		if r == nil || !lib.instance(r, t) {
			return Value{}
		}
		return lib.Unbox(r, t)
	}}
}

func (b *binder) isType(x *expr) *bound {
	y := b.val(x.x)
	if x.typ == nil {
		return b.isConstant(x, y)
	}
	// A name after is may also be a constant.
	t, err := b.lib.resolve(x.typ, nil, nil)
	if err != nil || t.Kind == KindBad {
		if v := b.lookup(x.typ.name); v != nil && v.konst != nil && x.name == "" {
			return b.equality(x.pos, y, b.variable(x.pos, v), false)
		}
		t = b.typ(x.typ)
	}
	if t.Kind == KindBad || y.t.Kind == KindBad {
		return b.bad(x.pos)
	}
	if t.Kind == KindNullable {
		t = t.Elem()
	}
	lib, ev, from := b.lib, y.ev, y.t
	if b.convert(&bound{pos: y.pos, t: from, ev: ev}, t, true) == nil {
		return constant(x.pos, Bool, Boolean(false))
	}
	var set eval
	var slot int
	if x.name != "" {
		v := b.declare(x.pos, x.name, t)
		slot = b.temp()
		set = b.variable(x.pos, v).lv.set(nil, func(f *Frame) Value { return f.l[slot] })
		if v.cell {
			set = withCell(v.slot, set)
			b.fn.scope.cells = b.fn.scope.cells[:len(b.fn.scope.cells)-1]
		}
	}
	return &bound{pos: x.pos, t: Bool, ev: func(f *Frame) Value {
		r := Box(ev(f), from)
		if r == nil || !lib.instance(r, t) {
			return Value{}
		}
		if set != nil {
			f.l[slot] = lib.Unbox(r, t)
			set(f)
		}
		return Value{N: 1}
	}}
}

// withCell gives a variable its cell at the moment when a pattern declares it.
func withCell(slot int, set eval) eval {
	return func(f *Frame) Value {
		f.l[slot] = Value{R: &Value{}}
		return set(f)
	}
}

func (b *binder) isConstant(x *expr, y *bound) *bound {
	c := b.val(x.y)
	if !c.konst {
		return b.report(x.pos, "type", "is", "after is comes a type or a constant")
	}
	if y.t.Kind == KindObject && c.t.Kind != KindNull {
		want, ev := Box(c.val, c.t), y.ev
		return &bound{pos: x.pos, t: Bool, ev: func(f *Frame) Value { return Boolean(ev(f).R == want) }}
	}
	return b.equality(x.pos, y, c, false)
}

func (b *binder) ternary(x *expr) *bound {
	c := b.condition(x.x)
	y, z := b.expr(x.y), b.expr(x.z)
	if y.lambda == nil && !y.deflt {
		y = b.mustValue(y)
	}
	if z.lambda == nil && !z.deflt {
		z = b.mustValue(z)
	}
	t := b.common(y, z)
	if t == nil {
		return b.report(x.pos, "type", "?:", "the two results have different types, %s and %s, and neither converts to the other", y.t, z.t)
	}
	y, z = b.implicit(y, t), b.implicit(z, t)
	cond, yes, no := c.ev, y.ev, z.ev
	return fold(&bound{pos: x.pos, t: t, ev: func(f *Frame) Value {
		if cond(f).N != 0 {
			return yes(f)
		}
		return no(f)
	}}, c, y, z)
}

// common is the type that two results share, by C#'s rules: one of the two types.
func (b *binder) common(y, z *bound) *Type {
	switch {
	case y.isThrow || y.deflt || y.t.Kind == KindBad:
		return z.t
	case z.isThrow || z.deflt || z.t.Kind == KindBad:
		return y.t
	case y.t.Is(z.t):
		return y.t
	}
	toZ, toY := b.convert(y, z.t, false) != nil, b.convert(z, y.t, false) != nil
	switch {
	case toZ && (!toY || y.konst && !z.konst && y.t.numeric()):
		return z.t
	case toY:
		return y.t
	}
	return nil
}

func (b *binder) condition(x *expr) *bound { return b.implicit(b.val(x), Bool) }
