package dotnet

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// integers are the targets of Convert.ToX.
var integers = []struct {
	name string
	t    *typ
	lo   float64
	hi   float64
}{
	{"ToSByte", csharp.SByte, math.MinInt8, math.MaxInt8}, {"ToByte", csharp.Byte, 0, math.MaxUint8},
	{"ToInt16", csharp.Short, math.MinInt16, math.MaxInt16}, {"ToUInt16", csharp.UShort, 0, math.MaxUint16},
	{"ToInt32", csharp.IntT, math.MinInt32, math.MaxInt32}, {"ToUInt32", csharp.UInt, 0, math.MaxUint32},
	{"ToInt64", csharp.LongT, math.MinInt64, math.MaxInt64}, {"ToUInt64", csharp.ULong, 0, math.MaxUint64},
}

// toInteger converts with rounding half to even and a range check, as Convert does.
func toInteger(to *typ, v val, from *typ) val {
	switch from.Kind {
	case csharp.KindDouble, csharp.KindFloat:
		x := math.RoundToEven(v.Float())
		if math.IsNaN(x) || math.Abs(x) > 1e19 {
			csharp.Throw("OverflowException", tooLarge(to))
		}
		v = str(strconv.FormatFloat(x, 'f', 0, 64))
	case csharp.KindDecimal:
		v = str(v.Dec().Rescale(0).String())
	case csharp.KindChar, csharp.KindBool, csharp.KindByte, csharp.KindUShort, csharp.KindUInt, csharp.KindULong:
		v = str(strconv.FormatUint(v.N, 10))
	default:
		v = str(strconv.FormatInt(int64(v.N), 10))
	}
	out, how := parseNumber(to, v.S, integerStyle)
	if how != okay {
		csharp.Throw("OverflowException", tooLarge(to))
	}
	return out
}

// convertTo is Convert.ToX of any value of a simple type.
func convertTo(to *typ, v val, from *typ) val {
	if from.Kind == csharp.KindObject {
		if v.R == nil {
			return val{}
		}
		if b, ok := v.R.(boxed); ok {
			v.R = b.NetBox()
		}
		from = csharp.TypeOf(v.R)
		v = unboxed(v.R)
	}
	numeric := from.Kind >= csharp.KindChar && from.Kind <= csharp.KindDecimal || from.Kind == csharp.KindBool || from.Kind == csharp.KindEnum
	fail := func() {
		csharp.Throw("InvalidCastException", "Unable to cast object of type '"+from.FullName()+"' to type '"+to.FullName()+"'.")
	}
	switch {
	case from.Is(to):
		return v
	case to.Kind == csharp.KindString:
		return str(csharp.Text(v, from))
	case from.Kind == csharp.KindString:
		if v.NullString() {
			return val{}
		}
		return fromText(to, v)
	case !numeric:
		fail()
	case to.Kind == csharp.KindBool:
		if from.Kind == csharp.KindChar {
			fail()
		}
		if from.Kind == csharp.KindDouble || from.Kind == csharp.KindFloat {
			return yes(v.Float() != 0)
		}
		return yes(csharp.CompareNumbers(from, v, val{}) != 0)
	case to.Kind == csharp.KindDouble, to.Kind == csharp.KindFloat:
		return asDouble(v, from)
	case to.Kind == csharp.KindDecimal:
		return asDecimal(v, from)
	case to.Kind == csharp.KindDateTime, from.Kind == csharp.KindBool && to.Kind == csharp.KindChar:
		fail()
	}
	return toInteger(to, v, from)
}

// boxed is implemented by objects that stand for a simple value: JValue.
type boxed interface{ NetBox() any }

func asDouble(v val, from *typ) val {
	switch from.Kind {
	case csharp.KindDouble, csharp.KindFloat:
		return v
	case csharp.KindDecimal:
		return csharp.Double(v.Dec().Float())
	}
	f, _ := strconv.ParseFloat(csharp.Text(toInteger(csharp.LongT, v, from), csharp.LongT), 64)
	return csharp.Double(f)
}

func asDecimal(v val, from *typ) val {
	switch from.Kind {
	case csharp.KindDecimal:
		return v
	case csharp.KindDouble, csharp.KindFloat:
		d, ok := format.DecimalOfFloat(v.Float(), 15)
		if !ok {
			csharp.Throw("OverflowException", tooLarge(csharp.DecimalT))
		}
		return csharp.Dec(d)
	}
	d, _ := format.ParseDecimal(csharp.Text(toInteger(csharp.LongT, v, from), csharp.LongT))
	return csharp.Dec(d)
}

func fromText(to *typ, v val) val {
	switch to.Kind {
	case csharp.KindBool:
		b, ok := parseBool(v.S)
		if !ok {
			csharp.Throw("FormatException", "String '"+v.S+"' was not recognized as a valid Boolean.")
		}
		return yes(b)
	case csharp.KindChar:
		u := units(v.S)
		if len(u) != 1 {
			csharp.Throw("FormatException", "String must be exactly one character long.")
		}
		return val{N: uint64(u[0])}
	case csharp.KindDateTime:
		return mustDate(v.S)
	case csharp.KindDouble, csharp.KindFloat:
		return mustParse(to, v, floatStyle|thousands)
	case csharp.KindDecimal:
		return mustParse(to, v, numberStyle)
	}
	return mustParse(to, v, integerStyle)
}

func convertTypes() []def {
	targets := []struct {
		name string
		t    *typ
	}{{"ToBoolean", csharp.Bool}, {"ToChar", csharp.CharT}, {"ToSingle", csharp.Float}, {"ToDouble", csharp.DoubleT}, {"ToDecimal", csharp.DecimalT}, {"ToDateTime", csharp.DateTimeT}, {"ToString", csharp.StringT}}
	for _, i := range integers {
		targets = append(targets, struct {
			name string
			t    *typ
		}{i.name, i.t})
	}
	sources := []*typ{csharp.Object, csharp.StringT, csharp.Bool, csharp.CharT, csharp.SByte, csharp.Byte, csharp.Short, csharp.UShort, csharp.IntT, csharp.UInt,
		csharp.LongT, csharp.ULong, csharp.Float, csharp.DoubleT, csharp.DecimalT, csharp.DateTimeT}
	var rows []member
	for _, to := range targets {
		for _, from := range sources {
			name := from.String()
			fn := pure(func(a []val) val { return convertTo(to.t, a[0], from) })
			rows = append(rows, f("static "+to.t.String()+" "+to.name+"("+name+" value)", fn))
			if from == csharp.StringT || from == csharp.Object || to.t == csharp.StringT {
				rows = append(rows, f("static "+to.t.String()+" "+to.name+"("+name+" value, IFormatProvider provider)", fn))
			}
		}
	}
	for _, i := range integers {
		rows = append(rows, f("static "+i.t.String()+" "+i.name+"(string value, int fromBase)", pure(func(a []val) val { return fromBase(i.t, a[0].S, a[1].Int()) })))
	}
	for _, from := range []*typ{csharp.IntT, csharp.LongT, csharp.Byte, csharp.Short} {
		rows = append(rows, f("static string ToString("+from.String()+" value, int toBase)", pure(func(a []val) val { return toBase(from, a[0], a[1].Int()) })))
	}
	rows = append(rows, base64Members()...)
	return []def{
		{Decl: "static class Convert", Namespace: system, Members: rows},
		{Decl: "flags enum Base64FormattingOptions", Namespace: system, Values: []string{"None", "InsertLineBreaks"}},
	}
}

func fromBase(to *typ, s string, base int) val {
	if base != 2 && base != 8 && base != 10 && base != 16 {
		csharp.Throw("ArgumentException", "Invalid Base.")
	}
	if s == "" {
		return val{}
	}
	if base == 10 {
		return mustParse(to, str(s), integerStyle)
	}
	if base == 16 {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	}
	bits := map[csharp.Kind]int{csharp.KindSByte: 8, csharp.KindByte: 8, csharp.KindShort: 16, csharp.KindUShort: 16, csharp.KindInt: 32, csharp.KindUInt: 32}[to.Kind]
	if bits == 0 {
		bits = 64
	}
	u, err := strconv.ParseUint(s, base, bits)
	if err != nil {
		if numError(err) == outside {
			csharp.Throw("OverflowException", tooLarge(to))
		}
		csharp.Throw("FormatException", "Could not find any recognizable digits.")
	}
	switch to.Kind {
	case csharp.KindSByte, csharp.KindShort, csharp.KindInt, csharp.KindLong:
		return csharp.Long(int64(u<<(64-bits)) >> (64 - bits))
	}
	return val{N: u}
}

func toBase(from *typ, v val, base int) val {
	bits := map[csharp.Kind]int{csharp.KindInt: 32, csharp.KindLong: 64, csharp.KindByte: 8, csharp.KindShort: 16}[from.Kind]
	u := v.N
	if bits < 64 {
		u &= 1<<bits - 1
	}
	switch base {
	case 2, 8, 16:
		return str(strconv.FormatUint(u, base))
	case 10:
		return str(csharp.Text(v, from))
	}
	csharp.Throw("ArgumentException", "Invalid Base.")
	return val{}
}

func base64Members() []member {
	encode := func(m *mach, b []byte, lines bool) val {
		m.Charge(len(b) * 4 / 3)
		s := base64.StdEncoding.EncodeToString(b)
		if lines {
			var out strings.Builder
			for len(s) > 76 {
				out.WriteString(s[:76] + newLine)
				s = s[76:]
			}
			s = out.String() + s
		}
		return str(s)
	}
	return []member{
		f("static string ToBase64String(byte[] inArray)", func(m *mach, a []val) val { return encode(m, array(a[0], "inArray").Bytes, false) }),
		f("static string ToBase64String(byte[] inArray, Base64FormattingOptions options)", func(m *mach, a []val) val {
			return encode(m, array(a[0], "inArray").Bytes, a[1].N == 1)
		}),
		f("static string ToBase64String(byte[] inArray, int offset, int length)", func(m *mach, a []val) val {
			return encode(m, slice(array(a[0], "inArray").Bytes, a[1].Int(), a[2].Int()), false)
		}),
		f("static byte[] FromBase64String(string s)", func(m *mach, a []val) val {
			s := needString(a[0], "s")
			m.Charge(len(s))
			clean := strings.Map(func(r rune) rune {
				if r == ' ' || r == '\t' || r == '\n' || r == '\r' {
					return -1
				}
				return r
			}, s)
			b, err := base64.StdEncoding.DecodeString(clean)
			if err != nil {
				csharp.Throw("FormatException", "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding characters, or an illegal character among the padding characters.")
			}
			return csharp.BytesValue(b)
		}),
		f("static string ToHexString(byte[] inArray)", func(m *mach, a []val) val {
			b := array(a[0], "inArray").Bytes
			m.Charge(2 * len(b))
			return str(strings.ToUpper(hex.EncodeToString(b)))
		}),
		f("static byte[] FromHexString(string s)", pure(func(a []val) val {
			b, err := hex.DecodeString(needString(a[0], "s"))
			if err != nil {
				csharp.Throw("FormatException", "The input is not a valid hex string as it contains a non-hex character.")
			}
			return csharp.BytesValue(b)
		})),
	}
}

func slice(b []byte, from, n int) []byte {
	if from < 0 || n < 0 || from > len(b)-n {
		csharp.ThrowRange("offset", "Offset and length must refer to a position in the array.")
	}
	return b[from : from+n]
}
