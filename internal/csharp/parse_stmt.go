package csharp

func (p *parser) block() *stmt {
	s := &stmt{kind: sBlock, pos: p.tok().pos}
	p.expect("{")
	for !p.is("}") {
		if p.tok().kind == tEOF {
			p.fail(s.pos, "the block is not closed by }")
		}
		s.list = append(s.list, p.statement())
	}
	s.end = p.next().pos
	return s
}

func (p *parser) statement() *stmt {
	p.enter()
	defer p.leave()
	t := p.tok()
	s := &stmt{pos: t.pos}
	if t.kind == tOp && t.text == "{" {
		return p.block()
	}
	if t.kind == tOp && t.text == ";" {
		p.next()
		s.kind = sEmpty
		return s
	}
	if t.kind == tKeyword {
		if done := p.keywordStatement(t, s); done {
			return s
		}
	}
	if t.kind == tIdent {
		switch n := p.peek(1); {
		case t.text == "yield" && n.kind == tKeyword:
			p.unsupported(t.pos, "yield statement")
		case t.text == "await" && n.kind == tIdent:
			p.unsupported(t.pos, "await operator")
		case n.kind == tOp && n.text == ":" && p.peek(2).text != ":":
			p.unsupported(t.pos, "label")
		case t.text == "var" && n.kind == tOp && n.text == "(":
			p.unsupported(t.pos, "deconstruction")
		}
	}
	if p.declaration(s) {
		return s
	}
	s.kind, s.x = sExpr, p.expression()
	p.semicolon()
	return s
}

func (p *parser) semicolon() { p.expect(";") }

// declaration reads "T a = x, b;" or a local function into s, when the tokens form one.
func (p *parser) declaration(s *stmt) bool {
	if !p.declares() {
		return false
	}
	s.typ = p.typeName()
	if p.peek(1).kind == tOp && (p.peek(1).text == "(" || p.peek(1).text == "<") {
		s.kind, s.name = sFunc, p.ident()
		if p.is("<") {
			p.unsupported(p.tok().pos, "generic local function")
		}
		p.expect("(")
		s.params = p.params()
		if p.accept("=>") {
			s.x = p.expression()
			p.semicolon()
		} else {
			s.body = p.block()
		}
		return true
	}
	p.declarators(s)
	p.semicolon()
	return true
}

// declares looks ahead for a type and then a name.
func (p *parser) declares() bool {
	ok := false
	at := p.p
	p.try(func() bool {
		p.typeName()
		n := p.peek(1)
		ok = p.tok().kind == tIdent && (n.kind == tOp && (n.text == "=" || n.text == ";" || n.text == "," || n.text == "(" || n.text == "<" || n.text == ")") || n.kind == tKeyword && n.text == "in")
		return false
	})
	p.p = at
	return ok
}

func (p *parser) declarators(s *stmt) {
	s.kind = sVar
	for {
		d := declarator{pos: p.tok().pos, name: p.ident()}
		if p.accept("=") {
			switch {
			case p.is("{"):
				d.init = p.initializer()
			case p.is("ref"):
				p.unsupported(p.tok().pos, "ref local")
			default:
				d.x = p.expression()
			}
		}
		s.decls = append(s.decls, d)
		if !p.accept(",") {
			return
		}
	}
}

// keywordStatement reads a statement that begins with a keyword; false when it is an expression or a declaration.
func (p *parser) keywordStatement(t *token, s *stmt) bool {
	switch t.text {
	case "if":
		p.next()
		s.kind, s.x = sIf, p.paren()
		s.body = p.statement()
		if p.accept("else") {
			s.other = p.statement()
		}
	case "while":
		p.next()
		s.kind, s.x = sWhile, p.paren()
		s.body = p.statement()
	case "do":
		p.next()
		s.kind, s.body = sDo, p.statement()
		p.expect("while")
		s.x = p.paren()
		p.semicolon()
	case "for":
		p.next()
		p.forLoop(s)
	case "foreach":
		p.next()
		p.expect("(")
		if p.is("(") || p.word("var") && p.peek(1).text == "(" {
			p.unsupported(p.tok().pos, "deconstruction")
		}
		s.kind, s.typ, s.name = sForeach, p.typeName(), p.ident()
		p.expect("in")
		s.x = p.expression()
		p.expect(")")
		s.body = p.statement()
	case "switch":
		p.next()
		p.switchStatement(s)
	case "return":
		p.next()
		s.kind = sReturn
		if !p.is(";") {
			s.x = p.expression()
		}
		p.semicolon()
	case "break":
		p.next()
		s.kind = sBreak
		p.semicolon()
	case "continue":
		p.next()
		s.kind = sContinue
		p.semicolon()
	case "throw":
		p.next()
		s.kind = sThrow
		if !p.is(";") {
			s.x = p.expression()
		}
		p.semicolon()
	case "try":
		p.next()
		p.tryStatement(s)
	case "using":
		p.next()
		p.usingStatement(s)
	case "const":
		p.next()
		s.isConst = true
		s.typ = p.typeName()
		p.declarators(s)
		p.semicolon()
	case "checked", "unchecked":
		if p.peek(1).text != "{" {
			return false
		}
		p.next()
		s.kind, s.name, s.body = sChecked, t.text, p.block()
	case "lock":
		p.next()
		s.kind, s.x = sLock, p.paren()
		s.body = p.statement()
	case "static": // a static local function is C# 8, and means the same
		p.unsupported(t.pos, "static local function (C# 8)")
	case "goto", "unsafe", "fixed":
		p.unsupported(t.pos, t.text+" statement")
	case "class", "struct", "interface", "enum":
		p.unsupported(t.pos, t.text+" declaration")
	default:
		return false
	}
	return true
}

func (p *parser) paren() *expr {
	p.expect("(")
	x := p.expression()
	p.expect(")")
	return x
}

func (p *parser) forLoop(s *stmt) {
	s.kind = sFor
	p.expect("(")
	if !p.is(";") {
		if p.declares() {
			d := &stmt{pos: p.tok().pos, typ: p.typeName()}
			p.declarators(d)
			s.list = append(s.list, d)
		} else {
			for {
				s.list = append(s.list, &stmt{kind: sExpr, pos: p.tok().pos, x: p.expression()})
				if !p.accept(",") {
					break
				}
			}
		}
	}
	p.expect(";")
	if !p.is(";") {
		s.x = p.expression()
	}
	p.expect(";")
	for !p.is(")") {
		s.post = append(s.post, p.expression())
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	s.body = p.statement()
}

func (p *parser) switchStatement(s *stmt) {
	s.kind, s.x = sSwitch, p.paren()
	p.expect("{")
	for !p.accept("}") {
		c := switchCase{pos: p.tok().pos}
		for p.is("case") || p.is("default") {
			l := caseLabel{pos: p.tok().pos}
			if p.next().text == "default" {
				l.deflt = true
			} else if p.typePattern() {
				l.typ, l.name = p.typeName(), p.ident()
			} else {
				l.value = p.expression()
			}
			if p.word("when") {
				p.next()
				l.when = p.expression()
			}
			p.expect(":")
			c.labels = append(c.labels, l)
		}
		if len(c.labels) == 0 {
			p.fail(p.tok().pos, "expected case or default, found %s", p.tok().describe())
		}
		for !p.is("case") && !p.is("default") && !p.is("}") {
			c.body = append(c.body, p.statement())
		}
		s.cases = append(s.cases, c)
	}
}

// typePattern looks ahead for "T name" in a case label.
func (p *parser) typePattern() bool {
	ok, at := false, p.p
	p.try(func() bool {
		p.typeName()
		ok = p.tok().kind == tIdent && !p.word("when")
		return false
	})
	p.p = at
	return ok
}

func (p *parser) tryStatement(s *stmt) {
	s.kind, s.body = sTry, p.block()
	for p.is("catch") {
		c := catchClause{pos: p.next().pos}
		if p.accept("(") {
			c.typ = p.typeName()
			if p.tok().kind == tIdent {
				c.name = p.ident()
			}
			p.expect(")")
		}
		if p.word("when") {
			p.next()
			c.when = p.paren()
		}
		c.body = p.block()
		s.catches = append(s.catches, c)
	}
	if p.accept("finally") {
		s.finally = p.block()
	}
	if len(s.catches) == 0 && s.finally == nil {
		p.fail(p.tok().pos, "expected catch or finally, found %s", p.tok().describe())
	}
}

func (p *parser) usingStatement(s *stmt) {
	s.kind = sUsing
	if !p.is("(") {
		p.unsupported(s.pos, "using declaration (C# 8)")
	}
	p.expect("(")
	if p.declares() {
		d := &stmt{pos: p.tok().pos, typ: p.typeName()}
		p.declarators(d)
		s.list = append(s.list, d)
	} else {
		s.x = p.expression()
	}
	p.expect(")")
	s.body = p.statement()
}
