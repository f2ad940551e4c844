package policy

import (
	"net/url"
	"strings"
)

// query is a query string as a list of parameters, so that their order and what nobody touches stay as they came.
type query []Param

// parseQuery reads a query string; names and values are decoded, what cannot be decoded stays.
func parseQuery(s string) query {
	if s == "" {
		return nil
	}
	q := make(query, 0, 1+strings.Count(s, "&"))
	for s != "" {
		var part string
		part, s, _ = strings.Cut(s, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		q = append(q, Param{unescapeQuery(name), unescapeQuery(value)})
	}
	return q
}

func unescapeQuery(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// String writes the query string.
func (q query) String() string {
	var b strings.Builder
	for i, p := range q {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escapeQuery(p.Name))
		b.WriteByte('=')
		b.WriteString(escapeQuery(p.Value))
	}
	return b.String()
}

// escapeQuery escapes what may not stand in a name or a value; a space becomes %20.
func escapeQuery(s string) string {
	const hex = "0123456789ABCDEF"
	plain := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~!*'()$,:;@/?", c) >= 0
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if !plain(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := 0; i < len(s); i++ {
		if plain(s[i]) {
			b = append(b, s[i])
		} else {
			b = append(b, '%', hex[s[i]>>4], hex[s[i]&15])
		}
	}
	return string(b)
}

// get gives the values of a parameter; names compare without regard to case, as context.Request.Url.Query's do.
func (q query) get(name string) []string {
	var out []string
	for _, p := range q {
		if strings.EqualFold(p.Name, name) {
			out = append(out, p.Value)
		}
	}
	return out
}

func (q query) has(name string) bool {
	for _, p := range q {
		if strings.EqualFold(p.Name, name) {
			return true
		}
	}
	return false
}

func (q query) without(name string) query {
	kept := make(query, 0, len(q))
	for _, p := range q {
		if !strings.EqualFold(p.Name, name) {
			kept = append(kept, p)
		}
	}
	return kept
}
