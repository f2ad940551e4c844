package dotnet

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// jsonReader reads JSON as JsonTextReader does, lax rules included: comments, single quotes, bare names of properties,
// trailing commas, hexadecimal and octal numbers, NaN, Infinity, undefined; strings that look like ISO dates are dates.
type jsonReader struct {
	s     string
	i     int
	m     *mach
	path  []string
	depth int
}

const jsonDepth = 128

// ParseJSON reads text as JToken.Parse does. Errors are .NET exceptions.
func ParseJSON(s string) (j *JSON, err error) {
	err = csharp.Catch(func() { j = parseJSON(nil, s) })
	return j, err
}

func parseJSON(m *mach, s string) *JSON {
	r := &jsonReader{s: s, m: m}
	r.blank()
	if r.i >= len(s) {
		r.fail("Error reading JToken from JsonReader.")
	}
	j := r.value()
	r.blank()
	if r.i < len(s) {
		c, _ := utf8.DecodeRuneInString(s[r.i:])
		r.fail("Additional text encountered after finished reading JSON content: " + string(c) + ".")
	}
	return j
}

func (r *jsonReader) fail(msg string) {
	before := r.s[:min(r.i, len(r.s))]
	nl := strings.LastIndexByte(before, '\n')
	path := ""
	for _, p := range r.path {
		if path != "" && !strings.HasPrefix(p, "[") {
			path += "."
		}
		path += p
	}
	csharp.Throw("Newtonsoft.Json.JsonReaderException", fmt.Sprintf("%s Path '%s', line %d, position %d.", msg, path, strings.Count(before, "\n")+1, len(before)-nl-1))
}

func (r *jsonReader) blank() {
	for r.i < len(r.s) {
		switch c := r.s[r.i]; {
		case c <= ' ' || strings.HasPrefix(r.s[r.i:], "\ufeff") || strings.HasPrefix(r.s[r.i:], "\u00a0"):
			_, w := utf8.DecodeRuneInString(r.s[r.i:])
			r.i += w
		case c == '/' && strings.HasPrefix(r.s[r.i:], "/*"):
			end := strings.Index(r.s[r.i+2:], "*/")
			if end < 0 {
				r.fail("Unexpected end while parsing comment.")
			}
			r.i += end + 4
		case c == '/' && strings.HasPrefix(r.s[r.i:], "//"):
			end := strings.IndexAny(r.s[r.i:], "\r\n")
			if end < 0 {
				end = len(r.s) - r.i
			}
			r.i += end
		default:
			return
		}
	}
}

func (r *jsonReader) peek() byte {
	if r.i < len(r.s) {
		return r.s[r.i]
	}
	return 0
}

func (r *jsonReader) charge(n int) {
	if r.m != nil {
		r.m.Charge(n)
		r.m.Step()
	}
}

func (r *jsonReader) unexpected() {
	if r.i >= len(r.s) {
		r.fail("Unexpected end of content while loading JToken.")
	}
	c, _ := utf8.DecodeRuneInString(r.s[r.i:])
	r.fail("Unexpected character encountered while parsing value: " + string(c) + ".")
}

func (r *jsonReader) value() *JSON {
	r.charge(96)
	switch c := r.peek(); {
	case c == '{':
		return r.object()
	case c == '[':
		return r.array()
	case c == '"' || c == '\'':
		s := r.text()
		if d, ok := isoDate(s); ok {
			return &JSON{kind: jDate, value: csharp.DateTime(d)}
		}
		return &JSON{kind: jString, value: s}
	case c == '-' || c == '.' || c >= '0' && c <= '9':
		return r.number()
	}
	for _, w := range []struct {
		word string
		j    JSON
	}{{"true", JSON{kind: jBoolean, value: true}}, {"false", JSON{kind: jBoolean, value: false}}, {"null", JSON{kind: jNull}},
		{"undefined", JSON{kind: jUndefined}}, {"NaN", JSON{kind: jFloat, value: math.NaN()}}, {"Infinity", JSON{kind: jFloat, value: math.Inf(1)}}} {
		if strings.HasPrefix(r.s[r.i:], w.word) {
			r.i += len(w.word)
			if c := r.peek(); c != 0 && c > ' ' && !strings.ContainsRune(",]}/", rune(c)) {
				r.unexpected()
			}
			j := w.j
			return &j
		}
	}
	r.unexpected()
	return nil
}

func (r *jsonReader) enter(part string) {
	if r.depth++; r.depth > jsonDepth {
		r.fail(fmt.Sprintf("The reader's MaxDepth of %d has been exceeded.", jsonDepth))
	}
	r.path = append(r.path, part)
}

func (r *jsonReader) leave() {
	r.depth--
	r.path = r.path[:len(r.path)-1]
}

func (r *jsonReader) object() *JSON {
	j := &JSON{kind: jObject}
	r.i++
	for {
		r.blank()
		if r.peek() == '}' {
			r.i++
			return j
		}
		name := r.name()
		r.blank()
		if r.peek() != ':' {
			if r.i >= len(r.s) {
				r.unexpected()
			}
			r.fail("Invalid character after parsing property name. Expected ':' but got: " + string(rune(r.peek())) + ".")
		}
		r.i++
		r.blank()
		r.enter(name)
		v := r.value()
		r.blank()
		c := r.peek()
		if c != ',' && c != '}' {
			if r.i >= len(r.s) {
				r.unexpected()
			}
			r.fail("After parsing a value an unexpected character was encountered: " + string(rune(c)) + ".")
		}
		r.leave()
		j.put(name, v)
		if c == ',' {
			r.i++
		}
	}
}

func (r *jsonReader) name() string {
	c := r.peek()
	if c == '"' || c == '\'' {
		return r.text()
	}
	from := r.i
	for r.i < len(r.s) && (r.s[r.i] == '_' || r.s[r.i] == '$' || r.s[r.i] >= 'a' && r.s[r.i] <= 'z' || r.s[r.i] >= 'A' && r.s[r.i] <= 'Z' || r.s[r.i] >= '0' && r.s[r.i] <= '9') {
		r.i++
	}
	if r.i == from {
		if r.i >= len(r.s) {
			r.unexpected()
		}
		r.fail("Invalid property identifier character: " + string(rune(c)) + ".")
	}
	return r.s[from:r.i]
}

func (r *jsonReader) array() *JSON {
	j := &JSON{kind: jArray}
	r.i++
	for {
		r.blank()
		if r.peek() == ']' {
			r.i++
			return j
		}
		r.enter("[" + strconv.Itoa(len(j.kids)) + "]")
		v := r.value()
		v.parent = j
		v.raise()
		j.kids = append(j.kids, v)
		r.blank()
		c := r.peek()
		if c != ',' && c != ']' {
			if r.i >= len(r.s) {
				r.unexpected()
			}
			r.fail("After parsing a value an unexpected character was encountered: " + string(rune(c)) + ".")
		}
		r.leave()
		if c == ',' {
			r.i++
		}
	}
}

func (r *jsonReader) text() string {
	quote := r.s[r.i]
	r.i++
	end := strings.IndexAny(r.s[r.i:], string(rune(quote))+"\\")
	if end >= 0 && r.s[r.i+end] == quote {
		s := r.s[r.i : r.i+end]
		r.i += end + 1
		return s
	}
	var out strings.Builder
	for r.i < len(r.s) {
		c := r.s[r.i]
		r.i++
		switch c {
		case quote:
			return out.String()
		case '\\':
			if r.i >= len(r.s) {
				break
			}
			e := r.s[r.i]
			r.i++
			if k := strings.IndexByte(`"'\/bfnrt`, e); k >= 0 {
				out.WriteByte("\"'\\/\b\f\n\r\t"[k])
				continue
			}
			if e != 'u' {
				r.fail("Bad JSON escape sequence: \\" + string(rune(e)) + ".")
			}
			u := r.hex4()
			if u >= 0xD800 && u < 0xDC00 && strings.HasPrefix(r.s[r.i:], `\u`) {
				at := r.i
				r.i += 2
				if low := r.hex4(); low >= 0xDC00 && low < 0xE000 {
					u = 0x10000 + (u-0xD800)<<10 + low - 0xDC00
				} else {
					r.i = at
				}
			}
			out.WriteRune(u)
		default:
			out.WriteByte(c)
		}
	}
	r.fail("Unterminated string. Expected delimiter: " + string(rune(quote)) + ".")
	return ""
}

func (r *jsonReader) hex4() rune {
	if r.i+4 > len(r.s) {
		r.fail("Unexpected end while parsing Unicode escape sequence.")
	}
	u, err := strconv.ParseUint(r.s[r.i:r.i+4], 16, 16)
	if err != nil {
		r.fail("Invalid Unicode escape sequence: \\u" + r.s[r.i:r.i+4] + ".")
	}
	r.i += 4
	return rune(u)
}

func (r *jsonReader) number() *JSON {
	from := r.i
	for r.i < len(r.s) && strings.IndexByte("+-.0123456789abcdefxABCDEFX", r.s[r.i]) >= 0 {
		r.i++
	}
	t := r.s[from:r.i]
	if t == "-" && strings.HasPrefix(r.s[r.i:], "Infinity") {
		r.i += len("Infinity")
		return &JSON{kind: jFloat, value: math.Inf(-1)}
	}
	if c := r.peek(); c != 0 && c > ' ' && !strings.ContainsRune(",]}/", rune(c)) {
		r.fail("Unexpected character encountered while parsing number: " + string(rune(c)) + ".")
	}
	if len(t) > 2 && t[0] == '0' && (t[1] == 'x' || t[1] == 'X') {
		if u, err := strconv.ParseInt(t[2:], 16, 64); err == nil {
			return &JSON{kind: jInteger, value: u}
		}
	}
	if len(t) > 1 && t[0] == '0' && strings.Trim(t, "01234567") == "" {
		if u, err := strconv.ParseInt(t, 8, 64); err == nil {
			return &JSON{kind: jInteger, value: u}
		}
	}
	if !strings.ContainsAny(t, ".eE") {
		if n, err := strconv.ParseInt(t, 10, 64); err == nil {
			return &JSON{kind: jInteger, value: n}
		}
		if n, ok := new(big.Int).SetString(t, 10); ok && len(t) < 400 {
			return &JSON{kind: jInteger, value: bigInteger{n.String()}}
		}
	} else if f, err := strconv.ParseFloat(t, 64); err == nil || numError(err) == outside {
		return &JSON{kind: jFloat, value: f}
	}
	r.fail("Input string '" + t + "' is not a valid number.")
	return nil
}

// bigInteger is an integer that does not fit a long.
type bigInteger struct{ s string }

func (b bigInteger) NetString() string { return b.s }

// isoDate reads the dates that Newtonsoft recognises in strings: yyyy-MM-ddTHH:mm:ss[.fffffff][Z|±hh:mm].
func isoDate(s string) (uint64, bool) {
	if len(s) < 19 || len(s) > 40 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	d := dateReader{s: s}
	t, ok := d.iso()
	if !ok {
		return 0, false
	}
	ticks := t.ticks
	switch {
	case t.zone == 'Z':
		return uint64(ticks) | format.UTC, true
	case t.zone != 0:
		ticks -= int64(t.minutes) * format.TicksPerMinute
		if ticks < 0 || ticks > format.MaxTicks {
			return 0, false
		}
		return uint64(ticks) | format.Local, true
	}
	return uint64(ticks), true
}
