package template

import (
	"fmt"
	"maps"
	"strings"
)

// builtin is one function of the template language.
type builtin struct {
	min, max int // how many arguments; max below zero: any number
	where    place
	call     func(a *arguments) (any, error)
	lazy     func(e *env, n *node) (any, error) // evaluates its arguments itself
}

// place says where a function may be used.
type place int

const (
	anywhere    place = iota
	inDefaults        // only in the default value of a parameter
	inResources       // only where resources may be asked: resources and outputs
)

// builtins makes the table of functions, by lower-case name.
func builtins() map[string]builtin {
	t := map[string]builtin{}
	for _, part := range []map[string]builtin{stringFunctions(), encodingFunctions(), sequenceFunctions(), objectFunctions(), logicFunctions(), numberFunctions(),
		dateFunctions(), networkFunctions(), lambdaFunctions(), deploymentFunctions(), resourceFunctions()} {
		maps.Copy(t, part)
	}
	return t
}

// lookup finds a function; every name that begins with "list" is an action of a resource.
func lookup(t map[string]builtin, n *node) (builtin, bool) {
	if f, ok := t[n.call]; ok {
		return f, true
	}
	if strings.HasPrefix(n.call, "list") && len(n.call) > 4 && !strings.Contains(n.call, ".") {
		return builtin{min: 1, max: 3, where: inResources, call: list}, true
	}
	return builtin{}, false
}

func unknownFunction(name string) error {
	return errorAt("", "the function '%s' is not known; correct its name, or replace it: see docs/arm-templates.md for the functions that there are", name)
}

func (f builtin) arity(n *node) error {
	switch got := len(n.args); {
	case got < f.min && f.max == f.min || f.max >= 0 && got > f.max && f.max == f.min:
		return errorAt("", "the function '%s' takes %d arguments, not %d", n.name, f.min, got)
	case got < f.min:
		return errorAt("", "the function '%s' takes at least %d arguments, not %d", n.name, f.min, got)
	case f.max >= 0 && got > f.max:
		return errorAt("", "the function '%s' takes at most %d arguments, not %d", n.name, f.max, got)
	}
	return nil
}

// arguments are those of one call. The first wrong one is kept in err, and the accessors then give zero values.
type arguments struct {
	e    *env
	name string
	v    []any
	err  error
}

func (a *arguments) fail(format string, args ...any) {
	if a.err == nil {
		a.err = errorAt("", "the function '%s': %s", a.name, fmt.Sprintf(format, args...))
	}
}

func (a *arguments) has(i int) bool { return i < len(a.v) }

func (a *arguments) wrong(i int, want string) {
	a.fail("its argument %d must be of type %s, not %s", i+1, want, typeName(a.v[i]))
}

func argument[T any](a *arguments, i int, want string) (out T) {
	if i >= len(a.v) {
		return out
	}
	v, ok := a.v[i].(T)
	if !ok {
		a.wrong(i, want)
	}
	return v
}

func (a *arguments) text(i int) string           { return argument[string](a, i, "string") }
func (a *arguments) integer(i int) int64         { return argument[int64](a, i, "int") }
func (a *arguments) boolean(i int) bool          { return argument[bool](a, i, "bool") }
func (a *arguments) array(i int) []any           { return argument[[]any](a, i, "array") }
func (a *arguments) object(i int) map[string]any { return argument[map[string]any](a, i, "object") }
func (a *arguments) lambda(i int) *lambda        { return argument[*lambda](a, i, "lambda") }

func (a *arguments) texts(from int) (out []string) {
	for i := from; i < len(a.v); i++ {
		out = append(out, a.text(i))
	}
	return out
}
