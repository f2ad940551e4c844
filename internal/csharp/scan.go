package csharp

import "strings"

// maxNesting bounds how deep strings, holes, brackets and syntax may nest, in the scanner and in the parser.
const maxNesting = 200

// ScanExpression finds the end of the expression that begins at src[start:] with "@(" or "@{": it returns the offset just
// past the balanced closer. It reads regular, verbatim and interpolated strings with nested holes, characters and
// comments as C# does.
//
// src is the text of a policy document as people write it, where the XML entities &quot; &apos; &lt; &gt; &amp; and
// numeric references may stand for their characters, some escaped and some not. A string opened by a raw quote is closed
// by a raw quote only, and one opened by an entity by an entity only, so "&quot;" inside a raw string is text.
//
// The error is of type Errors and says where the construct that was not closed began.
func ScanExpression(src string, start int) (end int, err error) {
	if start < 0 || start+2 > len(src) || src[start] != '@' || (src[start+1] != '(' && src[start+1] != '{') {
		return start, scanError(src, max(0, min(start, len(src))), "an expression begins with @( or @{")
	}
	s := &scanner{src: src, i: start + 2}
	closer := byte(')')
	if src[start+1] == '{' {
		closer = '}'
	}
	if e := s.balanced(closer, start, 0, false); e != nil {
		return s.i, e
	}
	return s.i, nil
}

type scanner struct {
	src string
	i   int
}

func scanError(src string, at int, msg string) error {
	line, col := position(src, at)
	return Errors{{Offset: at, Line: line, Column: col, Kind: "syntax", Name: "expression", Message: msg}}
}

// peek reads the character at i, an entity counting as one: its value, its width in bytes (0 at the end) and whether an
// entity stood for it. Bytes of multi-byte characters come one by one; none of them is special.
func (s *scanner) peek() (c byte, width int, entity bool) {
	if s.i >= len(s.src) {
		return 0, 0, false
	}
	if s.src[s.i] != '&' {
		return s.src[s.i], 1, false
	}
	r, w := entityAt(s.src[s.i:])
	switch {
	case w == 0:
		return '&', 1, false
	case r < 0x80:
		return byte(r), w, true
	default:
		return 0x80, w, true
	}
}

// entityAt decodes the XML entity at the beginning of s, or gives width 0.
func entityAt(s string) (r rune, width int) {
	semi := strings.IndexByte(s[:min(len(s), 12)], ';')
	if semi < 2 {
		return 0, 0
	}
	switch name := s[1:semi]; name {
	case "quot":
		return '"', semi + 1
	case "apos":
		return '\'', semi + 1
	case "lt":
		return '<', semi + 1
	case "gt":
		return '>', semi + 1
	case "amp":
		return '&', semi + 1
	default:
		if name[0] != '#' {
			return 0, 0
		}
		digits, base := name[1:], rune(10)
		if digits != "" && (digits[0] == 'x' || digits[0] == 'X') {
			digits, base = digits[1:], 16
		}
		if digits == "" {
			return 0, 0
		}
		for _, d := range []byte(digits) {
			v := rune(16)
			switch {
			case d >= '0' && d <= '9':
				v = rune(d - '0')
			case d >= 'a' && d <= 'f':
				v = rune(d-'a') + 10
			case d >= 'A' && d <= 'F':
				v = rune(d-'A') + 10
			}
			if v >= base || r > 0x10FFFF {
				return 0, 0
			}
			r = r*base + v
		}
		return r, semi + 1
	}
}

// at tells whether the characters from here on are those of want; it gives their width in bytes.
func (s *scanner) at(want string) int {
	save := s.i
	defer func() { s.i = save }()
	for k := 0; k < len(want); k++ {
		c, w, _ := s.peek()
		if w == 0 || c != want[k] {
			return 0
		}
		s.i += w
	}
	return s.i - save
}

// balanced skips code up to and past closer. In the hole of an interpolated string (hole) a colon outside of all brackets
// begins the format, which is text.
func (s *scanner) balanced(closer byte, from, depth int, hole bool) error {
	if depth > maxNesting {
		return scanError(s.src, from, "the expression is nested too deeply")
	}
	for {
		c, w, _ := s.peek()
		if w == 0 {
			return scanError(s.src, from, "the closing "+string(rune(closer))+" is missing")
		}
		at := s.i
		var err error
		switch {
		case c == closer:
			s.i += w
			return nil
		case c == '(':
			s.i += w
			err = s.balanced(')', at, depth+1, false)
		case c == '[':
			s.i += w
			err = s.balanced(']', at, depth+1, false)
		case c == '{':
			s.i += w
			err = s.balanced('}', at, depth+1, false)
		case c == ')' || c == ']' || c == '}':
			return scanError(s.src, at, "found "+string(rune(c))+" where "+string(rune(closer))+" should close the expression")
		case hole && c == ':' && s.at("::") == 0:
			s.i += w
			return s.format(from)
		case c == '/' && s.at("//") > 0:
			s.i += s.at("//")
			for s.i < len(s.src) && s.src[s.i] != '\n' && s.src[s.i] != '\r' {
				s.i++
			}
		case c == '/' && s.at("/*") > 0:
			s.i += s.at("/*")
			end := strings.Index(s.src[s.i:], "*/")
			if end < 0 {
				return scanError(s.src, at, "the comment is not closed by */")
			}
			s.i += end + 2
		case c == '\'':
			err = s.char()
		case c == '"' || c == '$' || c == '@':
			err = s.text(depth)
		default:
			s.i += w
		}
		if err != nil {
			return err
		}
	}
}

// format skips the format of a hole and its closing brace.
func (s *scanner) format(from int) error {
	for {
		c, w, _ := s.peek()
		if w == 0 || c == '"' || c == '\n' {
			return scanError(s.src, from, "the closing } is missing")
		}
		s.i += w
		if c == '}' {
			return nil
		}
	}
}

// char skips a character literal.
func (s *scanner) char() error {
	from := s.i
	_, w, entity := s.peek()
	s.i += w
	for first := true; ; first = false {
		c, w, ent := s.peek()
		if w == 0 || c == '\n' {
			return scanError(s.src, from, "the character is not closed by '")
		}
		s.i += w
		switch {
		case c == '\\':
			_, w, _ := s.peek()
			s.i += w
		case c == '\'' && ent == entity && !first:
			return nil
		}
	}
}

// text skips a string with its prefix, or a lone @ or $.
func (s *scanner) text(depth int) error {
	from := s.i
	var verbatim, holes bool
	for {
		c, w, entity := s.peek()
		switch {
		case c == '@' && !verbatim:
			verbatim = true
			s.i += w
		case c == '$' && !holes:
			holes = true
			s.i += w
		case c == '"':
			s.i += w
			return s.quoted(from, entity, verbatim, holes, depth)
		default:
			return nil
		}
	}
}

func (s *scanner) quoted(from int, entity, verbatim, holes bool, depth int) error {
	for {
		c, w, ent := s.peek()
		switch {
		case w == 0 || (c == '\n' && !verbatim):
			return scanError(s.src, from, "the string is not closed by \"")
		case c == '"' && ent == entity:
			s.i += w
			if c, w, ent := s.peek(); verbatim && c == '"' && ent == entity {
				s.i += w
				continue
			}
			return nil
		case c == '\\' && !verbatim:
			s.i += w
			_, w, _ := s.peek()
			s.i += w
		case c == '{' && holes:
			at := s.i
			s.i += w
			if c, w, _ := s.peek(); c == '{' {
				s.i += w
				continue
			}
			if err := s.balanced('}', at, depth+1, true); err != nil {
				return err
			}
		default:
			s.i += w
		}
	}
}
