package dotnet

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"

	"tandem/internal/csharp"
)

type xkind int

const (
	xElement xkind = iota
	xDocument
	xAttribute
	xText
	xCData
	xComment
	xInstruction
)

const (
	xlinq   = "System.Xml.Linq"
	xmlnsNS = "http://www.w3.org/2000/xmlns/"
	xmlNS   = "http://www.w3.org/XML/1998/namespace"
)

// xname is an XName.
type xname struct{ space, local string }

// NetString implements csharp.Texter.
func (n xname) NetString() string {
	if n.space == "" {
		return n.local
	}
	return "{" + n.space + "}" + n.local
}

// NetKey implements csharp.Equaler.
func (n xname) NetKey() any { return n }

// xspace is an XNamespace.
type xspace string

// NetString implements csharp.Texter.
func (s xspace) NetString() string { return string(s) }

// NetKey implements csharp.Equaler.
func (s xspace) NetKey() any { return s }

func parseName(s string) xname {
	if rest, ok := strings.CutPrefix(s, "{"); ok {
		if space, local, ok := strings.Cut(rest, "}"); ok && local != "" {
			return xname{space, local}
		}
	}
	if s == "" || strings.ContainsAny(s, " <>&\"'{}/=") || s[0] >= '0' && s[0] <= '9' || s[0] == '-' || s[0] == '.' {
		csharp.Throw("System.Xml.XmlException", "Name cannot begin with the '"+firstChar(s)+"' character, hexadecimal value 0x"+hexOf(s)+".")
	}
	if strings.Contains(s, ":") {
		csharp.Throw("System.Xml.XmlException", "The ':' character, hexadecimal value 0x3A, cannot be included in a name.")
	}
	return xname{"", s}
}

func firstChar(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

func hexOf(s string) string {
	if s == "" {
		return "0"
	}
	return strings.ToUpper(string("0123456789abcdef"[s[0]>>4]) + string("0123456789abcdef"[s[0]&15]))
}

// xnode is any XObject.
type xnode struct {
	kind   xkind
	name   xname
	value  string // of text, comments, attributes
	decl   *xdecl // of a document: <?xml … ?>
	parent *xnode
	kids   []*xnode
	attrs  []*xnode
	height int
}

// raise tells the parents how deep x goes.
func (x *xnode) raise() {
	for k, p := x, x.parent; p != nil && p.height <= k.height; k, p = p, p.parent {
		p.height = k.height + 1
		csharp.CheckHeight(p.height)
	}
}

var xtypes = [...]*typ{xElement: xtype("XElement"), xDocument: xtype("XDocument"), xAttribute: xtype("XAttribute"), xText: xtype("XText"), xCData: xtype("XCData"),
	xComment: xtype("XComment"), xInstruction: xtype("XProcessingInstruction")}

func xtype(name string) *typ {
	return csharp.Generic(&csharp.Decl{Name: name, Namespace: xlinq, Kind: csharp.KindClass})
}

// NetType implements csharp.Typed.
func (x *xnode) NetType() *typ { return xtypes[x.kind] }

func (x *xnode) text() string {
	switch x.kind {
	case xElement, xDocument:
		var out strings.Builder
		for _, k := range x.kids {
			if k.kind != xComment && k.kind != xInstruction {
				out.WriteString(k.text())
			}
		}
		return out.String()
	}
	return x.value
}

func (x *xnode) root() *xnode {
	for _, k := range x.kids {
		if k.kind == xElement {
			return k
		}
	}
	return nil
}

func (x *xnode) clone() *xnode {
	c := *x
	c.parent, c.kids, c.attrs = nil, nil, nil
	for _, k := range x.kids {
		k = k.clone()
		k.parent = &c
		c.kids = append(c.kids, k)
	}
	for _, a := range x.attrs {
		a = a.clone()
		a.parent = &c
		c.attrs = append(c.attrs, a)
	}
	return &c
}

// ParseXML reads a document. Errors are .NET's XmlException.
func parseXML(m *mach, s string) *xnode {
	m.Charge(8 * len(s))
	fail := func(msg string) { csharp.Throw("System.Xml.XmlException", msg) }
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(s, "\ufeff")))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // the text is decoded already
	doc := &xnode{kind: xDocument}
	cur, depth := doc, 0
	var names []xml.Name
	scopes := []map[string]string{{"xml": xmlNS, "": ""}}
	for {
		at := d.InputOffset()
		t, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			msg := err.Error()
			if strings.Contains(msg, "EOF") {
				msg = "Unexpected end of file has occurred."
			}
			fail(msg)
		}
		m.Step()
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth > 500 {
				fail("The document is nested too deeply.")
			}
			if cur == doc && doc.root() != nil {
				fail("There are multiple root elements.")
			}
			scope := scopes[len(scopes)-1]
			for _, a := range t.Attr {
				if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
					if own := make(map[string]string, len(scope)+1); true {
						for k, v := range scope {
							own[k] = v
						}
						prefix := a.Name.Local
						if a.Name.Space == "" {
							prefix = ""
						}
						own[prefix] = a.Value
						scope = own
					}
				}
			}
			space := func(prefix string) string {
				ns, ok := scope[prefix]
				if !ok {
					fail("'" + prefix + "' is an undeclared prefix.")
				}
				return ns
			}
			e := &xnode{kind: xElement, name: xname{space(t.Name.Space), t.Name.Local}, parent: cur}
			for _, a := range t.Attr {
				n := xname{"", a.Name.Local}
				switch {
				case a.Name.Space == "xmlns":
					n.space = xmlnsNS
				case a.Name.Space != "":
					n.space = space(a.Name.Space)
				}
				if e.attr(n) != nil {
					fail("'" + a.Name.Local + "' is a duplicate attribute name.")
				}
				e.attrs = append(e.attrs, &xnode{kind: xAttribute, name: n, value: a.Value, parent: e})
			}
			cur.kids = append(cur.kids, e)
			e.raise()
			cur, scopes, names = e, append(scopes, scope), append(names, t.Name)
		case xml.EndElement:
			if len(names) == 0 || names[len(names)-1] != t.Name {
				fail("The end tag '" + t.Name.Local + "' does not match a start tag.")
			}
			cur, scopes, names = cur.parent, scopes[:len(scopes)-1], names[:len(names)-1]
			depth--
		case xml.CharData:
			text := string(t)
			kind := xText
			if strings.HasPrefix(s[min(int(at), len(s)):], "<![CDATA[") {
				kind = xCData
			}
			if cur == doc {
				if strings.TrimSpace(text) != "" {
					fail("Data at the root level is invalid. Line 1, position 1.")
				}
				continue
			}
			cur.kids = append(cur.kids, &xnode{kind: kind, value: text, parent: cur})
		case xml.Comment:
			cur.kids = append(cur.kids, &xnode{kind: xComment, value: string(t), parent: cur})
		case xml.ProcInst:
			if t.Target == "xml" {
				doc.decl = &xdecl{pseudo(string(t.Inst), "version"), pseudo(string(t.Inst), "encoding"), pseudo(string(t.Inst), "standalone")}
				continue
			}
			cur.kids = append(cur.kids, &xnode{kind: xInstruction, name: xname{"", t.Target}, value: string(t.Inst), parent: cur})
		}
	}
	if len(names) > 0 {
		fail("Unexpected end of file has occurred. The following elements are not closed: " + names[len(names)-1].Local + ".")
	}
	if doc.root() == nil {
		fail("Root element is missing.")
	}
	doc.dropBlanks()
	return doc
}

// pseudo reads name="value" of an XML declaration.
func pseudo(s, name string) string {
	_, rest, ok := strings.Cut(s, name+"=")
	if !ok || rest == "" {
		return ""
	}
	v, _, _ := strings.Cut(rest[1:], rest[:1])
	return v
}

// dropBlanks removes white space between elements, as LoadOptions.None does.
func (x *xnode) dropBlanks() {
	keep := x.kids[:0]
	for _, k := range x.kids {
		if k.kind == xText && strings.TrimSpace(k.value) == "" {
			continue
		}
		k.dropBlanks()
		keep = append(keep, k)
	}
	x.kids = keep
}

func (x *xnode) attr(n xname) *xnode {
	for _, a := range x.attrs {
		if a.name == n {
			return a
		}
	}
	return nil
}

func (x *xnode) place() int { return slices.Index(x.parent.kids, x) }

// insert puts content among the children at i: text, elements, attributes, sequences of them.
func (x *xnode) insert(m *mach, i int, r any) int {
	m.Step()
	m.Charge(128)
	m.Deeper()
	defer m.Shallower()
	for p := x; p != nil; p = p.parent {
		if o, ok := r.(*xnode); ok && o == p {
			r = o.clone() // a node cannot hold itself
			break
		}
	}
	if l, ok := r.(*csharp.Array); ok && l.Elem.Kind != csharp.KindByte {
		for _, v := range l.Items {
			i = x.insert(m, i, csharp.Box(v, l.Elem))
		}
		return i
	}
	switch o := r.(type) {
	case nil:
		return i
	case *xdecl:
		x.decl = o
		return i
	case *xnode:
		if o.kind == xDocument {
			o = o.root()
		}
		if o.parent != nil {
			o = o.clone()
		}
		o.parent = x
		o.raise()
		if o.kind == xAttribute {
			if x.attr(o.name) != nil {
				csharp.Throw("InvalidOperationException", "Duplicate attribute.")
			}
			x.attrs = append(x.attrs, o)
			return i
		}
		x.kids = slices.Insert(x.kids, i, o)
		return i + 1
	case csharp.Seq:
		if _, text := r.(csharp.Texter); text {
			break
		}
		each(m, ref(o), "content", func(_ int, v val) bool { i = x.insert(m, i, v.R); return true })
		return i
	}
	s := xmlText(r)
	m.Charge(len(s) + 64)
	if i > 0 && x.kids[i-1].kind == xText {
		x.kids[i-1].value += s
		return i
	}
	x.kids = slices.Insert(x.kids, i, &xnode{kind: xText, value: s, parent: x})
	return i + 1
}

// xmlText writes a simple value as XML Schema does.
func xmlText(r any) string {
	switch v := r.(type) {
	case bool:
		return strings.ToLower(csharp.ObjectText(v))
	case csharp.DateTime:
		return csharp.FormatValue(ref(v), csharp.Object, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")
	}
	return csharp.ObjectText(r)
}

func (x *xnode) detach() {
	if x.parent == nil {
		csharp.Throw("InvalidOperationException", "The parent is missing.")
	}
	same := func(o *xnode) bool { return o == x }
	x.parent.kids = slices.DeleteFunc(x.parent.kids, same)
	x.parent.attrs = slices.DeleteFunc(x.parent.attrs, same)
	x.parent = nil
}

func xdeep(a, b *xnode) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.kind != b.kind || a.name != b.name || a.value != b.value || len(a.kids) != len(b.kids) || len(a.attrs) != len(b.attrs) {
		return false
	}
	for i := range a.kids {
		if !xdeep(a.kids[i], b.kids[i]) {
			return false
		}
	}
	for i := range a.attrs {
		if !xdeep(a.attrs[i], b.attrs[i]) {
			return false
		}
	}
	return true
}
