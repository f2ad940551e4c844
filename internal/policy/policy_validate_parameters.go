package policy

import (
	"strings"

	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var parameterRow = []Child{{Name: "parameter", Many: true, Attrs: []Attribute{need("name"), need("action", validations...)}}}

var policyValidateParameters = &Policy{
	Name: "validate-parameters", Category: "Content validation", Does: "holds headers, query and path against the operation's contract",
	Sections: inboundOnly,
	Attrs:    []Attribute{need("specified-parameter-action", validations...), need("unspecified-parameter-action", validations...), attr("errors-variable-name").lit()},
	Children: []Child{
		{Name: "headers", Attrs: []Attribute{attr("specified-parameter-action", validations...), attr("unspecified-parameter-action", validations...)}, Children: parameterRow},
		{Name: "query", Attrs: []Attribute{attr("specified-parameter-action", validations...), attr("unspecified-parameter-action", validations...)}, Children: parameterRow},
		{Name: "path", Attrs: []Attribute{attr("specified-parameter-action", validations...)}, Children: parameterRow},
	},
	compile: compileValidateParameters,
}

func compileValidateParameters(c *compiler, n *markup.Node) runFunc {
	const specified, unspecified = "specified-parameter-action", "unspecified-parameter-action"
	top := c.actions(n, specified, unspecified, "", nil)
	parts := map[string]*actions{"headers": top, "query": top, "path": top}
	for _, e := range n.Elements() {
		parts[e.Name] = c.actions(e, specified, unspecified, "parameter", top)
	}
	variable := c.attrText(n, "errors-variable-name")
	return func(s *State) error {
		if s.Operation == nil {
			return nil
		}
		f := &faults{variable: variable, status: 400}
		if err := checkHeaders(s, f, parts["headers"], s.Operation.Headers, s.Request.Header, "RequestHeader", true); err != nil {
			return err
		}
		q := parseQuery(s.Original.Query)
		for _, p := range s.Operation.Query {
			act, err := parts["query"].of(s, p.Name, true)
			if err != nil {
				return err
			}
			vs := q.get(p.Name)
			if len(vs) == 0 && p.Required {
				f.add(act, "QueryParameter", p.Name, "RequiredParameter", "The query parameter %s is required.", p.Name)
			}
			for _, v := range vs {
				for _, d := range p.check(v) {
					f.add(act, "QueryParameter", p.Name, "IncorrectParameter", "The query parameter %s is not valid. %s", p.Name, d)
				}
			}
		}
		for _, name := range q.names() {
			if documented(s.Operation.Query, name) {
				continue
			}
			act, err := parts["query"].of(s, name, false)
			if err != nil {
				return err
			}
			f.add(act, "QueryParameter", name, "UnspecifiedParameter", "The query parameter %s is not specified in the API.", name)
		}
		for _, p := range s.Operation.Path {
			act, err := parts["path"].of(s, p.Name, true)
			if err != nil {
				return err
			}
			v, _ := s.matched(p.Name)
			for _, d := range p.check(v) {
				f.add(act, "PathParameter", p.Name, "IncorrectParameter", "The path parameter %s is not valid. %s", p.Name, d)
			}
		}
		return f.finish(s)
	}
}

func documented(ps []Parameter, name string) bool {
	for _, p := range ps {
		if strings.EqualFold(p.Name, name) {
			return true
		}
	}
	return false
}

// checkHeaders holds headers against what is documented.
func checkHeaders(s *State, f *faults, a *actions, ps []Parameter, h exchange.Header, kind string, request bool) error {
	for _, p := range ps {
		act, err := a.of(s, p.Name, true)
		if err != nil {
			return err
		}
		if !h.Has(p.Name) {
			if p.Required {
				f.add(act, kind, p.Name, "RequiredParameter", "The header %s is required.", p.Name)
			}
			continue
		}
		for _, d := range p.check(strings.Join(h.Values(p.Name), ",")) {
			f.add(act, kind, p.Name, "IncorrectParameter", "The header %s is not valid. %s", p.Name, d)
		}
	}
	for _, name := range names(h) {
		if documented(ps, name) {
			continue
		}
		act, err := a.of(s, name, false)
		if err != nil {
			return err
		}
		f.add(act, kind, name, "UnspecifiedParameter", "The header %s is not specified in the API.", name)
	}
	return nil
}

var policyValidateHeaders = &Policy{
	Name: "validate-headers", Category: "Content validation", Does: "holds the answer's headers against the operation's contract",
	Sections: []Section{Outbound, OnError},
	Attrs:    []Attribute{need("specified-header-action", validations...), need("unspecified-header-action", validations...), attr("errors-variable-name").lit()},
	Children: []Child{{Name: "header", Many: true, Attrs: []Attribute{need("name"), need("action", validations...)}}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		a := c.actions(n, "specified-header-action", "unspecified-header-action", "header", nil)
		variable := c.attrText(n, "errors-variable-name")
		return func(s *State) error {
			if s.Operation == nil {
				return nil
			}
			var ps []Parameter
			for _, r := range s.Operation.Responses {
				if r.Status == s.Response.Status {
					ps = r.Headers
				}
			}
			f := &faults{variable: variable, status: 502}
			if err := checkHeaders(s, f, a, ps, s.Response.Header, "ResponseHeader", false); err != nil {
				return err
			}
			return f.finish(s)
		}
	},
}

var policyValidateStatusCode = &Policy{
	Name: "validate-status-code", Category: "Content validation", Does: "holds the answer's status code against the operation's contract",
	Sections: []Section{Outbound, OnError},
	Attrs:    []Attribute{need("unspecified-status-code-action", validations...), attr("errors-variable-name").lit()},
	Children: []Child{{Name: "status-code", Many: true, Attrs: []Attribute{need("code"), need("action", validations...)}}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		unspecified, variable := c.text(n, "unspecified-status-code-action", ""), c.attrText(n, "errors-variable-name")
		own := map[int]*text{}
		for _, e := range n.Elements() {
			own[int(c.integer(e, "code", 0, 100).lit)] = c.text(e, "action", "")
		}
		return func(s *State) error {
			if s.Operation == nil {
				return nil
			}
			for _, r := range s.Operation.Responses {
				if r.Status == s.Response.Status {
					return nil
				}
			}
			t := unspecified
			if o := own[s.Response.Status]; o != nil {
				t = o
			}
			act, err := t.get(s)
			if err != nil {
				return err
			}
			f := &faults{variable: variable, status: 502}
			f.add(act, "StatusCode", "", "UnspecifiedStatusCode", "The status code %d is not specified in the API.", s.Response.Status)
			return f.finish(s)
		}
	},
}
