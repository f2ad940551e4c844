package csharp

import (
	"fmt"
	"slices"
)

// eval computes a bound expression.
type eval func(f *Frame) Value

// bound is an expression after binding: what it denotes, its type, and how to compute it.
type bound struct {
	pos   int
	t     *Type
	ev    eval
	konst bool // val is its value
	val   Value
	lv    *lvalue // when it can be assigned to

	names   *Type // it names a type, not a value
	ns      string
	group   *group // it names methods
	lambda  *expr  // its type comes from the target
	deflt   bool   // default without a type
	text    *concat
	isThrow bool
}

func (x *bound) value() bool {
	return x.names == nil && x.ns == "" && x.group == nil && x.lambda == nil && !x.deflt
}

// lvalue is what can be assigned. Its parts (receiver, indexes) are computed once, also by a compound assignment.
type lvalue struct {
	parts []*bound
	get   func(parts []eval) eval // nil when it cannot be read
	set   func(parts []eval, v eval) eval
}

// group is a set of methods of one name, before overload resolution.
type group struct {
	name    string
	recv    *bound // nil for static methods
	of      *Type  // the type on which they were looked up
	members []found
	types   []*Type // explicit type arguments
	exts    bool    // look for extension methods too
}

// found is a member together with the type arguments of the class that it was found in.
type found struct {
	m     *member
	class []*Type
}

type variable struct {
	name  string
	t     *Type
	slot  int
	cell  bool
	konst *Value
	fn    *function
}

type scope struct {
	outer *scope
	vars  map[string]*variable
	cells []int // slots that get a new cell whenever the block is entered
}

// function is the function being bound: the expression itself, a lambda or a local function.
type function struct {
	outer   *function
	scope   *scope
	slots   int
	ups     []*variable
	ret     *Type    // nil: to be found from the return statements
	returns []*bound // where ret is nil
	loops   int
	final   int // inside of finally
	catch   *variable
}

type global struct {
	index int
	t     *Type
}

type binder struct {
	lib      *Library
	src      string
	errs     Errors
	globals  map[string]global
	fn       *function
	captured map[string]bool
	checked  bool
	hole     []*bound // receivers of the null-conditional chains around
	work     int
	codes    []sized
	anons    []*Type
	breaks   []bool
	invoked  *expr    // the callee being bound: a property of its name does not hide an extension method
	local    *Library // the library with the local functions of this expression
}

// sized is a function whose number of variables is final only when all is bound.
type sized struct {
	c  *code
	fn *function
}

// maxWork bounds the binding of one expression; overloads with nested lambdas could make it exponential.
const maxWork = 200_000

type tooComplex struct{}

func (b *binder) report(at int, kind, name, msg string, args ...any) *bound {
	line, col := position(b.src, at)
	e := Error{at, line, col, kind, name, fmt.Sprintf(msg, args...)}
	if !slices.Contains(b.errs, e) {
		b.errs = append(b.errs, e)
	}
	return b.bad(at)
}

func (b *binder) bad(at int) *bound {
	return &bound{pos: at, t: bad, ev: func(*Frame) Value { return Value{} }}
}

// speculate binds with f and takes back what it reported; ok tells that it reported nothing.
func (b *binder) speculate(f func()) (ok bool) {
	n := len(b.errs)
	saved := slices.Clone(b.errs)
	fn, sc := b.fn, b.fn.scope
	f()
	ok = len(b.errs) == n
	b.errs, b.fn, b.fn.scope = saved, fn, sc
	return ok
}

func (b *binder) open() *scope {
	s := &scope{outer: b.fn.scope, vars: map[string]*variable{}}
	b.fn.scope = s
	return s
}

func (b *binder) close() { b.fn.scope = b.fn.scope.outer }

func (b *binder) temp() int {
	b.fn.slots++
	return b.fn.slots - 1
}

// declare enters a variable in the innermost scope.
func (b *binder) declare(at int, name string, t *Type) *variable {
	for s := b.fn.scope; s != nil; s = s.outer {
		if s.vars[name] != nil {
			b.report(at, "type", name, "a variable named %s is already declared here; give one of them another name", name)
			break
		}
	}
	v := &variable{name: name, t: t, slot: b.temp(), fn: b.fn, cell: b.captured[name]}
	b.fn.scope.vars[name] = v
	if v.cell {
		b.fn.scope.cells = append(b.fn.scope.cells, v.slot)
	}
	return v
}

func (b *binder) lookup(name string) *variable {
	for fn := b.fn; fn != nil; fn = fn.outer {
		for s := fn.scope; s != nil; s = s.outer {
			if v := s.vars[name]; v != nil {
				return v
			}
		}
	}
	return nil
}

// upIndex gives the place of v among the variables that fn captures, and makes the functions between capture it too.
func (fn *function) upIndex(v *variable) int {
	if i := slices.Index(fn.ups, v); i >= 0 {
		return i
	}
	fn.ups = append(fn.ups, v)
	if fn.outer != v.fn {
		fn.outer.upIndex(v)
	}
	return len(fn.ups) - 1
}

// cell gives access to a captured variable's cell.
func (b *binder) cell(v *variable) func(f *Frame) *Value {
	if v.fn == b.fn {
		slot := v.slot
		return func(f *Frame) *Value { return f.l[slot].R.(*Value) }
	}
	i := b.fn.upIndex(v)
	return func(f *Frame) *Value { return f.up[i] }
}

// variable binds the use of a variable.
func (b *binder) variable(at int, v *variable) *bound {
	if v.konst != nil {
		val := *v.konst
		return &bound{pos: at, t: v.t, konst: true, val: val, ev: func(*Frame) Value { return val }}
	}
	x := &bound{pos: at, t: v.t}
	if v.cell || v.fn != b.fn {
		if !v.cell {
			return b.report(at, "unsupported", "captured variable", "the variable %s cannot be captured here", v.name)
		}
		cell := b.cell(v)
		x.ev = func(f *Frame) Value { return *cell(f) }
		x.lv = &lvalue{get: func([]eval) eval { return x.ev }, set: func(_ []eval, val eval) eval {
			return func(f *Frame) Value {
				r := val(f)
				*cell(f) = r
				return r
			}
		}}
		return x
	}
	slot := v.slot
	x.ev = func(f *Frame) Value { return f.l[slot] }
	x.lv = &lvalue{get: func([]eval) eval { return x.ev }, set: func(_ []eval, val eval) eval {
		return func(f *Frame) Value {
			r := val(f)
			f.l[slot] = r
			return r
		}
	}}
	return x
}

// typ resolves a written type, or reports it.
func (b *binder) typ(te *typeExpr) *Type {
	t, err := b.lib.resolve(te, nil, nil)
	if err != nil {
		kind := "type"
		name := te.String()
		if u, ok := err.(unknownType); ok {
			kind, name = "unsupported", string(u)
		}
		b.report(te.pos, kind, name, "%s", err.Error())
		return bad
	}
	return t
}

// constant makes a bound constant.
func constant(at int, t *Type, v Value) *bound {
	return &bound{pos: at, t: t, konst: true, val: v, ev: func(*Frame) Value { return v }}
}

// fold computes an expression of constants at once. What throws (a division by zero) is left for run time.
func fold(x *bound, from ...*bound) (out *bound) {
	for _, c := range from {
		if !c.konst {
			return x
		}
	}
	defer func() {
		if recover() != nil {
			out = x
		}
	}()
	switch x.t.Kind {
	case KindObject, KindNullable, KindBad:
		return x
	}
	return constant(x.pos, x.t, x.ev(nil))
}
