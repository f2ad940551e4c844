package policy

import (
	"strings"

	"tandem/internal/policy/markup"
)

var policySetQueryParameter = &Policy{
	Name: "set-query-parameter", Category: "Transformation", Does: "sets, adds to or removes a query parameter",
	Sections: []Section{Inbound, Backend},
	Attrs:    []Attribute{need("name"), attr("exists-action", existsActions...).def("override")},
	Children: []Child{{Name: "value", Many: true, Text: true}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		name, action, values := c.text(n, "name", ""), c.action(n), c.texts(n, "value")
		plain := name.constant() && len(values) == 1 && values[0].constant()
		pair := ""
		if plain {
			pair = escapeQuery(name.lit) + "=" + escapeQuery(values[0].lit)
		}
		return func(s *State) error {
			key, err := name.get(s)
			if err != nil {
				return err
			}
			act, err := action(s)
			if err != nil {
				return err
			}
			if plain && act != remove && lacks(s.Request.URL.Query, key) {
				if s.Request.URL.Query == "" {
					s.Request.URL.Query = pair
				} else {
					s.Request.URL.Query += "&" + pair
				}
				return nil
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

// lacks tells whether a query string surely has no parameter of a name; escapes make it unsure.
func lacks(query, name string) bool {
	if strings.ContainsAny(query, "%+") {
		return false
	}
	for query != "" {
		part, rest, _ := strings.Cut(query, "&")
		if i := strings.IndexByte(part, '='); i >= 0 {
			part = part[:i]
		}
		if strings.EqualFold(part, name) {
			return false
		}
		query = rest
	}
	return true
}
