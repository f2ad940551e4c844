package csharp

import (
	"fmt"
	"runtime"
	"sync"
)

// Options say what an expression is compiled against.
type Options struct {
	Library *Library // nil: Core
	Globals []Global
	// Result is what the value is converted to, as C# converts implicitly: Object boxes. Nil leaves the value its own
	// type, which Program.Type tells; where return statements differ it is object.
	Result *Type
}

// Global is a variable that the host gives: its value is Env.Globals at the same place.
type Global struct {
	Name string
	Type *Type
}

// Program is a compiled expression. It may run many times, also at once.
type Program struct {
	lib  *Library
	t    *Type
	main *code
	pool sync.Pool
}

// Compile compiles "@(expression)" or "@{ statements }". The error is of type Errors and lists all that is wrong.
func Compile(src string, o Options) (*Program, error) {
	lib := o.Library
	if lib == nil {
		lib = Core()
	}
	b := &binder{lib: lib, src: src, globals: map[string]global{}}
	for i, g := range o.Globals {
		b.globals[g.Name] = global{i, g.Type}
	}
	x, block := parse(src, &b.errs)
	if len(b.errs) > 0 {
		return nil, b.errs.sorted()
	}
	p := &Program{lib: lib}
	b.compile(p, x, block, o.Result)
	if len(b.errs) > 0 {
		return nil, b.errs.sorted()
	}
	p.lib = b.lib
	for _, s := range b.codes {
		s.c.slots = s.fn.slots
	}
	return p, nil
}

func (b *binder) compile(p *Program, x *expr, block *stmt, result *Type) {
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(tooComplex); !is {
				panic(r)
			}
			b.report(0, "unsupported", "expression", "the expression is too complex to compile; split it")
		}
	}()
	b.captured = captures(x, block)
	fn := &function{ret: result}
	b.fn = fn
	if block != nil && result == nil {
		// What the returns share has to be known before they can convert to it.
		ok := b.speculate(func() { _, result = b.function(fn, nil, nil, x, block, 0, nil) })
		switch {
		case !ok:
			result = nil
		case result == nil || result.Kind == KindNull:
			result = Object
		}
		fn = &function{ret: result}
		b.fn, b.codes, b.anons, b.local, b.lib = fn, nil, nil, nil, p.lib
	}
	c, t := b.function(fn, nil, nil, x, block, 0, result)
	if c == nil || t == nil || t.Kind == KindVoid {
		if len(b.errs) == 0 {
			b.report(0, "type", "return", "the expression gives no value")
		}
		return
	}
	if t.Kind == KindNull {
		t = Object
	}
	p.main, p.t = c, t
}

// Type is the static type of the value that Run gives.
func (p *Program) Type() *Type { return p.t }

// Run evaluates the program. The error is an *Exception or a *LimitError.
func (p *Program) Run(env *Env) (v Value, err error) {
	if env == nil {
		env = &Env{}
	}
	m, _ := p.pool.Get().(*Machine)
	if m == nil {
		m = &Machine{args: make([]Value, 16)}
	}
	m.reset(p, env)
	defer p.finish(m, &err)
	f := m.enter(p.main.slots)
	v = p.main.body(f)
	return v, nil
}

// finish gives the machine back and turns a panic into an error.
func (p *Program) finish(m *Machine, err *error) {
	switch r := recover().(type) {
	case nil:
	case *Exception:
		*err = r
	case *LimitError:
		*err = r
	case runtime.Error:
		// A fault of ours must not take the gateway down; it is an exception like any other.
		*err = &Exception{Name: "System.InvalidOperationException", Msg: fmt.Sprintf("The expression met an internal fault: %v.", r)}
	default:
		panic(r)
	}
	m.clear()
	p.pool.Put(m)
}

// Catch runs f, which may call library functions, and gives what it throws as an error: for hosts that use library
// functions outside of an expression.
func Catch(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Exception:
			err = r
		case *LimitError:
			err = r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// Unbox casts an object to a type as C# does.
func Unbox(l *Library, r any, t *Type) (v Value, err error) {
	err = Catch(func() { v = l.Unbox(r, t) })
	return v, err
}
