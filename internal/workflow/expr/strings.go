package expr

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"tandem/internal/workflow/dotnet"
	"tandem/internal/workflow/value"
)

// units are a string's UTF-16 code units: what .NET counts and cuts by.
func units(s string) []uint16 { return utf16.Encode([]rune(s)) }

func fromUnits(u []uint16) string { return string(utf16.Decode(u)) }

// unitIndex turns a byte offset into an offset in code units.
func unitIndex(s string, at int) any {
	if at < 0 {
		return int64(-1)
	}
	return int64(len(units(s[:at])))
}

func stringFunctions() []function {
	return []function{
		{name: "concat", min: 1, max: -1, eval: func(a *args) (any, error) {
			var b strings.Builder
			for _, v := range a.values {
				b.WriteString(ContentText(v))
			}
			return b.String(), nil
		}},
		{name: "endsWith", min: 2, max: 2, eval: func(a *args) (any, error) {
			return strings.HasSuffix(strings.ToLower(a.text(0)), strings.ToLower(a.text(1))), nil
		}},
		{name: "startsWith", min: 2, max: 2, eval: func(a *args) (any, error) {
			return strings.HasPrefix(strings.ToLower(a.text(0)), strings.ToLower(a.text(1))), nil
		}},
		{name: "formatNumber", min: 2, max: 3, eval: formatNumber, check: func(c *call) error {
			if err := checkLocale(c, 2); err != nil {
				return err
			}
			if f, ok := c.constant(1); ok {
				if s, ok := f.(string); ok && !strings.ContainsAny(s, "dDxX") {
					_, err := dotnet.FormatNumber(1, true, s)
					return err
				}
			}
			return nil
		}},
		{name: "guid", min: 0, max: 1, eval: guid},
		{name: "indexOf", min: 2, max: 2, eval: func(a *args) (any, error) {
			s := strings.ToLower(a.text(0))
			return unitIndex(s, strings.Index(s, strings.ToLower(a.text(1)))), nil
		}},
		{name: "lastIndexOf", min: 2, max: 2, eval: func(a *args) (any, error) {
			s := strings.ToLower(a.text(0))
			return unitIndex(s, strings.LastIndex(s, strings.ToLower(a.text(1)))), nil
		}},
		{name: "nthIndexOf", min: 3, max: 3, eval: func(a *args) (any, error) {
			s, sub, n := strings.ToLower(a.text(0)), strings.ToLower(a.text(1)), a.integer(2)
			return unitIndex(s, nth(s, sub, n)), nil
		}},
		{name: "replace", min: 3, max: 3, eval: func(a *args) (any, error) {
			old := a.text(1)
			if a.err == nil && old == "" {
				return nil, fmt.Errorf("the text to replace is empty")
			}
			return strings.ReplaceAll(a.text(0), old, a.text(2)), nil
		}},
		{name: "slice", min: 2, max: 3, eval: slice},
		{name: "substring", min: 2, max: 3, eval: substring},
		{name: "split", min: 1, max: 2, eval: func(a *args) (any, error) {
			out := []any{}
			for _, s := range strings.Split(a.text(0), a.textOr(1, ",")) {
				out = append(out, s)
			}
			return out, nil
		}},
		{name: "toLower", min: 1, max: 1, eval: func(a *args) (any, error) { return strings.ToLower(a.text(0)), nil }},
		{name: "toUpper", min: 1, max: 1, eval: func(a *args) (any, error) { return strings.ToUpper(a.text(0)), nil }},
		{name: "trim", min: 1, max: 1, eval: func(a *args) (any, error) { return strings.TrimSpace(a.text(0)), nil }},
	}
}

// nth finds the nth occurrence: counted from the end where n is negative; -1 where there is none.
func nth(s, sub string, n int64) int {
	if sub == "" || n == 0 {
		return -1
	}
	at := []int{}
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i:i+len(sub)] == sub {
			at = append(at, i)
		}
	}
	if n < 0 {
		n = int64(len(at)) + n + 1
	}
	if n < 1 || n > int64(len(at)) {
		return -1
	}
	return at[n-1]
}

func substring(a *args) (any, error) {
	u, start := units(a.text(0)), a.integer(1)
	length := int64(len(u)) - start
	if a.len() > 2 {
		length = a.integer(2)
	}
	if a.err == nil && (start < 0 || length < 0 || start > int64(len(u)) || length > int64(len(u))-start) {
		return nil, fmt.Errorf("start %d and length %d do not lie within the string's %d characters", start, length, len(u))
	}
	if a.err != nil {
		return nil, a.err
	}
	return fromUnits(u[start : start+length]), nil
}

// slice is lenient: what lies outside is cut off; negative positions count from the end.
func slice(a *args) (any, error) {
	u := units(a.text(0))
	n := int64(len(u))
	place := func(i int64) int64 {
		if i < 0 {
			i += n
		}
		return max(0, min(i, n))
	}
	start, end := place(a.integer(1)), n
	if a.len() > 2 {
		end = place(a.integer(2))
	}
	if start >= end {
		return "", nil
	}
	return fromUnits(u[start:end]), nil
}

func guid(a *args) (any, error) {
	id := strings.ToLower(a.env.GUID())
	plain := strings.ReplaceAll(id, "-", "")
	switch f := strings.ToUpper(a.textOr(0, "D")); f {
	case "D", "":
		return id, nil
	case "N":
		return plain, nil
	case "B":
		return "{" + id + "}", nil
	case "P":
		return "(" + id + ")", nil
	case "X":
		if len(plain) != 32 {
			return id, nil
		}
		var tail []string
		for i := 16; i < 32; i += 2 {
			tail = append(tail, "0x"+plain[i:i+2])
		}
		return fmt.Sprintf("{0x%s,0x%s,0x%s,{%s}}", plain[:8], plain[8:12], plain[12:16], strings.Join(tail, ",")), nil
	default:
		return nil, fmt.Errorf("there is no GUID format %q; use N, D, B, P or X", f)
	}
}

func formatNumber(a *args) (any, error) {
	v := a.float(0)
	_, integer := a.any(0).(int64)
	if err := supportedLocale(a.textOr(2, "")); err != nil {
		return nil, err
	}
	return dotnet.FormatNumber(v, integer, a.text(1))
}

func checkLocale(c *call, i int) error {
	if v, ok := c.constant(i); ok {
		return supportedLocale(value.Text(v))
	}
	return nil
}

// supportedLocale accepts the invariant culture and American English, whose words and separators are the same.
func supportedLocale(name string) error {
	if name == "" || strings.EqualFold(name, "en-US") || strings.EqualFold(name, "en") {
		return nil
	}
	return fmt.Errorf("the locale %q is not supported; leave it out or use en-US", name)
}
