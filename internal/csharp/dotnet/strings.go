package dotnet

import (
	"strings"

	"tandem/internal/csharp"
)

func stringTypes() []def {
	members := stringQueries()
	members = append(members, stringChanges()...)
	members = append(members, stringStatics()...)
	return []def{
		{Decl: "extend string", Members: members},
		{Decl: "flags enum StringSplitOptions", Namespace: system, Values: []string{"None", "RemoveEmptyEntries", "TrimEntries"}},
	}
}

// find gives the byte offset of needle in s from a byte offset on, -1 for none. Where case is ignored both are compared
// in upper case; the offset is one of s all the same, because the mapping goes rune by rune.
func find(s, needle string, from int, fold bool) int {
	if !fold {
		i := strings.Index(s[from:], needle)
		if i >= 0 {
			i += from
		}
		return i
	}
	if needle == "" {
		return from
	}
	want := []rune(upper(needle))
	for at := from; at < len(s); at++ {
		if s[at]&0xC0 == 0x80 {
			continue
		}
		k := 0
		for _, r := range s[at:] {
			if k == len(want) || upper(string(r)) != string(want[k]) {
				break
			}
			k++
		}
		if k == len(want) {
			return at
		}
	}
	return -1
}

func findLast(s, needle string, fold bool) int {
	if !fold {
		return strings.LastIndex(s, needle)
	}
	for at := len(s); at >= 0; at-- {
		if i := find(s, needle, at, true); i == at {
			return at
		}
	}
	return -1
}

func startsWith(s, p string, fold bool) bool {
	if !fold {
		return strings.HasPrefix(s, p)
	}
	n := byteAt(s, length(p))
	return upper(s[:n]) == upper(p)
}

func endsWith(s, p string, fold bool) bool {
	if !fold {
		return strings.HasSuffix(s, p)
	}
	n := length(s) - length(p)
	return n >= 0 && upper(s[byteAt(s, n):]) == upper(p)
}

func checkRange(i, n int, param string) {
	if i < 0 || i > n {
		csharp.ThrowRange(param, "Index was out of range. Must be non-negative and less than or equal to the size of the collection.")
	}
}

// indexOf makes IndexOf from a start index, in units.
func indexOf(s, needle string, start int, fold bool) val {
	checkRange(start, length(s), "startIndex")
	at := find(s, needle, byteAt(s, start), fold)
	if at < 0 {
		return num(-1)
	}
	return num(unitAt(s, at))
}

func stringQueries() []member {
	fold := func(v val) bool { ordering(v.Int()); return ignoresCase(v.Int()) }
	last := func(s, needle string, fold bool) val {
		at := findLast(s, needle, fold)
		if at < 0 {
			return num(-1)
		}
		return num(unitAt(s, at))
	}
	anyOf := func(s string, set []val, from int, backwards bool) val {
		u := units(s)
		checkRange(from, len(u), "startIndex")
		hit := -1
		for i := from; i < len(u); i++ {
			for _, c := range set {
				if u[i] == uint16(c.N) {
					hit = i
				}
			}
			if hit >= 0 && !backwards {
				break
			}
		}
		return num(hit)
	}
	return []member{
		f("int Length", pure(func(a []val) val { return num(length(a[0].S)) })),
		f("char this[int index]", pure(func(a []val) val {
			s, i := a[0].S, a[1].Int()
			if ascii(s) {
				if i < 0 || i >= len(s) {
					csharp.Throw("IndexOutOfRangeException", "Index was outside the bounds of the array.")
				}
				return val{N: uint64(s[i])}
			}
			u := units(s)
			if i < 0 || i >= len(u) {
				csharp.Throw("IndexOutOfRangeException", "Index was outside the bounds of the array.")
			}
			return val{N: uint64(u[i])}
		})),
		f("bool Equals(string value)", pure(func(a []val) val { return yes(!a[1].NullString() && a[0].S == a[1].S) })),
		f("bool Equals(string value, StringComparison comparisonType)", pure(func(a []val) val {
			return yes(!a[1].NullString() && ordering(a[2].Int())(a[0].S, a[1].S) == 0)
		})),
		f("bool Equals(object obj)", pure(func(a []val) val { s, ok := a[1].R.(string); return yes(ok && s == a[0].S) })),
		f("int GetHashCode()", pure(func(a []val) val { return hashText(a[0].S, a[0].S) })),
		f("int CompareTo(string strB)", pure(func(a []val) val { return num(compareStrings(a[0], a[1], cultureCompare)) })),
		f("bool Contains(string value)", pure(func(a []val) val { return yes(strings.Contains(a[0].S, needString(a[1], "value"))) })),
		f("bool Contains(char value)", pure(func(a []val) val { return yes(strings.Contains(a[0].S, charText(a[1]))) })),
		f("bool Contains(string value, StringComparison comparisonType)", pure(func(a []val) val {
			return yes(find(a[0].S, needString(a[1], "value"), 0, fold(a[2])) >= 0)
		})),
		f("bool StartsWith(string value)", pure(func(a []val) val { return yes(strings.HasPrefix(a[0].S, needString(a[1], "value"))) })),
		f("bool StartsWith(char value)", pure(func(a []val) val { return yes(strings.HasPrefix(a[0].S, charText(a[1]))) })),
		f("bool StartsWith(string value, StringComparison comparisonType)", pure(func(a []val) val {
			return yes(startsWith(a[0].S, needString(a[1], "value"), fold(a[2])))
		})),
		f("bool EndsWith(string value)", pure(func(a []val) val { return yes(strings.HasSuffix(a[0].S, needString(a[1], "value"))) })),
		f("bool EndsWith(char value)", pure(func(a []val) val { return yes(strings.HasSuffix(a[0].S, charText(a[1]))) })),
		f("bool EndsWith(string value, StringComparison comparisonType)", pure(func(a []val) val {
			return yes(endsWith(a[0].S, needString(a[1], "value"), fold(a[2])))
		})),
		f("int IndexOf(string value)", pure(func(a []val) val { return indexOf(a[0].S, needString(a[1], "value"), 0, false) })),
		f("int IndexOf(char value)", pure(func(a []val) val { return indexOf(a[0].S, charText(a[1]), 0, false) })),
		f("int IndexOf(string value, int startIndex)", pure(func(a []val) val { return indexOf(a[0].S, needString(a[1], "value"), a[2].Int(), false) })),
		f("int IndexOf(char value, int startIndex)", pure(func(a []val) val { return indexOf(a[0].S, charText(a[1]), a[2].Int(), false) })),
		f("int IndexOf(string value, StringComparison comparisonType)", pure(func(a []val) val {
			return indexOf(a[0].S, needString(a[1], "value"), 0, fold(a[2]))
		})),
		f("int IndexOf(string value, int startIndex, StringComparison comparisonType)", pure(func(a []val) val {
			return indexOf(a[0].S, needString(a[1], "value"), a[2].Int(), fold(a[3]))
		})),
		f("int LastIndexOf(string value)", pure(func(a []val) val { return last(a[0].S, needString(a[1], "value"), false) })),
		f("int LastIndexOf(char value)", pure(func(a []val) val { return last(a[0].S, charText(a[1]), false) })),
		f("int LastIndexOf(string value, StringComparison comparisonType)", pure(func(a []val) val {
			return last(a[0].S, needString(a[1], "value"), fold(a[2]))
		})),
		f("int IndexOfAny(char[] anyOf)", pure(func(a []val) val { return anyOf(a[0].S, array(a[1], "anyOf").Items, 0, false) })),
		f("int IndexOfAny(char[] anyOf, int startIndex)", pure(func(a []val) val {
			return anyOf(a[0].S, array(a[1], "anyOf").Items, a[2].Int(), false)
		})),
		f("int LastIndexOfAny(char[] anyOf)", pure(func(a []val) val { return anyOf(a[0].S, array(a[1], "anyOf").Items, 0, true) })),
		f("char[] ToCharArray()", func(m *mach, a []val) val {
			m.Charge(40 * len(a[0].S))
			out := csharp.NewArray(csharp.CharT, 0)
			for _, u := range units(a[0].S) {
				out.Items = append(out.Items, val{N: uint64(u)})
			}
			return ref(out)
		}),
		f("string ToString()", pure(func(a []val) val { return a[0] })),
		f("string ToString(IFormatProvider provider)", pure(func(a []val) val { return a[0] })),
	}
}

func array(v val, param string) *csharp.Array {
	arr, ok := v.R.(*csharp.Array)
	if !ok {
		csharp.ThrowNull(param)
	}
	return arr
}
