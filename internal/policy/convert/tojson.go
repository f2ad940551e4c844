package convert

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// XMLOptions are xml-to-json's.
type XMLOptions struct {
	// Friendly gives a form for JavaScript: names without prefixes, no attributes of namespaces, no "@".
	Friendly bool
	// Arrays makes every child element an array, also one alone.
	Arrays bool
	// Trim removes white space around values; Whitespace keeps texts that are only white space.
	Trim, Whitespace bool
	// EmptyNull makes empty elements null; else they are "".
	EmptyNull bool
}

// element is an XML element being read: names keep their prefixes as they were written.
type element struct {
	name     string
	attrs    []xml.Attr
	children []*element
	text     string // of a text node, whose name is "#text" or "#cdata-section"
}

// XMLToJSON converts a document.
func XMLToJSON(src []byte, o XMLOptions) ([]byte, error) {
	root, decl, err := parse(src)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteByte('{')
	if decl != "" && !o.Friendly {
		b.WriteString(`"?xml":{` + decl + `},`)
	}
	writeString(&b, name(root.name, o))
	b.WriteByte(':')
	writeElement(&b, root, o)
	b.WriteByte('}')
	return b.Bytes(), nil
}

func parse(src []byte) (*element, string, error) {
	d := xml.NewDecoder(bytes.NewReader(src))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var stack []*element
	var root *element
	decl := ""
	for {
		t, err := d.RawToken()
		if err == io.EOF && root != nil && len(stack) == 0 {
			return root, decl, nil
		}
		if err != nil {
			return nil, "", fmt.Errorf("read the XML: %w", err)
		}
		switch t := t.(type) {
		case xml.ProcInst:
			if t.Target == "xml" {
				decl = declaration(string(t.Inst))
			}
		case xml.StartElement:
			if len(stack) > 500 {
				return nil, "", fmt.Errorf("read the XML: elements are nested deeper than 500")
			}
			e := &element{name: full(t.Name), attrs: append([]xml.Attr(nil), t.Attr...)}
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.children = append(top.children, e)
			} else if root == nil {
				root = e
			} else {
				return nil, "", fmt.Errorf("read the XML: a second root element")
			}
			stack = append(stack, e)
		case xml.EndElement:
			if len(stack) == 0 || stack[len(stack)-1].name != full(t.Name) {
				return nil, "", fmt.Errorf("read the XML: an end tag does not match")
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.children = append(top.children, &element{name: "#text", text: string(t)})
			}
		}
	}
}

func declaration(inst string) string {
	var parts []string
	for _, key := range []string{"version", "encoding", "standalone"} {
		if i := strings.Index(inst, key+"="); i >= 0 {
			rest := inst[i+len(key)+1:]
			if len(rest) > 1 {
				if end := strings.IndexByte(rest[1:], rest[0]); end >= 0 {
					v, _ := json.Marshal(rest[1 : 1+end])
					parts = append(parts, `"@`+key+`":`+string(v))
				}
			}
		}
	}
	return strings.Join(parts, ",")
}

func full(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

func name(n string, o XMLOptions) string {
	if o.Friendly {
		if i := strings.IndexByte(n, ':'); i >= 0 {
			return n[i+1:]
		}
	}
	return n
}

func writeString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	b.Truncate(b.Len() - 1)
}

// field is one member of the JSON object that an element becomes.
type field struct {
	name  string
	nodes []*element
}

func writeElement(b *bytes.Buffer, e *element, o XMLOptions) {
	var attrs []xml.Attr
	isNil := false
	for _, a := range e.attrs {
		full := full(a.Name)
		switch {
		case strings.HasSuffix(full, ":nil") && a.Value == "true":
			isNil = true
		case full == "json:Array":
			continue
		}
		if o.Friendly && (full == "xmlns" || strings.HasPrefix(full, "xmlns:")) {
			continue
		}
		attrs = append(attrs, a)
	}
	fields, text, hasText := gather(e, o)
	switch {
	case isNil && len(fields) == 0 && (o.Friendly || onlyNil(attrs)):
		b.WriteString("null")
		return
	case len(attrs) == 0 && len(fields) == 0 && hasText:
		writeString(b, text)
		return
	case len(attrs) == 0 && len(fields) == 0:
		if o.EmptyNull || !o.Friendly && selfClosed(e) {
			b.WriteString("null")
		} else {
			b.WriteString(`""`)
		}
		return
	}
	b.WriteByte('{')
	first := true
	comma := func() {
		if !first {
			b.WriteByte(',')
		}
		first = false
	}
	for _, a := range attrs {
		comma()
		prefix := "@"
		if o.Friendly {
			prefix = ""
		}
		writeString(b, prefix+name(full(a.Name), o))
		b.WriteByte(':')
		writeString(b, a.Value)
	}
	if hasText {
		comma()
		key := "#text"
		if o.Friendly {
			key = "value"
		}
		writeString(b, key)
		b.WriteByte(':')
		writeString(b, text)
	}
	for _, f := range fields {
		comma()
		writeString(b, f.name)
		b.WriteByte(':')
		if len(f.nodes) == 1 && !o.Arrays && !wantsArray(f.nodes[0]) {
			writeElement(b, f.nodes[0], o)
			continue
		}
		b.WriteByte('[')
		for i, n := range f.nodes {
			if i > 0 {
				b.WriteByte(',')
			}
			writeElement(b, n, o)
		}
		b.WriteByte(']')
	}
	b.WriteByte('}')
}

func onlyNil(attrs []xml.Attr) bool {
	for _, a := range attrs {
		if n := full(a.Name); !strings.HasSuffix(n, ":nil") && !strings.HasPrefix(n, "xmlns") {
			return false
		}
	}
	return true
}

// wantsArray tells whether the element has json:Array="true".
func wantsArray(e *element) bool {
	for _, a := range e.attrs {
		if full(a.Name) == "json:Array" && a.Value == "true" {
			return true
		}
	}
	return false
}

func selfClosed(e *element) bool { return len(e.children) == 0 }

// gather groups the children by name, in the order of first use, and joins the texts.
func gather(e *element, o XMLOptions) (fields []*field, text string, hasText bool) {
	var b strings.Builder
	byName := map[string]*field{}
	for _, c := range e.children {
		if c.name == "#text" {
			if strings.TrimSpace(c.text) != "" || o.Whitespace {
				b.WriteString(c.text)
				hasText = true
			}
			continue
		}
		key := name(c.name, o)
		f := byName[key]
		if f == nil {
			f = &field{name: key}
			byName[key] = f
			fields = append(fields, f)
		}
		f.nodes = append(f.nodes, c)
	}
	text = b.String()
	if o.Trim {
		text = strings.TrimSpace(text)
	}
	return fields, text, hasText
}
