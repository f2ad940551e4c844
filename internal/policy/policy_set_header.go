package policy

import (
	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var policySetHeader = &Policy{
	Name: "set-header", Category: "Transformation", Does: "sets, adds to or removes a header",
	Sections: everySection,
	Attrs:    []Attribute{need("name"), attr("exists-action", existsActions...).def("override")},
	Children: []Child{{Name: "value", Many: true, Text: true}},
	compile:  compileSetHeader,
}

// existsAction is what to do when the header or parameter is there.
type existsAction uint8

const (
	override existsAction = iota
	skip
	appendTo
	remove
)

func actionOf(s string) (existsAction, bool) {
	for i, a := range existsActions {
		if a == s {
			return [...]existsAction{override, skip, appendTo, remove}[i], true
		}
	}
	return override, s == ""
}

// action compiles exists-action.
func (c *compiler) action(n *markup.Node) func(*State) (existsAction, error) {
	t := c.text(n, "exists-action", "override")
	if t.constant() {
		a, _ := actionOf(t.lit)
		return func(*State) (existsAction, error) { return a, nil }
	}
	return func(s *State) (existsAction, error) {
		v, err := t.get(s)
		if err != nil {
			return override, err
		}
		a, ok := actionOf(v)
		if !ok {
			return a, failure(500, ReasonExpression, "exists-action must be override, skip, append or delete.")
		}
		return a, nil
	}
}

func compileSetHeader(c *compiler, n *markup.Node) runFunc {
	name, action, values, to := c.text(n, "name", ""), c.action(n), c.texts(n, "value"), c.target()
	return func(s *State) error {
		key, err := name.get(s)
		if err != nil {
			return err
		}
		act, err := action(s)
		if err != nil {
			return err
		}
		h := &to.message(s).Header
		if act == remove {
			h.Del(key)
			return nil
		}
		if act == skip && h.Has(key) {
			return nil
		}
		if len(values) == 1 && act != appendTo {
			v, err := values[0].get(s)
			if err != nil {
				return err
			}
			h.Set(key, cleanHeader(v))
			return nil
		}
		vs, err := all(s, values)
		if err != nil {
			return err
		}
		if act == override {
			h.Del(key)
		}
		for _, v := range vs {
			h.Add(key, cleanHeader(v))
		}
		return nil
	}
}

// cleanHeader keeps a value from ending its line: what follows a line break would be a header of its own.
func cleanHeader(v string) string {
	for i := 0; i < len(v); i++ {
		if v[i] == '\r' || v[i] == '\n' || v[i] == 0 {
			b := []byte(v)
			for k := i; k < len(b); k++ {
				if b[k] == '\r' || b[k] == '\n' || b[k] == 0 {
					b[k] = ' '
				}
			}
			return string(b)
		}
	}
	return v
}

type exchangeURL = exchange.URL
