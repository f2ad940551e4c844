package convert

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestXMLToJSON(t *testing.T) {
	for _, c := range []struct {
		in, want string
		o        XMLOptions
	}{
		{`<?xml version="1.0" encoding="utf-8"?><a>1</a>`, `{"?xml":{"@version":"1.0","@encoding":"utf-8"},"a":"1"}`, XMLOptions{}},
		{`<a><b/><c></c></a>`, `{"a":{"b":null,"c":null}}`, XMLOptions{}},
		{`<a><b/></a>`, `{"a":{"b":""}}`, XMLOptions{Friendly: true}},
		{`<a><b/></a>`, `{"a":{"b":null}}`, XMLOptions{Friendly: true, EmptyNull: true}},
		{`<a x="1">t</a>`, `{"a":{"@x":"1","#text":"t"}}`, XMLOptions{}},
		{`<a><b>1</b><c>2</c><b>3</b></a>`, `{"a":{"b":["1","3"],"c":"2"}}`, XMLOptions{}},
		{`<a><b>1</b></a>`, `{"a":{"b":["1"]}}`, XMLOptions{Arrays: true}},
		{`<a xmlns:json="j"><b json:Array="true">1</b></a>`, `{"a":{"@xmlns:json":"j","b":["1"]}}`, XMLOptions{}},
		{`<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>`, `{"a":null}`, XMLOptions{Friendly: true}},
		{`<a> x </a>`, `{"a":"x"}`, XMLOptions{Trim: true}},
		{`<a>&lt;&amp;"</a>`, `{"a":"<&\""}`, XMLOptions{}},
	} {
		got, err := XMLToJSON([]byte(c.in), c.o)
		if err != nil || string(got) != c.want {
			t.Errorf("%s gave %s %v, want %s", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{``, `<a>`, `<a></b>`, `<a/><b/>`, `x`} {
		if out, err := XMLToJSON([]byte(bad), XMLOptions{}); err == nil {
			t.Errorf("%q gave %s", bad, out)
		}
	}
}

func TestJSONToXML(t *testing.T) {
	for _, c := range []struct {
		in, want string
		o        JSONOptions
	}{
		{`{"a":1}`, `<a>1</a>`, JSONOptions{}},
		{`{"a":1,"b":"x"}`, `<Document><a>1</a><b>x</b></Document>`, JSONOptions{}},
		{`[1,2]`, `<Document><Array>1</Array><Array>2</Array></Document>`, JSONOptions{}},
		{`{"a":{"@id":"7","b":[true,null]}}`, `<a id="7"><b>true</b><b /></a>`, JSONOptions{}},
		{`{"a":{"#attrs":{"id":"7"},"b":1}}`, `<a id="7"><b>1</b></a>`, JSONOptions{AttributeBlock: "#attrs"}},
		{`{"a":{"$ns":{"xmlns":"u","p":"v"},"p|b":1}}`, `<a xmlns="u" xmlns:p="v"><p:b>1</p:b></a>`, JSONOptions{NamespaceBlock: "$ns", NamespacePrefix: "xmlns", NamespaceSeparator: "|"}},
		{`{"1 a":"<"}`, `<_x0031__x0020_a>&lt;</_x0031__x0020_a>`, JSONOptions{}},
		{`{"1 a":"<"}`, `<__a>&lt;</__a>`, JSONOptions{Invalid: "_"}},
	} {
		got, err := JSONToXML([]byte(c.in), c.o)
		if err != nil || string(got) != c.want {
			t.Errorf("%s gave %s %v, want %s", c.in, got, err, c.want)
		}
	}
}

// What comes out is well-formed, whatever goes in.
func FuzzConvert(f *testing.F) {
	f.Add(`{"a":{"@b":"c","d e":[1,{"f":null}]}}`)
	f.Add(`<a b="c"><d/>t<e>1</e><e>2</e></a>`)
	f.Fuzz(func(t *testing.T, src string) {
		if out, err := JSONToXML([]byte(src), JSONOptions{Dates: true}); err == nil {
			d := xml.NewDecoder(strings.NewReader(string(out)))
			for {
				if _, err := d.RawToken(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("%q gave %q: %v", src, out, err)
				}
			}
		}
		if out, err := XMLToJSON([]byte(src), XMLOptions{}); err == nil && !json.Valid(out) {
			t.Fatalf("%q gave %q", src, out)
		}
	})
}
