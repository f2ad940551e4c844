package policy

import "tandem/internal/policy/markup"

var policySetVariable = &Policy{
	Name: "set-variable", Category: "Control", Does: "gives a context variable a value; a literal is a string, an expression keeps its type",
	Sections: everySection,
	Attrs:    []Attribute{need("name").lit(), need("value")},
	compile:  compileSetVariable,
}

func compileSetVariable(c *compiler, n *markup.Node) runFunc {
	name := c.text(n, "name", "")
	value := c.text(n, "value", "")
	if name.constant() && value.constant() {
		var boxed any = value.lit
		return func(s *State) error {
			s.vars.set(name.lit, boxed)
			return nil
		}
	}
	return func(s *State) error {
		key, err := name.get(s)
		if err != nil {
			return err
		}
		boxed, err := value.box(s)
		if err != nil {
			return err
		}
		s.vars.set(key, boxed)
		return nil
	}
}
