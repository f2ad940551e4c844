package expr

import (
	"fmt"
	"strings"

	"tandem/internal/workflow/value"
)

// maxDepth is how deep calls and indexes may nest.
const maxDepth = 100

// parser reads one expression out of a template. The grammar:
//
//	expression = primary { [ "?" ] ( "[" expression "]" | "." name ) }
//	primary    = literal | name "(" [ expression { "," expression } ] ")"
//	literal    = 'text' with two quotes for one | number | true | false | null
type parser struct {
	t    *Template
	text string
	at   int
}

func (p *parser) fail(at int, message, remedy string) *Error {
	return &Error{Code: CodeTemplate, Offset: at, Message: message, Remedy: remedy}
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) peek() byte {
	p.space()
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) expression(depth int) (node, error) {
	if depth > maxDepth {
		return nil, p.fail(p.at, fmt.Sprintf("the expression nests deeper than %d", maxDepth), "split it with Compose actions")
	}
	n, err := p.primary(depth)
	if err != nil {
		return nil, err
	}
	for count := 0; ; count++ {
		if count > maxDepth {
			return nil, p.fail(p.at, "too many properties are selected one after another", "split the expression with Compose actions")
		}
		start, safe := p.at, false
		if p.peek() == '?' {
			p.at++
			safe = true
		}
		switch p.peek() {
		case '[':
			p.at++
			key, err := p.expression(depth + 1)
			if err != nil {
				return nil, err
			}
			if p.peek() != ']' {
				return nil, p.fail(p.at, "the square bracket is not closed", `write "]" after the property's name or index`)
			}
			p.at++
			n = &index{base: n, key: key, safe: safe, offset: start}
		case '.':
			p.at++
			name := p.name()
			if name == "" {
				return nil, p.fail(p.at, "a property's name must follow the point", "names with other characters go in ['...']")
			}
			n = &index{base: n, key: literal{name}, safe: safe, offset: start}
		default:
			if safe {
				return nil, p.fail(start, `"?" must be followed by "[" or "."`, "write ?['name'] for a property that may be absent")
			}
			p.at = start
			return n, nil
		}
	}
}

func letter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80 }
func digit(c byte) bool  { return '0' <= c && c <= '9' }

func (p *parser) name() string {
	p.space()
	start := p.at
	for p.at < len(p.text) && (letter(p.text[p.at]) || p.at > start && digit(p.text[p.at])) {
		p.at++
	}
	return p.text[start:p.at]
}

func (p *parser) primary(depth int) (node, error) {
	c := p.peek()
	start := p.at
	switch {
	case c == '\'':
		return p.quoted()
	case digit(c) || c == '-' || c == '+' || c == '.':
		return p.number()
	case letter(c):
		name := p.name()
		if p.peek() == '(' {
			return p.call(name, start, depth)
		}
		switch strings.ToLower(name) {
		case "true":
			return literal{true}, nil
		case "false":
			return literal{false}, nil
		case "null":
			return literal{nil}, nil
		}
		return nil, p.fail(start, fmt.Sprintf("%q is neither a function call nor a literal", name), "write text in single quotes, or () after a function's name")
	case c == 0:
		return nil, p.fail(p.at, "an expression is missing", `write a function call or a literal; for a plain at sign write "@@"`)
	case c == '"':
		return nil, p.fail(p.at, "text in an expression stands in single quotes", "replace the double quotes by single ones")
	}
	return nil, p.fail(p.at, fmt.Sprintf("the character %q is not expected", rune(c)), "an expression is a function call or a literal")
}

func (p *parser) quoted() (node, error) {
	start := p.at
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		if p.text[p.at] != '\'' {
			b.WriteByte(p.text[p.at])
			continue
		}
		if p.at+1 < len(p.text) && p.text[p.at+1] == '\'' {
			p.at++
			b.WriteByte('\'')
			continue
		}
		p.at++
		return literal{b.String()}, nil
	}
	return nil, p.fail(start, "the quoted text does not end", "close it with a single quote; a quote inside it is written twice")
}

func (p *parser) number() (node, error) {
	start := p.at
	for p.at < len(p.text) && (digit(p.text[p.at]) || strings.IndexByte("+-.eE", p.text[p.at]) >= 0) {
		p.at++
	}
	text := strings.TrimPrefix(p.text[start:p.at], "+")
	v, ok := parseNumber(text)
	if !ok {
		return nil, p.fail(start, fmt.Sprintf("%q is not a number", text), "write it like 12 or -0.5")
	}
	return literal{v}, nil
}

func (p *parser) call(name string, start, depth int) (node, error) {
	fn, ok := lookup(name)
	if !ok {
		return nil, p.fail(start, fmt.Sprintf("the function %q is not known", name), suggestion(name))
	}
	c := &call{fn: fn, offset: start}
	p.at++ // the opening parenthesis
	if p.peek() == ')' {
		p.at++
	} else {
		for {
			a, err := p.expression(depth + 1)
			if err != nil {
				return nil, err
			}
			c.args = append(c.args, a)
			next := p.peek()
			p.at++
			if next == ')' {
				break
			}
			if next != ',' {
				return nil, p.fail(p.at-1, fmt.Sprintf("the arguments of %s() do not end here", fn.name), `separate them by "," and close them with ")"`)
			}
		}
	}
	if n := len(c.args); n < fn.min || fn.max >= 0 && n > fn.max {
		return nil, p.fail(start, fmt.Sprintf("%s() takes %s, not %d", fn.name, arity(fn), n), "correct the arguments")
	}
	if fn.check != nil {
		if err := fn.check(c); err != nil {
			return nil, &Error{Code: CodeTemplate, Offset: start, Message: "in " + fn.name + "()", Err: err}
		}
	}
	p.t.calls = append(p.t.calls, c)
	return c, nil
}

func arity(fn *function) string {
	switch {
	case fn.max < 0:
		return fmt.Sprintf("at least %d argument(s)", fn.min)
	case fn.min == fn.max:
		return fmt.Sprintf("%d argument(s)", fn.min)
	}
	return fmt.Sprintf("%d to %d arguments", fn.min, fn.max)
}

// index selects a property or an element.
type index struct {
	base, key node
	safe      bool
	offset    int
}

func (x *index) eval(env *Env) (any, error) {
	base, err := x.base.eval(env)
	if err != nil {
		return nil, err
	}
	if base == nil && x.safe {
		return nil, nil
	}
	key, err := x.key.eval(env)
	if err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) error {
		return &Error{Code: CodeEvaluation, Offset: x.offset, Message: fmt.Sprintf(format, args...), Remedy: "check the name, or write ?[...] where it may be absent"}
	}
	switch base := base.(type) {
	case *value.Object:
		name, ok := key.(string)
		if !ok {
			return nil, fail("a property of an object is selected by its name, not by a value of type %s", value.Type(key))
		}
		v, ok := base.Get(name)
		if !ok && !x.safe {
			return nil, fail("the property %q does not exist; available are %q", name, base.Keys())
		}
		return v, nil
	case []any:
		i, ok := key.(int64)
		if !ok {
			return nil, fail("an element of an array is selected by its index, not by a value of type %s", value.Type(key))
		}
		if i < 0 || i >= int64(len(base)) {
			if x.safe {
				return nil, nil
			}
			return nil, fail("the index %d is outside of the array of %d", i, len(base))
		}
		return base[i], nil
	}
	return nil, fail("a property cannot be selected from a value of type %s", value.Type(base))
}
