package dotnet

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// NetString implements csharp.Texter: indented for containers, the bare value for values.
func (j *JSON) NetString() string {
	if j.container() {
		return j.Text(true)
	}
	return csharp.ObjectText(j.value)
}

// NetFormat implements csharp.Formattable for values.
func (j *JSON) NetFormat(f string) string {
	if j.container() || j.value == nil {
		return j.NetString()
	}
	return csharp.FormatValue(ref(j.value), csharp.Object, f)
}

// Text writes JSON, indented as Newtonsoft does or on one line.
func (j *JSON) Text(indented bool) string {
	w := jsonWriter{indent: indented}
	w.token(j, 0)
	return w.out.String()
}

type jsonWriter struct {
	out    strings.Builder
	indent bool
}

func (w *jsonWriter) line(depth int) {
	if w.indent {
		w.out.WriteString(newLine)
		for range depth {
			w.out.WriteString("  ")
		}
	}
}

func (w *jsonWriter) token(j *JSON, depth int) {
	switch j.kind {
	case jObject, jArray:
		open, end := "{", "}"
		if j.kind == jArray {
			open, end = "[", "]"
		}
		w.out.WriteString(open)
		for i, k := range j.kids {
			if i > 0 {
				w.out.WriteByte(',')
			}
			w.line(depth + 1)
			w.token(k, depth+1)
		}
		if len(j.kids) > 0 {
			w.line(depth)
		}
		w.out.WriteString(end)
	case jProperty:
		w.text(j.name)
		w.out.WriteByte(':')
		if w.indent {
			w.out.WriteByte(' ')
		}
		w.token(j.kids[0], depth)
	default:
		w.simple(j)
	}
}

func (w *jsonWriter) simple(j *JSON) {
	switch v := j.value.(type) {
	case nil:
		if j.kind == jUndefined {
			w.out.WriteString("undefined")
			return
		}
		w.out.WriteString("null")
	case string:
		if j.kind == jRaw {
			w.out.WriteString(v)
			return
		}
		w.text(v)
	case bool:
		w.out.WriteString(strconv.FormatBool(v))
	case float64:
		w.float(v, 64)
	case float32:
		w.float(float64(v), 32)
	case csharp.Decimal:
		w.out.WriteString(withPlace(v.String()))
	case csharp.DateTime:
		w.out.WriteString(`"` + format.DateTime(uint64(v), "yyyy-MM-ddTHH:mm:ss.FFFFFFFK") + `"`)
	case csharp.DateTimeOffset:
		w.out.WriteString(`"` + format.DateTimeOffset(v.UTC, v.Minutes, "yyyy-MM-ddTHH:mm:ss.FFFFFFFzzz") + `"`)
	case csharp.TimeSpan, csharp.Guid, csharp.Char:
		w.text(csharp.ObjectText(v))
	case csharp.Enum:
		w.out.WriteString(strconv.FormatInt(v.N, 10))
	case *csharp.Array:
		w.text(base64.StdEncoding.EncodeToString(v.Bytes))
	case *uri:
		w.text(v.original)
	default:
		w.out.WriteString(csharp.ObjectText(v))
	}
}

func (w *jsonWriter) float(v float64, bits int) {
	switch {
	case math.IsNaN(v), math.IsInf(v, 0):
		w.out.WriteString(`"` + format.Float(v, bits) + `"`)
	default:
		w.out.WriteString(withPlace(format.Float(v, bits)))
	}
}

// withPlace makes sure that a real number shows as one.
func withPlace(s string) string {
	if strings.ContainsAny(s, ".Ee") {
		return s
	}
	return s + ".0"
}

// text writes a string with Newtonsoft's default escapes.
func (w *jsonWriter) text(s string) {
	w.out.WriteByte('"')
	from := 0
	for i, r := range s {
		esc := ""
		switch {
		case r == '"':
			esc = `\"`
		case r == '\\':
			esc = `\\`
		case r == '\n':
			esc = `\n`
		case r == '\r':
			esc = `\r`
		case r == '\t':
			esc = `\t`
		case r == '\b':
			esc = `\b`
		case r == '\f':
			esc = `\f`
		case r < ' ' || r == 0x85 || r == 0x2028 || r == 0x2029:
			h := strconv.FormatInt(int64(r), 16)
			esc = `\u` + strings.Repeat("0", 4-len(h)) + h
		default:
			continue
		}
		w.out.WriteString(s[from:i] + esc)
		from = i + len(string(r))
	}
	w.out.WriteString(s[from:])
	w.out.WriteByte('"')
}

// jsonText writes tokens and charges for them.
func jsonText(m *mach, j *JSON, indented bool) val {
	s := j.Text(indented)
	m.Charge(len(s))
	return str(s)
}
