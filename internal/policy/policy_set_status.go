package policy

import "tandem/internal/policy/markup"

var policySetStatus = &Policy{
	Name: "set-status", Category: "Transformation", Does: "sets the status code and the reason of the answer",
	Sections: everySection,
	Attrs:    []Attribute{need("code"), attr("reason")},
	compile:  compileSetStatus,
}

func compileSetStatus(c *compiler, n *markup.Node) runFunc {
	code, reason, to := c.integer(n, "code", 200, 100), c.text(n, "reason", ""), c.target()
	return func(s *State) error {
		i, err := code.get(s)
		if err != nil {
			return err
		}
		if i < 100 || i > 999 {
			return failure(500, ReasonExpression, "The status code is not between 100 and 999.")
		}
		why, err := reason.get(s)
		if err != nil {
			return err
		}
		r := &s.Response
		if to == onHold {
			r = s.hold.response
		}
		if r != nil {
			r.Status, r.Reason = int(i), cleanHeader(why)
			if r == &s.Response {
				s.noResponse = false
			}
		}
		return nil
	}
}

var policySetMethod = &Policy{
	Name: "set-method", Category: "Transformation", Does: "sets the method of the request",
	Sections: everySection, Body: Content,
	compile: func(c *compiler, n *markup.Node) runFunc {
		method, to := c.content(n), c.target()
		return func(s *State) error {
			m, err := method.get(s)
			if err != nil {
				return err
			}
			if !isToken(m) {
				return failure(500, ReasonExpression, "The method is not an HTTP token.")
			}
			if to == onHold && s.hold.request != nil {
				s.hold.request.Method = m
			} else {
				s.Request.Method = m
			}
			return nil
		}
	},
}

// isToken tells whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '!', c >= '#' && c <= '\'', c == '*', c == '+', c == '-', c == '.', c == '^', c == '_', c == '`', c == '|', c == '~':
		default:
			return false
		}
	}
	return s != ""
}
