package expr

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"tandem/internal/workflow/value"
)

const xmlType = "application/xml;charset=utf-8"

func isXML(mediaType string) bool {
	t, _, _ := strings.Cut(strings.ToLower(mediaType), ";")
	t = strings.TrimSpace(t)
	return strings.HasSuffix(t, "/xml") || strings.HasSuffix(t, "+xml")
}

func xmlFunctions() []function {
	return []function{
		{name: "xml", min: 1, max: 1, eval: func(a *args) (any, error) {
			switch v := a.any(0).(type) {
			case string:
				return xmlContent([]byte(v))
			case *value.Object:
				if data, _, ok := Content(v); ok {
					return xmlContent(data)
				}
				return jsonToXML(v)
			}
			a.wrong(0, "a string or an object")
			return nil, nil
		}},
		{name: "xpath", min: 2, max: 2, eval: evalXPath, check: checkXPath},
	}
}

// xmlContent checks that the text is one well-formed document.
func xmlContent(text []byte) (any, error) {
	if _, err := readXML(text); err != nil {
		return nil, err
	}
	return NewContent(text, xmlType), nil
}

// element is an XML element as the mapping to JSON sees it.
type element struct {
	name     string
	attrs    []xml.Attr
	children []*element
	text     strings.Builder
}

func qualified(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// readXML reads a document with the prefixes of names as written.
func readXML(text []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(label, "utf-8") || strings.EqualFold(label, "us-ascii") || strings.EqualFold(label, "utf-16") {
			return in, nil // the text is a string already
		}
		return nil, fmt.Errorf("the encoding %q is not supported; use UTF-8", label)
	}
	top := &element{}
	stack := []*element{top}
	for {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the text is no well-formed XML: %w", err)
		}
		in := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if len(stack) > value.MaxDepth {
				return nil, fmt.Errorf("the XML nests deeper than %d", value.MaxDepth)
			}
			e := &element{name: qualified(t.Name), attrs: t.Copy().Attr}
			in.children = append(in.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			if len(stack) == 1 || in.name != qualified(t.Name) {
				return nil, fmt.Errorf("the XML element %q is closed but not open", qualified(t.Name))
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) == 1 && strings.TrimSpace(string(t)) != "" {
				return nil, fmt.Errorf("the XML has text outside of its root element")
			}
			in.text.Write(t)
		}
	}
	if len(stack) > 1 {
		return nil, fmt.Errorf("the XML element %q is not closed", stack[len(stack)-1].name)
	}
	if len(top.children) != 1 {
		return nil, fmt.Errorf("an XML document has one root element, this text has %d", len(top.children))
	}
	return top.children[0], nil
}

// xmlToJSON follows the convention of Newtonsoft's converter: attributes become "@name", text beside them "#text",
// repeated elements an array.
func xmlToJSON(text []byte) (any, error) {
	root, err := readXML(text)
	if err != nil {
		return nil, err
	}
	out := value.New()
	if d := declaration(text); d != nil {
		out.Set("?xml", d)
	}
	out.Set(root.name, root.json())
	return out, nil
}

func declaration(text []byte) *value.Object {
	d := xml.NewDecoder(bytes.NewReader(text))
	t, err := d.RawToken()
	p, ok := t.(xml.ProcInst)
	if err != nil || !ok || p.Target != "xml" {
		return nil
	}
	out := value.New()
	for _, field := range strings.Fields(string(p.Inst)) {
		k, v, _ := strings.Cut(field, "=")
		out.Set("@"+k, strings.Trim(v, `"'`))
	}
	return out
}

func (e *element) json() any {
	text := e.text.String()
	if len(e.children) > 0 {
		text = strings.TrimSpace(text)
	}
	if len(e.attrs) == 0 && len(e.children) == 0 {
		if text == "" {
			return nil
		}
		return text
	}
	out := value.New()
	for _, a := range e.attrs {
		out.Set("@"+qualified(a.Name), a.Value)
	}
	if text != "" {
		out.Set("#text", text)
	}
	for _, c := range e.children {
		before, again := out.Exact(c.name)
		if !again {
			out.Set(c.name, c.json())
			continue
		}
		if list, ok := before.([]any); ok {
			out.Set(c.name, append(list, c.json()))
			continue
		}
		out.Set(c.name, []any{before, c.json()})
	}
	return out
}

// jsonToXML is the way back; the object must have one property, the root element.
func jsonToXML(o *value.Object) (any, error) {
	var b bytes.Buffer
	body := o
	if d := o.Object("?xml"); d != nil {
		b.WriteString("<?xml")
		d.Walk(func(k string, v any) { fmt.Fprintf(&b, ` %s="%s"`, strings.TrimPrefix(k, "@"), value.Text(v)) })
		b.WriteString("?>")
		body = o.Without("?xml")
	}
	if body.Len() != 1 {
		return nil, fmt.Errorf("an XML document has one root element, so the object must have one property, not %d", body.Len())
	}
	name := body.Keys()[0]
	v, _ := body.Get(name)
	if _, list := v.([]any); list {
		return nil, fmt.Errorf("an XML document has one root element, so the property %q cannot be an array", name)
	}
	writeXML(&b, name, v)
	return xmlContent(b.Bytes())
}

func writeXML(b *bytes.Buffer, name string, v any) {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			writeXML(b, name, e)
		}
		return
	}
	b.WriteString("<" + name)
	o, isObject := v.(*value.Object)
	if isObject {
		o.Walk(func(k string, v any) {
			if strings.HasPrefix(k, "@") {
				b.WriteString(" " + k[1:] + `="`)
				escapeXML(b, value.Text(v))
				b.WriteByte('"')
			}
		})
	}
	b.WriteByte('>')
	if isObject {
		o.Walk(func(k string, v any) {
			switch {
			case k == "#text":
				escapeXML(b, value.Text(v))
			case !strings.HasPrefix(k, "@"):
				writeXML(b, k, v)
			}
		})
	} else if flag, ok := v.(bool); ok {
		fmt.Fprint(b, flag) // XML Schema writes Booleans in lower case
	} else {
		escapeXML(b, value.Text(v))
	}
	b.WriteString("</" + name + ">")
}

func escapeXML(b *bytes.Buffer, s string) {
	_ = xml.EscapeText(b, []byte(s)) // writing to a buffer cannot fail
}
