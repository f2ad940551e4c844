package policy

import (
	"strings"
	"sync"

	"tandem/internal/exchange"
	"tandem/internal/policy/liquid"
	"tandem/internal/policy/markup"
)

var liquidEngine = sync.OnceValue(func() *liquid.Engine { return liquid.New(liquid.Options{FormatDate: formatDate}) })

// liquidBody compiles a Liquid template of set-body and its like.
func (c *compiler) liquidBody(n *markup.Node, v markup.Value) (func(*State, target) ([]byte, error), string) {
	src := v.Text
	if v.Form == markup.Raw {
		src = decodeTags(src)
	}
	t, err := liquidEngine().Parse(src)
	if err != nil && v.Substituted { // the message quotes the template, and with it the named value (law 7)
		return nil, "with the named values put in, the Liquid template cannot be parsed"
	}
	if err != nil {
		return nil, err.Error()
	}
	nilNull := c.attrText(n, "xsi-nil") == "null"
	dates := c.attrText(n, "parse-date") != "false"
	return func(s *State, to target) ([]byte, error) {
		from := to
		if to == onHold { // the body of the pipeline is the input, also inside send-request
			from = bySection
		}
		body, err := s.liquidInput(from, nilNull, dates)
		if err != nil {
			return nil, err
		}
		out, err := t.Render(map[string]any{"body": body, "context": s.liquidContext()})
		if err != nil {
			return nil, &LastError{Status: 500, Reason: ReasonExpression, Message: "The Liquid template failed.", Err: err}
		}
		return out, nil
	}, ""
}

// decodeTags decodes entities inside {{ }} and {% %}: in a template with markup of its own the rest stays as it is.
func decodeTags(s string) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(s, '{')
		if open < 0 || open+1 >= len(s) {
			break
		}
		closer := map[byte]string{'{': "}}", '%': "%}"}[s[open+1]]
		end := -1
		if closer != "" {
			end = strings.Index(s[open:], closer)
		}
		if end < 0 {
			b.WriteString(s[:open+1])
			s = s[open+1:]
			continue
		}
		end += open + 2
		b.WriteString(s[:open])
		b.WriteString(markup.Decode(s[open:end]))
		s = s[end:]
	}
	b.WriteString(s)
	return b.String()
}

// liquidInput reads the body as an object: XML or JSON by its type, anything else as text.
func (s *State) liquidInput(to target, nilNull, dates bool) (any, error) {
	m := to.message(s)
	if !m.Body.Present() {
		return "", nil
	}
	b, err := s.readBody(m)
	if err != nil || len(b) == 0 {
		return "", err
	}
	b = trimBOM(b)
	var v any
	switch media := mediaType(m.Header); {
	case isXML(media):
		v, err = liquid.XML(b, nilNull)
	case isJSON(media):
		v, err = liquid.JSON(b, dates)
	default:
		return string(b), nil
	}
	if err != nil {
		return nil, &LastError{Status: 500, Reason: ReasonExpression, Message: "The body cannot be read for the Liquid template.", Err: err}
	}
	return v, nil
}

// liquidContext is the part of the context that templates may read.
func (s *State) liquidContext() any {
	headers := func(h exchange.Header) any {
		o := liquid.Object{}
		for _, name := range names(h) {
			o[strings.ToLower(name)] = strings.Join(h.Values(name), ",")
		}
		return o
	}
	location := func(u exchange.URL) any {
		host, port := hostPort(u)
		q := liquid.Object{}
		for _, p := range parseQuery(u.Query) {
			q[strings.ToLower(p.Name)] = p.Value
		}
		queryString := ""
		if u.Query != "" {
			queryString = "?" + u.Query
		}
		return liquid.Object{"scheme": u.Scheme, "host": host, "port": port, "path": u.Path, "query": q, "querystring": queryString, "touri": u.String(), "tostring": u.String()}
	}
	params, vars := liquid.Object{}, liquid.Object{}
	for _, p := range s.Matched {
		params[strings.ToLower(p.Name)] = p.Value
	}
	for _, v := range s.vars.list {
		vars[strings.ToLower(v.name)] = traceValue(v.value)
	}
	return liquid.Object{
		"request": liquid.Object{"url": location(s.Target()), "originalurl": location(s.Original), "method": s.Request.Method, "originalmethod": s.OriginalMethod,
			"ipaddress": s.callerIP().String(), "matchedparameters": params, "hasbody": s.Request.Body.Present(), "headers": headers(s.Request.Header)},
		"response":  liquid.Object{"statuscode": s.Response.Status, "method": s.Request.Method, "headers": headers(s.Response.Header)},
		"variables": vars,
	}
}
