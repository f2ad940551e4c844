package dotnet

import (
	"strconv"
	"strings"

	"tandem/internal/csharp"
)

// jsonPath reads the JSONPath of SelectToken: $, names, ['names'], [0], [*], [a,b], [from:to:step], .., *, [?(@.x == 1)].
type jsonPath struct {
	m       *mach
	s       string
	i       int
	root    *JSON
	strict  bool
	current []*JSON
}

func selectTokens(m *mach, j *JSON, path string, strict bool) []*JSON {
	p := &jsonPath{m: m, s: path, root: j, strict: strict, current: []*JSON{j}}
	if strings.HasPrefix(path, "$") {
		p.i = 1
	}
	p.steps()
	if p.i < len(p.s) {
		p.bad("Unexpected character while parsing path: " + p.s[p.i:p.i+1])
	}
	return p.current
}

func (p *jsonPath) bad(msg string) { csharp.Throw("Newtonsoft.Json.JsonException", msg) }

func (p *jsonPath) each(fn func(j *JSON) []*JSON) {
	var out []*JSON
	for _, j := range p.current {
		p.m.Step()
		out = append(out, fn(j)...)
	}
	p.m.Charge(16 * len(out))
	p.current = out
}

func (p *jsonPath) steps() {
	for first := true; p.i < len(p.s); first = false {
		switch c := p.s[p.i]; {
		case strings.HasPrefix(p.s[p.i:], ".."):
			p.i += 2
			p.each(func(j *JSON) []*JSON {
				out := []*JSON{j}
				descend(j, func(k *JSON) {
					if k.kind != jProperty {
						out = append(out, k)
					}
				})
				return out
			})
			strict := p.strict
			p.strict = false
			if p.i < len(p.s) && p.s[p.i] == '[' {
				p.bracket()
			} else {
				p.member()
			}
			p.strict = strict
		case c == '.':
			p.i++
			p.member()
		case c == '[':
			p.bracket()
		case first || p.s[p.i-1] == '$':
			p.member()
		default:
			return
		}
	}
}

func (p *jsonPath) kids(j *JSON) []*JSON {
	if j.kind != jObject {
		return j.kids
	}
	var out []*JSON
	for _, k := range j.kids {
		out = append(out, k.kids[0])
	}
	return out
}

func (p *jsonPath) member() {
	from := p.i
	for p.i < len(p.s) && strings.IndexByte(".[ )=!<>&|,]", p.s[p.i]) < 0 {
		p.i++
	}
	name := p.s[from:p.i]
	switch name {
	case "":
		p.bad("Unexpected end while parsing path.")
	case "*":
		p.each(p.kids)
	default:
		p.each(func(j *JSON) []*JSON { return p.named(j, name) })
	}
}

func (p *jsonPath) named(j *JSON, name string) []*JSON {
	if v := j.Get(name); v != nil {
		return []*JSON{v}
	}
	if p.strict {
		p.bad("Property '" + name + "' does not exist on " + strings.TrimPrefix(j.NetType().String(), "") + ".")
	}
	return nil
}

func (p *jsonPath) space() {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
}

func (p *jsonPath) expect(c byte) {
	p.space()
	if p.i >= len(p.s) || p.s[p.i] != c {
		p.bad("Path ended with open indexer.")
	}
	p.i++
}

func (p *jsonPath) quoted() string {
	q := p.s[p.i]
	var out strings.Builder
	for p.i++; p.i < len(p.s) && p.s[p.i] != q; p.i++ {
		if p.s[p.i] == '\\' && p.i+1 < len(p.s) {
			p.i++
		}
		out.WriteByte(p.s[p.i])
	}
	p.expect(q)
	return out.String()
}

func (p *jsonPath) bracket() {
	p.i++
	p.space()
	if p.i >= len(p.s) {
		p.bad("Path ended with open indexer.")
	}
	switch c := p.s[p.i]; {
	case c == '*':
		p.i++
		p.expect(']')
		p.each(p.kids)
	case c == '\'' || c == '"':
		var names []string
		for {
			p.space()
			names = append(names, p.quoted())
			p.space()
			if p.i >= len(p.s) || p.s[p.i] != ',' {
				break
			}
			p.i++
		}
		p.expect(']')
		p.each(func(j *JSON) []*JSON {
			var out []*JSON
			for _, n := range names {
				out = append(out, p.named(j, n)...)
			}
			return out
		})
	case c == '?':
		p.i++
		p.expect('(')
		from := p.i
		p.condition(nil)
		p.expect(')')
		p.expect(']')
		end := p.i
		p.each(func(j *JSON) []*JSON {
			var out []*JSON
			for _, k := range p.kids(j) {
				p.i = from
				if p.condition(k) {
					out = append(out, k)
				}
			}
			return out
		})
		p.i = end
	default:
		end := strings.IndexByte(p.s[p.i:], ']')
		if end < 0 {
			p.bad("Path ended with open indexer.")
		}
		body := p.s[p.i : p.i+end]
		p.i += end + 1
		p.indexes(body)
	}
}

func (p *jsonPath) number(s string, other int) int {
	s = strings.TrimSpace(s)
	if s == "" {
		return other
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		p.bad("Unexpected character while parsing path indexer: " + s[:1])
	}
	return n
}

func (p *jsonPath) indexes(body string) {
	if parts := strings.Split(body, ":"); len(parts) > 1 {
		step := 1
		if len(parts) > 2 {
			if step = p.number(parts[2], 1); step == 0 {
				p.bad("Step cannot be zero.")
			}
		}
		p.each(func(j *JSON) []*JSON {
			n := len(j.kids)
			from, to := p.number(parts[0], map[bool]int{true: 0, false: n - 1}[step > 0]), p.number(parts[1], map[bool]int{true: n, false: -n - 1}[step > 0])
			if from < 0 {
				from += n
			}
			if to < 0 {
				to += n
			}
			var out []*JSON
			for i := from; (step > 0 && i < to || step < 0 && i > to) && j.kind == jArray; i += step {
				if i >= 0 && i < n {
					out = append(out, j.kids[i])
				} else if i > n || i < -1 {
					break
				}
			}
			return out
		})
		return
	}
	var want []int
	for _, s := range strings.Split(body, ",") {
		want = append(want, p.number(s, 0))
	}
	p.each(func(j *JSON) []*JSON {
		var out []*JSON
		for _, i := range want {
			if j.kind == jArray && i >= 0 && i < len(j.kids) {
				out = append(out, j.kids[i])
			} else if p.strict {
				p.bad("Index " + strconv.Itoa(i) + " outside the bounds of JArray.")
			}
		}
		return out
	})
}

// condition reads a filter; with k nil it only finds its end.
func (p *jsonPath) condition(k *JSON) bool {
	left := p.conjunction(k)
	for p.space(); strings.HasPrefix(p.s[p.i:], "||"); p.space() {
		p.i += 2
		right := p.conjunction(k)
		left = left || right
	}
	return left
}

func (p *jsonPath) conjunction(k *JSON) bool {
	left := p.comparison(k)
	for p.space(); strings.HasPrefix(p.s[p.i:], "&&"); p.space() {
		p.i += 2
		right := p.comparison(k)
		left = left && right
	}
	return left
}

func (p *jsonPath) comparison(k *JSON) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '(' {
		p.i++
		b := p.condition(k)
		p.expect(')')
		return b
	}
	left := p.operand(k)
	p.space()
	for _, op := range []string{"===", "!==", "==", "!=", "<>", "<=", ">=", "=~", "<", ">"} {
		if !strings.HasPrefix(p.s[p.i:], op) {
			continue
		}
		p.i += len(op)
		right := p.operand(k)
		for _, x := range left {
			for _, y := range right {
				if k != nil && compareTokens(op, x, y) {
					return true
				}
			}
		}
		return false
	}
	return len(left) > 0
}

func (p *jsonPath) operand(k *JSON) []*JSON {
	p.space()
	if p.i >= len(p.s) {
		p.bad("Unexpected end while parsing path.")
	}
	switch c := p.s[p.i]; {
	case c == '@' || c == '$':
		p.i++
		at := k
		if c == '$' {
			at = p.root
		}
		sub := &jsonPath{m: p.m, s: p.s, i: p.i, root: p.root}
		if at != nil {
			sub.current = []*JSON{at}
		}
		for sub.i < len(sub.s) && (sub.s[sub.i] == '.' || sub.s[sub.i] == '[') {
			if strings.HasPrefix(sub.s[sub.i:], "..") {
				sub.i++
			}
			if sub.s[sub.i] == '[' {
				sub.bracket()
			} else {
				sub.i++
				sub.member()
			}
		}
		p.i = sub.i
		return sub.current
	case c == '\'' || c == '"':
		return []*JSON{jsonSimple(p.quoted())}
	}
	from := p.i
	for p.i < len(p.s) && strings.IndexByte(" )&|=<>!", p.s[p.i]) < 0 {
		p.i++
	}
	j, err := ParseJSON(p.s[from:p.i])
	if err != nil {
		p.bad("Unexpected character while parsing path query: " + p.s[from:p.i])
	}
	return []*JSON{j}
}

func compareTokens(op string, x, y *JSON) bool {
	if x.container() || y.container() {
		return (op == "==" || op == "===") && deepEquals(x, y) || (op == "!=" || op == "!==") && !deepEquals(x, y)
	}
	numeric := func(j *JSON) bool { return j.kind == jInteger || j.kind == jFloat }
	same := x.kind == y.kind || numeric(x) && numeric(y)
	if !same {
		return op == "!=" || op == "!==" || op == "<>"
	}
	c := x.NetCompare(y)
	switch op {
	case "==", "===":
		return c == 0
	case "!=", "!==", "<>":
		return c != 0
	case "<":
		return c < 0
	case ">":
		return c > 0
	case "<=":
		return c <= 0
	case ">=":
		return c >= 0
	}
	return false
}
