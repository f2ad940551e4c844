package template

import (
	"strings"
)

// names are what expressions of one part of a template may use.
type names struct {
	where  place
	params map[string]bool
	vars   map[string]bool // nil: none
}

// expressions checks all expressions of the template: their grammar, the functions and the names in them, and whether they
// may stand there.
func (c *checker) expressions() {
	t := c.t
	n := names{params: map[string]bool{}, vars: map[string]bool{}}
	for _, p := range t.parameters {
		n.params[strings.ToLower(p.name)] = true
	}
	variables := c.section("", t.source, "variables")
	for name, v := range variables {
		if loops, ok := copyLoops(name, v); ok {
			for _, l := range loops {
				n.vars[strings.ToLower(stringOf(l, "name"))] = true
			}
			continue
		}
		n.vars[strings.ToLower(name)] = true
	}
	if t.outer != nil {
		for name := range t.outer.env.params {
			n.params[name] = true
		}
		for name := range t.outer.env.vars.all {
			n.vars[name] = true
		}
	}
	for _, p := range t.parameters {
		c.check(property(p.path, "defaultValue"), p.value, names{where: inDefaults, params: n.params})
	}
	for _, key := range sortedKeys(t.functions) {
		f := t.functions[key]
		own := names{params: map[string]bool{}}
		for _, p := range f.params {
			own.params[strings.ToLower(p.name)] = true
		}
		c.check(f.path, f.output, own)
	}
	c.check("variables", any(variables), n)
	n.where = inResources
	resources, _ := get(t.source, "resources")
	c.check("resources", resources, n)
	c.check("outputs", any(t.outputs), n)
}

// check walks a value. A deployment within it that evaluates its own template is left to itself.
func (c *checker) check(path string, v any, n names) {
	switch v := v.(type) {
	case string:
		if isExpression(v) {
			c.expression(path, v, n)
		}
	case []any:
		for i, item := range v {
			c.check(element(path, i), item, n)
		}
	case map[string]any:
		own := strings.EqualFold(stringOf(v, "type"), deploymentType) && isInner(v)
		for _, name := range sortedKeys(v) {
			at := property(path, name)
			if isExpression(name) {
				c.expression(at, name, n)
			}
			if properties, ok := v[name].(map[string]any); ok && own && strings.EqualFold(name, "properties") {
				for _, part := range sortedKeys(properties) {
					if !strings.EqualFold(part, "template") {
						c.check(property(at, part), properties[part], n)
					}
				}
				continue
			}
			c.check(at, v[name], n)
		}
	}
}

func (c *checker) expression(path, text string, n names) {
	root, err := parseExpression(text)
	if err != nil {
		c.add(path, "%s", err.Error())
		return
	}
	root.walk(func(part *node) {
		if part.call == "" {
			return
		}
		if f := c.t.functions[part.call]; f != nil || c.t.outer != nil && c.t.outer.env.functions[part.call] != nil {
			return
		}
		f, ok := lookup(c.t.builtins, part)
		if !ok {
			c.add(path, "%s", unknownFunction(part.name).Error())
			return
		}
		if err := f.arity(part); err != nil {
			c.add(path, "%s", err.Error())
			return
		}
		switch {
		case f.where == inDefaults && n.where != inDefaults:
			c.add(path, "the function '%s' is only known in the default value of a parameter; give a parameter such a default and use it here", part.name)
		case f.where == inResources && n.where != inResources:
			c.add(path, "the function '%s' asks for resources, which are known only in the sections resources and outputs", part.name)
		}
		c.named(path, part, n)
	})
}

// named checks the name in parameters('…') and variables('…').
func (c *checker) named(path string, part *node, n names) {
	if len(part.args) != 1 {
		return
	}
	name, ok := part.args[0].literal.(string)
	if !ok {
		return
	}
	switch {
	case part.call == "parameters" && !n.params[strings.ToLower(name)]:
		c.add(path, "there is no parameter '%s'; declare it, or correct the name", name)
	case part.call == "variables" && n.vars == nil:
		c.add(path, "variables cannot be used here")
	case part.call == "variables" && !n.vars[strings.ToLower(name)]:
		c.add(path, "there is no variable '%s'; declare it, or correct the name", name)
	}
}
