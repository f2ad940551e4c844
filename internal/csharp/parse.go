package csharp

import "fmt"

// parser reads tokens into a tree. It goes on after an error where it can, and gives up at the second one, since what
// follows a syntax error is guesswork.
type parser struct {
	src   string
	toks  []token
	p     int
	errs  *Errors
	depth int
	quiet int // inside speculation
}

// abandon unwinds the parser after a syntax error.
type abandon struct{}

func (p *parser) tok() *token { return &p.toks[p.p] }

func (p *parser) peek(n int) *token { return &p.toks[min(p.p+n, len(p.toks)-1)] }

func (p *parser) next() *token {
	t := &p.toks[p.p]
	if p.p < len(p.toks)-1 {
		p.p++
	}
	return t
}

func (p *parser) is(text string) bool {
	t := p.tok()
	return t.text == text && (t.kind == tOp || t.kind == tKeyword)
}

func (p *parser) word(text string) bool { return p.tok().kind == tIdent && p.tok().text == text }

func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.fail(p.tok().pos, "expected %s, found %s", text, p.tok().describe())
	}
}

func (t *token) describe() string {
	switch t.kind {
	case tEOF:
		return "the end"
	case tString, tInterp:
		return "a string"
	case tNumber:
		return "a number"
	case tChar:
		return "a character"
	}
	return t.text
}

// fail reports a syntax error and unwinds.
func (p *parser) fail(at int, msg string, args ...any) {
	if p.quiet == 0 {
		p.report(at, "syntax", "expression", fmt.Sprintf(msg, args...))
	}
	panic(abandon{})
}

func (p *parser) report(at int, kind, name, msg string) {
	line, col := position(p.src, at)
	*p.errs = append(*p.errs, Error{at, line, col, kind, name, msg})
}

// unsupported reports a construct of C# that is not offered, and unwinds.
func (p *parser) unsupported(at int, name string) {
	if p.quiet == 0 {
		p.report(at, "unsupported", name, "the "+name+" is not supported in policy expressions")
	}
	panic(abandon{})
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.quiet = 0
		p.fail(p.tok().pos, "the expression is nested too deeply")
	}
}

func (p *parser) leave() { p.depth-- }

// try parses with f, and goes back when f fails or gives false.
func (p *parser) try(f func() bool) (ok bool) {
	at, depth, quiet := p.p, p.depth, p.quiet
	p.quiet++
	defer func() {
		p.quiet = quiet
		if r := recover(); r != nil {
			if _, is := r.(abandon); !is {
				panic(r)
			}
			ok = false
		}
		if !ok {
			p.p, p.depth = at, depth
		}
	}()
	return f()
}

func (p *parser) ident() string {
	if p.tok().kind != tIdent {
		p.fail(p.tok().pos, "expected a name, found %s", p.tok().describe())
	}
	return p.next().text
}

var predefined = map[string]*Type{"bool": Bool, "char": CharT, "sbyte": SByte, "byte": Byte, "short": Short, "ushort": UShort,
	"int": IntT, "uint": UInt, "long": LongT, "ulong": ULong, "float": Float, "double": DoubleT, "decimal": DecimalT,
	"string": StringT, "object": Object, "void": Void}

// typeName reads a type. With pattern set a ? is not taken when it looks like the operator of a conditional.
func (p *parser) typeName() *typeExpr {
	p.enter()
	defer p.leave()
	t := &typeExpr{pos: p.tok().pos}
	switch {
	case p.tok().kind == tKeyword && predefined[p.tok().text] != nil:
		t.name = p.next().text
	case p.tok().kind == tIdent:
		t.name = p.next().text
		for {
			if p.is("<") {
				p.typeArgs(t)
			}
			if !p.is(".") && !p.is("::") {
				break
			}
			if t.args != nil {
				p.unsupported(t.pos, "nested generic type")
			}
			if p.next().text == "::" { // global::System
				t.name = p.ident()
				continue
			}
			t.name += "." + p.ident()
		}
	case p.is("("):
		p.unsupported(t.pos, "tuple type")
	default:
		p.fail(t.pos, "expected a type, found %s", p.tok().describe())
	}
	for {
		switch {
		case p.is("?") && !p.ternaryFollows():
			p.next()
			t = &typeExpr{pos: t.pos, nullable: t}
		case p.is("[") && p.peek(1).text == "]" && p.peek(1).kind == tOp:
			p.next()
			p.next()
			t = &typeExpr{pos: t.pos, elem: t}
		case p.is("[") && p.peek(1).text == "," && p.peek(1).kind == tOp:
			p.unsupported(t.pos, "multidimensional array")
		default:
			return t
		}
	}
}

// ternaryFollows tells whether the ? after a type begins a conditional expression: x is T ? a : b.
func (p *parser) ternaryFollows() bool {
	n := p.peek(1)
	switch n.kind {
	case tString, tNumber, tChar, tInterp:
		return true
	case tKeyword:
		return true
	case tIdent: // T? name declares; T ? name : name decides
		m := p.peek(2)
		return m.kind != tEOF && !(m.kind == tOp && (m.text == "=" || m.text == ";" || m.text == "," || m.text == ")" || m.text == "=>") || m.kind == tKeyword && m.text == "in")
	}
	return n.text == "(" || n.text == "-" || n.text == "!" || n.text == "+"
}

func (p *parser) typeArgs(t *typeExpr) {
	p.expect("<")
	for {
		t.args = append(t.args, p.typeName())
		if !p.accept(",") {
			break
		}
	}
	p.expect(">")
}

func (t *typeExpr) String() string {
	switch {
	case t == nil:
		return ""
	case t.elem != nil:
		return t.elem.String() + "[]"
	case t.nullable != nil:
		return t.nullable.String() + "?"
	}
	s := t.name
	for i, a := range t.args {
		if i == 0 {
			s += "<"
		} else {
			s += ", "
		}
		s += a.String()
	}
	if len(t.args) > 0 {
		s += ">"
	}
	return s
}

// parse reads the whole of src: an expression of @( ) or a block of @{ }.
func parse(src string, errs *Errors) (x *expr, block *stmt) {
	end, err := ScanExpression(src, 0)
	if err != nil {
		// A string that is closed wrongly shows better in the lexer's words; say what the scanner found.
		*errs = append(*errs, err.(Errors)...)
		return nil, nil
	}
	for _, c := range src[end:] {
		if c > ' ' {
			line, col := position(src, end)
			*errs = append(*errs, Error{end, line, col, "syntax", "expression", "text follows the end of the expression"})
			return nil, nil
		}
	}
	toks := lex(src, 2, end-1, errs)
	if len(*errs) > 0 {
		return nil, nil
	}
	p := &parser{src: src, toks: toks, errs: errs}
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(abandon); !is {
				panic(r)
			}
			x, block = nil, nil
		}
	}()
	if src[1] == '(' {
		x = p.expression()
		if p.tok().kind != tEOF {
			p.fail(p.tok().pos, "expected the end of the expression, found %s", p.tok().describe())
		}
		return x, nil
	}
	block = &stmt{kind: sBlock, pos: 1, end: end - 1}
	for p.tok().kind != tEOF {
		block.list = append(block.list, p.statement())
	}
	return nil, block
}
