package policy

import (
	"math"
	"strconv"
	"strings"
	"time"

	"tandem/internal/csharp"
	"tandem/internal/policy/markup"
)

// text is a value that is a string when the policy runs: a literal or an expression.
type text struct {
	lit  string
	x    *expr
	set  bool // it was written
	node markup.Value
}

// constant tells whether the value is the same for every request.
func (t *text) constant() bool { return t.x == nil }

// get gives the string; an expression's null is "".
func (t *text) get(s *State) (string, error) {
	if t.x == nil {
		return t.lit, nil
	}
	v, err := t.x.run(s)
	if err != nil {
		return "", err
	}
	if t.x.typ.Kind == csharp.KindString {
		return v.S, nil
	}
	return csharp.Text(v, t.x.typ), nil
}

// boolean is a value that is true or false when the policy runs.
type boolean struct {
	lit bool
	x   *expr
}

func (b *boolean) get(s *State) (bool, error) {
	if b.x == nil {
		return b.lit, nil
	}
	v, err := b.x.run(s)
	if err != nil {
		return false, err
	}
	if b.x.typ.Kind == csharp.KindBool {
		return v.N != 0, nil
	}
	switch r := csharp.Box(v, b.x.typ).(type) {
	case bool:
		return r, nil
	case string:
		if strings.EqualFold(strings.TrimSpace(r), "true") {
			return true, nil
		}
		if strings.EqualFold(strings.TrimSpace(r), "false") {
			return false, nil
		}
	}
	return false, b.x.wrong("a bool")
}

// integer is a value that is a whole number when the policy runs.
type integer struct {
	lit int64
	x   *expr
	set bool
}

func (n *integer) get(s *State) (int64, error) {
	if n.x == nil {
		return n.lit, nil
	}
	v, err := n.x.run(s)
	if err != nil {
		return 0, err
	}
	switch r := csharp.Box(v, n.x.typ).(type) {
	case int32:
		return int64(r), nil
	case int64:
		return r, nil
	case uint32:
		return int64(r), nil
	case int16:
		return int64(r), nil
	case uint8:
		return int64(r), nil
	case float64:
		return int64(math.RoundToEven(r)), nil
	case string:
		if i, err := strconv.ParseInt(strings.TrimSpace(r), 10, 64); err == nil {
			return i, nil
		}
	}
	return 0, n.x.wrong("a whole number")
}

// standIn stands for named values that are not known when a document is checked by itself.
const standIn = "1"

// value puts named values in. When a document is checked by itself, a name that nobody knows is given a stand-in in
// expressions, where it would not be C# otherwise.
func (c *compiler) value(v markup.Value) markup.Value {
	v = v.Substitute(c.opts.NamedValue)
	if c.opts.Presume && v.Form != markup.Raw {
		return v.Substitute(func(string) (string, bool) { return standIn, true })
	}
	return v
}

// text compiles an attribute; absent gives def.
func (c *compiler) text(n *markup.Node, name, def string) *text {
	a, ok := n.Attr(name)
	if !ok {
		return &text{lit: def}
	}
	return c.textOf(c.value(a.Value), n.Name+"/"+name)
}

// content compiles the text of an element, without white space around it.
func (c *compiler) content(n *markup.Node) *text {
	t := c.textOf(c.value(n.Content()), n.Name)
	if t.x == nil {
		t.lit = strings.TrimSpace(t.lit)
	}
	return t
}

func (c *compiler) textOf(v markup.Value, name string) *text {
	if v.Expr {
		return &text{x: c.expression(v, name), set: true, node: v}
	}
	c.unknownNames(v, name)
	return &text{lit: v.Text, set: true, node: v}
}

// unknownNames warns of {{name}} in a literal for which there is no named value: Azure refuses such a document.
func (c *compiler) unknownNames(v markup.Value, name string) {
	if c.opts.Presume || v.Form == markup.Raw {
		return
	}
	v.NamedValues(func(nv string, at markup.Pos) {
		c.report(Warning, at, KindNamedValue, nv, "%s mentions {{%s}}, but there is no such named value; it stays as it is", name, nv)
	})
}

// attrText gives an attribute that must be literal.
func (c *compiler) attrText(n *markup.Node, name string) string {
	a, ok := n.Attr(name)
	if !ok {
		return ""
	}
	v := c.value(a.Value)
	if v.Expr {
		c.report(Error, a.Pos, KindAttribute, n.Name+"/"+name, "%s of %s takes no expression", name, n.Name)
		return ""
	}
	c.unknownNames(v, n.Name+"/"+name)
	return v.Text
}

// boolean compiles an attribute that is true or false.
func (c *compiler) boolean(n *markup.Node, name string, def bool) *boolean {
	a, ok := n.Attr(name)
	if !ok {
		return &boolean{lit: def}
	}
	v := c.value(a.Value)
	if v.Expr {
		return &boolean{x: c.expression(v, n.Name+"/"+name)}
	}
	switch lit := strings.TrimSpace(v.Text); {
	case strings.EqualFold(lit, "true"), lit == "1":
		return &boolean{lit: true}
	case strings.EqualFold(lit, "false"), lit == "0":
		return &boolean{lit: false}
	case c.presumed(v):
	default:
		c.report(Error, v.Pos, KindAttribute, n.Name+"/"+name, "%s of %s must be true or false", name, n.Name)
	}
	return &boolean{lit: def}
}

// integer compiles an attribute that is a whole number of at least least.
func (c *compiler) integer(n *markup.Node, name string, def, least int64) *integer {
	a, ok := n.Attr(name)
	if !ok {
		return &integer{lit: def}
	}
	v := c.value(a.Value)
	if v.Expr {
		return &integer{x: c.expression(v, n.Name+"/"+name), set: true}
	}
	i, err := strconv.ParseInt(strings.TrimSpace(v.Text), 10, 64)
	if err != nil || i < least {
		if !c.presumed(v) {
			c.report(Error, v.Pos, KindAttribute, n.Name+"/"+name, "%s of %s must be a whole number of at least %d", name, n.Name, least)
		}
		i = max(def, least)
	}
	return &integer{lit: i, set: true}
}

// seconds compiles an attribute in seconds.
func (n *integer) seconds(s *State) (time.Duration, error) {
	i, err := n.get(s)
	return time.Duration(min(max(i, 0), math.MaxInt64/int64(time.Second))) * time.Second, err
}

// number compiles an attribute that is a number.
func (c *compiler) number(n *markup.Node, name string, def float64) *text {
	t := c.text(n, name, strconv.FormatFloat(def, 'g', -1, 64))
	if t.constant() {
		if _, err := strconv.ParseFloat(strings.TrimSpace(t.lit), 64); err != nil && !c.presumed(t.node) {
			c.report(Error, t.node.Pos, KindAttribute, n.Name+"/"+name, "%s of %s must be a number", name, n.Name)
		}
	}
	return t
}

// float gives a text as a number.
func (t *text) float(s *State) (float64, error) {
	v, err := t.get(s)
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil {
		return 0, failure(500, ReasonExpression, "The value is not a number.")
	}
	return f, nil
}

// texts compiles the content of each child element of a name.
func (c *compiler) texts(n *markup.Node, name string) []*text {
	var out []*text
	for _, e := range n.Elements() {
		if e.Name == name {
			out = append(out, c.content(e))
		}
	}
	return out
}

// list compiles <outer><inner>text</inner>...</outer>.
func (c *compiler) list(n *markup.Node, outer, inner string) []*text {
	if e := element(n, outer); e != nil {
		return c.texts(e, inner)
	}
	return nil
}

// element gives the first child element of a name, or nil.
func element(n *markup.Node, name string) *markup.Node {
	for _, e := range n.Children {
		if e.Kind == markup.Element && e.Name == name {
			return e
		}
	}
	return nil
}

// all evaluates each of ts.
func all(s *State, ts []*text) ([]string, error) {
	out := make([]string, len(ts))
	for i, t := range ts {
		v, err := t.get(s)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}
