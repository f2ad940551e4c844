// Package expr is the expression language of workflow definitions: "@expression", text with "@{expression}" in it, and
// "@@" for a plain at sign. Templates are compiled once, when a definition is saved, so that an unknown function, a wrong
// number of arguments or a bad literal is found then, with its place.
//
// Source: the Workflow Definition Language's schema and function reference of Azure Logic Apps.
package expr

import (
	"fmt"
	"strings"
	"time"

	"tandem"
	"tandem/internal/workflow/value"
)

// Error codes, as the workflow service writes them.
const (
	CodeTemplate   = "InvalidTemplate"            // found when compiled
	CodeEvaluation = "ExpressionEvaluationFailed" // found when evaluated
)

// Error is what is wrong with an expression.
type Error struct {
	Code       string
	Expression string // the template it is in
	Offset     int    // in bytes from the template's start
	Message    string
	Remedy     string
	Err        error
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Message
	if e.Expression != "" {
		s = fmt.Sprintf("at character %d of %q: %s", e.Offset+1, clip(e.Expression), s)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// clip shortens what is quoted in a message.
func clip(s string) string {
	if len(s) <= 120 {
		return s
	}
	return strings.ToValidUTF8(s[:117], "") + "..."
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes every expression error one of kind tandem.Invalid.
func (e *Error) Is(target error) bool { return target == tandem.Invalid }

// Env is what an expression may look at while it is evaluated.
type Env struct {
	Now  func() time.Time
	GUID func() string
	Rand func(n int64) int64 // at least 0, less than n
	// Ref answers the functions that read the workflow: name is one of those of References, args are their values.
	Ref func(name string, args []any) (any, error)
}

// node is one piece of a compiled expression.
type node interface {
	eval(env *Env) (any, error)
}

type literal struct{ v any }

func (l literal) eval(*Env) (any, error) { return l.v, nil }

// Template is one compiled string of a definition.
type Template struct {
	text  string
	parts []part
	whole bool // the value is that of the one expression, not a string
	calls []*call
}

type part struct {
	text string
	node node // nil: text
}

// Text is the template as written.
func (t *Template) Text() string { return t.text }

// Constant tells whether the template holds no expression.
func (t *Template) Constant() bool {
	for _, p := range t.parts {
		if p.node != nil {
			return false
		}
	}
	return true
}

// Call is one use of a function, for checks that a definition makes on what it refers to.
type Call struct {
	Name   string // in the function reference's spelling
	Args   []any  // the values of arguments that are literals; else Dynamic
	Offset int
}

// Dynamic stands in Call.Args for an argument that is known at run time only.
type Dynamic struct{}

// Calls lists all uses of functions, the outer ones after those in their arguments.
func (t *Template) Calls() []Call {
	out := make([]Call, len(t.calls))
	for i, c := range t.calls {
		out[i] = Call{Name: c.fn.name, Offset: c.offset, Args: make([]any, len(c.args))}
		for j, a := range c.args {
			if l, ok := a.(literal); ok {
				out[i].Args[j] = l.v
			} else {
				out[i].Args[j] = Dynamic{}
			}
		}
	}
	return out
}

// Eval gives the template's value.
func (t *Template) Eval(env *Env) (any, error) {
	if t.whole {
		v, err := t.parts[0].node.eval(env)
		return v, t.wrap(err)
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.node == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := p.node.eval(env)
		if err != nil {
			return nil, t.wrap(err)
		}
		b.WriteString(ContentText(v))
	}
	return b.String(), nil
}

func (t *Template) wrap(err error) error {
	if e, ok := err.(*Error); ok && e.Expression == "" {
		e.Expression = t.text
	}
	return err
}

// Compile reads a string of a definition. Errors are *Error with CodeTemplate.
func Compile(text string) (*Template, error) {
	t := &Template{text: text}
	switch {
	case strings.HasPrefix(text, "@@"):
		// The first of two at signs only says that no expression follows; what comes later may still hold one.
		if err := t.interpolate(text[1:], 1); err != nil {
			return nil, t.wrap(err)
		}
		return t, nil
	case strings.HasPrefix(text, "@") && !strings.HasPrefix(text, "@{"):
		p := &parser{t: t, text: text, at: 1}
		n, err := p.expression(0)
		if err == nil {
			p.space()
			if p.at < len(text) {
				err = p.fail(p.at, "nothing may follow the expression's end", `inside other text write it as "@{...}"`)
			}
		}
		if err != nil {
			return nil, t.wrap(err)
		}
		t.parts, t.whole = []part{{node: n}}, true
		return t, nil
	}
	if err := t.interpolate(text, 0); err != nil {
		return nil, t.wrap(err)
	}
	return t, nil
}

// interpolate reads text with @{...} in it; base is where it starts in the template.
func (t *Template) interpolate(text string, base int) error {
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			t.parts = append(t.parts, part{text: plain.String()})
			plain.Reset()
		}
	}
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "@@{"):
			plain.WriteString("@{")
			i += 3
		case base == 1 && i == 0 && strings.HasPrefix(text, "@{"): // the template began with "@@{"
			plain.WriteString("@{")
			i += 2
		case strings.HasPrefix(text[i:], "@{"):
			flush()
			p := &parser{t: t, text: t.text, at: base + i + 2}
			n, err := p.expression(0)
			if err != nil {
				return err
			}
			p.space()
			if p.at >= len(t.text) || t.text[p.at] != '}' {
				return p.fail(p.at, `the expression that began with "@{" does not end here`, `close it with "}"`)
			}
			t.parts = append(t.parts, part{node: n})
			i = p.at + 1 - base
		default:
			plain.WriteByte(text[i])
			i++
		}
	}
	flush()
	return nil
}

// ContentText is a value as it appears in a string: like value.Text, but content of a textual media type is decoded.
func ContentText(v any) string {
	if data, mediaType, ok := Content(v); ok && textual(mediaType) {
		return string(data)
	}
	return value.Text(v)
}
