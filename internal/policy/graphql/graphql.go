// Package graphql reads GraphQL requests as far as a gateway must know them: which fields are asked for, and how deep.
package graphql

import (
	"fmt"
	"strings"
)

// Query is a parsed request.
type Query struct {
	operations []operation
	fragments  map[string][]field
}

type operation struct {
	kind   string // "query", "mutation" or "subscription"
	fields []field
}

// field is a field, or, where name begins with "...", a spread of a fragment.
type field struct {
	name   string
	fields []field
}

// maxDepth bounds nesting while parsing; maxWalk bounds the fields that are visited when fragments are followed, since
// fragments that spread each other several times grow exponentially.
const (
	maxDepth = 200
	maxWalk  = 100_000
)

type parser struct {
	src string
	i   int
}

// Parse reads a request document (GraphQL specification, section 2).
func Parse(src string) (q *Query, err error) {
	p := &parser{src: src}
	q = &Query{fragments: map[string][]field{}}
	for p.space(); p.i < len(src); p.space() {
		switch word := p.name(); {
		case word == "" && p.src[p.i] == '{':
			fields, err := p.selection(0)
			if err != nil {
				return nil, err
			}
			q.operations = append(q.operations, operation{"query", fields})
		case word == "query" || word == "mutation" || word == "subscription":
			if err := p.until('{'); err != nil {
				return nil, err
			}
			fields, err := p.selection(0)
			if err != nil {
				return nil, err
			}
			q.operations = append(q.operations, operation{word, fields})
		case word == "fragment":
			p.space()
			name := p.name()
			if err := p.until('{'); err != nil {
				return nil, err
			}
			fields, err := p.selection(0)
			if err != nil {
				return nil, err
			}
			q.fragments[name] = fields
		default:
			return nil, p.fail("an operation or a fragment is expected")
		}
	}
	if len(q.operations) == 0 {
		return nil, p.fail("there is no operation")
	}
	return q, nil
}

func (p *parser) fail(msg string) error { return fmt.Errorf("at character %d: %s", p.i+1, msg) }

func (p *parser) space() {
	for p.i < len(p.src) {
		switch c := p.src[p.i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',':
			p.i++
		case c == '#':
			for p.i < len(p.src) && p.src[p.i] != '\n' {
				p.i++
			}
		case strings.HasPrefix(p.src[p.i:], "\ufeff"):
			p.i += 3
		default:
			return
		}
	}
}

func (p *parser) name() string {
	start := p.i
	for p.i < len(p.src) {
		c := p.src[p.i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9' || p.i == start) {
			break
		}
		p.i++
	}
	return p.src[start:p.i]
}

// until skips names, variables, types and directives up to an opening brace.
func (p *parser) until(end byte) error {
	for {
		p.space()
		if p.i >= len(p.src) {
			return p.fail("the document ends inside an operation")
		}
		switch c := p.src[p.i]; c {
		case end:
			return nil
		case '(', '[':
			if err := p.group(0); err != nil {
				return err
			}
		case '}', ')', ']':
			return p.fail("a closing bracket is not expected")
		default:
			p.i++
		}
	}
}

// group skips a bracketed group with strings and further groups in it.
func (p *parser) group(depth int) error {
	if depth > maxDepth {
		return p.fail("brackets are nested too deep")
	}
	closer := map[byte]byte{'(': ')', '[': ']', '{': '}'}[p.src[p.i]]
	p.i++
	for {
		p.space()
		if p.i >= len(p.src) {
			return p.fail("a bracket is not closed")
		}
		switch c := p.src[p.i]; c {
		case closer:
			p.i++
			return nil
		case '(', '[', '{':
			if err := p.group(depth + 1); err != nil {
				return err
			}
		case ')', ']', '}':
			return p.fail("brackets do not match")
		case '"':
			if err := p.str(); err != nil {
				return err
			}
		default:
			p.i++
		}
	}
}

func (p *parser) str() error {
	if strings.HasPrefix(p.src[p.i:], `"""`) {
		end := strings.Index(p.src[p.i+3:], `"""`)
		if end < 0 {
			return p.fail("a string is not closed")
		}
		p.i += end + 6
		return nil
	}
	for p.i++; p.i < len(p.src); p.i++ {
		switch p.src[p.i] {
		case '\\':
			p.i++
		case '"':
			p.i++
			return nil
		case '\n':
			return p.fail("a string is not closed")
		}
	}
	return p.fail("a string is not closed")
}

func (p *parser) selection(depth int) ([]field, error) {
	if depth > maxDepth {
		return nil, p.fail("fields are nested too deep")
	}
	p.i++
	var out []field
	for {
		p.space()
		if p.i >= len(p.src) {
			return nil, p.fail("a brace is not closed")
		}
		if p.src[p.i] == '}' {
			p.i++
			return out, nil
		}
		f, inner, err := p.field()
		if err != nil {
			return nil, err
		}
		if p.space(); p.i < len(p.src) && p.src[p.i] == '{' {
			fields, err := p.selection(depth + 1)
			if err != nil {
				return nil, err
			}
			if inner { // an inline fragment adds no level
				out = append(out, fields...)
				continue
			}
			f.fields = fields
		}
		out = append(out, f)
	}
}

// field reads a field up to its selection. inline tells that it is an inline fragment.
func (p *parser) field() (f field, inline bool, err error) {
	if strings.HasPrefix(p.src[p.i:], "...") {
		p.i += 3
		p.space()
		name := p.name()
		if inline = name == "" || name == "on"; inline && name == "on" {
			p.space()
			p.name()
		}
		return field{name: "..." + name}, inline, p.directives()
	}
	f.name = p.name()
	if f.name == "" {
		return f, false, p.fail("a field is expected")
	}
	if p.space(); p.i < len(p.src) && p.src[p.i] == ':' { // what came was an alias
		p.i++
		p.space()
		if f.name = p.name(); f.name == "" {
			return f, false, p.fail("a field is expected after the alias")
		}
	}
	if p.space(); p.i < len(p.src) && p.src[p.i] == '(' {
		if err := p.group(0); err != nil {
			return f, false, err
		}
	}
	return f, false, p.directives()
}

func (p *parser) directives() error {
	for p.space(); p.i < len(p.src) && p.src[p.i] == '@'; p.space() {
		p.i++
		p.name()
		if p.space(); p.i < len(p.src) && p.src[p.i] == '(' {
			if err := p.group(0); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk visits every field with its path; fragments are followed once on each way down.
func (q *Query) walk(visit func(path []string)) {
	left := maxWalk
	var down func(fields []field, path []string, open []string)
	down = func(fields []field, path []string, open []string) {
		for _, f := range fields {
			if left--; left < 0 {
				return
			}
			if name, spread := strings.CutPrefix(f.name, "..."); spread {
				seen := false
				for _, o := range open {
					seen = seen || o == name
				}
				if !seen {
					down(q.fragments[name], path, append(open[:len(open):len(open)], name))
				}
				continue
			}
			at := append(path[:len(path):len(path)], f.name)
			visit(at)
			down(f.fields, at, open)
		}
	}
	for _, o := range q.operations {
		down(o.fields, []string{strings.ToUpper(o.kind[:1]) + o.kind[1:]}, nil)
	}
}

// Depth is how deep fields are nested.
func (q *Query) Depth() int {
	most := 0
	q.walk(func(p []string) { most = max(most, len(p)-1) })
	return most
}

// TotalDepth is the sum of the depths of all operations' top fields.
func (q *Query) TotalDepth() int {
	deepest, order := map[string]int{}, 0
	q.walk(func(p []string) {
		key := p[0] + "/" + p[1]
		deepest[key] = max(deepest[key], len(p)-1)
	})
	for _, d := range deepest {
		order += d
	}
	return order
}

// Fields is the number of fields asked for.
func (q *Query) Fields() int {
	n := 0
	q.walk(func([]string) { n++ })
	return n
}

// Paths lists the fields as rules name them: "/Query/books/title".
func (q *Query) Paths() []string {
	var out []string
	q.walk(func(p []string) { out = append(out, "/"+strings.Join(p, "/")) })
	return out
}

// Match tells whether a rule's path covers a field: the same path, with "*" for any rest; "/__*" is introspection.
func Match(pattern, path string) bool {
	if pattern == "/__*" {
		return strings.Contains(path, "/__")
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(path+"/", prefix) || strings.HasPrefix(path, prefix)
	}
	return strings.EqualFold(pattern, path)
}
