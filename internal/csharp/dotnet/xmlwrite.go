package dotnet

import (
	"strconv"
	"strings"
)

// NetString implements csharp.Texter: XML, indented where no text is among the children.
func (x *xnode) NetString() string { return x.write(true) }

func (x *xnode) write(indent bool) string {
	w := &xmlWriter{indent: indent}
	switch x.kind {
	case xDocument:
		for i, k := range x.kids {
			if i > 0 && indent {
				w.out.WriteString(newLine)
			}
			w.node(k, 0, indent, x.scope())
		}
	case xAttribute:
		w.attribute(x, x.parent.scope())
	default:
		w.node(x, 0, indent, x.parent.scope())
	}
	return w.out.String()
}

type xmlWriter struct {
	out    strings.Builder
	indent bool
	fresh  int
}

// scope gives prefixes by namespace as the ancestors declare them. Written nodes repeat what they use, so it is empty.
func (x *xnode) scope() map[string]string { return map[string]string{"": "", xmlNS: "xml"} }

func escapeXML(s string, attr bool) string {
	r := []string{"&", "&amp;", "<", "&lt;", ">", "&gt;"}
	if attr {
		r = append(r, `"`, "&quot;", "\n", "&#xA;", "\r", "&#xD;", "\t", "&#x9;")
	} else {
		r = append(r, "\r", "&#xD;")
	}
	return strings.NewReplacer(r...).Replace(s)
}

func (w *xmlWriter) attribute(a *xnode, scope map[string]string) {
	name := a.name.local
	switch {
	case a.name.space == xmlnsNS:
		name = "xmlns:" + name
	case a.name.space != "":
		name = scope[a.name.space] + ":" + name
	}
	w.out.WriteString(name + `="` + escapeXML(a.value, true) + `"`)
}

func (w *xmlWriter) node(x *xnode, depth int, indent bool, scope map[string]string) {
	switch x.kind {
	case xText:
		w.out.WriteString(escapeXML(x.value, false))
		return
	case xCData:
		w.out.WriteString("<![CDATA[" + x.value + "]]>")
		return
	case xComment:
		w.out.WriteString("<!--" + x.value + "-->")
		return
	case xInstruction:
		w.out.WriteString("<?" + x.name.local + " " + x.value + "?>")
		return
	}
	own := make(map[string]string, len(scope)+2)
	for k, v := range scope {
		own[k] = v
	}
	drop := func(prefix string) {
		for ns, p := range own {
			if p == prefix && ns != xmlNS {
				delete(own, ns)
			}
		}
	}
	for _, a := range x.attrs {
		switch {
		case a.name.space == xmlnsNS:
			drop(a.name.local)
			own[a.value] = a.name.local
		case a.name == xname{"", "xmlns"}:
			drop("")
			own[a.value] = ""
		}
	}
	var extra string
	prefix, ok := own[x.name.space]
	if !ok {
		drop("")
		own[x.name.space] = ""
		extra = ` xmlns="` + escapeXML(x.name.space, true) + `"`
	}
	name := x.name.local
	if prefix != "" {
		name = prefix + ":" + name
	}
	w.out.WriteString("<" + name)
	for _, a := range x.attrs {
		if s := a.name.space; s != "" && s != xmlnsNS && own[s] == "" {
			w.fresh++
			own[s] = "p" + strconv.Itoa(w.fresh)
			extra += " xmlns:" + own[s] + `="` + escapeXML(s, true) + `"`
		}
		w.out.WriteByte(' ')
		w.attribute(a, own)
	}
	w.out.WriteString(extra)
	if len(x.kids) == 0 {
		w.out.WriteString(" />")
		return
	}
	w.out.WriteByte('>')
	for _, k := range x.kids {
		if k.kind == xText || k.kind == xCData {
			indent = false
		}
	}
	for _, k := range x.kids {
		if indent {
			w.out.WriteString(newLine + strings.Repeat("  ", depth+1))
		}
		w.node(k, depth+1, indent, own)
	}
	if indent {
		w.out.WriteString(newLine + strings.Repeat("  ", depth))
	}
	w.out.WriteString("</" + name + ">")
}
