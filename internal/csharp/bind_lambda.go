package csharp

// lambda binds a function with parameters of the given types. ret nil means: find the type of the result, which is given
// back. ev makes the function object; it is nil where the body does not give what ret asks for.
func (b *binder) lambda(l *expr, params []*Type, ret *Type) (ev func(f *Frame) *Func, result *Type) {
	fn := &function{outer: b.fn, ret: ret}
	b.fn = fn
	defer func() { b.fn = fn.outer }()
	if len(params) != len(l.params) {
		return nil, nil
	}
	c, result := b.function(fn, l.params, params, l.x, l.body, l.pos, ret)
	if c == nil {
		return nil, nil
	}
	return b.closure(fn, c), result
}

// function binds the parameters and the body of the current function.
func (b *binder) function(fn *function, names []param, params []*Type, x *expr, body *stmt, at int, ret *Type) (*code, *Type) {
	checked, hole := b.checked, b.hole
	b.hole = nil
	defer func() { b.checked, b.hole = checked, hole }()
	b.open()
	c := &code{params: len(params)}
	for i, p := range names {
		name := p.name
		if name == "" || name == "_" {
			b.temp()
			continue
		}
		v := b.declare(p.pos, name, params[i])
		if v.cell {
			c.cells = append(c.cells, v.slot)
		}
	}
	b.fn.scope.cells = nil // parameters get their cells on entry
	if x != nil {
		y := b.expr(x)
		if y.deflt && ret != nil || y.lambda != nil && ret != nil || y.group != nil && ret != nil {
			y = b.implicit(y, ret)
		}
		t := y.t
		if ret == nil || ret.Kind != KindVoid {
			if !(t.Kind == KindVoid && ret == nil) {
				y = b.mustValue(y)
			}
			if ret != nil {
				y = b.implicit(y, ret)
				t = ret
			}
		}
		cells := b.fn.scope.cells
		b.close()
		c.body = func(f *Frame) Value {
			makeCells(f, cells)
			return y.ev(f)
		}
		b.codes = append(b.codes, sized{c, fn})
		return c, t
	}
	run, ends := b.block(body)
	b.close()
	t := ret
	if ret == nil {
		t = b.returnType(fn)
		if t == nil {
			return nil, nil
		}
	}
	if t.Kind != KindVoid && ends {
		b.report(body.end, "type", "return", "not every path returns a value")
	}
	b.codes = append(b.codes, sized{c, fn})
	if t.Kind == KindVoid {
		c.body = func(f *Frame) Value {
			run(f)
			return Value{}
		}
		return c, t
	}
	c.body = func(f *Frame) Value {
		run(f)
		return f.ret
	}
	return c, t
}

// returnType is the type that the results of return statements share.
func (b *binder) returnType(fn *function) *Type {
	if len(fn.returns) == 0 {
		return Void
	}
	y := fn.returns[0]
	for _, z := range fn.returns[1:] {
		t := b.common(y, z)
		if t == nil {
			return nil
		}
		y = &bound{t: t, ev: nullEval}
	}
	return y.t
}

// closure makes the function object, with the cells of what it captures.
func (b *binder) closure(fn *function, c *code) func(f *Frame) *Func {
	outer := fn.outer
	var from []func(f *Frame) *Value
	saved := b.fn
	b.fn = outer
	for _, v := range fn.ups {
		from = append(from, b.cell(v))
	}
	b.fn = saved
	return func(f *Frame) *Func {
		up := make([]*Value, len(from))
		for i, cell := range from {
			up[i] = cell(f)
		}
		return &Func{code: c, up: up}
	}
}

func makeCells(f *Frame, cells []int) {
	for _, i := range cells {
		f.l[i] = Value{R: &Value{}}
	}
}
