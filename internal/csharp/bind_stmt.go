package csharp

import "sync"

// flow says where control goes after a statement.
type flow uint8

const (
	onward flow = iota
	breaking
	continuing
	returning
)

// exec runs a bound statement.
type exec func(f *Frame) flow

// block binds { … }; ends tells whether its end can be reached.
func (b *binder) block(s *stmt) (run exec, ends bool) {
	b.open()
	defer b.close()
	return b.statements(s.list)
}

// statements binds a list of statements in the scope that is open. Local functions are known in all of it.
func (b *binder) statements(list []*stmt) (exec, bool) {
	b.localFunctions(list)
	var runs []exec
	ends := true
	for _, s := range list {
		if s.kind == sFunc {
			continue
		}
		if run, goesOn := b.stmt(s); true {
			if run != nil {
				runs = append(runs, run)
			}
			ends = ends && goesOn
		}
	}
	for _, s := range list {
		if s.kind == sFunc {
			run := b.localFunction(s)
			runs = append([]exec{run}, runs...)
		}
	}
	sc := b.fn.scope
	return sequence(runs, func() []int { return sc.cells }), ends
}

func sequence(runs []exec, cells func() []int) exec {
	if c := cells(); len(c) > 0 {
		inner := sequence(runs, func() []int { return nil })
		return func(f *Frame) flow {
			makeCells(f, c)
			return inner(f)
		}
	}
	switch len(runs) {
	case 0:
		return func(*Frame) flow { return onward }
	case 1:
		return runs[0]
	case 2:
		p, q := runs[0], runs[1]
		return func(f *Frame) flow {
			if c := p(f); c != onward {
				return c
			}
			return q(f)
		}
	}
	return func(f *Frame) flow {
		for _, run := range runs {
			if c := run(f); c != onward {
				return c
			}
		}
		return onward
	}
}

// localFunctions declares the local functions of a block before its statements are bound.
func (b *binder) localFunctions(list []*stmt) {
	for _, s := range list {
		if s.kind != sFunc {
			continue
		}
		t := &Type{Kind: KindDelegate, Decl: &Decl{Name: s.name, Kind: KindDelegate}}
		info := &typeInfo{decl: t.Decl, self: t, result: b.typ(s.typ)}
		for _, p := range s.params {
			if p.typ == nil {
				b.report(p.pos, "syntax", p.name, "a parameter of a local function needs a type")
				info.invoke = append(info.invoke, bad)
				continue
			}
			info.invoke = append(info.invoke, b.typ(p.typ))
		}
		if b.local == nil {
			own := *b.lib
			own.known = new(sync.Map) // what is local must not stay in the shared one
			own.byDecl = map[*Decl]*typeInfo{}
			for d, i := range b.lib.byDecl {
				own.byDecl[d] = i
			}
			b.local, b.lib = &own, &own
		}
		b.local.byDecl[t.Decl] = info
		b.captured[s.name] = true
		b.declare(s.pos, s.name, t)
	}
}

// localFunction binds the body of a local function and puts it into its variable.
func (b *binder) localFunction(s *stmt) exec {
	v := b.lookup(s.name)
	sig := b.lib.info(v.t).delegate(v.t)
	l := &expr{kind: xLambda, pos: s.pos, params: s.params, x: s.x, body: s.body}
	ev, _ := b.lambda(l, sig.params, sig.ret)
	if ev == nil {
		return func(*Frame) flow { return onward }
	}
	cell, t := b.cell(v), v.t
	return func(f *Frame) flow {
		fn := ev(f)
		fn.T = t
		*cell(f) = Value{R: fn}
		return onward
	}
}

// stmt binds one statement. goesOn tells whether control can reach what follows.
func (b *binder) stmt(s *stmt) (run exec, goesOn bool) {
	if b.work++; b.work > maxWork {
		panic(tooComplex{})
	}
	switch s.kind {
	case sEmpty:
		return nil, true
	case sBlock:
		return b.block(s)
	case sExpr:
		return b.exprStmt(s), true
	case sVar:
		return b.declaration(s), true
	case sIf:
		return b.ifStmt(s)
	case sWhile, sDo, sFor:
		return b.loop(s)
	case sForeach:
		return b.foreach(s), true
	case sSwitch:
		return b.switchStmt(s)
	case sReturn:
		return b.returnStmt(s), false
	case sBreak, sContinue:
		if b.fn.loops == 0 {
			b.report(s.pos, "type", "break", "there is no loop around to break or to continue")
		}
		c := breaking
		if s.kind == sContinue {
			c = continuing
		}
		b.left(c)
		return func(*Frame) flow { return c }, false
	case sThrow:
		return b.throwStmt(s), false
	case sTry:
		return b.tryStmt(s)
	case sUsing:
		return b.usingStmt(s)
	case sChecked:
		defer func(was bool) { b.checked = was }(b.checked)
		b.checked = s.name == "checked"
		return b.block(s.body)
	case sLock:
		b.val(s.x)
		return b.inner(s.body)
	}
	b.report(s.pos, "unsupported", "statement", "this kind of statement is not supported")
	return nil, true
}

// inner binds a statement in a scope of its own: the body of an if or a loop.
func (b *binder) inner(s *stmt) (exec, bool) {
	if s.kind == sVar || s.kind == sFunc {
		b.report(s.pos, "syntax", "declaration", "a declaration cannot stand alone here; put it in { }")
	}
	return b.block(&stmt{kind: sBlock, pos: s.pos, list: []*stmt{s}})
}

func (b *binder) exprStmt(s *stmt) exec {
	switch k := s.x; {
	case k.kind == xCall, k.kind == xAssign, k.kind == xPostfix, k.kind == xNew, k.kind == xCond,
		k.kind == xUnary && (k.name == "++" || k.name == "--"):
	default:
		b.val(s.x)
		b.report(s.pos, "type", "statement", "only calls, assignments, ++, -- and new are statements; this value is not used")
		return nil
	}
	y := b.expr(s.x)
	if y.t.Kind != KindVoid {
		y = b.mustValue(y)
	}
	ev := y.ev
	return func(f *Frame) flow {
		ev(f)
		return onward
	}
}

func (b *binder) declaration(s *stmt) exec {
	var runs []exec
	isVar := s.typ.name == "var" && s.typ.args == nil && b.lib.types["var`0"] == nil
	var t *Type
	if !isVar {
		t = b.typ(s.typ)
	}
	for _, d := range s.decls {
		vt := t
		var val *bound
		switch {
		case d.init != nil:
			if isVar || t.Kind != KindArray {
				if isVar || t.Kind != KindBad {
					b.report(d.pos, "type", d.name, "{ … } alone initialises arrays only; write new T[] { … }")
				}
				vt, val = bad, b.bad(d.pos)
				break
			}
			val = b.arrayOf(d.pos, t.Elem(), d.init, false)
		case d.x != nil && isVar:
			val = b.val(d.x)
			if vt = val.t; vt.Kind == KindNull {
				b.report(d.pos, "type", d.name, "the type of %s is not clear; write it in place of var", d.name)
				vt = bad
			}
		case d.x != nil:
			val = b.implicit(b.expr(d.x), t)
		case isVar:
			b.report(d.pos, "syntax", d.name, "var %s needs a value", d.name)
			vt = bad
		case s.isConst:
			b.report(d.pos, "syntax", d.name, "the constant %s needs a value", d.name)
		}
		v := b.declare(d.pos, d.name, vt)
		if s.isConst && val != nil {
			if val.konst {
				c := val.val
				v.konst = &c
				continue
			}
			b.report(d.pos, "type", d.name, "the value of the constant %s is not a constant", d.name)
		}
		if val == nil {
			val = constant(d.pos, vt, Value{})
		}
		set := b.variable(d.pos, v).lv.set(nil, val.ev)
		runs = append(runs, func(f *Frame) flow {
			set(f)
			return onward
		})
	}
	return sequence(runs, func() []int { return nil })
}

func (b *binder) ifStmt(s *stmt) (exec, bool) {
	c := b.condition(s.x)
	cond := c.ev
	yes, onYes := b.inner(s.body)
	if s.other == nil {
		if c.konst && c.val.N != 0 {
			return yes, onYes
		}
		return func(f *Frame) flow {
			if cond(f).N != 0 {
				return yes(f)
			}
			return onward
		}, true
	}
	no, onNo := b.inner(s.other)
	return func(f *Frame) flow {
		if cond(f).N != 0 {
			return yes(f)
		}
		return no(f)
	}, onYes || onNo
}

func (b *binder) returnStmt(s *stmt) exec {
	fn := b.fn
	if fn.final > 0 {
		b.report(s.pos, "type", "return", "control cannot leave a finally block")
	}
	if s.x == nil {
		if fn.ret != nil && fn.ret.Kind != KindVoid {
			b.report(s.pos, "type", "return", "return needs a value here")
		}
		return func(*Frame) flow { return returning }
	}
	y := b.expr(s.x)
	switch {
	case fn.ret == nil:
		y = b.mustValue(y)
		if y.t.Kind != KindBad {
			fn.returns = append(fn.returns, y)
		}
	case fn.ret.Kind == KindVoid:
		b.report(s.pos, "type", "return", "this function gives no value")
	default:
		y = b.implicit(y, fn.ret)
	}
	ev := y.ev
	return func(f *Frame) flow {
		f.ret = ev(f)
		return returning
	}
}
