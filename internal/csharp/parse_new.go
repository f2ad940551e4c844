package csharp

// creation reads what follows new: an object, an array or an anonymous type.
func (p *parser) creation(x *expr) *expr {
	switch {
	case p.is("{"):
		x.kind = xAnon
		x.init = p.anonymous()
		return x
	case p.is("["):
		p.next()
		p.expect("]")
		x.kind = xNewArray
		x.init = p.initializer()
		return x
	case p.is("("):
		p.unsupported(x.pos, "target-typed new (C# 9)")
	}
	x.typ = p.typeName()
	switch {
	case p.is("["):
		p.next()
		x.kind = xNewArray
		x.args = p.args("]")
		for p.is("[") { // new int[3][]: the element is itself an array
			p.next()
			p.expect("]")
			x.typ = &typeExpr{pos: x.typ.pos, elem: x.typ}
		}
		if p.is("{") {
			x.init = p.initializer()
		}
	case x.typ.elem != nil:
		x.kind = xNewArray
		x.typ = x.typ.elem
		x.init = p.initializer()
	default:
		x.kind = xNew
		if p.accept("(") {
			x.args = p.args(")")
		} else if !p.is("{") {
			p.fail(p.tok().pos, "expected ( or { after new %s, found %s", x.typ, p.tok().describe())
		}
		if p.is("{") {
			x.init = p.initializer()
		}
	}
	return x
}

func (p *parser) anonymous() *initializer {
	in := &initializer{pos: p.tok().pos}
	p.expect("{")
	for !p.accept("}") {
		it := initItem{pos: p.tok().pos}
		if p.tok().kind == tIdent && p.peek(1).kind == tOp && p.peek(1).text == "=" {
			it.name = p.ident()
			p.next()
			it.value = p.expression()
		} else {
			it.value = p.expression()
			switch last := it.value; {
			case last.kind == xName, last.kind == xMember:
				it.name = last.name
			case last.kind == xCond && last.y.kind == xMember:
				it.name = last.y.name
			default:
				p.fail(it.pos, "a member of an anonymous type needs a name: name = value")
			}
		}
		in.items = append(in.items, it)
		if !p.is("}") {
			p.expect(",")
		}
	}
	return in
}

// initializer reads { … } of a collection, an object or an index initialiser, nested ones included.
func (p *parser) initializer() *initializer {
	p.enter()
	defer p.leave()
	in := &initializer{pos: p.tok().pos}
	p.expect("{")
	for !p.accept("}") {
		it := initItem{pos: p.tok().pos}
		switch {
		case p.is("{"):
			p.next()
			for !p.accept("}") {
				if len(it.list) > 0 {
					p.expect(",")
					if p.accept("}") {
						break
					}
				}
				it.list = append(it.list, p.expression())
			}
		case p.is("["):
			p.next()
			it.index = p.args("]")
			p.expect("=")
			p.initValue(&it)
		case p.tok().kind == tIdent && p.peek(1).kind == tOp && p.peek(1).text == "=":
			it.name = p.ident()
			p.next()
			p.initValue(&it)
		default:
			it.value = p.expression()
		}
		in.items = append(in.items, it)
		if !p.is("}") {
			p.expect(",")
		}
	}
	return in
}

func (p *parser) initValue(it *initItem) {
	if p.is("{") {
		it.init = p.initializer()
		return
	}
	it.value = p.expression()
}
