package arm

import (
	"strconv"
	"strings"
	"time"
)

type tokenKind int

const (
	endToken tokenKind = iota
	nameToken
	valueToken
	openToken
	closeToken
	commaToken
	colonToken
)

type token struct {
	kind  tokenKind
	text  string
	value any
}

// next reads the token after the one at hand.
func (p *filterParser) next() error {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t' || p.text[p.at] == '\n' || p.text[p.at] == '\r') {
		p.at++
	}
	p.start = p.at
	if p.at == len(p.text) {
		p.token = token{kind: endToken}
		return nil
	}
	c := p.text[p.at]
	if kind, ok := map[byte]tokenKind{'(': openToken, ')': closeToken, ',': commaToken, ':': colonToken}[c]; ok {
		p.at++
		p.token = token{kind: kind, text: string(c)}
		return nil
	}
	switch {
	case c == '\'':
		s, err := p.quoted()
		p.token = token{valueToken, s, s}
		return err
	case c == '-' || c == '+' || isDigit(c):
		return p.number()
	case isNameStart(c):
		return p.name()
	default:
		return p.fail("the character %q is not expected", rune(c))
	}
}

// quoted reads 'text', in which two quotes stand for one.
func (p *filterParser) quoted() (string, error) {
	var b strings.Builder
	for i := p.at + 1; i < len(p.text); i++ {
		if p.text[i] != '\'' {
			b.WriteByte(p.text[i])
			continue
		}
		if i+1 < len(p.text) && p.text[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		p.at = i + 1
		return b.String(), nil
	}
	return "", p.fail("the text has no closing quote")
}

// number reads a number, or a bare time such as 2024-05-01T00:00:00Z, or a bare GUID, which is text.
func (p *filterParser) number() error {
	end := p.at + 1
	for end < len(p.text) && (isNamePart(p.text[end]) || strings.IndexByte(".:+-", p.text[end]) >= 0) {
		end++
	}
	text := p.text[p.at:end]
	p.at = end
	if n, err := strconv.ParseFloat(strings.TrimRight(text, "LlMmDdFf"), 64); err == nil {
		p.token = token{valueToken, text, n}
		return nil
	}
	if t, ok := parseTime(text); ok {
		p.token = token{valueToken, text, t}
		return nil
	}
	if len(text) == 36 && strings.Count(text, "-") == 4 {
		p.token = token{valueToken, text, text}
		return nil
	}
	return p.fail("'%s' is neither a number nor a time", text)
}

// name reads a word: a field with its path, an operator, a function, a constant, or the start of datetime'...'.
func (p *filterParser) name() error {
	end := p.at
	for end < len(p.text) && (isNamePart(p.text[end]) || p.text[end] == '/' || p.text[end] == '.') {
		end++
	}
	text := p.text[p.at:end]
	p.at = end
	switch w := strings.ToLower(text); {
	case w == "true" || w == "false":
		p.token = token{valueToken, text, w == "true"}
	case w == "null":
		p.token = token{valueToken, text, nil}
	case (w == "datetime" || w == "datetimeoffset" || w == "guid") && end < len(p.text) && p.text[end] == '\'':
		s, err := p.quoted()
		if err != nil {
			return err
		}
		if w == "guid" {
			p.token = token{valueToken, s, s}
			return nil
		}
		t, ok := parseTime(s)
		if !ok {
			return p.fail("'%s' is not a time; write it as 2024-05-01T00:00:00Z", s)
		}
		p.token = token{valueToken, s, t}
	default:
		p.token = token{kind: nameToken, text: text}
	}
	return nil
}

// parseTime reads ISO 8601; without a zone it is UTC.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameStart(c byte) bool {
	return c == '_' || c == '$' || c == '@' || (c|0x20 >= 'a' && c|0x20 <= 'z') || c >= 0x80
}

func isNamePart(c byte) bool { return isNameStart(c) || isDigit(c) || c == '-' }
