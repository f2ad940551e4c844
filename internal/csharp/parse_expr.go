package csharp

// expression reads any expression, assignments and lambdas included.
func (p *parser) expression() *expr {
	p.enter()
	defer p.leave()
	if x := p.lambda(); x != nil {
		return x
	}
	if p.is("throw") {
		at := p.next().pos
		return &expr{kind: xThrow, pos: at, x: p.expression()}
	}
	x := p.binary(0)
	if p.is("?") {
		at := p.next().pos
		y := p.expression()
		p.expect(":")
		z := p.expression()
		x = &expr{kind: xTernary, pos: at, x: x, y: y, z: z}
	}
	t := p.tok()
	if t.kind != tOp {
		return x
	}
	switch t.text {
	case "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=":
		p.next()
		return &expr{kind: xAssign, pos: t.pos, name: t.text, x: x, y: p.expression()}
	case "??=":
		p.unsupported(t.pos, "operator ??= (C# 8)")
	case ">":
		if n := p.peek(1); n.kind == tOp && n.text == ">=" && n.pos == t.end {
			p.next()
			p.next()
			return &expr{kind: xAssign, pos: t.pos, name: ">>=", x: x, y: p.expression()}
		}
	}
	return x
}

// lambda reads x => …, (x, y) => … or delegate (…) { … }, or gives nil.
func (p *parser) lambda() *expr {
	l := &expr{kind: xLambda, pos: p.tok().pos}
	switch {
	case p.word("async") && (p.peek(1).kind == tIdent || p.peek(1).text == "("):
		if p.peek(2).text == "=>" || p.peek(1).text == "(" {
			p.unsupported(l.pos, "async lambda")
		}
		return nil
	case p.tok().kind == tIdent && p.peek(1).kind == tOp && p.peek(1).text == "=>":
		l.params = []param{{name: p.tok().text, pos: p.tok().pos}}
		p.next()
	case p.is("delegate"):
		p.next()
		if p.accept("(") {
			l.params = p.params()
		}
		l.body = p.block()
		return l
	case p.is("("):
		if !p.try(func() bool {
			p.next()
			l.params = p.params()
			return p.is("=>")
		}) {
			return nil
		}
	default:
		return nil
	}
	p.expect("=>")
	if p.is("{") {
		l.body = p.block()
	} else {
		l.x = p.expression()
	}
	return l
}

// params reads the parameters of a lambda or a local function, up to and past the closing parenthesis.
func (p *parser) params() []param {
	var out []param
	for !p.accept(")") {
		if len(out) > 0 {
			p.expect(",")
		}
		if p.is("out") || p.is("ref") || p.is("params") {
			p.unsupported(p.tok().pos, p.tok().text+" parameter of a local function")
		}
		pr := param{pos: p.tok().pos}
		if p.tok().kind == tIdent && (p.peek(1).text == "," || p.peek(1).text == ")") && p.peek(1).kind == tOp {
			pr.name = p.next().text
		} else {
			pr.typ = p.typeName()
			pr.name = p.ident()
			if p.is("=") {
				p.unsupported(p.tok().pos, "optional parameter of a local function")
			}
		}
		out = append(out, pr)
	}
	return out
}

var precedence = map[string]int{"??": 1, "||": 2, "&&": 3, "|": 4, "^": 5, "&": 6, "==": 7, "!=": 7, "<": 8, ">": 8, "<=": 8, ">=": 8,
	"is": 8, "as": 8, "<<": 9, ">>": 9, "+": 10, "-": 10, "*": 11, "/": 11, "%": 11}

func (p *parser) binary(min int) *expr {
	x := p.unary()
	for {
		t := p.tok()
		if t.kind != tOp && t.kind != tKeyword {
			return x
		}
		op, wide := t.text, 1
		if op == ">" && p.peek(1).kind == tOp && p.peek(1).pos == t.end {
			switch p.peek(1).text {
			case ">":
				op, wide = ">>", 2
			case ">=":
				return x
			}
		}
		prec := precedence[op]
		if prec == 0 || prec < min {
			return x
		}
		for range wide {
			p.next()
		}
		switch op {
		case "is":
			x = p.isPattern(x, t.pos)
		case "as":
			x = &expr{kind: xAs, pos: t.pos, x: x, typ: p.typeName()}
		case "??":
			p.enter()
			var y *expr
			if p.is("throw") {
				y = p.expression()
			} else {
				y = p.binary(prec) // associates to the right
			}
			p.leave()
			x = &expr{kind: xBinary, pos: t.pos, name: op, x: x, y: y}
		default:
			x = &expr{kind: xBinary, pos: t.pos, name: op, x: x, y: p.binary(prec + 1)}
		}
	}
}

func (p *parser) isPattern(x *expr, at int) *expr {
	out := &expr{kind: xIs, pos: at, x: x}
	if p.word("not") || p.word("var") && p.peek(1).kind == tIdent {
		p.unsupported(at, "pattern "+p.tok().text)
	}
	t := p.tok()
	if t.kind == tKeyword && predefined[t.text] != nil || t.kind == tIdent {
		out.typ = p.typeName()
		if p.tok().kind == tIdent && !p.word("and") && !p.word("or") && !p.word("when") {
			out.name = p.next().text
		}
		return out
	}
	out.y = p.binary(9)
	return out
}

func (p *parser) unary() *expr {
	p.enter()
	defer p.leave()
	t := p.tok()
	if t.kind == tOp {
		switch t.text {
		case "+", "-", "!", "~", "++", "--":
			p.next()
			return &expr{kind: xUnary, pos: t.pos, name: t.text, x: p.unary()}
		case "&", "*":
			p.unsupported(t.pos, "pointer operator")
		case "(":
			if x := p.cast(); x != nil {
				return x
			}
		}
	}
	if p.word("await") && p.peek(1).kind == tIdent {
		p.unsupported(t.pos, "await operator")
	}
	return p.postfix(p.primary())
}

// cast settles (X)y as the C# specification does: it is a cast when X is a predefined type, or when what follows the
// parenthesis can begin an operand but not continue an expression.
func (p *parser) cast() *expr {
	at := p.tok().pos
	var typ *typeExpr
	if !p.try(func() bool {
		p.next()
		typ = p.typeName()
		if !p.accept(")") {
			return false
		}
		if predefined[typ.name] != nil || typ.elem != nil || typ.nullable != nil {
			return true
		}
		n := p.tok()
		switch n.kind {
		case tIdent, tString, tInterp, tNumber, tChar:
			return true
		case tKeyword:
			return n.text != "is" && n.text != "as" && n.text != "in"
		case tOp:
			return n.text == "(" || n.text == "!" || n.text == "~"
		}
		return false
	}) {
		return nil
	}
	return &expr{kind: xCast, pos: at, typ: typ, x: p.unary()}
}

// postfix reads member accesses, calls, indexers and null-conditional chains.
func (p *parser) postfix(x *expr) *expr {
	count := 0
	for {
		if count++; count > 4000 {
			p.fail(p.tok().pos, "the chain of members is too long")
		}
		t := p.tok()
		if t.kind != tOp {
			return x
		}
		switch t.text {
		case ".":
			p.next()
			x = p.memberName(&expr{kind: xMember, pos: p.tok().pos, x: x})
		case "(":
			p.next()
			x = &expr{kind: xCall, pos: x.pos, x: x, args: p.args(")")}
		case "[":
			p.next()
			x = &expr{kind: xIndex, pos: t.pos, x: x, args: p.args("]")}
		case "?.":
			p.next()
			inner := p.memberName(&expr{kind: xMember, pos: p.tok().pos, x: &expr{kind: xHole, pos: t.pos}})
			return p.condChain(x, inner, t.pos)
		case "?":
			if p.peek(1).text != "[" || p.peek(1).kind != tOp || p.peek(1).pos != t.end {
				return x
			}
			p.next()
			p.next()
			inner := &expr{kind: xIndex, pos: t.pos, x: &expr{kind: xHole, pos: t.pos}, args: p.args("]")}
			return p.condChain(x, inner, t.pos)
		case "++", "--":
			p.next()
			x = &expr{kind: xPostfix, pos: t.pos, name: t.text, x: x}
		case "->":
			p.unsupported(t.pos, "pointer member access")
		default:
			return x
		}
	}
}

// condChain hangs the rest of the chain below x?, so that a null receiver skips all of it.
func (p *parser) condChain(x, inner *expr, at int) *expr {
	p.enter()
	defer p.leave()
	return &expr{kind: xCond, pos: at, x: x, y: p.postfix(inner)}
}

func (p *parser) memberName(m *expr) *expr {
	m.name = p.ident()
	m.types = p.callTypes()
	return m
}

// callTypes reads the type arguments of a name, when the < after it begins some by the rule of the C# specification: the
// token after the closing > decides.
func (p *parser) callTypes() []*typeExpr {
	if !p.is("<") {
		return nil
	}
	t := &typeExpr{}
	if p.try(func() bool {
		p.typeArgs(t)
		n := p.tok()
		if n.kind == tEOF {
			return true
		}
		if n.kind != tOp {
			return false
		}
		switch n.text {
		case "(", ")", "]", "}", ":", ";", ",", ".", "?", "==", "!=", "|", "^", "&&", "||", "&", "[", "?.", "=>":
			return true
		}
		return false
	}) {
		return t.args
	}
	return nil
}

func (p *parser) args(closer string) []arg {
	var out []arg
	for !p.accept(closer) {
		if len(out) > 0 {
			p.expect(",")
		}
		var a arg
		if p.tok().kind == tIdent && p.peek(1).kind == tOp && p.peek(1).text == ":" {
			a.name = p.ident()
			p.next()
		}
		if p.is("out") || p.is("ref") || p.is("in") {
			a.mode = p.next().text
			if a.mode == "out" {
				p.try(func() bool { // out T name, out var name
					typ := p.typeName()
					if p.tok().kind != tIdent {
						return false
					}
					a.typ, a.decl = typ, p.next().text
					return true
				})
				if a.decl != "" {
					out = append(out, a)
					continue
				}
			}
		}
		a.x = p.expression()
		out = append(out, a)
	}
	return out
}

func (p *parser) primary() *expr {
	t := p.tok()
	x := &expr{pos: t.pos}
	switch t.kind {
	case tNumber, tChar:
		p.next()
		x.kind, x.val, x.lit = xLiteral, t.num, t.typ
	case tString:
		p.next()
		x.kind, x.val, x.lit = xLiteral, String(t.text), StringT
	case tInterp:
		p.next()
		return p.interp(t)
	case tIdent:
		if t.text == "nameof" && p.peek(1).kind == tOp && p.peek(1).text == "(" {
			p.next()
			p.next()
			y := p.expression()
			p.expect(")")
			x.kind, x.val, x.lit = xLiteral, String(y.name), StringT
			return x
		}
		if t.text == "from" && p.peek(1).kind == tIdent && p.peek(2).kind == tKeyword && p.peek(2).text == "in" {
			p.unsupported(t.pos, "query expression")
		}
		if p.peek(1).kind == tOp && p.peek(1).text == "::" {
			p.next()
			p.next()
			x.pos = p.tok().pos
		}
		x.kind = xName
		return p.memberName(x)
	case tKeyword:
		return p.keyword(t)
	default:
		if t.text != "(" {
			p.fail(t.pos, "expected an expression, found %s", t.describe())
		}
		p.next()
		inner := p.expression()
		if p.is(",") {
			p.unsupported(t.pos, "tuple")
		}
		p.expect(")")
		x.kind, x.x = xParen, inner
	}
	return x
}

func (p *parser) keyword(t *token) *expr {
	x := &expr{pos: t.pos}
	switch t.text {
	case "true", "false":
		p.next()
		x.kind, x.val, x.lit = xLiteral, Boolean(t.text == "true"), Bool
	case "null":
		p.next()
		x.kind, x.lit = xLiteral, null
	case "new":
		p.next()
		return p.creation(x)
	case "default":
		p.next()
		x.kind = xDefault
		if p.accept("(") {
			x.typ = p.typeName()
			p.expect(")")
		}
	case "typeof":
		p.next()
		p.expect("(")
		x.kind, x.typ = xTypeof, p.typeName()
		p.expect(")")
	case "checked", "unchecked":
		p.next()
		p.expect("(")
		x.kind, x.name, x.x = xChecked, t.text, p.expression()
		p.expect(")")
	case "this", "base", "sizeof", "stackalloc":
		p.unsupported(t.pos, t.text+" expression")
	default:
		if predefined[t.text] == nil {
			p.fail(t.pos, "expected an expression, found %s", t.text)
		}
		x.kind = xPredef
		x.typ = &typeExpr{pos: t.pos, name: p.next().text}
	}
	return x
}

func (p *parser) interp(t *token) *expr {
	x := &expr{kind: xInterp, pos: t.pos}
	for _, part := range t.parts {
		if part.hole == nil {
			x.parts = append(x.parts, interpPart{text: part.text})
			continue
		}
		inner := &parser{src: p.src, toks: part.hole, errs: p.errs, depth: p.depth, quiet: p.quiet}
		y := inner.expression()
		if inner.tok().kind != tEOF {
			inner.fail(inner.tok().pos, "expected } after the expression in the hole, found %s", inner.tok().describe())
		}
		x.parts = append(x.parts, interpPart{x: y, format: part.format})
	}
	return x
}
