package markup

import "strings"

// Format is one of the two forms in which Azure exports policies.
type Format uint8

// The formats.
const (
	XML    Format = iota // well-formed XML: expressions are escaped
	RawXML               // expressions as in C#, for people to read
)

// Write writes the document. Reading what was written gives the same tree.
func (d *Document) Write(f Format) string {
	w := &writer{format: f}
	for _, c := range d.Before {
		w.node(c, 0)
		w.b.WriteByte('\n')
	}
	w.node(d.Root, 0)
	for _, c := range d.After {
		w.b.WriteByte('\n')
		w.node(c, 0)
	}
	return w.b.String()
}

type writer struct {
	b      strings.Builder
	format Format
}

func (w *writer) indent(depth int) {
	w.b.WriteByte('\n')
	for range depth {
		w.b.WriteByte('\t')
	}
}

func (w *writer) node(n *Node, depth int) {
	switch n.Kind {
	case Comment:
		w.b.WriteString("<!--" + n.Value.Text + "-->")
		return
	case Text:
		w.text(n.Value)
		return
	}
	w.b.WriteString("<" + n.Name)
	for _, a := range n.Attrs {
		w.b.WriteString(" " + a.Name + `="`)
		w.attribute(a.Value)
		w.b.WriteByte('"')
	}
	if len(n.Children) == 0 {
		w.b.WriteString(" />")
		return
	}
	w.b.WriteByte('>')
	inline := false
	for _, c := range n.Children {
		inline = inline || c.Kind == Text
	}
	for _, c := range n.Children {
		if !inline {
			w.indent(depth + 1)
		}
		w.node(c, depth+1)
	}
	if !inline {
		w.indent(depth)
	}
	w.b.WriteString("</" + n.Name + ">")
}

func (w *writer) attribute(v Value) {
	switch {
	case v.Expr && w.format == RawXML:
		w.b.WriteString(shieldEntities(v.Text))
	case v.Expr:
		w.b.WriteString(escapeAttr.Replace(v.Text))
	default:
		w.b.WriteString(shieldExpression(escapeAttr.Replace(v.Text)))
	}
}

func (w *writer) text(v Value) {
	switch {
	case v.Form == CData:
		w.b.WriteString("<![CDATA[" + v.Text + "]]>")
	case v.Form == Raw:
		w.b.WriteString(v.Text)
	case v.Expr && w.format == RawXML:
		w.b.WriteString(shieldEntities(v.Text))
	case v.Expr:
		w.b.WriteString(escapeText.Replace(v.Text))
	default:
		w.b.WriteString(shieldExpression(escapeText.Replace(v.Text)))
	}
}

// Line breaks are written as references in attributes, because an XML parser turns plain ones into spaces, and then a
// "//" comment would swallow the rest of its expression.
var escapeAttr = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\r", "&#13;", "\t", "&#9;")

var escapeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")

// shieldEntities keeps what looks like an entity in C# from being decoded when it is read.
func shieldEntities(s string) string {
	if !hasEntity(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteByte(s[i])
		if s[i] == '&' {
			if _, n := entity(s[i:]); n > 0 {
				b.WriteString("amp;")
			}
		}
	}
	return b.String()
}

// shieldExpression keeps a literal that begins like an expression from being read as one.
func shieldExpression(s string) string {
	if skip, ok := opensExpression(s); ok {
		return s[:skip] + "&#64;" + s[skip+1:]
	}
	return s
}
