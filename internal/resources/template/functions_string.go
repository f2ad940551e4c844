package template

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"tandem/internal/csharp/format"
)

func stringFunctions() map[string]builtin {
	one := func(f func(string) string) builtin {
		return builtin{min: 1, max: 1, call: func(a *arguments) (any, error) { return f(a.text(0)), nil }}
	}
	two := func(f func(s, t string) any) builtin {
		return builtin{min: 2, max: 2, call: func(a *arguments) (any, error) { return f(a.text(0), a.text(1)), nil }}
	}
	return map[string]builtin{
		"tolower":    one(strings.ToLower),
		"toupper":    one(strings.ToUpper),
		"trim":       one(strings.TrimSpace),
		"startswith": two(func(s, t string) any { return strings.HasPrefix(strings.ToLower(s), strings.ToLower(t)) }),
		"endswith":   two(func(s, t string) any { return strings.HasSuffix(strings.ToLower(s), strings.ToLower(t)) }),
		"replace": {min: 3, max: 3, call: func(a *arguments) (any, error) {
			if a.has(1) && a.text(1) == "" {
				a.fail("the text to replace must not be empty")
				return nil, nil
			}
			return strings.ReplaceAll(a.text(0), a.text(1), a.text(2)), nil
		}},
		"split":     {min: 2, max: 2, call: split},
		"join":      {min: 2, max: 2, call: join},
		"substring": {min: 2, max: 3, call: substring},
		"padleft":   {min: 2, max: 3, call: padLeft},
		"string":    {min: 1, max: 1, call: func(a *arguments) (any, error) { return a.toText(a.v[0]), nil }},
		"format":    {min: 1, max: -1, call: formatText},
	}
}

// units are the UTF-16 code units of a text: what .NET counts.
func units(s string) []uint16 { return utf16.Encode([]rune(s)) }

func fromUnits(u []uint16) string { return string(utf16.Decode(u)) }

// toText is what string() and concat() make of a value.
func (a *arguments) toText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case nil:
		return ""
	case *lambda:
		a.fail("a lambda has no text")
		return ""
	}
	return compact(v)
}

func split(a *arguments) (any, error) {
	by := []string{}
	switch d := a.v[1].(type) {
	case string:
		by = append(by, d)
	case []any:
		for _, v := range d {
			s, ok := v.(string)
			if !ok {
				a.wrong(1, "string or array of strings")
			}
			by = append(by, s)
		}
	default:
		a.wrong(1, "string or array of strings")
	}
	out := []any{}
	rest := a.text(0)
	for from := 0; ; {
		at, length := -1, 0
		for _, d := range by {
			if i := strings.Index(rest[from:], d); d != "" && i >= 0 && (at < 0 || i < at) {
				at, length = i, len(d)
			}
		}
		if at < 0 {
			return append(out, rest[from:]), nil
		}
		out = append(out, rest[from:from+at])
		from += at + length
	}
}

func join(a *arguments) (any, error) {
	var parts []string
	for _, v := range a.array(0) {
		parts = append(parts, a.toText(v))
	}
	return strings.Join(parts, a.text(1)), nil
}

func substring(a *arguments) (any, error) {
	u, start := units(a.text(0)), a.integer(1)
	length := int64(len(u)) - start
	if a.has(2) {
		length = a.integer(2)
	}
	if start < 0 || length < 0 || start > int64(len(u)) || length > int64(len(u))-start {
		a.fail("the start %d and the length %d must lie in the text, which has %d characters", start, length, len(u))
		return nil, nil
	}
	return fromUnits(u[start : start+length]), nil
}

// maxText bounds what one call makes of a text or a range.
const maxText = 1 << 20

func padLeft(a *arguments) (any, error) {
	text, fill := a.toText(a.v[0]), " "
	if a.has(2) {
		fill = a.text(2)
	}
	width := a.integer(1)
	if len(units(fill)) != 1 || width < 0 || width > maxText {
		a.fail("the width must be 0 to %d, and the filling one character", maxText)
		return nil, nil
	}
	return strings.Repeat(fill, max(0, int(width)-len(units(text)))) + text, nil
}

// formatText is .NET's string.Format: {index[,alignment][:format]}.
func formatText(a *arguments) (any, error) {
	text := a.text(0)
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if (c == '{' || c == '}') && i+1 < len(text) && text[i+1] == c {
			b.WriteByte(c)
			i++
			continue
		}
		if c != '{' {
			if c == '}' {
				a.fail("the text has a } without a {; write }} for the character itself")
				return nil, nil
			}
			b.WriteByte(c)
			continue
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			a.fail("the text has a { without a }; write {{ for the character itself")
			return nil, nil
		}
		a.placeholder(&b, text[i+1:i+end])
		if i += end; a.err != nil || b.Len() > maxText {
			a.fail("the text gets longer than %d characters", maxText)
			return nil, nil
		}
	}
	return b.String(), nil
}

func (a *arguments) placeholder(b *strings.Builder, item string) {
	item, picture, _ := strings.Cut(item, ":")
	number, width, aligned := strings.Cut(item, ",")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 0 || n+1 >= len(a.v) {
		a.fail("the text asks for {%s}, and there are %d values", item, len(a.v)-1)
		return
	}
	text := ""
	switch v := a.v[n+1].(type) {
	case int64:
		text, err = format.Int(v, 64, picture)
	case float64:
		text, err = format.Double(v, 64, picture)
	default:
		text = a.toText(v)
	}
	w := 0
	if aligned && err == nil {
		w, err = strconv.Atoi(strings.TrimSpace(width))
	}
	if err != nil || w > maxText || w < -maxText {
		a.fail("{%s:%s} cannot be written: the format or the width is wrong", item, picture)
		return
	}
	fill := strings.Repeat(" ", max(0, max(w, -w)-len(units(text))))
	if w > 0 {
		text = fill + text
	} else {
		text += fill
	}
	b.WriteString(text)
}
