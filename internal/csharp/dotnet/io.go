package dotnet

import (
	"strings"

	"tandem/internal/csharp"
)

// reader is a StringReader.
type reader struct{ rest string }

func ioTypes() []def {
	me := self[*reader]
	take := func(r *reader, n int) string {
		s := r.rest[:n]
		r.rest = r.rest[n:]
		return s
	}
	b := self[*builder]
	write := func(m *mach, a []val, s string) val {
		m.Charge(len(s))
		b(a).s = append(b(a).s, s...)
		return val{}
	}
	return []def{
		{Decl: "class TextReader : IDisposable", Namespace: "System.IO", Is: is[*reader]},
		{Decl: "class StringReader : TextReader", Namespace: "System.IO", Is: is[*reader], Members: []member{
			f("new(string s)", pure(func(a []val) val { return ref(&reader{needString(a[0], "s")}) })),
			f("string ReadToEnd()", pure(func(a []val) val { return str(take(me(a), len(me(a).rest))) })),
			f("string ReadLine()", pure(func(a []val) val {
				r := me(a)
				if r.rest == "" {
					return val{}
				}
				end := strings.IndexAny(r.rest, "\r\n")
				if end < 0 {
					return str(take(r, len(r.rest)))
				}
				line := take(r, end)
				if strings.HasPrefix(r.rest, "\r\n") {
					take(r, 2)
				} else {
					take(r, 1)
				}
				return str(line)
			})),
			f("int Read()", pure(func(a []val) val {
				if u := units(me(a).rest); len(u) > 0 {
					take(me(a), byteAt(me(a).rest, 1))
					return num(int(u[0]))
				}
				return num(-1)
			})),
			f("int Peek()", pure(func(a []val) val {
				for _, r := range me(a).rest {
					return num(int(r))
				}
				return num(-1)
			})),
			f("void Dispose()", pure(func([]val) val { return val{} })), f("void Close()", pure(func([]val) val { return val{} })),
		}},
		{Decl: "class TextWriter : IDisposable", Namespace: "System.IO", Is: is[*builder]},
		{Decl: "class StringWriter : TextWriter", Namespace: "System.IO", Is: is[*builder], Members: []member{
			f("new()", pure(func([]val) val { return ref(&builder{}) })),
			f("new(StringBuilder sb)", pure(func(a []val) val { return ref(existing(a[0])) })),
			f("void Write(string value)", func(m *mach, a []val) val { return write(m, a, a[1].S) }),
			f("void Write(char value)", func(m *mach, a []val) val { return write(m, a, charText(a[1])) }),
			f("void Write(object value)", func(m *mach, a []val) val { return write(m, a, csharp.ObjectText(a[1].R)) }),
			f("void WriteLine()", func(m *mach, a []val) val { return write(m, a, newLine) }),
			f("void WriteLine(string value)", func(m *mach, a []val) val { return write(m, a, a[1].S+newLine) }),
			f("void WriteLine(object value)", func(m *mach, a []val) val { return write(m, a, csharp.ObjectText(a[1].R)+newLine) }),
			f("StringBuilder GetStringBuilder()", pure(func(a []val) val { return a[0] })),
			f("string ToString()", pure(func(a []val) val { return str(b(a).NetString()) })),
			f("void Flush()", pure(func([]val) val { return val{} })), f("void Dispose()", pure(func([]val) val { return val{} })),
		}},
	}
}

func existing(v val) *builder {
	b, ok := v.R.(*builder)
	if !ok {
		csharp.ThrowNull("sb")
	}
	return b
}
