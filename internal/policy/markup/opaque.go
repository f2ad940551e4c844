package markup

import "strings"

// opaque tells whether the content of an element is text of the author's own (SOAP, Liquid, JSON, SQL, GraphQL), not
// policy markup.
func opaque(name string) bool {
	switch name {
	case "set-body", "publish-to-dapr", "data", "sql-statement", "document":
		return true
	}
	return false
}

// opaque reads the content of n, up to and over its end tag, as one text.
func (r *reader) opaque(n *Node) error {
	if skip, ok := opensExpression(r.rest()); ok {
		r.at += skip
		v, err := r.expression(func(rest string) bool { return strings.HasPrefix(rest, "</") || strings.HasPrefix(rest, "<!--") })
		if err != nil {
			return err
		}
		n.Children = append(n.Children, &Node{Kind: Text, Value: v, Pos: v.Pos})
		for r.skipSpace(); strings.HasPrefix(r.rest(), "<!--"); r.skipSpace() {
			c, err := r.comment()
			if err != nil {
				return err
			}
			n.Children = append(n.Children, c)
		}
		return r.endTag(n)
	}
	start := r.at
	end := r.opaqueEnd(n.Name)
	if end < 0 {
		return r.fail(n.Pos.Offset, "the element <%s> is not closed", n.Name)
	}
	r.at = end
	if start == end {
		return r.endTag(n)
	}
	body := r.src[start:end]
	trimmed := strings.Trim(body, " \t\r\n")
	if strings.HasPrefix(trimmed, "<![CDATA[") && strings.Index(trimmed, "]]>") == len(trimmed)-3 {
		from := start + strings.Index(body, "<![CDATA[") + len("<![CDATA[")
		v, err := r.cdataValue(from, from+len(trimmed)-len("<![CDATA[]]>"))
		if err != nil {
			return err
		}
		n.Children = append(n.Children, &Node{Kind: Text, Value: v, Pos: r.doc.At(start)})
		return r.endTag(n)
	}
	v := Value{Text: body, Form: Raw, Pos: r.doc.At(start), doc: r.doc}
	if !hasMarkup(body) {
		v = r.literal(start, end)
	}
	n.Children = append(n.Children, &Node{Kind: Text, Value: v, Pos: v.Pos})
	return r.endTag(n)
}

// opaqueEnd finds the end tag of an opaque element; one inside CDATA is content.
func (r *reader) opaqueEnd(name string) int {
	for i := r.at; i < len(r.src); i++ {
		if r.src[i] != '<' {
			continue
		}
		rest := r.src[i:]
		if strings.HasPrefix(rest, "<![CDATA[") {
			n := strings.Index(rest, "]]>")
			if n < 0 {
				return -1
			}
			i += n + 2
			continue
		}
		if strings.HasPrefix(rest, "</") && strings.HasPrefix(rest[2:], name) && len(rest) > 2+len(name) && !isNameByte(rest[2+len(name)]) {
			return i
		}
	}
	return -1
}

// hasMarkup tells whether a text has tags, comments or CDATA in it.
func hasMarkup(s string) bool {
	for i := strings.IndexByte(s, '<'); i >= 0 && i < len(s); i++ {
		if s[i] == '<' && tagAt(s[i:]) {
			return true
		}
	}
	return false
}
