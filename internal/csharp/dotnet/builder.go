package dotnet

import (
	"strings"

	"tandem/internal/csharp"
)

// builder is a StringBuilder.
type builder struct{ s []byte }

// NetString implements Texter.
func (b *builder) NetString() string { return string(b.s) }

func builderTypes() []def {
	me := self[*builder]
	add := func(m *mach, a []val, s string) val {
		m.Charge(len(s))
		b := me(a)
		b.s = append(b.s, s...)
		return a[0]
	}
	set := func(a []val, s string) val {
		me(a).s = []byte(s)
		return a[0]
	}
	rows := []member{
		f("new()", pure(func([]val) val { return ref(&builder{}) })),
		f("new(string value)", pure(func(a []val) val { return ref(&builder{[]byte(a[0].S)}) })),
		f("new(int capacity)", pure(func([]val) val { return ref(&builder{}) })),
		f("new(string value, int capacity)", pure(func(a []val) val { return ref(&builder{[]byte(a[0].S)}) })),
		f("StringBuilder Append(string value)", func(m *mach, a []val) val { return add(m, a, a[1].S) }),
		f("StringBuilder Append(char value)", func(m *mach, a []val) val { return add(m, a, charText(a[1])) }),
		f("StringBuilder Append(char value, int repeatCount)", func(m *mach, a []val) val {
			if a[2].Int() < 0 {
				csharp.ThrowRange("repeatCount", "Non-negative number required.")
			}
			m.Charge(a[2].Int())
			return add(m, a, strings.Repeat(charText(a[1]), a[2].Int()))
		}),
		f("StringBuilder Append(char[] value)", func(m *mach, a []val) val { return add(m, a, charsText(array(a[1], "value").Items)) }),
		f("StringBuilder Append(string value, int startIndex, int count)", func(m *mach, a []val) val {
			return add(m, a, substring(a[1].S, a[2].Int(), a[3].Int()))
		}),
		f("StringBuilder Append(object value)", func(m *mach, a []val) val { return add(m, a, csharp.ObjectText(a[1].R)) }),
		f("StringBuilder AppendLine()", func(m *mach, a []val) val { return add(m, a, newLine) }),
		f("StringBuilder AppendLine(string value)", func(m *mach, a []val) val { return add(m, a, a[1].S+newLine) }),
		f("StringBuilder AppendFormat(string format, params object[] args)", func(m *mach, a []val) val {
			return add(m, a, composite(m, needString(a[1], "format"), boxes(a[2])))
		}),
		f("StringBuilder Insert(int index, string value)", func(m *mach, a []val) val {
			s := me(a).NetString()
			checkRange(a[1].Int(), length(s), "index")
			at := byteAt(s, a[1].Int())
			m.Charge(len(s) + len(a[2].S))
			return set(a, s[:at]+a[2].S+s[at:])
		}),
		f("StringBuilder Insert(int index, object value)", func(m *mach, a []val) val {
			s := me(a).NetString()
			checkRange(a[1].Int(), length(s), "index")
			at := byteAt(s, a[1].Int())
			return set(a, s[:at]+csharp.ObjectText(a[2].R)+s[at:])
		}),
		f("StringBuilder Remove(int startIndex, int length)", pure(func(a []val) val {
			s := me(a).NetString()
			if a[1].Int() < 0 || a[2].Int() < 0 || a[1].Int()+a[2].Int() > length(s) {
				csharp.ThrowRange("length", "Index was out of range. Must be non-negative and less than the size of the collection.")
			}
			return set(a, s[:byteAt(s, a[1].Int())]+s[byteAt(s, a[1].Int()+a[2].Int()):])
		})),
		f("StringBuilder Replace(string oldValue, string newValue)", func(m *mach, a []val) val {
			return set(a, replace(m, me(a).NetString(), needString(a[1], "oldValue"), a[2].S).S)
		}),
		f("StringBuilder Replace(char oldChar, char newChar)", func(m *mach, a []val) val {
			return set(a, replace(m, me(a).NetString(), charText(a[1]), charText(a[2])).S)
		}),
		f("StringBuilder Clear()", pure(func(a []val) val { return set(a, "") })),
		fs("int Length", pure(func(a []val) val { return num(length(me(a).NetString())) }), pure(func(a []val) val {
			s := me(a).NetString()
			if n := a[1].Int(); n <= length(s) && n >= 0 {
				me(a).s = []byte(s[:byteAt(s, n)])
			} else if n > 0 && n < 1<<20 {
				me(a).s = append([]byte(s), make([]byte, n-length(s))...)
			} else {
				csharp.ThrowRange("value", "Length cannot be less than zero.")
			}
			return val{}
		})),
		f("int Capacity", pure(func(a []val) val { return num(max(16, len(me(a).s))) })),
		f("char this[int index]", pure(func(a []val) val {
			u := units(me(a).NetString())
			if i := a[1].Int(); i < 0 || i >= len(u) {
				csharp.Throw("IndexOutOfRangeException", "Index was outside the bounds of the array.")
			}
			return val{N: uint64(u[a[1].Int()])}
		})),
		f("string ToString(int startIndex, int length)", pure(func(a []val) val { return str(substring(me(a).NetString(), a[1].Int(), a[2].Int())) })),
		f("string ToString()", func(m *mach, a []val) val { m.Charge(len(me(a).s)); return str(me(a).NetString()) }),
	}
	for _, t := range []*typ{csharp.IntT, csharp.LongT, csharp.DoubleT, csharp.DecimalT, csharp.Bool} {
		rows = append(rows, f("StringBuilder Append("+t.String()+" value)", func(m *mach, a []val) val { return add(m, a, csharp.Text(a[1], t)) }))
	}
	return []def{{Decl: "class StringBuilder", Namespace: "System.Text", Is: is[*builder], Members: rows}}
}

const newLine = "\r\n"
