package arm

import (
	"fmt"
	"net/http"
	"strings"
)

// Filter is a parsed $filter: the part of OData that Azure's management APIs use. Comparisons eq, ne, gt, ge, lt, le; and, or,
// not; parentheses; contains, substringof (text sought first), startswith, endswith, tolower, toupper; any(x: ...) over a
// list; other functions by name, which the caller supplies. Text compares without regard to case, as Azure's stores do.
type Filter struct {
	root expr
	text string
}

type expr interface {
	eval(*evaluation) (any, error)
}

type (
	literal struct{ value any } // string, float64, bool, time.Time or nil
	field   struct{ path string }
	logic   struct {
		op          string // "and", "or"
		left, right expr
	}
	negation   struct{ of expr }
	comparison struct {
		op          string
		left, right expr
	}
	callExpr struct {
		name string
		args []expr
	}
	anyExpr struct {
		list, variable string
		of             expr // nil: any() of a list that is not empty
	}
)

const maxFilterDepth = 64
const maxFilterLength = 8 << 10

// ParseFilter reads a filter. The error is an *Error, 400 InvalidFilter, that tells where.
func ParseFilter(text string) (*Filter, error) {
	p := &filterParser{text: text}
	if len(text) > maxFilterLength {
		return nil, p.fail("it is longer than %d characters", maxFilterLength)
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.token.kind != endToken {
		return nil, p.fail("'%s' is not expected there", p.token.text)
	}
	return &Filter{root: root, text: text}, nil
}

type filterParser struct {
	text  string
	at    int // of what follows the token
	start int // of the token
	token token
	anys  int // how many any() are open
}

func (p *filterParser) fail(format string, args ...any) error {
	return Errorf(http.StatusBadRequest, "InvalidFilter", "The $filter '%.200s' is invalid at position %d: %s.", p.text, p.start+1, fmt.Sprintf(format, args...))
}

func (p *filterParser) word(w string) bool {
	return p.token.kind == nameToken && strings.EqualFold(p.token.text, w)
}

func (p *filterParser) or(depth int) (expr, error) {
	return p.joined(depth, "or", func(d int) (expr, error) { return p.joined(d, "and", p.unary) })
}

// joined reads operands with one operator between them, which binds to the left.
func (p *filterParser) joined(depth int, op string, operand func(int) (expr, error)) (expr, error) {
	left, err := operand(depth)
	for n := 0; err == nil && p.word(op); n++ {
		if n >= 500 {
			return nil, p.fail("it joins too many terms")
		}
		if err = p.next(); err != nil {
			return nil, err
		}
		var right expr
		if right, err = operand(depth); err == nil {
			left = logic{op, left, right}
		}
	}
	return left, err
}

func (p *filterParser) unary(depth int) (expr, error) {
	if depth > maxFilterDepth {
		return nil, p.fail("it is nested too deeply")
	}
	if p.word("not") {
		if err := p.next(); err != nil {
			return nil, err
		}
		of, err := p.unary(depth + 1)
		return negation{of}, err
	}
	left, err := p.operand(depth)
	if err != nil {
		return nil, err
	}
	op := strings.ToLower(p.token.text)
	switch op {
	case "eq", "ne", "gt", "ge", "lt", "le":
	default:
		return left, nil
	}
	if p.token.kind != nameToken {
		return left, nil
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	right, err := p.operand(depth)
	return comparison{op, left, right}, err
}

func (p *filterParser) operand(depth int) (expr, error) {
	t := p.token
	switch t.kind {
	case valueToken:
		return literal{t.value}, p.next()
	case openToken:
		if err := p.next(); err != nil {
			return nil, err
		}
		inner, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		return inner, p.expect(closeToken, ")")
	case nameToken:
		if err := p.next(); err != nil {
			return nil, err
		}
		if p.token.kind != openToken {
			return field{t.text}, nil
		}
		if list, ok := cutFold(t.text, "/any"); ok {
			return p.anyOf(list, depth)
		}
		return p.call(t.text, depth)
	case endToken:
		return nil, p.fail("it ends where a value is needed")
	default:
		return nil, p.fail("'%s' is not a value", t.text)
	}
}

func cutFold(s, suffix string) (string, bool) {
	if len(s) > len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix) {
		return s[:len(s)-len(suffix)], true
	}
	return s, false
}

func (p *filterParser) expect(kind tokenKind, what string) error {
	if p.token.kind != kind {
		return p.fail("'%s' is missing", what)
	}
	return p.next()
}

func (p *filterParser) call(name string, depth int) (expr, error) {
	c := callExpr{name: strings.ToLower(name)}
	if err := p.next(); err != nil {
		return nil, err
	}
	for p.token.kind != closeToken {
		if len(c.args) > 0 {
			if err := p.expect(commaToken, ","); err != nil {
				return nil, err
			}
		}
		arg, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, arg)
	}
	if want, known := commonFuncs()[c.name]; known && want != len(c.args) {
		return nil, p.fail("%s takes %d arguments", c.name, want)
	}
	return c, p.next()
}

// anyOf reads (x: condition on x), the opening parenthesis being the token.
func (p *filterParser) anyOf(list string, depth int) (expr, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.token.kind == closeToken {
		return anyExpr{list: list}, p.next()
	}
	if p.token.kind != nameToken {
		return nil, p.fail("any() needs a variable and a colon")
	}
	if p.anys++; p.anys > 2 {
		return nil, p.fail("any() is nested too deeply")
	}
	defer func() { p.anys-- }()
	variable := p.token.text
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.expect(colonToken, ":"); err != nil {
		return nil, err
	}
	of, err := p.or(depth + 1)
	if err != nil {
		return nil, err
	}
	return anyExpr{list, variable, of}, p.expect(closeToken, ")")
}
