package gateway

import (
	"net/url"
	"strings"
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
			if strings.ContainsAny(value, "%+") {
				if out, err := url.QueryUnescape(value); err == nil {
					return out
				}
			}
			return value
		}
	}
	return ""
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
