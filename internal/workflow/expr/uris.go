package expr

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// escape is .NET's Uri.EscapeDataString: all but the unreserved characters of RFC 3986.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// unescape is Uri.UnescapeDataString: what is no escape stays.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func uriFunctions() []function {
	part := func(name string, get func(u *url.URL) any) function {
		return function{name: name, min: 1, max: 1, eval: func(a *args) (any, error) {
			u, err := url.Parse(a.text(0))
			if a.err != nil {
				return nil, a.err
			}
			if err != nil || u.Scheme == "" || u.Host == "" {
				return nil, fmt.Errorf("%q is no absolute URI", clip(a.text(0)))
			}
			return get(u), nil
		}}
	}
	path := func(u *url.URL) string {
		if p := u.EscapedPath(); p != "" {
			return p
		}
		return "/"
	}
	query := func(u *url.URL) string {
		if u.RawQuery == "" {
			return ""
		}
		return "?" + u.RawQuery
	}
	return []function{
		part("uriHost", func(u *url.URL) any { return strings.ToLower(u.Hostname()) }),
		part("uriPath", func(u *url.URL) any { return path(u) }),
		part("uriPathAndQuery", func(u *url.URL) any { return path(u) + query(u) }),
		part("uriQuery", func(u *url.URL) any { return query(u) }),
		part("uriScheme", func(u *url.URL) any { return strings.ToLower(u.Scheme) }),
		part("uriPort", func(u *url.URL) any {
			if n, err := strconv.ParseInt(u.Port(), 10, 64); err == nil {
				return n
			}
			switch strings.ToLower(u.Scheme) {
			case "https":
				return int64(443)
			case "http":
				return int64(80)
			case "ftp":
				return int64(21)
			}
			return int64(-1)
		}),
	}
}
