package dotnet

import (
	"strings"

	"tandem/internal/csharp"
)

func trimSet(v val) func(rune) bool {
	arr, ok := v.R.(*csharp.Array)
	if !ok || arr.Len() == 0 {
		return white
	}
	return func(r rune) bool {
		for _, c := range arr.Items {
			if rune(c.N) == r {
				return true
			}
		}
		return false
	}
}

func one(v val) func(rune) bool { return func(r rune) bool { return r == rune(v.N) } }

func stringChanges() []member {
	rows := []member{
		f("string Substring(int startIndex)", func(m *mach, a []val) val {
			n := length(a[0].S)
			if i := a[1].Int(); i < 0 || i > n {
				substringError(n, i, 0)
			}
			return str(a[0].S[byteAt(a[0].S, a[1].Int()):])
		}),
		f("string Substring(int startIndex, int length)", pure(func(a []val) val { return str(substring(a[0].S, a[1].Int(), a[2].Int())) })),
		f("string Replace(string oldValue, string newValue)", func(m *mach, a []val) val {
			old := needString(a[1], "oldValue")
			if old == "" {
				csharp.Throw("ArgumentException", "String cannot be of zero length. (Parameter 'oldValue')")
			}
			return replace(m, a[0].S, old, a[2].S)
		}),
		f("string Replace(char oldChar, char newChar)", func(m *mach, a []val) val {
			return replace(m, a[0].S, charText(a[1]), charText(a[2]))
		}),
		f("string Replace(string oldValue, string newValue, StringComparison comparisonType)", func(m *mach, a []val) val {
			old := needString(a[1], "oldValue")
			if old == "" {
				csharp.Throw("ArgumentException", "String cannot be of zero length. (Parameter 'oldValue')")
			}
			ordering(a[3].Int())
			if !ignoresCase(a[3].Int()) {
				return replace(m, a[0].S, old, a[2].S)
			}
			var out strings.Builder
			s := a[0].S
			for from := 0; ; {
				at := find(s, old, from, true)
				if at < 0 {
					out.WriteString(s[from:])
					m.Charge(out.Len())
					return str(out.String())
				}
				out.WriteString(s[from:at] + a[2].S)
				m.Charge(len(a[2].S))
				from = at + byteAt(s[at:], length(old))
			}
		}),
		f("string Trim()", pure(func(a []val) val { return str(strings.TrimFunc(a[0].S, white)) })),
		f("string TrimStart()", pure(func(a []val) val { return str(strings.TrimLeftFunc(a[0].S, white)) })),
		f("string TrimEnd()", pure(func(a []val) val { return str(strings.TrimRightFunc(a[0].S, white)) })),
		f("string Trim(char trimChar)", pure(func(a []val) val { return str(strings.TrimFunc(a[0].S, one(a[1]))) })),
		f("string TrimStart(char trimChar)", pure(func(a []val) val { return str(strings.TrimLeftFunc(a[0].S, one(a[1]))) })),
		f("string TrimEnd(char trimChar)", pure(func(a []val) val { return str(strings.TrimRightFunc(a[0].S, one(a[1]))) })),
		f("string Trim(params char[] trimChars)", pure(func(a []val) val { return str(strings.TrimFunc(a[0].S, trimSet(a[1]))) })),
		f("string TrimStart(params char[] trimChars)", pure(func(a []val) val { return str(strings.TrimLeftFunc(a[0].S, trimSet(a[1]))) })),
		f("string TrimEnd(params char[] trimChars)", pure(func(a []val) val { return str(strings.TrimRightFunc(a[0].S, trimSet(a[1]))) })),
		f("string ToLower()", pure(func(a []val) val { return str(lower(a[0].S)) })),
		f("string ToLowerInvariant()", pure(func(a []val) val { return str(lower(a[0].S)) })),
		f("string ToUpper()", pure(func(a []val) val { return str(upper(a[0].S)) })),
		f("string ToUpperInvariant()", pure(func(a []val) val { return str(upper(a[0].S)) })),
		f("string Insert(int startIndex, string value)", func(m *mach, a []val) val {
			checkRange(a[1].Int(), length(a[0].S), "startIndex")
			at := byteAt(a[0].S, a[1].Int())
			return str(a[0].S[:at] + needString(a[2], "value") + a[0].S[at:])
		}),
		f("string Remove(int startIndex)", pure(func(a []val) val {
			checkRange(a[1].Int(), length(a[0].S), "startIndex")
			return str(a[0].S[:byteAt(a[0].S, a[1].Int())])
		})),
		f("string Remove(int startIndex, int count)", pure(func(a []val) val {
			n := length(a[0].S)
			if a[1].Int() < 0 || a[2].Int() < 0 || a[1].Int()+a[2].Int() > n {
				csharp.ThrowRange("count", "Index and count must refer to a location within the string.")
			}
			return str(a[0].S[:byteAt(a[0].S, a[1].Int())] + a[0].S[byteAt(a[0].S, a[1].Int()+a[2].Int()):])
		})),
		f("string Normalize()", pure(func(a []val) val { return a[0] })),
	}
	for _, p := range []struct {
		name string
		left bool
	}{{"PadLeft", true}, {"PadRight", false}} {
		padded := func(m *mach, a []val, fill string) val {
			n := a[1].Int() - length(a[0].S)
			if a[1].Int() < 0 {
				csharp.ThrowRange("totalWidth", "Non-negative number required.")
			}
			if n <= 0 {
				return a[0]
			}
			m.Charge(n)
			if p.left {
				return str(strings.Repeat(fill, n) + a[0].S)
			}
			return str(a[0].S + strings.Repeat(fill, n))
		}
		rows = append(rows,
			f("string "+p.name+"(int totalWidth)", func(m *mach, a []val) val { return padded(m, a, " ") }),
			f("string "+p.name+"(int totalWidth, char paddingChar)", func(m *mach, a []val) val { return padded(m, a, charText(a[2])) }))
	}
	return append(rows, splits()...)
}

func replace(m *mach, s, old, with string) val {
	n := strings.Count(s, old)
	if n == 0 {
		return str(s)
	}
	m.Charge(len(s) + n*(len(with)-len(old)))
	return str(strings.ReplaceAll(s, old, with))
}

// split cuts s at the separators; none mean white space.
func split(m *mach, s string, seps []string, count, options int) val {
	if count < 0 {
		csharp.ThrowRange("count", "Count cannot be less than zero.")
	}
	var parts []string
	drop := options&1 != 0
	add := func(p string) {
		if options&2 != 0 {
			p = strings.TrimFunc(p, white)
		}
		if p != "" || !drop {
			parts = append(parts, p)
		}
	}
	from := 0
	if len(seps) == 1 && count == maxInt {
		for _, p := range strings.Split(s, seps[0]) {
			add(p)
		}
		m.Charge(48 * (len(parts) + 1))
		return csharp.Strings(parts)
	}
	for at := 0; at < len(s) && len(parts) < count-1; {
		n := 0
		if seps == nil {
			for w, r := range s[at:] {
				if w == 0 && white(r) {
					n = len(string(r))
				}
				break
			}
		}
		for _, sep := range seps {
			if sep != "" && strings.HasPrefix(s[at:], sep) {
				n = len(sep)
				break
			}
		}
		if n == 0 {
			at++
			continue
		}
		add(s[from:at])
		at += n
		from = at
	}
	if count > 0 {
		rest := s[from:]
		for drop && len(parts) == count-1 { // the last part loses the separators at its front
			cut := rest
			for _, sep := range seps {
				if sep != "" {
					cut = strings.TrimPrefix(cut, sep)
				}
			}
			if seps == nil {
				cut = strings.TrimLeftFunc(cut, white)
			}
			if cut == rest {
				break
			}
			rest = cut
		}
		add(rest)
	}
	m.Charge(48 * (len(parts) + 1))
	return csharp.Strings(parts)
}

const maxInt = 1<<31 - 1

func splits() []member {
	chars := func(v val) []string {
		arr, ok := v.R.(*csharp.Array)
		if !ok || arr.Len() == 0 {
			return nil
		}
		out := make([]string, arr.Len())
		for i := range out {
			out[i] = charText(arr.Items[i])
		}
		return out
	}
	texts := func(v val) []string {
		arr, ok := v.R.(*csharp.Array)
		if !ok || arr.Len() == 0 {
			return nil
		}
		out := make([]string, arr.Len())
		for i := range out {
			out[i] = arr.Items[i].S
		}
		return out
	}
	text := func(v val) []string {
		if v.S == "" {
			return []string{"\x00none"}
		}
		return []string{v.S}
	}
	single := func(v val) []string { return []string{charText(v)} }
	rows := []member{f("string[] Split(params char[] separator)", func(m *mach, a []val) val { return split(m, a[0].S, chars(a[1]), maxInt, 0) })}
	for _, k := range []struct {
		sig string
		get func(val) []string
	}{{"char separator", single}, {"string separator", text}, {"char[] separator", chars}, {"string[] separator", texts}} {
		opt := ""
		if strings.HasPrefix(k.sig, "char s") || strings.HasPrefix(k.sig, "string s") {
			opt = " = None"
		}
		rows = append(rows,
			f("string[] Split("+k.sig+", StringSplitOptions options"+opt+")", func(m *mach, a []val) val {
				return split(m, a[0].S, k.get(a[1]), maxInt, a[2].Int())
			}),
			f("string[] Split("+k.sig+", int count, StringSplitOptions options = None)", func(m *mach, a []val) val {
				return split(m, a[0].S, k.get(a[1]), a[2].Int(), a[3].Int())
			}))
	}
	return rows
}
