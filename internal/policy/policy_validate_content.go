package policy

import (
	"strings"

	"tandem/internal/policy/markup"
)

var policyValidateContent = &Policy{
	Name: "validate-content", Category: "Content validation", Does: "holds the body's size and content against schemas",
	Sections: []Section{Inbound, Outbound, OnError},
	Attrs: []Attribute{need("unspecified-content-type-action", validations...), need("max-size"), need("size-exceeded-action", validations...),
		attr("errors-variable-name").lit()},
	Children: []Child{
		{Name: "content-type-map", Attrs: []Attribute{attr("any-content-type-value"), attr("missing-content-type-value")},
			Children: []Child{{Name: "type", Many: true, Attrs: []Attribute{attr("from"), attr("when"), need("to")}}}},
		{Name: "content", Many: true, Attrs: []Attribute{attr("type"), need("validate-as", "json", "xml", "soap"), need("action", validations...),
			attr("schema-id"), attr("schema-ref"), attr("allow-additional-properties", trueFalse...), attr("case-insensitive-property-names", trueFalse...)}},
	},
	compile: compileValidateContent,
}

// contentRule is one <content>.
type contentRule struct {
	media  string // lower case; empty: any
	action *text
	schema *Schema // nil: the operation's
	fold   bool
	deny   bool
	strict bool // fold or deny was asked for
}

func compileValidateContent(c *compiler, n *markup.Node) runFunc {
	unspecified, tooLarge := c.text(n, "unspecified-content-type-action", ""), c.text(n, "size-exceeded-action", "")
	size, variable := c.integer(n, "max-size", 0, 0), c.attrText(n, "errors-variable-name")
	types := c.contentTypes(n)
	var rules []*contentRule
	for _, e := range n.Elements() {
		if e.Name == "content" {
			if r := c.contentRule(e); r != nil {
				rules = append(rules, r)
			}
		}
	}
	to := c.target()
	return func(s *State) error {
		m := to.message(s)
		answer := to.of(s) == onResponse
		f := &faults{variable: variable, status: validationStatus(s.section)}
		kind := "RequestBody"
		if answer {
			kind = "ResponseBody"
		}
		most, err := size.get(s)
		if err != nil {
			return err
		}
		b, err := s.readBody(m)
		if err != nil {
			return err
		}
		if int64(len(b)) > most {
			act, err := tooLarge.get(s)
			if err != nil {
				return err
			}
			f.add(act, kind, "", "SizeLimit", "The body's size of %d bytes exceeds the limit of %d bytes.", len(b), most)
			return f.finish(s)
		}
		if len(b) == 0 {
			return nil
		}
		media, err := types(s, mediaType(m.Header))
		if err != nil {
			return err
		}
		rule := find(rules, media)
		if rule == nil {
			act, err := unspecified.get(s)
			if err != nil {
				return err
			}
			if s.representation(media, answer) == nil {
				f.add(act, kind, media, "UnspecifiedContentType", "The content type %s is not specified in the API.", media)
			}
			return f.finish(s)
		}
		act, err := rule.action.get(s)
		if err != nil || act == "ignore" {
			return err
		}
		schema := rule.schema
		if schema == nil {
			if r := s.representation(media, answer); r != nil {
				if schema = r.Schema; schema != nil && rule.strict {
					schema = schema.with(rule.fold, rule.deny)
				}
			}
		}
		if schema == nil {
			f.add(act, kind, media, "IncorrectMessage", "There is no schema for the content type %s.", media)
		} else {
			for _, d := range schema.validate(b) {
				f.add(act, kind, "", "IncorrectMessage", "%s", d)
			}
		}
		return f.finish(s)
	}
}

func find(rules []*contentRule, media string) *contentRule {
	for _, r := range rules {
		if r.media == media {
			return r
		}
	}
	for _, r := range rules {
		if r.media == "" {
			return r
		}
	}
	return nil
}

func (c *compiler) contentRule(e *markup.Node) *contentRule {
	r := &contentRule{media: strings.ToLower(strings.TrimSpace(c.attrText(e, "type"))), action: c.text(e, "action", "")}
	if as := c.attrText(e, "validate-as"); as == "xml" || as == "soap" {
		c.report(Error, e.Pos, KindAttribute, "validate-content/validate-as", "validate-as=%q needs an XML Schema processor, which Tandem does not have; check the body in an expression", as)
		return nil
	}
	additional, folded := c.attrText(e, "allow-additional-properties"), c.attrText(e, "case-insensitive-property-names")
	r.deny, r.fold = additional == "false", folded == "true"
	r.strict = r.deny || r.fold
	if id := c.attrText(e, "schema-id"); id != "" {
		ref := c.attrText(e, "schema-ref")
		kind, src, ok := "", "", false
		if c.host.Schemas != nil {
			kind, src, ok = c.host.Schemas.Schema(id)
		}
		switch {
		case ok && kind == "json":
			r.schema = NewSchema(src, ref).with(r.fold, r.deny)
			if _, err := r.schema.compile(); err != nil {
				c.report(Error, e.Pos, KindPart, id, "the schema %s cannot be used: %v", id, err)
			}
		case ok:
			c.report(Error, e.Pos, KindPart, id, "the schema %s is not a JSON Schema", id)
		case !c.opts.Presume:
			c.report(Error, e.Pos, KindPart, id, "there is no schema %s; create it", id)
		}
	}
	return r
}

// contentTypes compiles content-type-map: the type that a body counts as.
func (c *compiler) contentTypes(n *markup.Node) func(*State, string) (string, error) {
	e := element(n, "content-type-map")
	if e == nil {
		return func(_ *State, media string) (string, error) { return media, nil }
	}
	type row struct {
		from string
		when *boolean
		to   *text
	}
	var rows []row
	for _, k := range e.Elements() {
		r := row{from: strings.ToLower(c.attrText(k, "from")), to: c.text(k, "to", "")}
		if _, ok := k.Attr("when"); ok {
			r.when = c.boolean(k, "when", false)
		}
		rows = append(rows, r)
	}
	any, missing := strings.ToLower(c.attrText(e, "any-content-type-value")), strings.ToLower(c.attrText(e, "missing-content-type-value"))
	return func(s *State, media string) (string, error) {
		if any != "" {
			return any, nil
		}
		for _, r := range rows {
			hit := r.when == nil && r.from == media
			if r.when != nil {
				var err error
				if hit, err = r.when.get(s); err != nil {
					return "", err
				}
			}
			if hit {
				to, err := r.to.get(s)
				return strings.ToLower(to), err
			}
		}
		if media == "" {
			return missing, nil
		}
		return media, nil
	}
}

// representation finds the documented content of a type in the request or in the answer of the present status.
func (s *State) representation(media string, answer bool) *Representation {
	if s.Operation == nil {
		return nil
	}
	reps := s.Operation.Request
	if answer {
		reps = nil
		for _, r := range s.Operation.Responses {
			if r.Status == s.Response.Status {
				reps = r.Representations
			}
		}
	}
	for i := range reps {
		t, _, _ := strings.Cut(reps[i].ContentType, ";")
		if strings.EqualFold(strings.TrimSpace(t), media) {
			return &reps[i]
		}
	}
	return nil
}
