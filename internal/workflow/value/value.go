// Package value is JSON as workflow definitions see it: objects keep the order of their properties, property names are
// found without regard to case, and a number that Go cannot hold exactly stays as it was written.
//
// A value is nil, bool, string, int64, float64, json.Number (only where neither of the two before is exact), []any or
// *Object. Values are never changed once they are made: who wants another value makes a copy.
package value

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"tandem"
)

// MaxDepth is how deep arrays and objects may nest.
const MaxDepth = 128

// Decode reads one JSON document. Errors are of kind tandem.Invalid and tell line and column.
func Decode(text []byte) (any, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decode(d, 0)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = fmt.Errorf("there is more text after the document's end")
		}
	}
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		line, column := place(text, d.InputOffset())
		return nil, &tandem.Error{Op: "read JSON", Subject: fmt.Sprintf("at line %d, column %d", line, column), Kind: tandem.Invalid, Err: err,
			Remedy: "correct the JSON text there"}
	}
	return v, nil
}

func place(text []byte, offset int64) (line, column int) {
	before := text[:min(int(offset), len(text))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

func decode(d *json.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("it nests deeper than %d", MaxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return Number(string(t)), nil
	case json.Delim:
		if t == '[' {
			return decodeArray(d, depth)
		}
		return decodeObject(d, depth)
	default:
		return t, nil
	}
}

func decodeArray(d *json.Decoder, depth int) (any, error) {
	out := []any{}
	for d.More() {
		v, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.Token()
	return out, err
}

func decodeObject(d *json.Decoder, depth int) (any, error) {
	o := New()
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		o.Set(k.(string), v)
	}
	_, err := d.Token()
	return o, err
}

// Number reads a number as JSON writes it: int64 where it is whole, float64 where that writes back the same text, else
// the text itself.
func Number(text string) any {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
		return i
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && formatFloat(f) == text {
		return f
	}
	return json.Number(text)
}

func formatFloat(f float64) string {
	format := byte('f')
	if a := max(f, -f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(f, format, -1, 64)
}

// Encode writes a value as compact JSON.
func Encode(v any) []byte {
	var b bytes.Buffer
	encode(&b, v)
	return b.Bytes()
}

func encode(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(formatFloat(v))
	case json.Number:
		b.WriteString(string(v))
	case string:
		encodeString(b, v)
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			encode(b, e)
		}
		b.WriteByte(']')
	case *Object:
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteByte(',')
			}
			encodeString(b, k)
			b.WriteByte(':')
			encode(b, v.values[k])
		}
		b.WriteByte('}')
	default:
		encode(b, From(v))
	}
}

func encodeString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err == nil {
		b.Truncate(b.Len() - 1)
	}
}

// From makes a value of what Go's own JSON package would write for v.
func From(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int64, float64, json.Number, []any, *Object:
		return v
	case int:
		return int64(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	out, err := Decode(text)
	if err != nil {
		return string(text)
	}
	return out
}

// Plain makes the value that Go's JSON package would have read: maps, float64 and json.Number, for libraries that want it.
func Plain(v any) any {
	switch v := v.(type) {
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		return json.Number(formatFloat(v))
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = Plain(v[i])
		}
		return out
	case *Object:
		out := make(map[string]any, v.Len())
		for _, k := range v.keys {
			out[k] = Plain(v.values[k])
		}
		return out
	default:
		return v
	}
}

// Type names a value's type as the workflow service does in its messages.
func Type(v any) string {
	switch v := v.(type) {
	case nil:
		return "Null"
	case bool:
		return "Boolean"
	case string:
		return "String"
	case int64:
		return "Integer"
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return "Float"
		}
		return "Integer"
	case float64:
		return "Float"
	case []any:
		return "Array"
	default:
		return "Object"
	}
}

// Float gives a number as float64.
func Float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// Equal compares two values: numbers by what they mean, strings exactly, objects without regard to the order of properties.
func Equal(a, b any) bool {
	if x, ok := Float(a); ok {
		if i, whole := a.(int64); whole {
			if j, alsoWhole := b.(int64); alsoWhole {
				return i == j
			}
		}
		y, ok := Float(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case *Object:
		b, ok := b.(*Object)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for _, k := range a.keys {
			v, ok := b.values[k]
			if !ok || !Equal(a.values[k], v) {
				return false
			}
		}
		return true
	case nil:
		return b == nil
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case string:
		b, ok := b.(string)
		return ok && a == b
	}
	return false
}

// Text is a value as it appears inside a string: strings as they are, null as nothing, everything else as JSON.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	default:
		return string(Encode(v))
	}
}
