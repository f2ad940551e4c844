package policy

import (
	"strings"

	"tandem/internal/policy/convert"
	"tandem/internal/policy/markup"
)

var policyXMLToJSON = &Policy{
	Name: "xml-to-json", Category: "Transformation", Does: "converts an XML body into JSON",
	Sections: []Section{Inbound, Outbound, OnError},
	Attrs: []Attribute{need("kind", "javascript-friendly", "direct"), need("apply", "always", "content-type-xml"), attr("consider-accept-header", trueFalse...).def("true"),
		attr("always-array-child-elements", trueFalse...).def("false"), attr("preserve-whitespace-nodes", trueFalse...), attr("empty-values", "preserve", "as-null"),
		attr("trim-values", trueFalse...)},
	compile: func(c *compiler, n *markup.Node) runFunc {
		kind, apply, accept := c.text(n, "kind", "direct"), c.text(n, "apply", "always"), c.boolean(n, "consider-accept-header", true)
		arrays, space, trim := c.boolean(n, "always-array-child-elements", false), c.boolean(n, "preserve-whitespace-nodes", false), c.boolean(n, "trim-values", false)
		empty, to := c.text(n, "empty-values", "preserve"), c.target()
		return func(s *State) error {
			v, err := all(s, []*text{kind, apply, empty})
			if err != nil {
				return err
			}
			o := convert.XMLOptions{Friendly: v[0] == "javascript-friendly", EmptyNull: v[2] == "as-null"}
			for b, into := range map[*boolean]*bool{arrays: &o.Arrays, space: &o.Whitespace, trim: &o.Trim} {
				if *into, err = b.get(s); err != nil {
					return err
				}
			}
			go_, err := s.converts(to, accept, v[1] == "always", isXML, "json")
			if err != nil || !go_ {
				return err
			}
			return s.convert(to, "application/json", func(b []byte) ([]byte, error) { return convert.XMLToJSON(b, o) })
		}
	},
}

var policyJSONToXML = &Policy{
	Name: "json-to-xml", Category: "Transformation", Does: "converts a JSON body into XML",
	Sections: []Section{Inbound, Outbound, OnError},
	Attrs: []Attribute{need("apply", "always", "content-type-json"), attr("consider-accept-header", trueFalse...).def("true"), attr("parse-date", trueFalse...).def("true"),
		attr("attribute-block-name"), attr("attribute-prefix"), attr("namespace-block-name"), attr("namespace-separator").def(":"), attr("namespace-prefix").def("xmlns"),
		attr("invalid-character-replacement"), attr("trim-values", trueFalse...)},
	compile: func(c *compiler, n *markup.Node) runFunc {
		apply, accept, dates, trim := c.text(n, "apply", "always"), c.boolean(n, "consider-accept-header", true), c.boolean(n, "parse-date", true), c.boolean(n, "trim-values", false)
		names := []*text{apply}
		for _, a := range []string{"attribute-block-name", "attribute-prefix", "namespace-block-name", "namespace-separator", "namespace-prefix", "invalid-character-replacement"} {
			names = append(names, c.text(n, a, ""))
		}
		to := c.target()
		return func(s *State) error {
			v, err := all(s, names)
			if err != nil {
				return err
			}
			o := convert.JSONOptions{AttributeBlock: v[1], AttributePrefix: v[2], NamespaceBlock: v[3], NamespaceSeparator: v[4], NamespacePrefix: v[5], Invalid: v[6]}
			if o.Dates, err = dates.get(s); err != nil {
				return err
			}
			if o.Trim, err = trim.get(s); err != nil {
				return err
			}
			go_, err := s.converts(to, accept, v[0] == "always", isJSON, "xml")
			if err != nil || !go_ {
				return err
			}
			return s.convert(to, "text/xml", func(b []byte) ([]byte, error) { return convert.JSONToXML(b, o) })
		}
	},
}

// converts tells whether a body is to be converted: by its type, and, for an answer, by what the client accepts.
func (s *State) converts(to target, accept *boolean, always bool, is func(string) bool, wanted string) (bool, error) {
	m := to.message(s)
	if !m.Body.Present() || !always && !is(mediaType(m.Header)) {
		return false, nil
	}
	consider, err := accept.get(s)
	if err != nil || !consider || to.of(s) != onResponse {
		return err == nil, err
	}
	a := strings.ToLower(strings.Join(s.Request.Header.Values("Accept"), ","))
	return a == "" || strings.Contains(a, wanted) || strings.Contains(a, "*/*"), nil
}

func (s *State) convert(to target, media string, f func([]byte) ([]byte, error)) error {
	m := to.message(s)
	b, err := s.readBody(m)
	if err != nil || len(b) == 0 {
		return err
	}
	out, err := f(trimBOM(b))
	if err != nil {
		status := 500
		if to.of(s) == onRequest {
			status = 400
		}
		return &LastError{Status: status, Reason: "ConversionFailure", Message: "The body could not be converted.", Err: err}
	}
	to.setBody(s, out)
	m.Header.Set("Content-Type", media)
	return nil
}
