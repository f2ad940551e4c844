package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"tandem/internal/workflow/value"
)

// function is one entry of the language's library.
type function struct {
	name     string
	min, max int // number of arguments; max -1: any
	eval     func(a *args) (any, error)
	lazy     bool // eval asks for its arguments itself
	check    func(c *call) error
}

// call is one use of a function.
type call struct {
	fn     *function
	args   []node
	offset int
}

// constant gives an argument's value where it is a literal.
func (c *call) constant(i int) (any, bool) {
	if i >= len(c.args) {
		return nil, false
	}
	l, ok := c.args[i].(literal)
	return l.v, ok
}

func (c *call) eval(env *Env) (any, error) {
	a := &args{env: env, call: c}
	if !c.fn.lazy {
		a.values = make([]any, len(c.args))
		for i, n := range c.args {
			v, err := n.eval(env)
			if err != nil {
				return nil, err
			}
			a.values[i] = v
		}
	}
	v, err := c.fn.eval(a)
	if err == nil {
		err = a.err
	}
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, err
		}
		return nil, &Error{Code: CodeEvaluation, Offset: c.offset, Message: "the function " + c.fn.name + "() failed", Err: err}
	}
	return v, nil
}

// args are the arguments of a call under way. The typed getters remember the first failure, which the call then returns.
type args struct {
	env    *Env
	call   *call
	values []any
	err    error
}

func (a *args) len() int { return len(a.call.args) }

// any gives an argument as it is; one that was left out is null.
func (a *args) any(i int) any {
	if i < len(a.values) {
		return a.values[i]
	}
	return nil
}

func (a *args) wrong(i int, want string) {
	if a.err == nil {
		a.err = fmt.Errorf("argument %d must be %s, not a value of type %s", i+1, want, value.Type(a.any(i)))
	}
}

// text gives an argument that must be a string.
func (a *args) text(i int) string {
	switch v := a.any(i).(type) {
	case string:
		return v
	case *value.Object:
		if data, mediaType, ok := Content(v); ok && textual(mediaType) {
			return string(data)
		}
	}
	a.wrong(i, "a string")
	return ""
}

// textOr gives an optional string.
func (a *args) textOr(i int, other string) string {
	if i >= len(a.values) || a.values[i] == nil {
		return other
	}
	return a.text(i)
}

func (a *args) integer(i int) int64 {
	switch v := a.any(i).(type) {
	case int64:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return int64(v)
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n
		}
	}
	a.wrong(i, "an integer")
	return 0
}

func (a *args) float(i int) float64 {
	v, ok := value.Float(a.any(i))
	if !ok {
		a.wrong(i, "a number")
	}
	return v
}

func (a *args) boolean(i int) bool {
	v, ok := a.any(i).(bool)
	if !ok {
		a.wrong(i, "a Boolean")
	}
	return v
}

func (a *args) array(i int) []any {
	v, ok := a.any(i).([]any)
	if !ok {
		a.wrong(i, "an array")
	}
	return v
}

func (a *args) object(i int) *value.Object {
	v, ok := a.any(i).(*value.Object)
	if !ok {
		a.wrong(i, "an object")
		return value.New()
	}
	return v
}

// lookup finds a function without regard to case.
func lookup(name string) (*function, bool) {
	fn, ok := library()[strings.ToLower(name)]
	return fn, ok
}

// library is the table of all functions by lower-case name. It is built once and only read.
var library = sync.OnceValue(func() map[string]*function {
	out := map[string]*function{}
	for _, group := range [][]function{stringFunctions(), collectionFunctions(), logicalFunctions(), conversionFunctions(),
		mathFunctions(), dateFunctions(), referenceFunctions(), uriFunctions(), objectFunctions(), xmlFunctions()} {
		for _, fn := range group {
			out[strings.ToLower(fn.name)] = &fn
		}
	}
	return out
})

// Functions lists the names of all functions.
func Functions() []string {
	var out []string
	for _, fn := range library() {
		out = append(out, fn.name)
	}
	return out
}

func suggestion(name string) string {
	best, score := "", 3
	for _, fn := range Functions() {
		if d := distance(strings.ToLower(name), strings.ToLower(fn)); d < score || d == score && fn < best {
			best, score = fn, d
		}
	}
	if best == "" {
		return "use a function of the workflow definition language"
	}
	return "did you mean " + best + "()?"
}

// distance counts the edits that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above+1, row[j]+1, diagonal+cost)
			diagonal = above
		}
	}
	return row[len(b)]
}

func parseNumber(text string) (any, bool) {
	if text == "" || len(text) > 400 {
		return nil, false
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, true
	}
	if strings.ContainsAny(text, "xXpP_iIn") {
		return nil, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, false
	}
	return normal(f), true
}

// normal turns a result of arithmetic into a value: floats that are whole print without a point either way.
func normal(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	if _, err := json.Marshal(f); err != nil {
		return nil
	}
	return f
}

// Apply calls a function of the library with values.
func Apply(name string, values ...any) (any, error) {
	fn, ok := lookup(name)
	if !ok {
		return nil, &Error{Code: CodeTemplate, Message: fmt.Sprintf("the function %q is not known", name)}
	}
	c := &call{fn: fn}
	for _, v := range values {
		c.args = append(c.args, literal{v})
	}
	return c.eval(&Env{})
}
