package dotnet

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// The flags of NumberStyles.
const (
	leadingWhite  = 1
	trailingWhite = 2
	leadingSign   = 4
	trailingSign  = 8
	parentheses   = 16
	decimalPoint  = 32
	thousands     = 64
	exponent      = 128
	currency      = 256
	hexadecimal   = 512
	integerStyle  = leadingWhite | trailingWhite | leadingSign
	floatStyle    = integerStyle | decimalPoint | exponent
	numberStyle   = integerStyle | trailingSign | decimalPoint | thousands
)

// plain brings a number as people write it into the form that Go reads: sign, digits, point, exponent.
func plain(s string, style int) (string, bool) {
	if style&leadingWhite != 0 {
		s = strings.TrimLeft(s, " \t\n\v\f\r")
	}
	if style&trailingWhite != 0 {
		s = strings.TrimRight(s, " \t\n\v\f\r\x00")
	}
	neg := ""
	if style&parentheses != 0 && strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		s, neg = s[1:len(s)-1], "-"
	}
	if style&currency != 0 {
		s = strings.TrimPrefix(s, "¤")
	}
	if style&leadingSign != 0 && s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			neg = "-"
		}
		s = s[1:]
	} else if style&trailingSign != 0 && s != "" && (s[len(s)-1] == '-' || s[len(s)-1] == '+') {
		if s[len(s)-1] == '-' {
			neg = "-"
		}
		s = s[:len(s)-1]
	}
	var out strings.Builder
	seen, point := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			seen = true
			out.WriteByte(c)
		case c == ',' && style&thousands != 0 && seen && !point:
		case c == '.' && style&decimalPoint != 0 && !point:
			point = true
			out.WriteByte(c)
		case (c == 'e' || c == 'E') && style&exponent != 0 && seen:
			exp := s[i+1:]
			if _, err := strconv.Atoi(exp); err != nil {
				return "", false
			}
			out.WriteString("e" + exp)
			return neg + out.String(), true
		default:
			return "", false
		}
	}
	return neg + out.String(), seen
}

// parseInteger reads an integer of the usual style within a range.
func parseInteger(s string, lo, hi int64) (int64, bool) {
	p, ok := plain(s, integerStyle)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(p, 10, 64)
	return i, err == nil && i >= lo && i <= hi
}

// outcome of reading a number.
type outcome int

const (
	okay outcome = iota
	malformed
	outside
)

func parseNumber(t *typ, s string, style int) (val, outcome) {
	switch t.Kind {
	case csharp.KindDouble, csharp.KindFloat:
		return parseFloat(t, s, style)
	case csharp.KindDecimal:
		p, ok := plain(s, style)
		if !ok {
			return val{}, malformed
		}
		d, ok := format.ParseDecimal(p)
		if !ok {
			return val{}, outside
		}
		return csharp.Dec(d), okay
	}
	bits := map[csharp.Kind]int{csharp.KindSByte: 8, csharp.KindByte: 8, csharp.KindShort: 16, csharp.KindUShort: 16, csharp.KindInt: 32, csharp.KindUInt: 32}[t.Kind]
	if bits == 0 {
		bits = 64
	}
	signed := t.Kind == csharp.KindSByte || t.Kind == csharp.KindShort || t.Kind == csharp.KindInt || t.Kind == csharp.KindLong
	if style&hexadecimal != 0 {
		u, err := strconv.ParseUint(strings.TrimSpace(s), 16, bits)
		if err != nil || strings.ContainsAny(s, "_+-") {
			return val{}, numError(err)
		}
		if signed {
			return csharp.Long(int64(u<<(64-bits)) >> (64 - bits)), okay
		}
		return val{N: u}, okay
	}
	p, ok := plain(s, style)
	if !ok {
		return val{}, malformed
	}
	if whole, frac, has := strings.Cut(p, "."); has {
		if strings.Trim(frac, "0") != "" {
			return val{}, outside
		}
		p = whole
	}
	if signed {
		i, err := strconv.ParseInt(p, 10, bits)
		return csharp.Long(i), numError(err)
	}
	if strings.HasPrefix(p, "-") && strings.Trim(p, "-0") != "" {
		return val{}, outside
	}
	u, err := strconv.ParseUint(strings.TrimPrefix(p, "-"), 10, bits)
	return val{N: u}, numError(err)
}

func numError(err error) outcome {
	switch {
	case err == nil:
		return okay
	case strings.Contains(err.Error(), "range"):
		return outside
	}
	return malformed
}

func parseFloat(t *typ, s string, style int) (val, outcome) {
	bits := 64
	if t.Kind == csharp.KindFloat {
		bits = 32
	}
	p, ok := plain(s, style)
	if !ok {
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "nan", "-nan", "+nan":
			return csharp.Double(math.NaN()), okay
		case "infinity", "+infinity", "∞":
			return csharp.Double(math.Inf(1)), okay
		case "-infinity", "-∞":
			return csharp.Double(math.Inf(-1)), okay
		}
		return val{}, malformed
	}
	v, _ := strconv.ParseFloat(p, bits) // beyond the range .NET Core gives infinity
	return csharp.Double(v), okay
}

// mustParse throws what Parse throws.
func mustParse(t *typ, s val, style int) val {
	v, how := parseNumber(t, needString(s, "s"), style)
	switch how {
	case malformed:
		csharp.Throw("FormatException", "Input string was not in a correct format.")
	case outside:
		csharp.Throw("OverflowException", tooLarge(t))
	}
	return v
}

func tooLarge(t *typ) string {
	switch t.Kind {
	case csharp.KindByte:
		return "Value was either too large or too small for an unsigned byte."
	case csharp.KindSByte:
		return "Value was either too large or too small for a signed byte."
	case csharp.KindDecimal:
		return "Value was either too large or too small for a Decimal."
	case csharp.KindUInt, csharp.KindUShort, csharp.KindULong:
		return "Value was either too large or too small for a " + t.Decl.Name + "."
	}
	return "Value was either too large or too small for an " + t.Decl.Name + "."
}

func numberTypes() []def {
	out := []def{{Decl: "extend bool", Members: boolMembers()}}
	for _, n := range []struct {
		t      *typ
		lo, hi val
	}{
		{csharp.SByte, csharp.Long(math.MinInt8), csharp.Long(math.MaxInt8)},
		{csharp.Byte, val{}, val{N: math.MaxUint8}},
		{csharp.Short, csharp.Long(math.MinInt16), csharp.Long(math.MaxInt16)},
		{csharp.UShort, val{}, val{N: math.MaxUint16}},
		{csharp.IntT, csharp.Long(math.MinInt32), csharp.Long(math.MaxInt32)},
		{csharp.UInt, val{}, val{N: math.MaxUint32}},
		{csharp.LongT, csharp.Long(math.MinInt64), csharp.Long(math.MaxInt64)},
		{csharp.ULong, val{}, val{N: math.MaxUint64}},
		{csharp.Float, csharp.Double(-math.MaxFloat32), csharp.Double(math.MaxFloat32)},
		{csharp.DoubleT, csharp.Double(-math.MaxFloat64), csharp.Double(math.MaxFloat64)},
		{csharp.DecimalT, csharp.Dec(format.MaxDecimal().Neg()), csharp.Dec(format.MaxDecimal())},
	} {
		out = append(out, def{Decl: "extend " + n.t.String(), Members: numberMembers(n.t, n.lo, n.hi)})
	}
	return out
}

func numberMembers(t *typ, lo, hi val) []member {
	name := t.String()
	usual := integerStyle
	switch t.Kind {
	case csharp.KindDouble, csharp.KindFloat:
		usual = floatStyle | thousands
	case csharp.KindDecimal:
		usual = numberStyle
	}
	try := func(a []val, s val, style, out int) val {
		v, how := parseNumber(t, s.S, style)
		if how != okay {
			v = val{}
		}
		a[out] = v
		return yes(how == okay)
	}
	text := func(a []val, f string) val { return str(csharp.FormatValue(a[0], t, f)) }
	eq := equalFor(t)
	rows := []member{
		f("static "+name+" MinValue", pure(func([]val) val { return lo })),
		f("static "+name+" MaxValue", pure(func([]val) val { return hi })),
		f("static "+name+" Parse(string s)", pure(func(a []val) val { return mustParse(t, a[0], usual) })),
		f("static "+name+" Parse(string s, IFormatProvider provider)", pure(func(a []val) val { return mustParse(t, a[0], usual) })),
		f("static "+name+" Parse(string s, NumberStyles style)", pure(func(a []val) val { return mustParse(t, a[0], a[1].Int()) })),
		f("static "+name+" Parse(string s, NumberStyles style, IFormatProvider provider)", pure(func(a []val) val { return mustParse(t, a[0], a[1].Int()) })),
		f("static bool TryParse(string s, out "+name+" result)", pure(func(a []val) val { return try(a, a[0], usual, 1) })),
		f("static bool TryParse(string s, NumberStyles style, IFormatProvider provider, out "+name+" result)", pure(func(a []val) val {
			return try(a, a[0], a[1].Int(), 3)
		})),
		f("string ToString()", pure(func(a []val) val { return str(csharp.Text(a[0], t)) })),
		f("string ToString(string format)", pure(func(a []val) val { return text(a, a[1].S) })),
		f("string ToString(IFormatProvider provider)", pure(func(a []val) val { return str(csharp.Text(a[0], t)) })),
		f("string ToString(string format, IFormatProvider provider)", pure(func(a []val) val { return text(a, a[1].S) })),
		f("bool Equals("+name+" obj)", pure(func(a []val) val { return yes(eq(a[0], a[1])) })),
		f("bool Equals(object obj)", pure(func(a []val) val { return yes(a[1].R != nil && objectsEqual(csharp.Box(a[0], t), a[1].R)) })),
		f("int CompareTo("+name+" value)", pure(func(a []val) val { return num(csharp.CompareNumbers(t, a[0], a[1])) })),
		f("int GetHashCode()", pure(func(a []val) val { return hashText(nil, csharp.Text(a[0], t)) })),
	}
	switch t.Kind {
	case csharp.KindDouble, csharp.KindFloat:
		c := func(n string, v float64) member {
			return f("static "+name+" "+n, pure(func([]val) val { return csharp.Double(v) }))
		}
		test := func(n string, ok func(v float64) bool) member {
			return f("static bool "+n+"("+name+" d)", pure(func(a []val) val { return yes(ok(a[0].Float())) }))
		}
		rows = append(rows, c("NaN", math.NaN()), c("PositiveInfinity", math.Inf(1)), c("NegativeInfinity", math.Inf(-1)), c("Epsilon", math.SmallestNonzeroFloat64),
			test("IsNaN", math.IsNaN), test("IsInfinity", func(v float64) bool { return math.IsInf(v, 0) }),
			test("IsPositiveInfinity", func(v float64) bool { return math.IsInf(v, 1) }), test("IsNegativeInfinity", func(v float64) bool { return math.IsInf(v, -1) }))
	case csharp.KindDecimal:
		rows = append(rows, decimalMembers()...)
	}
	return rows
}

func decimalMembers() []member {
	c := func(n string, v int64) member {
		return f("static decimal "+n, pure(func([]val) val { return csharp.Dec(format.DecimalOf(v)) }))
	}
	return []member{
		c("Zero", 0), c("One", 1), c("MinusOne", -1),
		f("static decimal Truncate(decimal d)", pure(func(a []val) val { d, _ := format.DecimalOfBig(a[0].Dec().Truncate()); return csharp.Dec(d) })),
		f("static decimal Round(decimal d)", pure(func(a []val) val { return csharp.Dec(a[0].Dec().Rescale(0)) })),
		f("static decimal Round(decimal d, int decimals)", pure(func(a []val) val { return roundDecimal(a[0].Dec(), a[1].Int(), 0) })),
		f("static decimal Floor(decimal d)", pure(func(a []val) val { return floorDecimal(a[0].Dec(), -1) })),
		f("static decimal Ceiling(decimal d)", pure(func(a []val) val { return floorDecimal(a[0].Dec(), 1) })),
		f("static decimal Negate(decimal d)", pure(func(a []val) val { return csharp.Dec(a[0].Dec().Neg()) })),
		f("static int ToInt32(decimal d)", pure(func(a []val) val { return toInteger(csharp.IntT, csharp.Dec(truncated(a[0].Dec())), csharp.DecimalT) })),
		f("static double ToDouble(decimal d)", pure(func(a []val) val { return csharp.Double(a[0].Dec().Float()) })),
	}
}

func truncated(d csharp.Decimal) csharp.Decimal { return csharp.Decimal{Coef: d.Truncate()} }

func boolMembers() []member {
	return []member{
		f("static string TrueString", pure(func([]val) val { return str("True") })),
		f("static string FalseString", pure(func([]val) val { return str("False") })),
		f("static bool Parse(string value)", pure(func(a []val) val {
			b, ok := parseBool(needString(a[0], "value"))
			if !ok {
				csharp.Throw("FormatException", "String '"+a[0].S+"' was not recognized as a valid Boolean.")
			}
			return yes(b)
		})),
		f("static bool TryParse(string value, out bool result)", pure(func(a []val) val {
			b, ok := parseBool(a[0].S)
			a[1] = yes(b && ok)
			return yes(ok)
		})),
		f("string ToString()", pure(func(a []val) val { return str(csharp.Text(a[0], csharp.Bool)) })),
		f("string ToString(IFormatProvider provider)", pure(func(a []val) val { return str(csharp.Text(a[0], csharp.Bool)) })),
		f("bool Equals(bool obj)", pure(func(a []val) val { return yes(a[0].N == a[1].N) })),
		f("bool Equals(object obj)", pure(func(a []val) val { b, ok := a[1].R.(bool); return yes(ok && b == (a[0].N != 0)) })),
		f("int CompareTo(bool value)", pure(func(a []val) val { return num(cmp.Compare(a[0].N, a[1].N)) })),
		f("int GetHashCode()", pure(func(a []val) val { return num(int(a[0].N)) })),
	}
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.Trim(s, " \t\n\v\f\r\x00")) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}
