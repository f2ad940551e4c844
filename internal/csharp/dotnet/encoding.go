package dotnet

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"unicode/utf8"

	"tandem/internal/csharp"
)

// encoder is an Encoding.
type encoder struct {
	name   string
	encode func(s string) []byte
	decode func(b []byte) string
}

func single(limit rune) (func(string) []byte, func([]byte) string) {
	return func(s string) []byte {
			var out []byte
			for _, r := range s {
				if r >= limit {
					r = '?'
				}
				out = append(out, byte(r))
			}
			return out
		}, func(b []byte) string {
			var out strings.Builder
			for _, c := range b {
				if rune(c) >= limit {
					out.WriteByte('?')
					continue
				}
				out.WriteRune(rune(c))
			}
			return out.String()
		}
}

func wide(order binary.AppendByteOrder, read binary.ByteOrder) (func(string) []byte, func([]byte) string) {
	return func(s string) []byte {
			var out []byte
			for _, u := range units(s) {
				out = order.AppendUint16(out, u)
			}
			return out
		}, func(b []byte) string {
			var u []uint16
			for i := 0; i+1 < len(b); i += 2 {
				u = append(u, read.Uint16(b[i:]))
			}
			s := fromUnits(u)
			if len(b)%2 == 1 {
				s += "\ufffd"
			}
			return s
		}
}

func utf8Encoder() *encoder {
	return &encoder{"utf-8", func(s string) []byte { return []byte(s) }, func(b []byte) string {
		if utf8.Valid(b) {
			return string(b)
		}
		return strings.ToValidUTF8(string(b), "\ufffd")
	}}
}

func encodings() map[string]*encoder {
	ae, ad := single(0x80)
	le, ld := single(0x100)
	ue, ud := wide(binary.LittleEndian, binary.LittleEndian)
	be, bd := wide(binary.BigEndian, binary.BigEndian)
	return map[string]*encoder{"UTF8": utf8Encoder(), "Default": utf8Encoder(), "ASCII": {"us-ascii", ae, ad}, "Latin1": {"iso-8859-1", le, ld},
		"Unicode": {"utf-16", ue, ud}, "BigEndianUnicode": {"utf-16BE", be, bd}}
}

func encodingTypes() []def {
	me := self[*encoder]
	rows := []member{
		f("byte[] GetBytes(string s)", func(m *mach, a []val) val {
			s := needString(a[1], "s")
			m.Charge(len(s))
			return csharp.BytesValue(me(a).encode(s))
		}),
		f("byte[] GetBytes(char[] chars)", pure(func(a []val) val { return csharp.BytesValue(me(a).encode(charsText(array(a[1], "chars").Items))) })),
		f("string GetString(byte[] bytes)", func(m *mach, a []val) val {
			b := array(a[1], "bytes").Bytes
			m.Charge(len(b))
			return str(me(a).decode(b))
		}),
		f("string GetString(byte[] bytes, int index, int count)", func(m *mach, a []val) val {
			return str(me(a).decode(slice(array(a[1], "bytes").Bytes, a[2].Int(), a[3].Int())))
		}),
		f("int GetByteCount(string s)", pure(func(a []val) val { return num(len(me(a).encode(needString(a[1], "s")))) })),
		f("string WebName", pure(func(a []val) val { return str(me(a).name) })),
		f("string EncodingName", pure(func(a []val) val { return str(me(a).name) })),
		f("static Encoding GetEncoding(string name)", pure(func(a []val) val {
			name := strings.ToLower(needString(a[0], "name"))
			alias := map[string]string{"utf8": "utf-8", "ascii": "us-ascii", "latin1": "iso-8859-1", "unicode": "utf-16", "utf-16le": "utf-16", "windows-1252": "iso-8859-1"}
			if n := alias[name]; n != "" {
				name = n
			}
			for _, e := range encodings() {
				if strings.EqualFold(e.name, name) {
					return ref(e)
				}
			}
			csharp.Throw("ArgumentException", "'"+a[0].S+"' is not a supported encoding name. (Parameter 'name')")
			return val{}
		})),
	}
	for name, e := range encodings() {
		rows = append(rows, f("static Encoding "+name, pure(func([]val) val { return ref(e) })))
	}
	return []def{
		{Decl: "class Encoding", Namespace: "System.Text", Is: is[*encoder], Members: rows},
		{Decl: "class UTF8Encoding : Encoding", Namespace: "System.Text", Is: is[*encoder], Members: []member{
			f("new()", pure(func([]val) val { return ref(utf8Encoder()) })),
			f("new(bool encoderShouldEmitUTF8Identifier)", pure(func([]val) val { return ref(utf8Encoder()) })),
		}},
		{Decl: "static class BitConverter", Namespace: system, Members: bitMembers()},
	}
}

func bitMembers() []member {
	text := func(b []byte) val {
		h := strings.ToUpper(hex.EncodeToString(b))
		var out strings.Builder
		for i := 0; i < len(h); i += 2 {
			if i > 0 {
				out.WriteByte('-')
			}
			out.WriteString(h[i : i+2])
		}
		return str(out.String())
	}
	at := func(a []val, n int) []byte {
		b, i := array(a[0], "value").Bytes, a[1].Int()
		if i < 0 || i >= len(b) && len(b) > 0 || i > len(b) {
			csharp.ThrowRange("startIndex", "Index was out of range. Must be non-negative and less than the size of the collection.")
		}
		if i+n > len(b) {
			csharp.Throw("ArgumentException", "Destination array is not long enough to copy all the items in the collection. Check array index and length. (Parameter 'value')")
		}
		return b[i : i+n]
	}
	le := binary.LittleEndian
	make := func(t *typ, n int) member {
		return f("static byte[] GetBytes("+t.String()+" value)", pure(func(a []val) val {
			x := a[0].N
			if t.Kind == csharp.KindFloat {
				x = uint64(math.Float32bits(float32(a[0].Float())))
			}
			return csharp.BytesValue(le.AppendUint64(nil, x)[:n])
		}))
	}
	read := func(name string, t *typ, n int, conv func(b []byte) val) member {
		return f("static "+t.String()+" "+name+"(byte[] value, int startIndex)", pure(func(a []val) val { return conv(at(a, n)) }))
	}
	return []member{
		f("static bool IsLittleEndian", pure(func([]val) val { return yes(true) })),
		f("static string ToString(byte[] value)", func(m *mach, a []val) val {
			b := array(a[0], "value").Bytes
			m.Charge(3 * len(b))
			return text(b)
		}),
		f("static string ToString(byte[] value, int startIndex)", pure(func(a []val) val {
			b := array(a[0], "value").Bytes
			return text(slice(b, a[1].Int(), len(b)-a[1].Int()))
		})),
		f("static string ToString(byte[] value, int startIndex, int length)", pure(func(a []val) val {
			return text(slice(array(a[0], "value").Bytes, a[1].Int(), a[2].Int()))
		})),
		make(csharp.Bool, 1), make(csharp.CharT, 2), make(csharp.Short, 2), make(csharp.UShort, 2), make(csharp.IntT, 4), make(csharp.UInt, 4),
		make(csharp.LongT, 8), make(csharp.ULong, 8), make(csharp.Float, 4), make(csharp.DoubleT, 8),
		read("ToInt16", csharp.Short, 2, func(b []byte) val { return csharp.Long(int64(int16(le.Uint16(b)))) }),
		read("ToUInt16", csharp.UShort, 2, func(b []byte) val { return val{N: uint64(le.Uint16(b))} }),
		read("ToInt32", csharp.IntT, 4, func(b []byte) val { return csharp.Long(int64(int32(le.Uint32(b)))) }),
		read("ToUInt32", csharp.UInt, 4, func(b []byte) val { return val{N: uint64(le.Uint32(b))} }),
		read("ToInt64", csharp.LongT, 8, func(b []byte) val { return val{N: le.Uint64(b)} }),
		read("ToUInt64", csharp.ULong, 8, func(b []byte) val { return val{N: le.Uint64(b)} }),
		read("ToDouble", csharp.DoubleT, 8, func(b []byte) val { return val{N: le.Uint64(b)} }),
		read("ToSingle", csharp.Float, 4, func(b []byte) val { return csharp.Double(float64(math.Float32frombits(le.Uint32(b)))) }),
		read("ToBoolean", csharp.Bool, 1, func(b []byte) val { return yes(b[0] != 0) }),
	}
}
