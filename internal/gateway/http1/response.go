package http1

import (
	"strings"

	"tandem/internal/exchange"
)

// parseResponse reads a response's head, whole and ending with the empty line, into r. The strings in r are parts of s.
func parseResponse(s string, r *exchange.Response, most int, f *facts) (minor int, err error) {
	eol := strings.IndexByte(s, '\n')
	line := s[:eol-1]
	if len(line) < 12 || line[:7] != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return 0, errStatusLine
	}
	minor = int(line[7] - '0')
	status := 0
	for _, c := range []byte(line[9:12]) {
		if !isDigit(c) {
			return 0, errStatusLine
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 || status > 599 || len(line) > 12 && line[12] != ' ' || !cleanText(line) {
		return 0, errStatusLine
	}
	r.Status, r.Reason = status, ""
	if len(line) > 13 {
		r.Reason = line[13:]
	}
	*f = facts{length: -1}
	if r.Header, err = parseFields(s[eol+1:], r.Header[:0], most, f); err != nil {
		return minor, err
	}
	if err := f.framing(minor); err != nil {
		return minor, err
	}
	if f.named {
		removeNamed(&r.Header)
	}
	return minor, nil
}

// hasBody tells whether a response to the method with the status has a body at all (RFC 9112, section 6.3).
func hasBody(method string, status int) bool {
	return method != "HEAD" && status >= 200 && status != 204 && status != 304
}
