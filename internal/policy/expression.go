package policy

import (
	"errors"
	"strings"
	"sync"

	"tandem/internal/csharp"
	"tandem/internal/policy/markup"
)

// expr is a compiled expression.
type expr struct {
	prog *csharp.Program
	typ  *csharp.Type
}

// expression compiles v, reporting what is wrong at its place. The result is never nil; after an error it does not run.
func (c *compiler) expression(v markup.Value, name string) *expr {
	c.exprs++
	lib, globals := library()
	prog, err := csharp.Compile(v.Text, csharp.Options{Library: lib, Globals: globals})
	if err == nil {
		return &expr{prog: prog, typ: prog.Type()}
	}
	if c.opts.Presume && v.Substituted {
		if prog := c.presume(v); prog != nil {
			return &expr{prog: prog, typ: prog.Type()}
		}
	}
	var list csharp.Errors
	if !errors.As(err, &list) {
		c.report(Error, v.Pos, KindConstruct, name, "%v", err)
	}
	for _, e := range list {
		kind := KindConstruct
		if e.Kind == "unsupported" && (strings.Contains(e.Name, ".") || strings.Contains(e.Message, "type")) {
			kind = KindMember
		}
		if c.opts.NamedValue != nil && v.Foreign(e.Name, e.Offset) {
			// The message may quote the named value, which may be a secret (law 7).
			c.report(Error, v.At(e.Offset), kind, name, "with the named values put in, the expression does not compile here")
			continue
		}
		c.report(Error, v.At(e.Offset), kind, e.Name, "%s", e.Message)
	}
	return &expr{typ: csharp.Object}
}

// presume tries further stand-ins for named values that are not known: an expression may use one as a condition.
func (c *compiler) presume(v markup.Value) *csharp.Program {
	lib, globals := library()
	for _, stand := range []string{"true", `"x"`, "0.5"} {
		text := strings.ReplaceAll(v.Text, standIn, stand)
		if prog, err := csharp.Compile(text, csharp.Options{Library: lib, Globals: globals}); err == nil {
			return prog
		}
	}
	return nil
}

// run evaluates the expression. The error is a *LastError, as Azure words it.
func (x *expr) run(s *State) (csharp.Value, error) {
	v, err := x.prog.Run(&s.env)
	if err == nil {
		return v, nil
	}
	message := err.Error()
	var ex *csharp.Exception
	if errors.As(err, &ex) {
		message = ex.Message()
	}
	return v, &LastError{Status: 500, Reason: ReasonExpression, Message: "Expression evaluation failed. " + message, Err: err}
}

// wrong is the error of an expression whose value is of a type that its place does not take.
func (x *expr) wrong(want string) error {
	return &LastError{Status: 500, Reason: ReasonExpression,
		Message: "Expression evaluation failed. The value is of type " + x.typ.String() + ", and " + want + " is expected."}
}

// box gives the value as an object: what set-variable stores.
func (t *text) box(s *State) (any, error) {
	if t.x == nil {
		return t.lit, nil
	}
	v, err := t.x.run(s)
	if err != nil {
		return nil, err
	}
	return csharp.Box(v, t.x.typ), nil
}

// bytes gives the value as a body: bytes as they are, anything else as its text in UTF-8.
func (t *text) bytes(s *State) ([]byte, error) {
	boxed, err := t.box(s)
	if err != nil {
		return nil, err
	}
	if a, ok := boxed.(*csharp.Array); ok && a.Elem.Kind == csharp.KindByte {
		return a.Bytes, nil
	}
	return []byte(csharp.ObjectText(boxed)), nil
}

// newEnv makes the environment in which a state's expressions run.
func newEnv(s *State) csharp.Env {
	s.globals[0] = csharp.Ref(s)
	return csharp.Env{Globals: s.globals[:], Clock: s.Host.Clock, Context: s.Context}
}

// library is .NET's with the context's types, made once.
func library() (*csharp.Library, []csharp.Global) {
	l := theLibrary()
	return l.lib, l.globals
}

type contextLibrary struct {
	lib     *csharp.Library
	globals []csharp.Global
}

var theLibrary = sync.OnceValue(func() contextLibrary {
	lib, err := baseLibrary().With(contextTypes()...)
	if err != nil {
		panic("the context's types do not declare: " + err.Error()) // a fault in our own table, seen by every test
	}
	t, err := lib.Type("IProxyRequestContext")
	if err != nil {
		panic("the context's type is not declared: " + err.Error())
	}
	return contextLibrary{lib, []csharp.Global{{Name: "context", Type: t}}}
})

// helper is a small program over one object, by which Go calls the .NET library.
type helper struct {
	once sync.Once
	src  string
	typ  string
	lib  func() *csharp.Library // nil: .NET's alone
	prog *csharp.Program
}

func (h *helper) run(v csharp.Value) (csharp.Value, error) {
	h.once.Do(func() {
		lib := baseLibrary()
		if h.lib != nil {
			lib = h.lib()
		}
		t, err := lib.Type(h.typ)
		if err == nil {
			h.prog, err = csharp.Compile(h.src, csharp.Options{Library: lib, Globals: []csharp.Global{{Name: "it", Type: t}}})
		}
		if err != nil {
			panic("the helper " + h.src + " does not compile: " + err.Error())
		}
	})
	return h.prog.Run(&csharp.Env{Globals: []csharp.Value{v}})
}
