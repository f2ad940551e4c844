package template

import (
	"strconv"
	"strings"
)

// maxExpression is the longest expression, Azure's limit.
const maxExpression = 24576

// node is a part of an expression. One of the groups of fields is set.
type node struct {
	literal any // string or int64; where none of the others is set

	call string // lower-case name of a function, "namespace.name" for user functions
	name string // as it was written
	args []*node

	base  *node // of member and index
	field string
	index *node
}

// isExpression says whether a string is one: [ … ] that is not escaped.
func isExpression(s string) bool {
	return len(s) > 1 && s[0] == '[' && s[len(s)-1] == ']' && s[1] != '['
}

// unescape gives the text that a string stands for that is no expression.
func unescape(s string) string {
	if strings.HasPrefix(s, "[[") && strings.HasSuffix(s, "]") {
		return s[1:]
	}
	return s
}

// parseExpression reads the text between the brackets.
func parseExpression(s string) (*node, error) {
	if len(s) > maxExpression {
		return nil, errorAt("", "the expression is longer than %d characters", maxExpression)
	}
	p := &syntax{text: s[1 : len(s)-1]}
	n, err := p.expression(0)
	if err == nil {
		if p.space(); p.at < len(p.text) {
			err = p.bad("%q is not expected there", p.text[p.at:p.at+1])
		}
	}
	return n, err
}

type syntax struct {
	text string
	at   int
}

func (p *syntax) bad(format string, args ...any) error {
	e := errorAt("", format, args...)
	e.Message = "the expression [" + shorten(p.text) + "] cannot be read at position " + strconv.Itoa(p.at+1) + ": " + e.Message
	return e
}

func shorten(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

func (p *syntax) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// peek gives the next byte that is no space, zero at the end.
func (p *syntax) peek() byte {
	if p.space(); p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *syntax) expression(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, p.bad("it is nested deeper than %d levels", maxDepth)
	}
	n, err := p.primary(depth)
	for err == nil {
		switch p.peek() {
		case '.':
			p.at++
			p.space()
			name := p.identifier()
			if name == "" {
				return nil, p.bad("a property name is expected after the dot")
			}
			n = &node{base: n, field: name}
		case '[':
			p.at++
			var index *node
			if index, err = p.expression(depth + 1); err != nil {
				return nil, err
			}
			if p.peek() != ']' {
				return nil, p.bad("] is expected")
			}
			p.at++
			n = &node{base: n, index: index}
		default:
			return n, nil
		}
		if depth++; depth > maxDepth {
			return nil, p.bad("it is nested deeper than %d levels", maxDepth)
		}
	}
	return nil, err
}

func (p *syntax) primary(depth int) (*node, error) {
	switch c := p.peek(); {
	case c == '\'':
		return p.quoted()
	case c == '-' || c >= '0' && c <= '9':
		start := p.at
		p.at++
		for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
			p.at++
		}
		i, err := strconv.ParseInt(p.text[start:p.at], 10, 64)
		if err != nil {
			p.at = start
			return nil, p.bad("an integer is expected")
		}
		return &node{literal: i}, nil
	}
	name := p.identifier()
	if name == "" {
		return nil, p.bad("a function, a string in '…' or an integer is expected")
	}
	if p.peek() == '.' { // namespace.function
		p.at++
		p.space()
		name += "." + p.identifier()
	}
	if p.peek() != '(' {
		return nil, p.bad("( is expected after the function name %q", name)
	}
	p.at++
	n := &node{call: strings.ToLower(name), name: name}
	for p.peek() != ')' {
		arg, err := p.expression(depth + 1)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
		if c := p.peek(); c == ',' {
			p.at++
			if p.peek() == ')' {
				return nil, p.bad("an argument is expected after the comma")
			}
		} else if c != ')' {
			return nil, p.bad("a comma or ) is expected in the arguments of %q", name)
		}
	}
	p.at++
	return n, nil
}

func (p *syntax) identifier() string {
	start := p.at
	for p.at < len(p.text) && (isNameByte(p.text[p.at]) || p.text[p.at] == '$') {
		p.at++
	}
	if id := p.text[start:p.at]; id != "" && (id[0] < '0' || id[0] > '9') {
		return id
	}
	p.at = start
	return ""
}

// quoted reads a string; a quote in it is doubled.
func (p *syntax) quoted() (*node, error) {
	start := p.at
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		if c != '\'' {
			b.WriteByte(c)
			continue
		}
		if p.at == len(p.text) || p.text[p.at] != '\'' {
			return &node{literal: b.String()}, nil
		}
		b.WriteByte('\'')
		p.at++
	}
	p.at = start
	return nil, p.bad("the string has no end")
}

// walk calls f for every part.
func (n *node) walk(f func(*node)) {
	f(n)
	for _, a := range n.args {
		a.walk(f)
	}
	if n.base != nil {
		n.base.walk(f)
	}
	if n.index != nil {
		n.index.walk(f)
	}
}
