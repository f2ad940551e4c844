package policy

import (
	"bytes"
	"strings"

	"tandem/internal/policy/markup"
)

var policyFindAndReplace = &Policy{
	Name: "find-and-replace", Category: "Transformation", Does: "replaces a text in the body",
	Sections: everySection,
	Attrs:    []Attribute{need("from"), need("to")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		from, to, on := c.text(n, "from", ""), c.text(n, "to", ""), c.target()
		return func(s *State) error {
			v, err := all(s, []*text{from, to})
			if err != nil || v[0] == "" {
				return err
			}
			b, err := s.readBody(on.message(s))
			if err != nil {
				return err
			}
			if bytes.Contains(b, []byte(v[0])) {
				on.setBody(s, bytes.ReplaceAll(b, []byte(v[0]), []byte(v[1])))
			}
			return nil
		}
	},
}

var policyRedirectContentURLs = &Policy{
	Name: "redirect-content-urls", Category: "Transformation", Does: "replaces the other side's URLs in the body: the backend's by the gateway's in answers",
	Sections: []Section{Inbound, Outbound},
	compile: func(c *compiler, n *markup.Node) runFunc {
		to := c.target()
		return func(s *State) error {
			m := to.message(s)
			front := s.Original
			front.Path, front.Query = "", ""
			if s.API != nil && s.API.Path != "" {
				front.Path = "/" + strings.Trim(s.API.Path, "/")
			}
			back := s.Base
			back.Query = ""
			from, with := strings.TrimRight(back.String(), "/"), front.String()
			if to.of(s) == onRequest {
				from, with = with, from
			}
			if back.Host == "" || front.Host == "" {
				return nil
			}
			for i := range m.Header {
				if f := &m.Header[i]; strings.EqualFold(f.Name, "Location") || strings.EqualFold(f.Name, "Content-Location") {
					f.Value = replaceURL(f.Value, from, with)
				}
			}
			b, err := s.readBody(m)
			if err != nil {
				return err
			}
			if out := replaceURL(string(b), from, with); out != string(b) {
				to.setBody(s, []byte(out))
			}
			return nil
		}
	},
}

// replaceURL replaces from, and from without its scheme after an escaped one ("http:\/\/"), wherever it stands as a
// whole: not where the host or the path segment goes on.
func replaceURL(s, from, with string) string {
	var b strings.Builder
	for {
		i := indexFold(s, from)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		end := i + len(from)
		b.WriteString(s[:i])
		if end < len(s) && (isTokenByte(s[end]) || s[end] == ':') {
			b.WriteString(s[i:end])
		} else {
			b.WriteString(with)
		}
		s = s[end:]
	}
}

func isTokenByte(c byte) bool {
	return c == '-' || c == '.' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func indexFold(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}

var policyJSONP = &Policy{
	Name: "jsonp", Category: "Cross-domain", Does: "wraps a JSON answer into a call of the client's function",
	Sections: []Section{Outbound},
	Attrs:    []Attribute{need("callback-parameter-name")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		name := c.text(n, "callback-parameter-name", "callback")
		return func(s *State) error {
			param, err := name.get(s)
			if err != nil {
				return err
			}
			vs := parseQuery(s.Original.Query).get(param)
			if len(vs) == 0 || !isJSON(mediaType(s.Response.Header)) {
				return nil
			}
			if !isIdentifierPath(vs[0]) {
				return failure(400, ReasonJSONP, "Value of callback parameter "+param+" is not a valid JavaScript identifier.")
			}
			b, err := s.readBody(&s.Response.Message)
			if err != nil {
				return err
			}
			onResponse.setBody(s, []byte(vs[0]+"("+string(b)+")"))
			s.Response.Header.Set("Content-Type", "application/javascript")
			return nil
		}
	},
}

// isIdentifierPath tells whether s is JavaScript names joined by dots.
func isIdentifierPath(s string) bool {
	for _, part := range strings.Split(s, ".") {
		if part == "" {
			return false
		}
		for i, r := range part {
			letter := r == '_' || r == '$' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r > 0x7f
			if !letter && (i == 0 || r < '0' || r > '9') {
				return false
			}
		}
	}
	return true
}

var policyXSLTransform = &Policy{
	Name: "xsl-transform", Category: "Transformation", Does: "transforms the body by an XSL style sheet",
	Sections: []Section{Inbound, Outbound}, Body: Content,
	Refused: "Tandem has no XSLT processor; use set-body with a Liquid template or an expression",
	Children: []Child{{Name: "parameter", Many: true, Text: true, Attrs: []Attribute{need("parameter-name")}},
		{Name: "xsl:stylesheet", Text: true}, {Name: "xsl:transform", Text: true}},
}
