package policy

import "tandem/internal/policy/markup"

var policyChoose = &Policy{
	Name: "choose", Category: "Control", Does: "runs the policies of the first condition that holds",
	Sections: everySection,
	Children: []Child{
		{Name: "when", Required: true, Many: true, AnyNest: true, Attrs: []Attribute{need("condition")}},
		{Name: "otherwise", AnyNest: true},
	},
	compile: compileChoose,
}

func compileChoose(c *compiler, n *markup.Node) runFunc {
	type branch struct {
		when  *boolean
		steps []step
	}
	var branches []branch
	elements := n.Elements()
	path := c.path
	for i, e := range elements {
		b := branch{when: &boolean{lit: true}}
		if e.Name == "when" {
			b.when = c.boolean(e, "condition", true)
		} else if i != len(elements)-1 {
			c.report(Error, e.Pos, KindElement, "choose/otherwise", "<otherwise> must be the last element of <choose>")
		}
		b.steps = c.steps(e, childPath(path, elements, i))
		branches = append(branches, b)
	}
	return func(s *State) error {
		for i := range branches {
			ok, err := branches[i].when.get(s)
			if err != nil {
				return err
			}
			if ok {
				return s.steps(branches[i].steps)
			}
		}
		return nil
	}
}

var policyIncludeFragment = &Policy{
	Name: "include-fragment", Category: "Control", Does: "runs the policies of a fragment in its place",
	Sections: everySection,
	Attrs:    []Attribute{need("fragment-id").lit()},
}

var policyBlock = &Policy{
	Name: "block", Category: "Control", Does: "groups policies",
	Sections: everySection, Body: Policies,
	compile: func(c *compiler, n *markup.Node) runFunc {
		steps := c.steps(n, c.path)
		return func(s *State) error { return s.steps(steps) }
	},
}
