package http1

import (
	"bytes"
	"strings"

	"tandem/internal/exchange"
)

// headEnd looks for the end of a head in b. line is where the first line begins that was not looked at before; next is
// where to go on once more bytes are there. end is the length of the head with its closing empty line, 0 while that is
// not there.
func headEnd(b []byte, line int) (end, next int, err error) {
	for {
		i := bytes.IndexByte(b[line:], '\n')
		if i < 0 {
			return 0, line, nil
		}
		i += line
		if i == line || b[i-1] != '\r' {
			return 0, 0, errBareLF
		}
		if i == line+1 {
			return i + 1, 0, nil
		}
		line = i + 1
	}
}

// facts is what framing and connection handling need to know of a head.
type facts struct {
	length   int64 // of the body by Content-Length; -1: none given
	hosts    int   // number of Host fields
	host     string
	coding   bool // Transfer-Encoding is there
	chunked  bool
	close    bool // Connection: close
	keep     bool // Connection: keep-alive
	upgrade  bool // Connection: upgrade
	named    bool // Connection names further fields, which go no further than this hop
	protocol string
	expect   bool // Expect: 100-continue

	expectOther bool // an expectation that nobody knows
}

// parseFields reads header lines, each ending with CRLF and followed by the empty line, and appends them to h.
func parseFields(s string, h exchange.Header, most int, f *facts) (exchange.Header, error) {
	for len(s) > 2 {
		eol := strings.IndexByte(s, '\n')
		line := s[:eol-1]
		s = s[eol+1:]
		colon := strings.IndexByte(line, ':')
		if colon <= 0 || !validToken(line[:colon]) {
			if line[0] == ' ' || line[0] == '\t' {
				return h, errFold
			}
			return h, errFieldName
		}
		value := trimOWS(line[colon+1:])
		if !cleanText(value) {
			return h, errFieldValue
		}
		if len(h) >= most {
			return h, errHeadCount
		}
		h = append(h, exchange.Field{Name: line[:colon], Value: value})
		if err := f.note(line[:colon], value); err != nil {
			return h, err
		}
	}
	return h, nil
}

// note takes up one field.
func (f *facts) note(name, value string) error {
	switch len(name) {
	case 4:
		if sameName(name, "Host") {
			f.hosts++
			f.host = value
		}
	case 6:
		if sameName(name, "Expect") {
			f.expect = sameName(value, "100-continue")
			f.expectOther = !f.expect
		}
	case 7:
		if sameName(name, "Upgrade") {
			f.protocol = value
		}
	case 10:
		if sameName(name, "Connection") {
			return f.noteConnection(value)
		}
	case 14:
		if sameName(name, "Content-Length") {
			if f.length >= 0 {
				return errLength
			}
			f.length = parseLength(value)
			if f.length < 0 {
				return errLength
			}
		}
	case 17:
		if sameName(name, "Transfer-Encoding") {
			if f.coding {
				return errCoding
			}
			f.coding = true
			f.chunked = sameName(value, "chunked")
			if !f.chunked {
				return otherCoding(value)
			}
		}
	}
	return nil
}

func (f *facts) noteConnection(value string) error {
	for value != "" {
		var token string
		token, value = nextToken(value)
		switch {
		case token == "":
		case !validToken(token):
			return errFieldValue
		case sameName(token, "close"):
			f.close = true
		case sameName(token, "keep-alive"):
			f.keep = true
		case sameName(token, "upgrade"):
			f.upgrade = true
		default:
			f.named = true
		}
	}
	return nil
}

// otherCoding tells a coding that exists but is not spoken here (501, RFC 9112 section 6.1) from nonsense.
func otherCoding(value string) error {
	if token, rest := nextToken(value); rest == "" && validToken(token) && !sameName(token, "identity") && token == value {
		return errCodingOther
	}
	return errCoding
}

// parseLength reads digits alone; -1 where the value is anything else or above 10^18.
func parseLength(s string) int64 {
	if s == "" || len(s) > 18 {
		return -1
	}
	var n int64
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// framing checks what the fields together say about the body.
func (f *facts) framing(minor int) error {
	switch {
	case f.coding && minor == 0:
		return errCodingOld
	case f.coding && f.length >= 0:
		return errCodingLength
	}
	return nil
}
