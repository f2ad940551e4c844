package snapshot

import (
	"bytes"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// escape reads one escape of a string (two surrogates count as one) and writes its canonical form.
func (c *canonicaliser) escape() error {
	if c.at+1 >= len(c.in) {
		return errors.New("ends inside a string")
	}
	b := c.in[c.at+1]
	if b != 'u' {
		at := bytes.IndexByte([]byte(`"\/bfnrt`), b)
		if at < 0 {
			return errors.New("an escape that JSON does not have")
		}
		c.at += 2
		c.out = appendChar(c.out, rune("\"\\/\b\f\n\r\t"[at]))
		return nil
	}
	r, ok := hex4(c.in[c.at+2:])
	if !ok {
		return errors.New("four hex digits are due after \\u")
	}
	c.at += 6
	if utf16.IsSurrogate(r) && bytes.HasPrefix(c.in[c.at:], []byte(`\u`)) {
		if low, ok := hex4(c.in[c.at+2:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				c.at += 6
				r = pair
			}
		}
	}
	c.out = appendChar(c.out, r)
	return nil
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, x := range b[:4] {
		switch {
		case '0' <= x && x <= '9':
			x -= '0'
		case 'a' <= x && x <= 'f':
			x -= 'a' - 10
		case 'A' <= x && x <= 'F':
			x -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(x)
	}
	return r, true
}

// appendChar writes one character of a string in canonical form.
func appendChar(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch r {
	case '"', '\\':
		return append(out, '\\', byte(r))
	case '\b':
		return append(out, `\b`...)
	case '\f':
		return append(out, `\f`...)
	case '\n':
		return append(out, `\n`...)
	case '\r':
		return append(out, `\r`...)
	case '\t':
		return append(out, `\t`...)
	}
	if r < 0x20 || utf16.IsSurrogate(r) {
		return append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
	}
	return utf8.AppendRune(out, r)
}

// quote writes s as a canonical string; s must be UTF-8.
func quote(out []byte, s string) []byte {
	out = append(out, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		if b := s[i]; b < 0x20 || b == '"' || b == '\\' {
			out = append(out, s[from:i]...)
			out = appendChar(out, rune(b))
			from = i + 1
		}
	}
	out = append(out, s[from:]...)
	return append(out, '"')
}

// unquote reads a canonical string, quotes included. ok is false where UTF-8 cannot carry it: it holds a lone surrogate.
func unquote(s []byte) (text []byte, ok bool) {
	s = s[1 : len(s)-1]
	if bytes.IndexByte(s, '\\') < 0 {
		return s, true
	}
	text = make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			text = append(text, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			text = append(text, '\b')
		case 'f':
			text = append(text, '\f')
		case 'n':
			text = append(text, '\n')
		case 'r':
			text = append(text, '\r')
		case 't':
			text = append(text, '\t')
		case 'u':
			r, _ := hex4(s[i+1:])
			if utf16.IsSurrogate(r) {
				return nil, false
			}
			text = append(text, byte(r)) // a control character: all others stand bare
			i += 4
		default:
			text = append(text, s[i])
		}
	}
	return text, true
}

// indent lays canonical JSON out for people: two spaces, one member or element a line, a line feed at the end.
func indent(out, canonical []byte) []byte {
	depth := 0
	line := func() {
		out = append(out, '\n')
		for range depth {
			out = append(out, ' ', ' ')
		}
	}
	for i := 0; i < len(canonical); i++ {
		switch b := canonical[i]; b {
		case '{', '[':
			out = append(out, b)
			if canonical[i+1] == b+2 { // '}' and ']' stand two after their openers
				i++
				out = append(out, b+2)
				continue
			}
			depth++
			line()
		case '}', ']':
			depth--
			line()
			out = append(out, b)
		case ',':
			out = append(out, b)
			line()
		case ':':
			out = append(out, ':', ' ')
		case '"':
			end := i + 1
			for canonical[end] != '"' {
				if canonical[end] == '\\' {
					end++
				}
				end++
			}
			out = append(out, canonical[i:end+1]...)
			i = end
		default:
			out = append(out, b)
		}
	}
	return append(out, '\n')
}

// span is one member of a canonical object: its name without quotes, and its value.
type span struct {
	name  string
	value []byte
}

// members splits a canonical object.
func members(canonical []byte) []span {
	var out []span
	for i := 1; i < len(canonical)-1; {
		colon := skipString(canonical, i)
		end := skipValue(canonical, colon+1)
		out = append(out, span{string(canonical[i+1 : colon-1]), canonical[colon+1 : end]})
		i = end + 1
	}
	return out
}

func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipValue(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

// object builds a canonical object of members that are in order.
func object(spans []span) []byte {
	out := []byte{'{'}
	for i, s := range spans {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(append(out, '"'), s.name...), '"', ':'), s.value...)
	}
	return append(out, '}')
}
