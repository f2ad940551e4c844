package dotnet

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

func mustGuid(s string) val {
	g, ok := format.ParseGuid(s, "")
	if !ok {
		csharp.Throw("FormatException", "Unrecognized Guid format.")
	}
	return csharp.GuidOf(g)
}

func guidTypes() []def {
	rows := []member{
		f("static Guid Empty", pure(func([]val) val { return val{} })),
		f("static Guid NewGuid()", func(m *mach, _ []val) val {
			var g [16]byte
			m.Random(g[:])
			g[7] = g[7]&0x0F | 0x40 // the bytes are in ToByteArray's order, where the version is in the eighth
			g[8] = g[8]&0x3F | 0x80
			return csharp.GuidOf(g)
		}),
		f("static Guid Parse(string input)", pure(func(a []val) val { return mustGuid(needString(a[0], "input")) })),
		f("static Guid ParseExact(string input, string format)", pure(func(a []val) val {
			g, ok := format.ParseGuid(needString(a[0], "input"), a[1].S)
			if !ok {
				csharp.Throw("FormatException", "Unrecognized Guid format.")
			}
			return csharp.GuidOf(g)
		})),
		f("static bool TryParse(string input, out Guid result)", pure(func(a []val) val {
			g, ok := format.ParseGuid(a[0].S, "")
			a[1] = csharp.GuidOf(g)
			return yes(ok)
		})),
		f("new(string g)", pure(func(a []val) val { return mustGuid(needString(a[0], "g")) })),
		f("new(byte[] b)", pure(func(a []val) val {
			b := array(a[0], "b").Bytes
			if len(b) != 16 {
				csharp.Throw("ArgumentException", "Byte array for Guid must be exactly 16 bytes long. (Parameter 'b')")
			}
			return csharp.GuidOf([16]byte(b))
		})),
		f("byte[] ToByteArray()", pure(func(a []val) val { g := a[0].Guid(); return csharp.BytesValue(slices.Clone(g[:])) })),
		f("bool Equals(Guid g)", pure(func(a []val) val { return yes(a[0].Guid() == a[1].Guid()) })),
		f("int CompareTo(Guid value)", pure(func(a []val) val { return num(compareFor(csharp.GuidT)(a[0], a[1])) })),
		f("operator bool ==(Guid a, Guid b)", pure(func(a []val) val { return yes(a[0].Guid() == a[1].Guid()) })),
		f("operator bool !=(Guid a, Guid b)", pure(func(a []val) val { return yes(a[0].Guid() != a[1].Guid()) })),
	}
	return []def{{Decl: "extend Guid", Members: append(rows, textMembers(csharp.GuidT)...)}}
}

// random is a Random. A given seed gives the same numbers every time, but not .NET's own.
type random struct{ r *rand.Rand }

func randomTypes() []def {
	me := func(a []val) *rand.Rand { return self[*random](a).r }
	seeded := func(x, y uint64) val { return ref(&random{rand.New(rand.NewPCG(x, y))}) }
	fill := func(m *mach, a []val) val { m.Random(array(a[1], "data").Bytes); return val{} }
	return []def{
		{Decl: "class Random", Namespace: system, Is: is[*random], Members: []member{
			f("new()", func(m *mach, _ []val) val {
				var b [16]byte
				m.Random(b[:])
				return seeded(binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:]))
			}),
			f("new(int Seed)", pure(func(a []val) val { return seeded(a[0].N, 0) })),
			f("int Next()", pure(func(a []val) val { return num(me(a).IntN(math.MaxInt32)) })),
			f("int Next(int maxValue)", pure(func(a []val) val {
				if a[1].Int() < 0 {
					csharp.ThrowRange("maxValue", "'maxValue' must be greater than zero.")
				}
				return num(me(a).IntN(max(1, a[1].Int())))
			})),
			f("int Next(int minValue, int maxValue)", pure(func(a []val) val {
				lo, hi := a[1].Int(), a[2].Int()
				if lo > hi {
					csharp.ThrowRange("minValue", "'minValue' cannot be greater than maxValue.")
				}
				return num(lo + me(a).IntN(max(1, hi-lo)))
			})),
			f("double NextDouble()", pure(func(a []val) val { return csharp.Double(me(a).Float64()) })),
			f("void NextBytes(byte[] buffer)", pure(func(a []val) val {
				b := array(a[1], "buffer").Bytes
				for i := range b {
					b[i] = byte(me(a).Uint32())
				}
				return val{}
			})),
		}},
		{Decl: "class RandomNumberGenerator : IDisposable", Namespace: "System.Security.Cryptography", Is: is[*generator], Members: []member{
			f("static RandomNumberGenerator Create()", pure(func([]val) val { return ref(&generator{}) })),
			f("void GetBytes(byte[] data)", fill), f("void GetNonZeroBytes(byte[] data)", func(m *mach, a []val) val {
				b := array(a[1], "data").Bytes
				m.Random(b)
				for i := range b {
					for b[i] == 0 {
						m.Random(b[i : i+1])
					}
				}
				return val{}
			}),
			f("void Dispose()", pure(func([]val) val { return val{} })),
		}},
		{Decl: "class RNGCryptoServiceProvider : RandomNumberGenerator", Namespace: "System.Security.Cryptography", Is: is[*generator], Members: []member{
			f("new()", pure(func([]val) val { return ref(&generator{}) })),
		}},
	}
}

type generator struct{ _ byte }
