package gateway

import (
	"net/url"
	"strings"

	"tandem/internal/exchange"
)

// unescape decodes a path segment; what cannot be decoded stays as it came.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	return s
}

// queryValue is the first value of a query parameter, decoded; names match without regard to case.
func queryValue(query, name string) string {
	for len(query) > 0 {
		part, rest, _ := strings.Cut(query, "&")
		query = rest
		key, value, _ := strings.Cut(part, "=")
		if len(key) == len(name) && strings.EqualFold(key, name) {
			return unescapeQuery(value)
		}
	}
	return ""
}

// unescapeQuery decodes a query parameter's value; what cannot be decoded stays as it came.
func unescapeQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	return s
}

// hasQuery tells whether a query has a parameter.
func hasQuery(query, name string) bool {
	for len(query) > 0 {
		part, rest, _ := strings.Cut(query, "&")
		query = rest
		key, _, _ := strings.Cut(part, "=")
		if len(key) == len(name) && strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// withoutQuery takes a parameter out of a query.
func withoutQuery(query, name string) string {
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(part, "=")
		if part != "" && !strings.EqualFold(key, name) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// appendQuery sets a parameter of a query.
func appendQuery(query, name, value string) string {
	if hasQuery(query, name) {
		query = withoutQuery(query, name)
	}
	if query != "" {
		query += "&"
	}
	return query + url.QueryEscape(name) + "=" + url.QueryEscape(value)
}

// cookie is the value of a cookie that a request carries, or "".
func cookie(h exchange.Header, name string) string {
	for i := range h {
		if len(h[i].Name) != 6 || !strings.EqualFold(h[i].Name, "Cookie") {
			continue
		}
		for part := range strings.SplitSeq(h[i].Value, ";") {
			if k, v, _ := strings.Cut(strings.TrimSpace(part), "="); k == name {
				return v
			}
		}
	}
	return ""
}
