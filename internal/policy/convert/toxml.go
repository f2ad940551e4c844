package convert

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// JSONOptions are json-to-xml's.
type JSONOptions struct {
	// Dates writes strings that are ISO 8601 times in XML's form.
	Dates bool
	// AttributeBlock, where set, is the name of an object whose members become attributes; AttributePrefix is what marks
	// a member as an attribute otherwise ("@").
	AttributeBlock, AttributePrefix string
	// NamespaceBlock and NamespacePrefix mark namespace declarations ("$namespaces", "xmlns"); NamespaceSeparator stands
	// between prefix and name (":").
	NamespaceBlock, NamespacePrefix, NamespaceSeparator string
	// Invalid replaces each character that a name may not have; empty: as .NET escapes them, "_x0020_".
	Invalid string
	Trim    bool
}

// JSONToXML converts a value: an object of one member becomes its element, anything else stands in <root> or, for an
// array, in <Document>.
func JSONToXML(src []byte, o JSONOptions) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	v, err := ordered(d, 0)
	if err != nil {
		return nil, fmt.Errorf("read the JSON: %w", err)
	}
	if o.AttributePrefix == "" {
		o.AttributePrefix = "@"
	}
	if o.NamespaceSeparator == "" {
		o.NamespaceSeparator = ":"
	}
	w := &writer{o: o}
	switch v := v.(type) {
	case []member:
		if len(v) == 1 && !w.attribute(v[0]) {
			if list, isList := v[0].value.([]any); !isList || len(list) == 1 {
				w.member(v[0].name, v[0].value)
				return w.b.Bytes(), nil
			}
		}
		w.element("Document", v)
	case []any:
		w.element("Document", []member{{"Array", v}})
	default:
		w.element("Document", v)
	}
	return w.b.Bytes(), nil
}

type member struct {
	name  string
	value any
}

// ordered reads a value, keeping the order of members.
func ordered(d *json.Decoder, depth int) (any, error) {
	if depth > 500 {
		return nil, fmt.Errorf("values are nested deeper than 500")
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := ordered(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	obj := []member{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := ordered(d, depth+1)
		if err != nil {
			return nil, err
		}
		obj = append(obj, member{k.(string), v})
	}
	_, err = d.Token()
	return obj, err
}

type writer struct {
	b bytes.Buffer
	o JSONOptions
}

func (w *writer) attribute(m member) bool {
	switch m.value.(type) {
	case []member, []any:
		return (m.name == w.o.AttributeBlock || m.name == w.o.NamespaceBlock) && m.name != ""
	}
	return strings.HasPrefix(m.name, w.o.AttributePrefix)
}

// member writes one member: an array becomes an element for each of its elements.
func (w *writer) member(name string, v any) {
	if list, ok := v.([]any); ok {
		for _, x := range list {
			w.element(name, x)
		}
		return
	}
	w.element(name, v)
}

func (w *writer) element(name string, v any) {
	name = w.name(name)
	w.b.WriteString("<" + name)
	obj, isObject := v.([]member)
	var rest []member
	for _, m := range obj {
		if !w.attribute(m) {
			rest = append(rest, m)
			continue
		}
		if block, ok := m.value.([]member); ok {
			for _, a := range block {
				key := a.name
				if m.name == w.o.NamespaceBlock {
					if key = "xmlns"; a.name != "" && a.name != w.o.NamespacePrefix {
						key = "xmlns:" + a.name
					}
				}
				w.attr(key, a.value)
			}
			continue
		}
		w.attr(strings.TrimPrefix(m.name, w.o.AttributePrefix), m.value)
	}
	if v == nil || isObject && len(rest) == 0 {
		w.b.WriteString(" />")
		return
	}
	w.b.WriteByte('>')
	switch v := v.(type) {
	case []member:
		for _, m := range rest {
			if m.name == "#text" {
				w.text(m.value)
			} else {
				w.member(m.name, m.value)
			}
		}
	case []any:
		for _, x := range v {
			w.element("Array", x)
		}
	default:
		w.text(v)
	}
	w.b.WriteString("</" + name + ">")
}

func (w *writer) attr(name string, v any) {
	w.b.WriteString(" " + w.name(name) + `="`)
	w.text(v)
	w.b.WriteByte('"')
}

func (w *writer) text(v any) {
	s := ""
	switch v := v.(type) {
	case nil:
		return
	case string:
		s = v
		if w.o.Dates && len(s) >= 19 && s[4] == '-' && s[10] == 'T' {
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
				s = t.Format(time.RFC3339Nano)
			}
		}
	default:
		s = fmt.Sprint(v)
	}
	if w.o.Trim {
		s = strings.TrimSpace(s)
	}
	_ = xml.EscapeText(&w.b, []byte(s))
}

// name makes a name that XML allows.
func (w *writer) name(s string) string {
	if w.o.NamespaceSeparator != ":" {
		s = strings.Replace(s, w.o.NamespaceSeparator, ":", 1)
	}
	var b strings.Builder
	for i, r := range s {
		letter := r == '_' || r == ':' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r >= 0xC0 && r != 0xD7 && r != 0xF7 && r != 0xFFFD
		other := r == '-' || r == '.' || '0' <= r && r <= '9' || r == 0xB7
		switch {
		case letter || i > 0 && other:
			b.WriteRune(r)
		case w.o.Invalid != "":
			b.WriteString(w.o.Invalid)
		default:
			fmt.Fprintf(&b, "_x%04X_", r)
		}
	}
	if b.Len() == 0 {
		return "_"
	}
	return b.String()
}
