package policy

import (
	"net/url"
	"strings"

	"tandem/internal/policy/markup"
)

var policyRewriteURI = &Policy{
	Name: "rewrite-uri", Category: "Transformation", Does: "changes the path and the query that the backend is asked for",
	Sections: inboundOnly,
	Attrs:    []Attribute{need("template"), attr("copy-unmatched-params", trueFalse...).def("true")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		template, copyParams := c.text(n, "template", "/"), c.boolean(n, "copy-unmatched-params", true)
		return func(s *State) error {
			t, err := template.get(s)
			if err != nil {
				return err
			}
			more, err := copyParams.get(s)
			if err != nil {
				return err
			}
			s.rewrite(t, more)
			return nil
		}
	},
}

// rewrite fills the template's {names} with the matched parameters and the query's, and makes it the request's URL. With
// more, query parameters that the operation's own template does not name follow.
func (s *State) rewrite(template string, more bool) {
	incoming := parseQuery(s.Request.URL.Query)
	used := map[string]bool{}
	path, rawQuery, _ := strings.Cut(template, "?")
	fill := func(t string, escape func(string) string) string {
		var b strings.Builder
		for {
			open := strings.IndexByte(t, '{')
			if open < 0 {
				break
			}
			end := strings.IndexByte(t[open:], '}')
			if end < 0 {
				break
			}
			name := t[open+1 : open+end]
			value, ok := s.matched(strings.TrimPrefix(name, "*"))
			if !ok {
				if vs := incoming.get(name); len(vs) > 0 {
					value, ok = vs[0], true
					used[strings.ToLower(name)] = true
				}
			}
			b.WriteString(t[:open])
			if ok {
				b.WriteString(escape(value))
			}
			t = t[open+end+1:]
		}
		b.WriteString(t)
		return b.String()
	}
	path = fill(path, escapePath)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	rawQuery = fill(rawQuery, escapeQuery)
	if more {
		own := parseQuery(rawQuery)
		for _, p := range incoming {
			if _, templated := s.matched(p.Name); templated || used[strings.ToLower(p.Name)] || own.has(p.Name) {
				continue
			}
			if rawQuery != "" {
				rawQuery += "&"
			}
			rawQuery += escapeQuery(p.Name) + "=" + escapeQuery(p.Value)
		}
	}
	s.Request.URL.Path, s.Request.URL.Query = path, rawQuery
}

func (s *State) matched(name string) (string, bool) {
	for _, p := range s.Matched {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}

// escapePath escapes a value for a path; a "/" in it stays, since a wildcard parameter holds several segments.
func escapePath(v string) string {
	return (&url.URL{Path: v}).EscapedPath()
}
