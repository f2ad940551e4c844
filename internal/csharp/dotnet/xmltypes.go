package dotnet

import (
	"slices"

	"tandem/internal/csharp"
)

func xs(v val) *xnode { x, _ := v.R.(*xnode); return x }

func xval(x *xnode) val {
	if x == nil {
		return val{}
	}
	return ref(x)
}

func xseq(all []*xnode) val {
	g := &group{}
	for _, x := range all {
		g.items = append(g.items, ref(x))
	}
	return ref(g)
}

func (x *xnode) walk(visit func(*xnode)) {
	for _, k := range x.kids {
		visit(k)
		k.walk(visit)
	}
}

// elements selects the elements among nodes, of a name where one is given.
func elements(all []*xnode, name any) []*xnode {
	var out []*xnode
	for _, x := range all {
		if n, ok := name.(xname); x.kind == xElement && (!ok || x.name == n) {
			out = append(out, x)
		}
	}
	return out
}

func (x *xnode) below() []*xnode {
	var out []*xnode
	x.walk(func(k *xnode) { out = append(out, k) })
	return out
}

func xmlTypes() []def {
	me := self[*xnode]
	kind := func(ks ...xkind) func(any) bool {
		return func(r any) bool { x, ok := r.(*xnode); return ok && slices.Contains(ks, x.kind) }
	}
	nameOf := func(a []val, i int) any {
		if i < len(a) {
			return a[i].R
		}
		return nil
	}
	list := func(sig string, of func(x *xnode) []*xnode) []member {
		fn := pure(func(a []val) val { return xseq(elements(of(me(a)), nameOf(a, 1))) })
		return []member{f("IEnumerable<XElement> "+sig+"()", fn), f("IEnumerable<XElement> "+sig+"(XName name)", fn)}
	}
	beside := func(step int) csharp.Fn {
		return pure(func(a []val) val {
			x := me(a)
			if x.parent == nil {
				return val{}
			}
			if i := x.place() + step; i >= 0 && i < len(x.parent.kids) {
				return ref(x.parent.kids[i])
			}
			return val{}
		})
	}
	put := func(step int) csharp.Fn {
		return func(m *mach, a []val) val {
			x := me(a)
			if x.parent == nil {
				csharp.Throw("InvalidOperationException", "The parent is missing.")
			}
			x.parent.insert(m, x.place()+step, a[1].R)
			return val{}
		}
	}
	kids := func(x *xnode) []*xnode { return x.kids }
	first := func(x *xnode, name any) val {
		if all := elements(x.kids, name); len(all) > 0 {
			return ref(all[0])
		}
		return val{}
	}
	edge := func(last bool) csharp.Fn {
		return pure(func(a []val) val {
			k := me(a).kids
			if len(k) == 0 {
				return val{}
			}
			if last {
				return ref(k[len(k)-1])
			}
			return ref(k[0])
		})
	}
	setText := func(m *mach, x *xnode, s string) {
		if x.kind == xElement {
			x.kids = nil
			if s != "" {
				x.insert(m, 0, s)
			}
			return
		}
		x.value = s
	}
	made := func(k xkind, name, value val) val {
		x := &xnode{kind: k, value: value.S}
		x.name, _ = name.R.(xname)
		return ref(x)
	}
	setAttr := func(m *mach, x *xnode, n xname, r any) {
		old := x.attr(n)
		switch {
		case r == nil && old != nil:
			old.detach()
		case r == nil:
		case old != nil:
			old.value = xmlText(r)
		default:
			x.insert(m, 0, &xnode{kind: xAttribute, name: n, value: xmlText(r)})
		}
	}
	container := append(list("Elements", kids), list("Descendants", (*xnode).below)...)
	container = append(container,
		f("XElement Element(XName name)", pure(func(a []val) val { return first(me(a), a[1].R) })),
		f("IEnumerable<XNode> Nodes()", pure(func(a []val) val { return xseq(me(a).kids) })),
		f("IEnumerable<XNode> DescendantNodes()", pure(func(a []val) val { return xseq(me(a).below()) })),
		f("XNode FirstNode", edge(false)), f("XNode LastNode", edge(true)),
		f("void Add(object content)", func(m *mach, a []val) val { me(a).insert(m, len(me(a).kids), a[1].R); return val{} }),
		f("void Add(params object[] content)", func(m *mach, a []val) val { me(a).insert(m, len(me(a).kids), a[1].R); return val{} }),
		f("void AddFirst(object content)", func(m *mach, a []val) val { me(a).insert(m, 0, a[1].R); return val{} }),
		f("void RemoveNodes()", pure(func(a []val) val { me(a).kids = nil; return val{} })),
		f("void ReplaceNodes(object content)", func(m *mach, a []val) val { me(a).kids = nil; me(a).insert(m, 0, a[1].R); return val{} }))
	build := func(m *mach, k xkind, name any, content any) val {
		x := &xnode{kind: k}
		x.name, _ = name.(xname)
		x.insert(m, 0, content)
		return ref(x)
	}
	element := append(list("DescendantsAndSelf", func(x *xnode) []*xnode { return append([]*xnode{x}, x.below()...) }),
		f("new(XName name)", func(m *mach, a []val) val { return build(m, xElement, nonNull(a[0].R, "name"), nil) }),
		f("new(XName name, object content)", func(m *mach, a []val) val { return build(m, xElement, nonNull(a[0].R, "name"), a[1].R) }),
		f("new(XName name, params object[] content)", func(m *mach, a []val) val { return build(m, xElement, nonNull(a[0].R, "name"), a[1].R) }),
		f("new(XElement other)", pure(func(a []val) val { return ref(xs(a[0]).clone()) })),
		f("static XElement Parse(string text)", func(m *mach, a []val) val {
			e := parseXML(m, needString(a[0], "text")).root()
			e.parent = nil
			return ref(e)
		}),
		fs("XName Name", pure(func(a []val) val { return ref(me(a).name) }), pure(func(a []val) val { me(a).name = a[1].R.(xname); return val{} })),
		fs("string Value", pure(func(a []val) val { return str(me(a).text()) }), func(m *mach, a []val) val { setText(m, me(a), a[1].S); return val{} }),
		f("bool HasElements", pure(func(a []val) val { return yes(len(elements(me(a).kids, nil)) > 0) })),
		f("bool HasAttributes", pure(func(a []val) val { return yes(len(me(a).attrs) > 0) })),
		f("bool IsEmpty", pure(func(a []val) val { return yes(len(me(a).kids) == 0) })),
		f("XAttribute Attribute(XName name)", pure(func(a []val) val { return xval(me(a).attr(a[1].R.(xname))) })),
		f("IEnumerable<XAttribute> Attributes()", pure(func(a []val) val { return xseq(me(a).attrs) })),
		f("IEnumerable<XAttribute> Attributes(XName name)", pure(func(a []val) val {
			if x := me(a).attr(a[1].R.(xname)); x != nil {
				return xseq([]*xnode{x})
			}
			return xseq(nil)
		})),
		f("XAttribute FirstAttribute", pure(func(a []val) val {
			if len(me(a).attrs) == 0 {
				return val{}
			}
			return ref(me(a).attrs[0])
		})),
		f("void SetAttributeValue(XName name, object value)", func(m *mach, a []val) val { setAttr(m, me(a), a[1].R.(xname), a[2].R); return val{} }),
		f("void SetElementValue(XName name, object value)", func(m *mach, a []val) val {
			old := xs(first(me(a), a[1].R))
			switch {
			case old == nil && a[2].R != nil:
				me(a).insert(m, len(me(a).kids), build(m, xElement, a[1].R, a[2].R).R)
			case old != nil && a[2].R == nil:
				old.detach()
			case old != nil:
				setText(m, old, xmlText(a[2].R))
			}
			return val{}
		}),
		f("void SetValue(object value)", func(m *mach, a []val) val { setText(m, me(a), xmlText(a[1].R)); return val{} }),
		f("void RemoveAttributes()", pure(func(a []val) val { me(a).attrs = nil; return val{} })),
		f("void RemoveAll()", pure(func(a []val) val { me(a).attrs, me(a).kids = nil, nil; return val{} })),
		f("XNamespace GetDefaultNamespace()", pure(func(a []val) val {
			for x := me(a); x != nil; x = x.parent {
				if d := x.attr(xname{"", "xmlns"}); d != nil {
					return ref(xspace(d.value))
				}
			}
			return ref(xspace(""))
		})))
	attribute := []member{
		f("new(XName name, object value)", pure(func(a []val) val { return made(xAttribute, a[0], str(xmlText(a[1].R))) })),
		f("XName Name", pure(func(a []val) val { return ref(me(a).name) })),
		fs("string Value", pure(func(a []val) val { return str(me(a).value) }), pure(func(a []val) val { me(a).value = a[1].S; return val{} })),
		f("bool IsNamespaceDeclaration", pure(func(a []val) val { return yes(me(a).name.space == xmlnsNS || me(a).name == xname{"", "xmlns"}) })),
		f("void Remove()", pure(func(a []val) val { me(a).detach(); return val{} })),
		f("void SetValue(object value)", pure(func(a []val) val { me(a).value = xmlText(a[1].R); return val{} })),
	}
	for _, t := range []*typ{csharp.StringT, csharp.Bool, csharp.IntT, csharp.LongT, csharp.DoubleT, csharp.DecimalT, csharp.DateTimeT, csharp.GuidT} {
		for name, to := range map[string]*[]member{"XElement": &element, "XAttribute": &attribute} {
			*to = append(*to, f("explicit "+t.String()+"("+name+" value)", pure(func(a []val) val {
				x := xs(a[0])
				if x == nil {
					if t.Kind == csharp.KindString {
						return val{}
					}
					csharp.ThrowNull("value")
				}
				return xmlSimple(x.text(), t)
			})))
			if t.Kind != csharp.KindString {
				*to = append(*to, f("explicit Nullable<"+t.String()+">("+name+" value)", pure(func(a []val) val {
					if a[0].R == nil {
						return val{}
					}
					return ref(csharp.Box(xmlSimple(xs(a[0]).text(), t), t))
				})))
			}
		}
	}
	node := func(name string, k xkind) def {
		return def{Decl: "class " + name + " : XNode", Known: xtypes[k].Decl, Is: kind(k), Members: []member{
			f("new(string value)", pure(func(a []val) val { return made(k, val{}, a[0]) })),
			fs("string Value", pure(func(a []val) val { return str(me(a).value) }), pure(func(a []val) val { me(a).value = a[1].S; return val{} })),
		}}
	}
	return []def{
		{Decl: "class XObject", Namespace: xlinq, Is: is[*xnode], Members: []member{
			f("XElement Parent", pure(func(a []val) val {
				if p := me(a).parent; p != nil && p.kind == xElement {
					return ref(p)
				}
				return val{}
			})),
			f("XmlNodeType NodeType", pure(func(a []val) val { return num([]int{1, 9, 2, 3, 4, 8, 7}[me(a).kind]) })),
			f("string ToString()", func(m *mach, a []val) val { s := me(a).NetString(); m.Charge(len(s)); return str(s) }),
		}},
		{Decl: "class XNode : XObject", Namespace: xlinq, Is: func(r any) bool { x, ok := r.(*xnode); return ok && x.kind != xAttribute }, Members: []member{
			f("void Remove()", pure(func(a []val) val { me(a).detach(); return val{} })),
			f("XNode NextNode", beside(1)), f("XNode PreviousNode", beside(-1)),
			f("void AddAfterSelf(object content)", put(1)), f("void AddBeforeSelf(object content)", put(0)),
			f("void ReplaceWith(object content)", func(m *mach, a []val) val {
				put(1)(m, a)
				me(a).detach()
				return val{}
			}),
			f("IEnumerable<XElement> Ancestors()", pure(func(a []val) val {
				var out []*xnode
				for p := me(a).parent; p != nil && p.kind == xElement; p = p.parent {
					out = append(out, p)
				}
				return xseq(out)
			})),
			f("static bool DeepEquals(XNode n1, XNode n2)", pure(func(a []val) val { return yes(xdeep(xs(a[0]), xs(a[1]))) })),
			f("string ToString(SaveOptions options)", func(m *mach, a []val) val { s := me(a).write(a[1].N&1 == 0); m.Charge(len(s)); return str(s) }),
		}},
		{Decl: "class XContainer : XNode", Namespace: xlinq, Is: kind(xElement, xDocument), Members: container},
		{Decl: "class XElement : XContainer", Known: xtypes[xElement].Decl, Is: kind(xElement), Members: element},
		{Decl: "class XDocument : XContainer", Known: xtypes[xDocument].Decl, Is: kind(xDocument), Members: []member{
			f("new()", func(m *mach, _ []val) val { return build(m, xDocument, nil, nil) }),
			f("new(params object[] content)", func(m *mach, a []val) val { return build(m, xDocument, nil, a[0].R) }),
			fs("XDeclaration Declaration", pure(func(a []val) val {
				if me(a).decl == nil {
					return val{}
				}
				return ref(me(a).decl)
			}), pure(func(a []val) val { me(a).decl, _ = a[1].R.(*xdecl); return val{} })),
			f("XElement Root", pure(func(a []val) val { return xval(me(a).root()) })),
			f("static XDocument Parse(string text)", func(m *mach, a []val) val { return ref(parseXML(m, needString(a[0], "text"))) }),
		}},
		{Decl: "class XAttribute : XObject", Known: xtypes[xAttribute].Decl, Is: kind(xAttribute), Members: attribute},
		node("XText", xText), node("XComment", xComment),
		{Decl: "class XCData : XText", Known: xtypes[xCData].Decl, Is: kind(xCData), Members: []member{f("new(string value)", pure(func(a []val) val { return made(xCData, val{}, a[0]) }))}},
		{Decl: "class XDeclaration", Namespace: xlinq, Is: is[*xdecl], Members: []member{
			f("new(string version, string encoding, string standalone)", pure(func(a []val) val { return ref(&xdecl{a[0].S, a[1].S, a[2].S}) })),
			f("string Version", pure(func(a []val) val { return str(a[0].R.(*xdecl).version) })),
			f("string Encoding", pure(func(a []val) val { return str(a[0].R.(*xdecl).encoding) })),
			f("string Standalone", pure(func(a []val) val { return str(a[0].R.(*xdecl).standalone) })),
			f("string ToString()", pure(func(a []val) val { return str(a[0].R.(*xdecl).NetString()) })),
		}},
		{Decl: "class XNodeEqualityComparer", Namespace: xlinq, Is: is[nodeComparer], Members: []member{
			f("new()", pure(func([]val) val { return ref(nodeComparer{}) })),
			f("bool Equals(XNode x, XNode y)", pure(func(a []val) val { return yes(xdeep(xs(a[1]), xs(a[2]))) })),
			f("int GetHashCode(XNode obj)", pure(func(a []val) val { return hashText(nil, csharp.ObjectText(a[1].R)) })),
		}},
		{Decl: "class XProcessingInstruction : XNode", Known: xtypes[xInstruction].Decl, Is: kind(xInstruction)},
		{Decl: "class XName", Namespace: xlinq, Is: is[xname], Members: []member{
			f("string LocalName", pure(func(a []val) val { return str(a[0].R.(xname).local) })),
			f("string NamespaceName", pure(func(a []val) val { return str(a[0].R.(xname).space) })),
			f("XNamespace Namespace", pure(func(a []val) val { return ref(xspace(a[0].R.(xname).space)) })),
			f("static XName Get(string expandedName)", pure(func(a []val) val { return ref(parseName(needString(a[0], "expandedName"))) })),
			f("static XName Get(string localName, string namespaceName)", pure(func(a []val) val { return ref(xname{a[1].S, parseName(a[0].S).local}) })),
			f("implicit XName(string expandedName)", pure(func(a []val) val {
				if a[0].NullString() {
					return val{}
				}
				return ref(parseName(a[0].S))
			})),
			f("operator bool ==(XName left, XName right)", pure(func(a []val) val { return yes(a[0].R == a[1].R) })),
			f("operator bool !=(XName left, XName right)", pure(func(a []val) val { return yes(a[0].R != a[1].R) })),
		}},
		{Decl: "class XNamespace", Namespace: xlinq, Is: is[xspace], Members: []member{
			f("string NamespaceName", pure(func(a []val) val { return str(string(a[0].R.(xspace))) })),
			f("static XNamespace Get(string namespaceName)", pure(func(a []val) val { return ref(xspace(needString(a[0], "namespaceName"))) })),
			f("static XNamespace None", pure(func([]val) val { return ref(xspace("")) })),
			f("static XNamespace Xmlns", pure(func([]val) val { return ref(xspace(xmlnsNS)) })),
			f("static XNamespace Xml", pure(func([]val) val { return ref(xspace(xmlNS)) })),
			f("XName GetName(string localName)", pure(func(a []val) val { return ref(xname{string(a[0].R.(xspace)), a[1].S}) })),
			f("implicit XNamespace(string namespaceName)", pure(func(a []val) val {
				if a[0].NullString() {
					return val{}
				}
				return ref(xspace(a[0].S))
			})),
			f("operator XName +(XNamespace ns, string localName)", pure(func(a []val) val {
				ns, ok := a[0].R.(xspace)
				if !ok {
					csharp.ThrowNull("ns")
				}
				return ref(xname{string(ns), parseName(a[1].S).local})
			})),
			f("operator bool ==(XNamespace left, XNamespace right)", pure(func(a []val) val { return yes(a[0].R == a[1].R) })),
			f("operator bool !=(XNamespace left, XNamespace right)", pure(func(a []val) val { return yes(a[0].R != a[1].R) })),
		}},
		{Decl: "flags enum SaveOptions", Namespace: xlinq, Values: []string{"None", "DisableFormatting", "OmitDuplicateNamespaces"}},
		{Decl: "enum XmlNodeType", Namespace: "System.Xml", Values: []string{"None", "Element", "Attribute", "Text", "CDATA", "EntityReference", "Entity", "ProcessingInstruction",
			"Comment", "Document", "DocumentType", "DocumentFragment", "Notation", "Whitespace", "SignificantWhitespace", "EndElement", "EndEntity", "XmlDeclaration"}},
		{Decl: "static class Extensions", Namespace: xlinq, Members: []member{
			f("IEnumerable<XElement> Elements<T>(this IEnumerable<T> source, XName name)", func(m *mach, a []val) val { return spreadElements(m, a, kids) }),
			f("IEnumerable<XElement> Descendants<T>(this IEnumerable<T> source, XName name)", func(m *mach, a []val) val { return spreadElements(m, a, (*xnode).below) }),
			f("void Remove(this IEnumerable<XNode> source)", func(m *mach, a []val) val {
				for _, v := range gather(m, a[0], "source") {
					xs(v).detach()
				}
				return val{}
			}),
		}},
	}
}

// xdecl is an XDeclaration.
type xdecl struct{ version, encoding, standalone string }

// NetString implements csharp.Texter.
func (d *xdecl) NetString() string {
	s := "<?xml"
	for _, p := range [][2]string{{"version", d.version}, {"encoding", d.encoding}, {"standalone", d.standalone}} {
		if p[1] != "" {
			s += " " + p[0] + `="` + p[1] + `"`
		}
	}
	return s + "?>"
}

type nodeComparer struct{ _ byte }

func spreadElements(m *mach, a []val, of func(*xnode) []*xnode) val {
	var out []*xnode
	each(m, a[0], "source", func(_ int, v val) bool {
		if x := xs(v); x != nil {
			out = append(out, elements(of(x), a[1].R)...)
		}
		return true
	})
	return xseq(out)
}

// xmlSimple reads a simple value as XML Schema writes it.
func xmlSimple(s string, t *typ) val {
	switch {
	case t.Kind == csharp.KindString:
		return str(s)
	case t.Kind == csharp.KindGuid:
		return mustGuid(s)
	case t.Kind == csharp.KindBool && s == "1":
		return yes(true)
	case t.Kind == csharp.KindBool && s == "0":
		return yes(false)
	}
	return fromText(t, str(s))
}

// ParseXElement and its kin serve hosts that read bodies.
func ParseXElement(m *csharp.Machine, s string) csharp.Value {
	e := parseXML(m, s).root()
	e.parent = nil
	return ref(e)
}

// ParseXDocument reads a document.
func ParseXDocument(m *csharp.Machine, s string) csharp.Value { return ref(parseXML(m, s)) }

// ParseToken reads JSON as JToken.Parse does, charging the run.
func ParseToken(m *csharp.Machine, s string) csharp.Value { return ref(parseJSON(m, s)) }
