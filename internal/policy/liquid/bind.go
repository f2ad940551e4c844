package liquid

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// JSON reads a JSON body for templates. With dates, strings that are ISO 8601 times become Dates, as Newtonsoft reads them.
func JSON(b []byte, dates bool) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("read the JSON body: %w", err)
	}
	return convert(v, dates), nil
}

func convert(v any, dates bool) any {
	switch v := v.(type) {
	case map[string]any:
		o := make(Object, len(v))
		for k, x := range v {
			o[strings.ToLower(k)] = convert(x, dates)
		}
		return o
	case []any:
		for i := range v {
			v[i] = convert(v[i], dates)
		}
		return v
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return int(i)
		}
		f, _ := v.Float64()
		return f
	case string:
		if dates && len(v) >= 19 && v[4] == '-' && v[10] == 'T' {
			for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
				if t, err := time.Parse(layout, v); err == nil {
					return Date{t, v}
				}
			}
		}
	}
	return v
}

// XML reads an XML body for templates: elements by their local names, those that repeat as lists. nilNull makes an
// element with xsi:nil="true" null; else it is "".
func XML(b []byte, nilNull bool) (any, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read the XML body: %w", err)
		}
		if start, ok := t.(xml.StartElement); ok {
			v, err := readElement(d, start, nilNull, 0)
			if err != nil {
				return nil, fmt.Errorf("read the XML body: %w", err)
			}
			return Object{strings.ToLower(start.Name.Local): v}, nil
		}
	}
}

func readElement(d *xml.Decoder, start xml.StartElement, nilNull bool, depth int) (any, error) {
	if depth > 500 {
		return nil, fmt.Errorf("elements are nested deeper than 500")
	}
	var text strings.Builder
	var children Object
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			v, err := readElement(d, t, nilNull, depth+1)
			if err != nil {
				return nil, err
			}
			if children == nil {
				children = Object{}
			}
			key := strings.ToLower(t.Name.Local)
			switch old, there := children[key]; {
			case !there:
				children[key] = v
			default:
				if list, ok := old.([]any); ok {
					children[key] = append(list, v)
				} else {
					children[key] = []any{old, v}
				}
			}
		case xml.EndElement:
			if children != nil {
				return children, nil
			}
			for _, a := range start.Attr {
				if a.Name.Local == "nil" && strings.HasSuffix(a.Name.Space, "XMLSchema-instance") && a.Value == "true" {
					if nilNull {
						return nil, nil
					}
					return "", nil
				}
			}
			return text.String(), nil
		}
	}
}
