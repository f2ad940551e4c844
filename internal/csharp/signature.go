package csharp

import (
	"fmt"
	"slices"
)

// head is a parsed TypeDef.Decl.
type head struct {
	kind   Kind
	static bool
	extend bool
	flags  bool
	name   string
	params []string
	bases  []*typeExpr
	result *typeExpr // of a delegate
	sig    []param
}

// declare runs f over the tokens of src and gives its syntax error.
func parseText(src string, f func(p *parser)) (err error) {
	var errs Errors
	p := &parser{src: src, toks: lex(src, 0, len(src), &errs), errs: &errs}
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(abandon); !is {
				panic(r)
			}
		}
		if len(errs) > 0 {
			err = errs
		}
	}()
	if len(errs) == 0 {
		f(p)
		if p.tok().kind != tEOF {
			p.fail(p.tok().pos, "expected the end, found %s", p.tok().describe())
		}
	}
	return nil
}

func parseTypeName(src string) (te *typeExpr, err error) {
	err = parseText(src, func(p *parser) { te = p.typeName() })
	return te, err
}

func parseHead(d TypeDef) (*head, error) {
	h := &head{kind: KindClass}
	err := parseText(d.Decl, func(p *parser) {
		if p.word("extend") {
			p.next()
			h.extend = true
			te := p.typeName()
			h.name = te.name
			if t := predefined[te.name]; t != nil {
				h.name = t.Decl.Name
			}
			for _, a := range te.args {
				h.params = append(h.params, a.name)
			}
			p.bases(h)
			return
		}
		h.static = p.accept("static")
		if p.word("flags") {
			p.next()
			h.flags = true
		}
		switch t := p.next(); t.text {
		case "class":
			if h.static {
				h.kind = KindStatic
			}
		case "struct":
			h.kind = KindStruct
		case "interface":
			h.kind = KindInterface
		case "enum":
			h.kind = KindEnum
		case "delegate":
			h.kind = KindDelegate
			h.result = p.typeName()
		default:
			p.fail(t.pos, "expected class, struct, interface, enum or delegate")
		}
		h.name = p.ident()
		h.params = p.typeParams()
		if h.kind == KindDelegate {
			p.expect("(")
			h.sig = p.params()
		}
		p.bases(h)
	})
	return h, err
}

func (p *parser) bases(h *head) {
	if !p.accept(":") {
		return
	}
	for {
		h.bases = append(h.bases, p.typeName())
		if !p.accept(",") {
			break
		}
	}
}

func (p *parser) typeParams() []string {
	var out []string
	if p.accept("<") {
		for {
			out = append(out, p.ident())
			if !p.accept(",") {
				break
			}
		}
		p.expect(">")
	}
	return out
}

// member parses m's signature and enters it in the table of info.
func (l *Library) member(info *typeInfo, def Member) error {
	m := &member{owner: info, def: def}
	var resolveErr error
	var method []string
	resolve := func(te *typeExpr) *Type {
		t, err := l.resolve(te, info.decl.Params, method)
		if err != nil && resolveErr == nil {
			resolveErr = err
		}
		if t == nil {
			return bad
		}
		return t
	}
	err := parseText(def.Sig, func(p *parser) {
		m.static = p.accept("static") || info.static
		switch {
		case p.is("new"):
			p.next()
			m.kind, m.static, m.ret = mConstructor, true, info.self
			p.expect("(")
			l.parameters(p, m, ")", resolve)
			return
		case p.is("implicit"), p.is("explicit"):
			m.kind = mImplicit
			if p.next().text == "explicit" {
				m.kind = mExplicit
			}
			m.static, m.ret = true, resolve(p.typeName())
			p.expect("(")
			l.parameters(p, m, ")", resolve)
			return
		case p.is("operator"):
			p.next()
			m.kind, m.static, m.ret = mOperator, true, resolve(p.typeName())
			m.name = p.next().text
			p.expect("(")
			l.parameters(p, m, ")", resolve)
			return
		}
		// A method's own type parameters are named after the return type, so look ahead for them.
		at := p.p
		p.typeName()
		if p.tok().kind == tIdent {
			p.next()
			method = p.typeParams()
		}
		p.p = at
		m.ret = resolve(p.typeName())
		if p.accept("this") {
			m.kind = mIndexer
			p.expect("[")
			l.parameters(p, m, "]", resolve)
			return
		}
		m.name = p.ident()
		m.tnames = p.typeParams()
		if p.accept("(") {
			m.kind = mMethod
			l.parameters(p, m, ")", resolve)
		}
	})
	switch {
	case err != nil:
		return err
	case resolveErr != nil:
		return resolveErr
	case def.Fn == nil && def.Make == nil:
		return fmt.Errorf("it has no body")
	}
	l.enter(info, m)
	return nil
}

func (l *Library) parameters(p *parser, m *member, closer string, resolve func(*typeExpr) *Type) {
	for !p.accept(closer) {
		if len(m.params) > 0 {
			p.expect(",")
		}
		var pr parameter
		switch {
		case p.accept("this"):
			m.ext = true
		case p.accept("params"):
			pr.params = true
		case p.is("out"), p.is("ref"):
			pr.mode = p.next().text
		}
		pr.t = resolve(p.typeName())
		pr.name = p.ident()
		if p.accept("=") {
			pr.optional = true
			x := p.expression()
			switch {
			case x.kind == xLiteral:
				pr.def = x.val
				if x.lit.Kind == KindInt && (pr.t.Kind == KindDouble || pr.t.Kind == KindFloat) {
					pr.def = Double(float64(int64(x.val.N)))
				}
			case x.kind == xUnary && x.name == "-" && x.x.kind == xLiteral:
				pr.def = Long(-int64(x.x.val.N))
			case x.kind == xDefault:
			case x.kind == xName && pr.t.Kind == KindEnum:
				n, ok := l.info(pr.t).values[x.name]
				if !ok {
					p.fail(x.pos, "%s is not a member of %s", x.name, pr.t)
				}
				pr.def = Long(n)
			default:
				p.fail(x.pos, "a default is a literal, default, or the name of an enum's member")
			}
		}
		m.params = append(m.params, pr)
	}
}

func (l *Library) enter(info *typeInfo, m *member) {
	switch m.kind {
	case mProperty, mMethod:
		if info.members == nil {
			info.members = map[string][]*member{}
		}
		info.members[m.name] = append(slices.Clip(info.members[m.name]), m)
		if m.ext {
			l.extensions[m.name] = append(slices.Clip(l.extensions[m.name]), m)
		}
	case mOperator:
		if info.operators == nil {
			info.operators = map[string][]*member{}
		}
		info.operators[m.name] = append(slices.Clip(info.operators[m.name]), m)
	default:
		if info.special == nil {
			info.special = map[memberKind][]*member{}
		}
		info.special[m.kind] = append(slices.Clip(info.special[m.kind]), m)
	}
}
