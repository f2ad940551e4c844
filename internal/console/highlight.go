package console

import (
	"html/template"
	"strings"
)

// highlightXML shows the text of a policy with its syntax marked: tags, attributes, comments, expressions and named values.
// It is tolerant: what it does not understand it shows as it is.
func highlightXML(text string) template.HTML {
	var b strings.Builder
	put := func(class, s string) {
		if s == "" {
			return
		}
		if class == "" {
			b.WriteString(template.HTMLEscapeString(s))
			return
		}
		b.WriteString(`<span class="x-` + class + `">` + template.HTMLEscapeString(s) + `</span>`)
	}
	for text != "" {
		n := 0
		switch {
		case strings.HasPrefix(text, "<!--"):
			n = through(text, "-->")
			put("comment", text[:n])
		case strings.HasPrefix(text, "<![CDATA["):
			n = through(text, "]]>")
			put("", text[:n])
		case text[0] == '<':
			n = highlightTag(text, put)
		case strings.HasPrefix(text, "@(") || strings.HasPrefix(text, "@{"):
			n = expression(text)
			put("expr", text[:n])
		case strings.HasPrefix(text, "{{"):
			n = through(text, "}}")
			put("value", text[:n])
		default:
			n = 1
			for n < len(text) && text[n] != '<' && text[n] != '@' && !strings.HasPrefix(text[n:], "{{") {
				n++
			}
			put("", text[:n])
		}
		text = text[n:]
	}
	return template.HTML(b.String()) //nolint:gosec // every part is escaped
}

// through is the length up to and with an end mark, or of all.
func through(text, end string) int {
	if i := strings.Index(text, end); i >= 0 {
		return i + len(end)
	}
	return len(text)
}

// highlightTag marks one tag with its attributes and gives its length. Quoted values may hold any character but their
// quote, expressions' own quotes included.
func highlightTag(text string, put func(class, s string)) int {
	n := 1
	for n < len(text) && !strings.ContainsRune(" \t\r\n>", rune(text[n])) {
		n++
	}
	put("tag", text[:n])
	for n < len(text) {
		switch c := text[n]; c {
		case '>':
			put("tag", ">")
			return n + 1
		case '"', '\'':
			end := quoted(text[n:])
			class := "string"
			if strings.Contains(text[n:n+end], "@(") || strings.Contains(text[n:n+end], "@{") {
				class = "expr"
			}
			put(class, text[n:n+end])
			n += end
		case '/':
			put("tag", "/")
			n++
		default:
			start := n
			for n < len(text) && !strings.ContainsRune("\"'>/", rune(text[n])) {
				n++
			}
			put("attr", text[start:n])
		}
	}
	return n
}

// quoted is the length of a quoted value; inside an expression the quote may come again.
func quoted(text string) int {
	q := text[0]
	rest := text[1:]
	if strings.HasPrefix(rest, "@(") || strings.HasPrefix(rest, "@{") {
		if n := 1 + expression(rest); n < len(text) && text[n] == q {
			return n + 1
		}
	}
	if i := strings.IndexByte(rest, q); i >= 0 {
		return i + 2
	}
	return len(text)
}

// expression is the length of an expression: to the bracket that closes it, strings left aside.
func expression(text string) int {
	depth := 0
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '(', '{':
			depth++
		case ')', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return len(text)
}
