package dotnet

import (
	"strconv"
	"strings"

	"tandem/internal/csharp"
)

func stringStatics() []member {
	join := func(m *mach, sep string, v val, t *typ) val {
		var out strings.Builder
		each(m, v, "values", func(i int, x val) bool {
			if i > 0 {
				out.WriteString(sep)
			}
			s := m.Text(x, t)
			m.Charge(len(s) + len(sep))
			out.WriteString(s)
			return true
		})
		return str(out.String())
	}
	concat := func(m *mach, parts ...string) val {
		s := strings.Join(parts, "")
		m.Charge(len(s))
		return str(s)
	}
	form := func(m *mach, format val, args ...any) val {
		s := composite(m, needString(format, "format"), args)
		return str(s)
	}
	compare := func(v func(a []val) func(x, y string) int) csharp.Fn {
		return pure(func(a []val) val { return num(compareStrings(a[0], a[1], v(a))) })
	}
	text := func(v val) string { return csharp.ObjectText(v.R) }
	return []member{
		f("static string Empty", pure(func([]val) val { return str("") })),
		f("static bool IsNullOrEmpty(string value)", pure(func(a []val) val { return yes(a[0].S == "") })),
		f("static bool IsNullOrWhiteSpace(string value)", pure(func(a []val) val { return yes(strings.TrimFunc(a[0].S, white) == "") })),
		f("static bool Equals(string a, string b)", pure(func(a []val) val { return yes(a[0].S == a[1].S && a[0].NullString() == a[1].NullString()) })),
		f("static bool Equals(string a, string b, StringComparison comparisonType)", pure(func(a []val) val {
			return yes(compareStrings(a[0], a[1], ordering(a[2].Int())) == 0)
		})),
		f("static int Compare(string strA, string strB)", compare(func([]val) func(x, y string) int { return cultureCompare })),
		f("static int Compare(string strA, string strB, bool ignoreCase)", compare(func(a []val) func(x, y string) int {
			if a[2].N != 0 {
				return cultureFold
			}
			return cultureCompare
		})),
		f("static int Compare(string strA, string strB, StringComparison comparisonType)", compare(func(a []val) func(x, y string) int {
			return ordering(a[2].Int())
		})),
		f("static int CompareOrdinal(string strA, string strB)", compare(func([]val) func(x, y string) int { return ordinalCompare })),
		f("static string Join(string separator, params string[] value)", func(m *mach, a []val) val { return join(m, a[0].S, a[1], csharp.StringT) }),
		f("static string Join(string separator, params object[] values)", func(m *mach, a []val) val { return join(m, a[0].S, a[1], csharp.Object) }),
		f("static string Join(string separator, IEnumerable<string> values)", func(m *mach, a []val) val { return join(m, a[0].S, a[1], csharp.StringT) }),
		g("static string Join<T>(string separator, IEnumerable<T> values)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return join(m, a[0].S, a[1], t[0]) }
		}),
		f("static string Join(char separator, params string[] value)", func(m *mach, a []val) val { return join(m, charText(a[0]), a[1], csharp.StringT) }),
		g("static string Join<T>(char separator, IEnumerable<T> values)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return join(m, charText(a[0]), a[1], t[0]) }
		}),
		f("static string Concat(string str0, string str1)", func(m *mach, a []val) val { return concat(m, a[0].S, a[1].S) }),
		f("static string Concat(string str0, string str1, string str2)", func(m *mach, a []val) val { return concat(m, a[0].S, a[1].S, a[2].S) }),
		f("static string Concat(string str0, string str1, string str2, string str3)", func(m *mach, a []val) val {
			return concat(m, a[0].S, a[1].S, a[2].S, a[3].S)
		}),
		f("static string Concat(params string[] values)", func(m *mach, a []val) val { return join(m, "", a[0], csharp.StringT) }),
		f("static string Concat(object arg0)", func(m *mach, a []val) val { return concat(m, text(a[0])) }),
		f("static string Concat(object arg0, object arg1)", func(m *mach, a []val) val { return concat(m, text(a[0]), text(a[1])) }),
		f("static string Concat(object arg0, object arg1, object arg2)", func(m *mach, a []val) val { return concat(m, text(a[0]), text(a[1]), text(a[2])) }),
		f("static string Concat(params object[] args)", func(m *mach, a []val) val { return join(m, "", a[0], csharp.Object) }),
		f("static string Concat(IEnumerable<string> values)", func(m *mach, a []val) val { return join(m, "", a[0], csharp.StringT) }),
		g("static string Concat<T>(IEnumerable<T> values)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return join(m, "", a[0], t[0]) }
		}),
		f("static string Format(string format, object arg0)", func(m *mach, a []val) val { return form(m, a[0], a[1].R) }),
		f("static string Format(string format, object arg0, object arg1)", func(m *mach, a []val) val { return form(m, a[0], a[1].R, a[2].R) }),
		f("static string Format(string format, object arg0, object arg1, object arg2)", func(m *mach, a []val) val {
			return form(m, a[0], a[1].R, a[2].R, a[3].R)
		}),
		f("static string Format(string format, params object[] args)", func(m *mach, a []val) val { return form(m, a[0], boxes(a[1])...) }),
		f("static string Format(IFormatProvider provider, string format, params object[] args)", func(m *mach, a []val) val {
			return form(m, a[1], boxes(a[2])...)
		}),
		f("static string Copy(string str)", pure(func(a []val) val { return str(needString(a[0], "str")) })),
		f("new(char c, int count)", func(m *mach, a []val) val {
			n := a[1].Int()
			if n < 0 {
				csharp.ThrowRange("count", "'count' must be non-negative.")
			}
			m.Charge(n)
			return str(strings.Repeat(charText(a[0]), n))
		}),
		f("new(char[] value)", pure(func(a []val) val {
			if arr, ok := a[0].R.(*csharp.Array); ok {
				return str(charsText(arr.Items))
			}
			return str("")
		})),
		f("new(char[] value, int startIndex, int length)", pure(func(a []val) val {
			items := array(a[0], "value").Items
			if a[1].Int() < 0 || a[2].Int() < 0 || a[1].Int()+a[2].Int() > len(items) {
				csharp.ThrowRange("startIndex", "Index was out of range.")
			}
			return str(charsText(items[a[1].Int() : a[1].Int()+a[2].Int()]))
		})),
	}
}

func boxes(v val) []any {
	items := array(v, "args").Items
	out := make([]any, len(items))
	for i, x := range items {
		out[i] = x.R
	}
	return out
}

func badFormat() { csharp.Throw("FormatException", "Input string was not in a correct format.") }

// composite is string.Format: {index[,alignment][:format]}.
func composite(m *mach, format string, args []any) string {
	var out strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		if c != '{' && c != '}' {
			out.WriteByte(c)
			i++
			continue
		}
		if i+1 < len(format) && format[i+1] == c {
			out.WriteByte(c)
			i += 2
			continue
		}
		end := strings.IndexByte(format[i:], '}')
		if c == '}' || end < 0 {
			badFormat()
		}
		hole := format[i+1 : i+end]
		i += end + 1
		hole, spec, _ := strings.Cut(hole, ":")
		index, align, aligned := strings.Cut(hole, ",")
		n, err := strconv.Atoi(strings.TrimRight(index, " "))
		if err != nil || n < 0 {
			badFormat()
		}
		width := 0
		if aligned {
			if width, err = strconv.Atoi(strings.TrimSpace(align)); err != nil || width > 1_000_000 || width < -1_000_000 {
				badFormat()
			}
		}
		if n >= len(args) {
			csharp.Throw("FormatException", "Index (zero based) must be greater than or equal to zero and less than the size of the argument list.")
		}
		s := csharp.Pad(csharp.FormatValue(ref(args[n]), csharp.Object, spec), width)
		m.Charge(len(s))
		out.WriteString(s)
	}
	return out.String()
}
