package liquid

import (
	"fmt"
	"html"
	"math"
	"net/url"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dlclark/regexp2"
	"github.com/osteele/liquid"
)

// addFilters adds DotLiquid's filters in Pascal case.
func addFilters(e *liquid.Engine, o Options) {
	for name, fn := range map[string]any{
		"Abs": func(v any) any {
			if f, ok := number(v); ok {
				return whole(math.Abs(f))
			}
			return v
		},
		"Append":     func(v any, suffix any) string { return str(v) + str(suffix) },
		"AtLeast":    func(v, w any) any { return math2(v, w, math.Max) },
		"AtMost":     func(v, w any) any { return math2(v, w, math.Min) },
		"Capitalize": func(v any) string { return eachWord(str(v)) },
		"Compact": func(v any) any {
			var out []any
			for _, x := range slice(v) {
				if x != nil {
					out = append(out, x)
				}
			}
			return out
		},
		"Currency": func(v any) any {
			f, ok := number(v)
			if !ok {
				return v
			}
			return currency(f)
		},
		"Date": func(v any, format string) (string, error) { return o.date(v, format) },
		"Default": func(v, def any) any {
			if v == nil || v == false || str(v) == "" {
				return def
			}
			return v
		},
		"DividedBy": func(v, w any) any {
			if f, ok := number(w); ok && f == 0 {
				return "Liquid error: Attempted to divide by zero."
			}
			if integral(v) && integral(w) {
				a, _ := number(v)
				b, _ := number(w)
				return int(a) / int(b)
			}
			return math2(v, w, func(a, b float64) float64 { return a / b })
		},
		"Downcase": func(v any) string { return strings.ToLower(str(v)) },
		"Escape":   func(v any) string { return html.EscapeString(str(v)) },
		"H":        func(v any) string { return html.EscapeString(str(v)) },
		"First":    func(v any) any { return at(v, 0) },
		"Last":     func(v any) any { return at(v, -1) },
		"Join":     func(v any, sep func(string) string) string { return join(v, sep(" ")) },
		"Lstrip":   func(v any) string { return strings.TrimLeftFunc(str(v), unicode.IsSpace) },
		"Rstrip":   func(v any) string { return strings.TrimRightFunc(str(v), unicode.IsSpace) },
		"Strip":    func(v any) string { return strings.TrimSpace(str(v)) },
		"Map":      mapProperty,
		"Minus":    func(v, w any) any { return math2(v, w, func(a, b float64) float64 { return a - b }) },
		"Plus":     plus,
		"Times":    func(v, w any) any { return math2(v, w, func(a, b float64) float64 { return a * b }) },
		"Modulo":   func(v, w any) any { return math2(v, w, math.Mod) },
		"NewlineToBr": func(v any) string {
			return strings.ReplaceAll(strings.ReplaceAll(str(v), "\r\n", "\n"), "\n", "<br />\n")
		},
		"Prepend":     func(v any, prefix any) string { return str(prefix) + str(v) },
		"Remove":      func(v any, what string) string { return strings.ReplaceAll(str(v), what, "") },
		"RemoveFirst": func(v any, what string) string { return strings.Replace(str(v), what, "", 1) },
		"Replace": func(v any, pattern string, with func(string) string) (string, error) {
			return o.replace(str(v), pattern, with(""), -1)
		},
		"ReplaceFirst": func(v any, pattern string, with func(string) string) (string, error) {
			return o.replace(str(v), pattern, with(""), 1)
		},
		"Round": func(v any, places func(int) int) any {
			f, ok := number(v)
			if !ok {
				return v
			}
			p := math.Pow(10, float64(places(0)))
			return whole(math.RoundToEven(f*p) / p)
		},
		"Size":          size,
		"Slice":         cut,
		"Sort":          sorted,
		"Split":         func(v any, sep string) any { return split(str(v), sep) },
		"StripHtml":     func(v any) (string, error) { return o.replace(str(v), `<.*?>`, "", -1) },
		"StripNewlines": func(v any) string { return strings.NewReplacer("\r", "", "\n", "").Replace(str(v)) },
		"Truncate":      truncate,
		"TruncateWords": truncateWords,
		"Uniq":          uniq,
		"Upcase":        func(v any) string { return strings.ToUpper(str(v)) },
		"UrlDecode": func(v any) string {
			if s, err := url.QueryUnescape(str(v)); err == nil {
				return s
			}
			return str(v)
		},
		"UrlEncode": func(v any) string { return url.QueryEscape(str(v)) },
	} {
		e.RegisterFilter(name, fn)
	}
}

func (o Options) replace(s, pattern, with string, count int) (string, error) {
	re, err := regexp2.Compile(pattern, regexp2.None)
	if err != nil {
		return "", fmt.Errorf("the pattern of Replace: %w", err)
	}
	if re.MatchTimeout = o.Pattern; re.MatchTimeout == 0 {
		re.MatchTimeout = time.Second
	}
	return re.Replace(s, with, -1, count)
}

func (o Options) date(v any, format string) (string, error) {
	var t time.Time
	switch d := v.(type) {
	case nil:
		return "", nil
	case Date:
		t = d.Time
	case time.Time:
		t = d
	default:
		s := str(v)
		if strings.EqualFold(s, "now") {
			t = time.Time{}
		}
		ok := false
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02", "01/02/2006 15:04:05", "01/02/2006", time.RFC1123} {
			if p, err := time.Parse(layout, s); err == nil {
				t, ok = p, true
				break
			}
		}
		if !ok {
			return s, nil // DotLiquid leaves what is no date
		}
	}
	if o.FormatDate == nil || format == "" {
		return Date{Time: t}.String(), nil
	}
	return o.FormatDate(t, format)
}

func str(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return 0, false
}

func integral(v any) bool {
	switch v := v.(type) {
	case int, int64:
		return true
	case string:
		_, err := strconv.Atoi(strings.TrimSpace(v))
		return err == nil
	}
	return false
}

func whole(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int(f)
	}
	return f
}

func math2(v, w any, f func(a, b float64) float64) any {
	a, ok1 := number(v)
	b, ok2 := number(w)
	if !ok1 || !ok2 {
		return nil
	}
	return whole(f(a, b))
}

// plus adds numbers and joins strings, as DotLiquid does.
func plus(v, w any) any {
	if s, ok := v.(string); ok {
		if _, isNumber := w.(string); isNumber {
			return s + str(w)
		}
	}
	return math2(v, w, func(a, b float64) float64 { return a + b })
}

func slice(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice {
		return []any{v}
	}
	out := make([]any, rv.Len())
	for i := range out {
		out[i] = rv.Index(i).Interface()
	}
	return out
}

func at(v any, i int) any {
	s := slice(v)
	if len(s) == 0 {
		return nil
	}
	if i < 0 {
		i = len(s) - 1
	}
	return s[i]
}

func join(v any, sep string) string {
	var parts []string
	for _, x := range slice(v) {
		parts = append(parts, str(x))
	}
	return strings.Join(parts, sep)
}

func mapProperty(v any, key string) any {
	var out []any
	for _, x := range slice(v) {
		if o, ok := x.(Object); ok {
			out = append(out, o[strings.ToLower(key)])
		}
	}
	return out
}

func size(v any) int {
	switch v := v.(type) {
	case string:
		return len([]rune(v))
	case Object:
		return len(v)
	case nil:
		return 0
	}
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Slice {
		return rv.Len()
	}
	return 0
}

func cut(v any, start int, length func(int) int) string {
	r := []rune(str(v))
	if start < 0 {
		start += len(r)
	}
	start = max(0, min(start, len(r)))
	return string(r[start:min(len(r), start+max(0, length(1)))])
}

func sorted(v any, key func(string) string) any {
	out := append([]any(nil), slice(v)...)
	by := strings.ToLower(key(""))
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if by != "" {
			if o, ok := a.(Object); ok {
				a = o[by]
			}
			if o, ok := b.(Object); ok {
				b = o[by]
			}
		}
		x, ok1 := number(a)
		y, ok2 := number(b)
		if ok1 && ok2 {
			return x < y
		}
		return str(a) < str(b)
	})
	return out
}

func split(s, sep string) []any {
	var out []any
	for _, p := range strings.Split(s, sep) {
		if p != "" { // DotLiquid removes empty entries
			out = append(out, p)
		}
	}
	return out
}

func truncate(v any, length func(int) int, more func(string) string) string {
	r, n, tail := []rune(str(v)), length(50), more("...")
	if len(r) <= n {
		return string(r)
	}
	return string(r[:max(0, n-len([]rune(tail)))]) + tail
}

func truncateWords(v any, words func(int) int, more func(string) string) string {
	list, n := strings.Fields(str(v)), max(1, words(15))
	if len(list) <= n {
		return str(v)
	}
	return strings.Join(list[:n], " ") + more("...")
}

func uniq(v any) any {
	var out []any
	seen := map[string]bool{}
	for _, x := range slice(v) {
		if k := fmt.Sprintf("%T %v", x, x); !seen[k] {
			seen[k] = true
			out = append(out, x)
		}
	}
	return out
}

func eachWord(s string) string {
	start := true
	return strings.Map(func(r rune) rune {
		out := r
		if start {
			out = unicode.ToUpper(r)
		}
		start = unicode.IsSpace(r)
		return out
	}, s)
}

// currency is .NET's "C" format in the invariant culture.
func currency(f float64) string {
	s := strconv.FormatFloat(math.Abs(f), 'f', 2, 64)
	dot := len(s) - 3
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i < dot && (dot-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if f < 0 {
		return "(¤" + b.String() + ")"
	}
	return "¤" + b.String()
}
