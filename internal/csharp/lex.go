package csharp

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tEOF tokenKind = iota
	tIdent
	tKeyword
	tNumber
	tString
	tChar
	tInterp
	tOp
)

type token struct {
	kind  tokenKind
	pos   int
	end   int
	text  string // identifier, keyword, operator; the value of a string
	parts []part // of an interpolated string
	num   Value  // of a number or a character
	typ   *Type  // of a number
}

// part is a piece of an interpolated string: text, or a hole with its tokens.
type part struct {
	text   string
	hole   []token
	format string
}

// reserved are C#'s keywords that policies could meet; a @ in front makes them identifiers.
var reserved = func() map[string]bool {
	m := map[string]bool{}
	for _, k := range strings.Fields(`abstract as base bool break byte case catch char checked class const continue decimal
		default delegate do double else enum event explicit extern false finally fixed float for foreach goto if implicit in int
		interface internal is lock long namespace new null object operator out override params private protected public readonly
		ref return sbyte sealed short sizeof stackalloc static string struct switch this throw true try typeof uint ulong
		unchecked unsafe ushort using virtual void volatile while`) {
		m[k] = true
	}
	return m
}()

// operators, the longest first. >> is read as two tokens, because it also closes two type argument lists.
var operators = []string{"<<=", "??=", "...", "=>", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "++", "--", "+=", "-=",
	"*=", "/=", "%=", "&=", "|=", "^=", "<<", "->", "::", "..",
	"+", "-", "*", "/", "%", "&", "|", "^", "!", "~", "=", "<", ">", "?", ":", ";", ",", ".", "(", ")", "[", "]", "{", "}"}

type lexer struct {
	src    string
	i      int
	errs   *Errors
	depth  int
	tokens []token
}

func (l *lexer) fail(at int, msg string) {
	line, col := position(l.src, at)
	*l.errs = append(*l.errs, Error{at, line, col, "syntax", "expression", msg})
}

// lex reads all of src[from:to].
func lex(src string, from, to int, errs *Errors) []token {
	l := &lexer{src: src[:to], i: from, errs: errs}
	return l.run(false)
}

// run reads tokens up to the end, or up to where the hole of an interpolated string ends: an outer } or : or ,.
func (l *lexer) run(hole bool) []token {
	outer := l.tokens
	l.tokens = nil
	level := 0
	for {
		l.blank()
		at := l.i
		if at >= len(l.src) {
			l.add(token{kind: tEOF, pos: at})
			break
		}
		c := l.src[at]
		if hole && level == 0 && (c == '}' || c == ',' || (c == ':' && !strings.HasPrefix(l.src[at:], "::"))) {
			l.add(token{kind: tEOF, pos: at})
			break
		}
		switch {
		case c == '(' || c == '[' || c == '{':
			level++
		case c == ')' || c == ']' || c == '}':
			level--
		}
		if !l.token(c) {
			l.fail(at, "the character "+strconv.Quote(string(rune(c)))+" is not part of C#")
			l.i++
		}
	}
	tokens := l.tokens
	l.tokens = outer
	return tokens
}

func (l *lexer) add(t token) {
	t.end = l.i
	l.tokens = append(l.tokens, t)
}

// blank skips white space and comments.
func (l *lexer) blank() {
	for l.i < len(l.src) {
		rest := l.src[l.i:]
		switch {
		case rest[0] <= ' ':
			l.i++
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				end = len(rest)
			}
			l.i += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				l.fail(l.i, "the comment is not closed by */")
				l.i = len(l.src)
				return
			}
			l.i += end + 4
		case rest[0] >= utf8.RuneSelf:
			r, w := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) && r != '\ufeff' {
				return
			}
			l.i += w
		default:
			return
		}
	}
}

func (l *lexer) token(c byte) bool {
	at, rest := l.i, l.src[l.i:]
	switch {
	case c == '"':
		l.text(at, false, false)
		return true
	case c == '$' || c == '@':
		k, verb, holes := 0, false, false
		for k < len(rest) && ((rest[k] == '@' && !verb) || (rest[k] == '$' && !holes)) {
			verb, holes = verb || rest[k] == '@', holes || rest[k] == '$'
			k++
		}
		if k < len(rest) && rest[k] == '"' {
			l.i += k
			l.text(at, verb, holes)
			return true
		}
		if c == '@' && k == 1 {
			l.i++
			if n := identLen(l.src[l.i:]); n > 0 {
				l.i += n
				l.add(token{kind: tIdent, pos: at, text: l.src[at+1 : l.i]})
				return true
			}
			l.i--
		}
		return false
	case c == '\'':
		l.char(at)
		return true
	case c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		l.number(at)
		return true
	}
	if n := identLen(rest); n > 0 {
		l.i += n
		t := token{kind: tIdent, pos: at, text: rest[:n]}
		if reserved[t.text] {
			t.kind = tKeyword
		}
		l.add(t)
		return true
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			if op == "?." && len(rest) > 2 && rest[2] >= '0' && rest[2] <= '9' {
				op = "?"
			}
			l.i += len(op)
			l.add(token{kind: tOp, pos: at, text: op})
			return true
		}
	}
	return false
}

func identLen(s string) int {
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || (i > 0 && (unicode.IsDigit(r) || unicode.Is(unicode.Mn, r))) {
			continue
		}
		return i
	}
	return len(s)
}

func (l *lexer) char(at int) {
	l.i++
	var r rune
	rest := l.src[l.i:]
	switch {
	case rest == "" || rest[0] == '\'' || rest[0] == '\n':
		l.fail(at, "a character literal holds exactly one character")
	case rest[0] == '\\':
		var s strings.Builder
		l.escape(&s)
		r, _ = utf8.DecodeRuneInString(s.String())
		if u, ok := strings.CutPrefix(rest, `\u`); ok && len(u) >= 4 {
			if n, err := strconv.ParseUint(u[:4], 16, 16); err == nil {
				r = rune(n) // a surrogate half has no UTF-8 form
			}
		}
	default:
		var w int
		r, w = utf8.DecodeRuneInString(rest)
		l.i += w
	}
	if l.i < len(l.src) && l.src[l.i] == '\'' {
		l.i++
	} else {
		l.fail(at, "a character literal holds exactly one character, closed by '")
		if end := strings.IndexAny(l.src[l.i:], "'\n"); end >= 0 {
			l.i += end + 1
		}
	}
	l.add(token{kind: tChar, pos: at, num: Value{N: uint64(uint16(r))}, typ: CharT})
}

// escape reads one escape sequence of a regular string.
func (l *lexer) escape(out *strings.Builder) {
	at := l.i
	l.i++
	if l.i >= len(l.src) {
		return
	}
	c := l.src[l.i]
	l.i++
	if k := strings.IndexByte(`'"\0abfnrtv`, c); k >= 0 {
		out.WriteByte("'\"\\\x00\a\b\f\n\r\t\v"[k])
		return
	}
	lo, hi := 0, 0
	switch c {
	case 'u':
		lo, hi = 4, 4
	case 'U':
		lo, hi = 8, 8
	case 'x':
		lo, hi = 1, 4
	}
	n := 0
	var r rune
	for n < hi && l.i < len(l.src) {
		d, err := strconv.ParseUint(l.src[l.i:l.i+1], 16, 8)
		if err != nil {
			break
		}
		r, n = r<<4|rune(d), n+1
		l.i++
	}
	if hi == 0 || n < lo {
		l.fail(at, "the escape sequence \\"+string(rune(c))+" is not known; write a verbatim string @\"…\" where a backslash is meant")
		return
	}
	// Two halves of a surrogate pair make one character.
	if r >= 0xD800 && r < 0xDC00 && strings.HasPrefix(l.src[l.i:], `\u`) && len(l.src) >= l.i+6 {
		if low, err := strconv.ParseUint(l.src[l.i+2:l.i+6], 16, 16); err == nil && low >= 0xDC00 && low < 0xE000 {
			r = 0x10000 + (r-0xD800)<<10 + rune(low-0xDC00)
			l.i += 6
		}
	}
	out.WriteRune(r)
}

// text reads a string; i is at its opening quote.
func (l *lexer) text(at int, verbatim, holes bool) {
	l.i++
	if l.depth++; l.depth > maxNesting/8 {
		l.fail(at, "strings are nested too deeply")
		l.i = len(l.src)
		return
	}
	defer func() { l.depth-- }()
	var out strings.Builder
	var parts []part
	for {
		if l.i >= len(l.src) || (l.src[l.i] == '\n' && !verbatim) {
			l.fail(at, "the string is not closed by \"")
			break
		}
		c, rest := l.src[l.i], l.src[l.i:]
		switch {
		case c == '"' && verbatim && strings.HasPrefix(rest, `""`), holes && (strings.HasPrefix(rest, "{{") || strings.HasPrefix(rest, "}}")):
			out.WriteByte(c)
			l.i += 2
			continue
		case c == '"':
			l.i++
		case c == '\\' && !verbatim:
			l.escape(&out)
			continue
		case c == '{' && holes:
			l.i++
			parts = append(parts, part{text: out.String()}, l.hole(at))
			out.Reset()
			continue
		case c == '}' && holes:
			l.fail(l.i, "a lone } in an interpolated string is written }}")
			l.i++
			continue
		default:
			out.WriteByte(c)
			l.i++
			continue
		}
		break
	}
	if holes {
		l.add(token{kind: tInterp, pos: at, parts: append(parts, part{text: out.String()})})
		return
	}
	l.add(token{kind: tString, pos: at, text: out.String()})
}

// hole reads {expression[,alignment][:format]} after its opening brace.
func (l *lexer) hole(at int) part {
	p := part{hole: l.run(true)}
	if l.i < len(l.src) && l.src[l.i] == ',' {
		end := strings.IndexAny(l.src[l.i:], ":}")
		if end > 0 {
			p.format = l.src[l.i : l.i+end]
			l.i += end
		}
	}
	if l.i < len(l.src) && l.src[l.i] == ':' {
		end := strings.IndexAny(l.src[l.i:], "}\"\n")
		if end > 0 {
			p.format += l.src[l.i : l.i+end]
			l.i += end
		}
	}
	if l.i >= len(l.src) || l.src[l.i] != '}' {
		l.fail(at, "a hole of the interpolated string is not closed by }")
		return p
	}
	l.i++
	return p
}
