package policy

import (
	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var policyReturnResponse = &Policy{
	Name: "return-response", Category: "Control", Does: "ends the pipeline with an answer of its own",
	Sections: everySection, Body: Listed,
	Nested:  []string{"set-status", "set-header", "set-body", "choose", "include-fragment"},
	Attrs:   []Attribute{attr("response-variable-name").lit()},
	compile: compileReturnResponse,
}

func compileReturnResponse(c *compiler, n *markup.Node) runFunc {
	variable := c.attrText(n, "response-variable-name")
	steps := c.steps(n, c.path)
	return func(s *State) error {
		r := exchange.Response{Status: 200}
		if variable != "" {
			v, ok := s.vars.get(variable)
			o, is := v.(answerer)
			if !ok || !is {
				return failure(500, ReasonExpression, "The variable "+variable+" holds no response.")
			}
			src := o.answer()
			r = exchange.Response{Message: exchange.Message{Header: src.Header.Clone(), Body: src.Body}, Status: src.Status, Reason: src.Reason}
			r.Header.Del("Transfer-Encoding")
		}
		outer := s.hold
		s.hold = &outgoing{response: &r}
		err := s.steps(steps)
		s.hold = outer
		if err != nil {
			return err
		}
		s.resetResponse()
		s.Response = r
		return errResponded
	}
}
