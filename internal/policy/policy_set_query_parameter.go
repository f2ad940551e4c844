package policy

import "tandem/internal/policy/markup"

var policySetQueryParameter = &Policy{
	Name: "set-query-parameter", Category: "Transformation", Does: "sets, adds to or removes a query parameter",
	Sections: []Section{Inbound, Backend},
	Attrs:    []Attribute{need("name"), attr("exists-action", existsActions...).def("override")},
	Children: []Child{{Name: "value", Many: true, Text: true}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		name, action, values := c.text(n, "name", ""), c.action(n), c.texts(n, "value")
		return func(s *State) error {
			key, err := name.get(s)
			if err != nil {
				return err
			}
			act, err := action(s)
			if err != nil {
				return err
			}
			q := parseQuery(s.Request.URL.Query)
			if act == skip && q.has(key) {
				return nil
			}
			if act == remove || act == override {
				q = q.without(key)
			}
			if act != remove {
				vs, err := all(s, values)
				if err != nil {
					return err
				}
				for _, v := range vs {
					q = append(q, Param{key, v})
				}
			}
			s.Request.URL.Query = q.String()
			return nil
		}
	},
}
