package template

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of documents and of expressions.
const maxDepth = 200

// ReadJSON reads a document as Azure's clients send templates: JSON with comments, names without quotes ("az deployment"
// writes template: so), strings that go over lines, and a comma before a closing bracket. One name twice is an error.
// Errors are *Error with line and column.
func ReadJSON(text []byte) (any, error) {
	r := &jsonReader{text: string(text)}
	r.text = strings.TrimPrefix(r.text, "\ufeff")
	v, err := r.value(0)
	if err == nil {
		if err = r.space(); err == nil && r.at < len(r.text) {
			err = r.bad("something follows the end of the document")
		}
	}
	return v, err
}

type jsonReader struct {
	text string
	at   int
}

func (r *jsonReader) bad(format string, args ...any) error {
	before := r.text[:min(r.at, len(r.text))]
	line, column := strings.Count(before, "\n")+1, len(before)-strings.LastIndexByte(before, '\n')
	return errorAt(fmt.Sprintf("line %d, column %d", line, column), format, args...)
}

// space skips white space and comments.
func (r *jsonReader) space() error {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			r.at++
		case strings.HasPrefix(r.text[r.at:], "//"):
			end := strings.IndexByte(r.text[r.at:], '\n')
			if end < 0 {
				end = len(r.text) - r.at
			}
			r.at += end
		case strings.HasPrefix(r.text[r.at:], "/*"):
			end := strings.Index(r.text[r.at+2:], "*/")
			if end < 0 {
				return r.bad("the comment has no end")
			}
			r.at += end + 4
		default:
			return nil
		}
	}
	return nil
}

// next skips space and gives the next byte, zero at the end.
func (r *jsonReader) next() (byte, error) {
	if err := r.space(); err != nil || r.at == len(r.text) {
		return 0, err
	}
	return r.text[r.at], nil
}

func (r *jsonReader) value(depth int) (any, error) {
	c, err := r.next()
	switch {
	case err != nil:
		return nil, err
	case depth > maxDepth:
		return nil, r.bad("the document is nested deeper than %d levels", maxDepth)
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"' || c == '\'':
		return r.quoted()
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	case c == 0:
		return nil, r.bad("the document ends too early")
	}
	switch word := r.word(); word {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	default:
		r.at -= len(word)
		return nil, r.bad("a value is expected, not %q", string([]rune(r.text[r.at:])[0]))
	}
}

func (r *jsonReader) word() string {
	start := r.at
	for r.at < len(r.text) && (isNameByte(r.text[r.at]) || r.text[r.at] == '$') {
		r.at++
	}
	return r.text[start:r.at]
}

func isNameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func (r *jsonReader) object(depth int) (any, error) {
	out := map[string]any{}
	r.at++
	for {
		c, err := r.next()
		if err != nil {
			return nil, err
		}
		if c == '}' {
			r.at++
			return out, nil
		}
		var name string
		if c == '"' || c == '\'' {
			name, err = r.quoted()
		} else if name = r.word(); name == "" {
			err = r.bad("a property name or } is expected")
		}
		if err != nil {
			return nil, err
		}
		if _, twice := out[name]; twice {
			return nil, r.bad("the property %q occurs twice", name)
		}
		if c, err = r.next(); err != nil || c != ':' {
			return nil, orError(err, r.bad("a colon is expected after the name %q", name))
		}
		r.at++
		if out[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
		if c, err = r.next(); err != nil || c != ',' && c != '}' {
			return nil, orError(err, r.bad("a comma or } is expected after the property %q", name))
		}
		if c == ',' {
			r.at++
		}
	}
}

func (r *jsonReader) array(depth int) (any, error) {
	out := []any{}
	r.at++
	for {
		c, err := r.next()
		if err != nil {
			return nil, err
		}
		if c == ']' {
			r.at++
			return out, nil
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		if c, err = r.next(); err != nil || c != ',' && c != ']' {
			return nil, orError(err, r.bad("a comma or ] is expected in the array"))
		}
		if c == ',' {
			r.at++
		}
	}
}

func orError(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func (r *jsonReader) quoted() (string, error) {
	quote := r.text[r.at]
	start := r.at
	r.at++
	var b strings.Builder
	for r.at < len(r.text) {
		c := r.text[r.at]
		switch {
		case c == quote:
			r.at++
			if !utf8.ValidString(b.String()) {
				return "", r.bad("the string is not UTF-8")
			}
			return b.String(), nil
		case c == '\\':
			if err := r.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			r.at++
		}
	}
	r.at = start
	return "", r.bad("the string has no end")
}

func (r *jsonReader) escape(b *strings.Builder) error {
	if r.at+1 >= len(r.text) {
		return r.bad("the string has no end")
	}
	c := r.text[r.at+1]
	if i := strings.IndexByte(`"\/'bfnrt`, c); i >= 0 {
		b.WriteByte("\"\\/'\b\f\n\r\t"[i])
		r.at += 2
		return nil
	}
	first, ok := r.hex(r.at)
	if !ok {
		return r.bad("the escape \\%c is unknown", c)
	}
	r.at += 6
	if utf16.IsSurrogate(first) {
		if second, ok := r.hex(r.at); ok {
			if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
				first = pair
				r.at += 6
			}
		}
	}
	b.WriteRune(first)
	return nil
}

// hex reads \u and its four digits.
func (r *jsonReader) hex(at int) (rune, bool) {
	if at+6 > len(r.text) || r.text[at:at+2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(r.text[at+2:at+6], 16, 16)
	return rune(n), err == nil
}

func (r *jsonReader) number() (any, error) {
	start := r.at
	for r.at < len(r.text) && strings.IndexByte("+-.eE0123456789", r.text[r.at]) >= 0 {
		r.at++
	}
	text := r.text[start:r.at]
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		r.at = start
		return nil, r.bad("%q is not a number", text)
	}
	return f, nil
}
