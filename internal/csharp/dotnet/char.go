package dotnet

import (
	"unicode"

	"tandem/internal/csharp"
)

func charTypes() []def {
	test := func(name string, ok func(r rune) bool) member {
		return f("static bool "+name+"(char c)", pure(func(a []val) val { return yes(ok(rune(a[0].N))) }))
	}
	testAt := func(name string, ok func(r rune) bool) member {
		return f("static bool "+name+"(string s, int index)", pure(func(a []val) val {
			u := units(needString(a[0], "s"))
			if i := a[1].Int(); i < 0 || i >= len(u) {
				csharp.ThrowRange("index", "Index was out of range.")
			}
			return yes(ok(rune(u[a[1].Int()])))
		}))
	}
	mapped := func(name string, conv func(r rune) rune) member {
		return f("static char "+name+"(char c)", pure(func(a []val) val { return val{N: uint64(uint16(conv(rune(a[0].N))))} }))
	}
	rows := []member{
		mapped("ToUpper", unicode.ToUpper), mapped("ToUpperInvariant", unicode.ToUpper),
		mapped("ToLower", unicode.ToLower), mapped("ToLowerInvariant", unicode.ToLower),
		f("static char MinValue", pure(func([]val) val { return val{} })),
		f("static char MaxValue", pure(func([]val) val { return val{N: 0xFFFF} })),
		f("static char Parse(string s)", pure(func(a []val) val {
			u := units(needString(a[0], "s"))
			if len(u) != 1 {
				csharp.Throw("FormatException", "String must be exactly one character long.")
			}
			return val{N: uint64(u[0])}
		})),
		f("static double GetNumericValue(char c)", pure(func(a []val) val {
			if r := rune(a[0].N); r >= '0' && r <= '9' {
				return csharp.Double(float64(r - '0'))
			}
			return csharp.Double(-1)
		})),
		f("static string ToString(char c)", pure(func(a []val) val { return str(charText(a[0])) })),
		f("string ToString()", pure(func(a []val) val { return str(charText(a[0])) })),
		f("bool Equals(char obj)", pure(func(a []val) val { return yes(a[0].N == a[1].N) })),
		f("int CompareTo(char value)", pure(func(a []val) val { return num(int(a[0].N) - int(a[1].N)) })),
	}
	for name, ok := range map[string]func(r rune) bool{"IsDigit": unicode.IsDigit, "IsLetter": unicode.IsLetter,
		"IsLetterOrDigit": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) },
		"IsWhiteSpace":    white, "IsUpper": unicode.IsUpper, "IsLower": unicode.IsLower, "IsPunctuation": unicode.IsPunct, "IsControl": unicode.IsControl,
		"IsNumber": unicode.IsNumber, "IsSymbol": unicode.IsSymbol,
		"IsSurrogate": func(r rune) bool { return r >= 0xD800 && r < 0xE000 }, "IsSeparator": func(r rune) bool { return unicode.Is(unicode.Z, r) }} {
		rows = append(rows, test(name, ok), testAt(name, ok))
	}
	return []def{{Decl: "extend char", Members: rows}}
}
