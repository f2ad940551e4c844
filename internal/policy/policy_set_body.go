package policy

import (
	"tandem/internal/policy/markup"
)

var policySetBody = &Policy{
	Name: "set-body", Category: "Transformation", Does: "replaces the body: by text, by an expression's value or by a Liquid template's",
	Sections: []Section{Inbound, Outbound, Backend}, Body: Content,
	Attrs: []Attribute{attr("template", "none", "liquid").lit(), attr("xsi-nil", "blank", "null").lit().def("blank"), attr("parse-date", trueFalse...).lit().def("true"),
		attr("html-decode-expression", trueFalse...).lit()},
	compile: compileSetBody,
}

func compileSetBody(c *compiler, n *markup.Node) runFunc {
	to := c.target()
	make, err := c.bodyText(n)
	if err != "" {
		c.report(Error, n.Pos, KindConstruct, "set-body", "%s", err)
		return nil
	}
	return func(s *State) error {
		b, err := make(s, to)
		if err != nil {
			return err
		}
		to.setBody(s, b)
		return nil
	}
}

// bodyText compiles the content of set-body and its like: literal, expression or Liquid. The string says what is wrong.
func (c *compiler) bodyText(n *markup.Node) (func(*State, target) ([]byte, error), string) {
	v := n.Content()
	if c.attrText(n, "template") == "liquid" && !v.Expr {
		// {{x}} is Liquid's here: only named values that exist are put in.
		v = v.Substitute(c.opts.NamedValue)
		if !v.Expr {
			return c.liquidBody(n, v)
		}
	}
	v = c.value(v)
	if v.Expr {
		t := &text{x: c.expression(v, n.Name), set: true}
		return func(s *State, _ target) ([]byte, error) { return t.bytes(s) }, ""
	}
	lit := []byte(v.Text)
	return func(*State, target) ([]byte, error) { return lit, nil }, ""
}
