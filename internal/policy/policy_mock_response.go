package policy

import (
	"strings"

	"tandem/internal/policy/markup"
)

var policyMockResponse = &Policy{
	Name: "mock-response", Category: "Control", Does: "answers with an example of the operation's contract",
	Sections: []Section{Inbound, Outbound, OnError},
	Attrs:    []Attribute{attr("status-code").def("200"), attr("content-type"), attr("enabled", trueFalse...), attr("index")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		status, media, on := c.integer(n, "status-code", 200, 100), c.text(n, "content-type", ""), c.boolean(n, "enabled", true)
		return func(s *State) error {
			if ok, err := on.get(s); err != nil || !ok {
				return err
			}
			code, err := status.get(s)
			if err != nil {
				return err
			}
			want, err := media.get(s)
			if err != nil {
				return err
			}
			s.resetResponse()
			s.Response.Status = int(code)
			if r, ok := s.mock(int(code), want); ok {
				body := r.Example
				if body == "" && r.Schema != nil {
					body, _ = r.Schema.example()
				}
				if r.ContentType != "" {
					s.Response.Header.Add("Content-Type", r.ContentType)
				}
				s.Response.Body = exchangeBytes(body)
			} else if want != "" {
				s.Response.Header.Add("Content-Type", want)
			}
			return errResponded
		}
	},
}

// mock finds the representation of the operation's response: of the wanted content type, or the first.
func (s *State) mock(status int, media string) (Representation, bool) {
	if s.Operation == nil {
		return Representation{}, false
	}
	for _, r := range s.Operation.Responses {
		if r.Status != status {
			continue
		}
		for _, rep := range r.Representations {
			if media == "" || strings.EqualFold(rep.ContentType, media) {
				return rep, true
			}
		}
	}
	return Representation{}, false
}
