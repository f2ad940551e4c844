package dotnet

import (
	"hash/fnv"

	"tandem/internal/csharp"
)

// hashText is GetHashCode: any number that is the same for equal objects within one run, as .NET promises no more.
func hashText(key any, text string) val {
	h := fnv.New32a()
	if s, ok := key.(string); ok {
		text = s
	}
	_, _ = h.Write([]byte(text))
	return num(int(int32(h.Sum32())))
}

func objectTypes() []def {
	return []def{
		{Decl: "extend object", Members: []member{
			f("string ToString()", pure(func(a []val) val { return str(csharp.ObjectText(a[0].R)) })),
			f("bool Equals(object obj)", pure(func(a []val) val { return yes(objectsEqual(a[0].R, a[1].R)) })),
			f("int GetHashCode()", pure(func(a []val) val { return hashText(objectKey(a[0].R), csharp.ObjectText(a[0].R)) })),
			f("static bool Equals(object objA, object objB)", pure(func(a []val) val { return yes(objectsEqual(a[0].R, a[1].R)) })),
			f("static bool ReferenceEquals(object objA, object objB)", pure(func(a []val) val { return yes(a[0].R == a[1].R) })),
			f("new()", pure(func([]val) val { return ref(new(plainObject)) })),
		}},
		{Decl: "extend Nullable<T>", Members: []member{
			f("bool HasValue", pure(func(a []val) val { return yes(a[0].R != nil) })),
			g("T Value", func(t []*typ) csharp.Fn {
				return func(m *mach, a []val) val {
					if a[0].R == nil {
						csharp.Throw("InvalidOperationException", "Nullable object must have a value.")
					}
					return m.Library().Unbox(a[0].R, t[0])
				}
			}),
			g("T GetValueOrDefault()", func(t []*typ) csharp.Fn {
				return func(m *mach, a []val) val {
					if a[0].R == nil {
						return val{}
					}
					return m.Library().Unbox(a[0].R, t[0])
				}
			}),
			g("T GetValueOrDefault(T defaultValue)", func(t []*typ) csharp.Fn {
				return func(m *mach, a []val) val {
					if a[0].R == nil {
						return a[1]
					}
					return m.Library().Unbox(a[0].R, t[0])
				}
			}),
			f("string ToString()", pure(func(a []val) val { return str(csharp.ObjectText(a[0].R)) })),
		}},
		{Decl: "static class Nullable", Namespace: system, Members: nil},
		{Decl: "class CultureInfo : IFormatProvider", Namespace: "System.Globalization", Is: is[culture], Members: []member{
			f("static CultureInfo InvariantCulture", pure(func([]val) val { return ref(culture{}) })),
			f("static CultureInfo CurrentCulture", pure(func([]val) val { return ref(culture{}) })),
		}},
		{Decl: "flags enum NumberStyles", Namespace: "System.Globalization", Values: []string{"None", "AllowLeadingWhite", "AllowTrailingWhite",
			"AllowLeadingSign=4", "Integer=7", "AllowTrailingSign=8", "AllowParentheses=16", "AllowDecimalPoint=32", "AllowThousands=64", "Number=111",
			"AllowExponent=128", "Float=167", "AllowCurrencySymbol=256", "Currency=383", "Any=511", "AllowHexSpecifier=512", "HexNumber=515"}},
		{Decl: "interface IComparable", Namespace: system},
		{Decl: "interface IComparer<T>", Namespace: collections, Is: is[*comparer]},
		{Decl: "interface IEqualityComparer<T>", Namespace: collections, Is: is[*comparer]},
		{Decl: "enum StringComparison", Namespace: system, Values: []string{"CurrentCulture", "CurrentCultureIgnoreCase", "InvariantCulture",
			"InvariantCultureIgnoreCase", "Ordinal", "OrdinalIgnoreCase"}},
		{Decl: "class StringComparer : IEqualityComparer<string>, IComparer<string>", Namespace: system, Is: is[*comparer], Members: comparers()},
		{Decl: "static class Enum", Namespace: system, Members: enumMembers()},
	}
}

type plainObject struct{ _ byte }

type culture struct{}

// comparer is a StringComparer.
type comparer struct{ mode int }

func (c *comparer) key(s string) string {
	if ignoresCase(c.mode) {
		return upper(s)
	}
	return s
}

func comparers() []member {
	rows := []member{
		f("bool Equals(string x, string y)", pure(func(a []val) val {
			return yes(compareStrings(a[1], a[2], ordering(self[*comparer](a).mode)) == 0)
		})),
		f("int Compare(string x, string y)", pure(func(a []val) val {
			return num(compareStrings(a[1], a[2], ordering(self[*comparer](a).mode)))
		})),
		f("int GetHashCode(string obj)", pure(func(a []val) val { return hashText(self[*comparer](a).key(needString(a[1], "obj")), "") })),
	}
	for mode, name := range []string{"CurrentCulture", "CurrentCultureIgnoreCase", "InvariantCulture", "InvariantCultureIgnoreCase", "Ordinal", "OrdinalIgnoreCase"} {
		rows = append(rows, f("static StringComparer "+name, pure(func([]val) val { return ref(&comparer{mode}) })))
	}
	return rows
}

// enumMembers are Enum.Parse and its kin. The forms that take a System.Type are not offered, since expressions have none.
func enumMembers() []member {
	parse := func(t *typ, s string, fold bool) (val, bool) {
		names, values := csharp.EnumValues(t)
		var sum int64
		for _, part := range splitTrim(s) {
			found := false
			for i, n := range names {
				if n == part || fold && upper(n) == upper(part) {
					sum |= values[i]
					found = true
					break
				}
			}
			if !found {
				v, ok := parseInteger(part, -1<<31, 1<<31-1)
				if !ok {
					return val{}, false
				}
				sum |= v
			}
		}
		return csharp.Long(sum), true
	}
	must := func(t []*typ) csharp.Fn {
		return func(_ *mach, a []val) val {
			s := needString(a[0], "value")
			v, ok := parse(t[0], s, len(a) > 1 && a[1].N != 0)
			if !ok {
				csharp.Throw("ArgumentException", "Requested value '"+s+"' was not found.")
			}
			return v
		}
	}
	return []member{
		g("static T Parse<T>(string value)", must),
		g("static T Parse<T>(string value, bool ignoreCase)", must),
		g("static bool TryParse<T>(string value, out T result)", func(t []*typ) csharp.Fn {
			return func(_ *mach, a []val) val {
				v, ok := parse(t[0], a[0].S, false)
				a[1] = v
				return yes(ok)
			}
		}),
		g("static bool TryParse<T>(string value, bool ignoreCase, out T result)", func(t []*typ) csharp.Fn {
			return func(_ *mach, a []val) val {
				v, ok := parse(t[0], a[0].S, a[1].N != 0)
				a[2] = v
				return yes(ok)
			}
		}),
	}
}

func delegateTypes() []def {
	var out []def
	args, sig := "", ""
	for i := 0; i <= 5; i++ {
		if i > 0 {
			n := string(rune('0' + i))
			if i > 1 {
				sig += ", "
			}
			args += "T" + n + ", "
			sig += "T" + n + " arg" + n
			out = append(out, def{Decl: "delegate void Action<" + args[:len(args)-2] + ">(" + sig + ")", Namespace: system})
		} else {
			out = append(out, def{Decl: "delegate void Action()", Namespace: system})
		}
		out = append(out, def{Decl: "delegate TResult Func<" + args + "TResult>(" + sig + ")", Namespace: system})
	}
	return append(out,
		def{Decl: "delegate bool Predicate<T>(T obj)", Namespace: system},
		def{Decl: "delegate int Comparison<T>(T x, T y)", Namespace: system},
		def{Decl: "delegate TOutput Converter<TInput, TOutput>(TInput input)", Namespace: system})
}
