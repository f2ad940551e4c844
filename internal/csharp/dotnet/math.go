package dotnet

import (
	"math"
	"math/big"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// The values of MidpointRounding.
const (
	toEven = iota
	awayFromZero
	toZero
	toNegativeInfinity
	toPositiveInfinity
)

func mathTypes() []def {
	rows := []member{
		f("static double PI", pure(func([]val) val { return csharp.Double(math.Pi) })),
		f("static double E", pure(func([]val) val { return csharp.Double(math.E) })),
		f("static double Pow(double x, double y)", pure(func(a []val) val { return csharp.Double(math.Pow(a[0].Float(), a[1].Float())) })),
		f("static double Atan2(double y, double x)", pure(func(a []val) val { return csharp.Double(math.Atan2(a[0].Float(), a[1].Float())) })),
		f("static double Log(double a, double newBase)", pure(func(a []val) val { return csharp.Double(math.Log(a[0].Float()) / math.Log(a[1].Float())) })),
		f("static double Round(double a)", pure(func(a []val) val { return csharp.Double(math.RoundToEven(a[0].Float())) })),
		f("static double Round(double value, int digits)", pure(func(a []val) val { return roundDouble(a[0].Float(), a[1].Int(), toEven) })),
		f("static double Round(double value, MidpointRounding mode)", pure(func(a []val) val { return roundDouble(a[0].Float(), 0, a[1].Int()) })),
		f("static double Round(double value, int digits, MidpointRounding mode)", pure(func(a []val) val { return roundDouble(a[0].Float(), a[1].Int(), a[2].Int()) })),
		f("static decimal Round(decimal d)", pure(func(a []val) val { return roundDecimal(a[0].Dec(), 0, toEven) })),
		f("static decimal Round(decimal d, int decimals)", pure(func(a []val) val { return roundDecimal(a[0].Dec(), a[1].Int(), toEven) })),
		f("static decimal Round(decimal d, MidpointRounding mode)", pure(func(a []val) val { return roundDecimal(a[0].Dec(), 0, a[1].Int()) })),
		f("static decimal Round(decimal d, int decimals, MidpointRounding mode)", pure(func(a []val) val { return roundDecimal(a[0].Dec(), a[1].Int(), a[2].Int()) })),
		f("static decimal Floor(decimal d)", pure(func(a []val) val { return floorDecimal(a[0].Dec(), -1) })),
		f("static decimal Ceiling(decimal d)", pure(func(a []val) val { return floorDecimal(a[0].Dec(), 1) })),
		f("static decimal Truncate(decimal d)", pure(func(a []val) val { return csharp.Dec(truncated(a[0].Dec())) })),
		f("static int DivRem(int a, int b, out int result)", pure(func(a []val) val {
			if a[1].Int() == 0 {
				csharp.Throw("DivideByZeroException", "Attempted to divide by zero.")
			}
			a[2] = num(a[0].Int() % a[1].Int())
			return num(a[0].Int() / a[1].Int())
		})),
		f("static long BigMul(int a, int b)", pure(func(a []val) val { return csharp.Long(int64(a[0].Int()) * int64(a[1].Int())) })),
	}
	for name, fn := range map[string]func(float64) float64{"Floor": math.Floor, "Ceiling": math.Ceil, "Truncate": math.Trunc, "Sqrt": math.Sqrt, "Exp": math.Exp,
		"Log": math.Log, "Log10": math.Log10, "Sin": math.Sin, "Cos": math.Cos, "Tan": math.Tan, "Asin": math.Asin, "Acos": math.Acos, "Atan": math.Atan,
		"Sinh": math.Sinh, "Cosh": math.Cosh, "Tanh": math.Tanh} {
		rows = append(rows, f("static double "+name+"(double d)", pure(func(a []val) val { return csharp.Double(fn(a[0].Float())) })))
	}
	for _, t := range []*typ{csharp.IntT, csharp.LongT, csharp.Byte, csharp.SByte, csharp.Short, csharp.UShort, csharp.UInt, csharp.ULong, csharp.Float, csharp.DoubleT, csharp.DecimalT} {
		rows = append(rows, extremes(t)...)
	}
	return []def{
		{Decl: "static class Math", Namespace: system, Members: rows},
		{Decl: "enum MidpointRounding", Namespace: system, Values: []string{"ToEven", "AwayFromZero", "ToZero", "ToNegativeInfinity", "ToPositiveInfinity"}},
	}
}

func extremes(t *typ) []member {
	n := t.String()
	nan := func(v val) bool {
		return (t.Kind == csharp.KindDouble || t.Kind == csharp.KindFloat) && math.IsNaN(v.Float())
	}
	pick := func(sign int) csharp.Fn {
		return pure(func(a []val) val {
			if nan(a[0]) || !nan(a[1]) && csharp.CompareNumbers(t, a[0], a[1])*sign >= 0 {
				return a[0]
			}
			return a[1]
		})
	}
	rows := []member{
		f("static "+n+" Max("+n+" val1, "+n+" val2)", pick(1)),
		f("static "+n+" Min("+n+" val1, "+n+" val2)", pick(-1)),
	}
	signed := true
	switch t.Kind {
	case csharp.KindByte, csharp.KindUShort, csharp.KindUInt, csharp.KindULong:
		signed = false
	}
	if !signed {
		return rows
	}
	return append(rows,
		f("static "+n+" Abs("+n+" value)", pure(func(a []val) val { return abs(t, a[0]) })),
		f("static int Sign("+n+" value)", pure(func(a []val) val {
			zero := val{}
			if nan(a[0]) {
				csharp.Throw("ArithmeticException", "Function does not accept floating point Not-a-Number values.")
			}
			return num(csharp.CompareNumbers(t, a[0], zero))
		})))
}

func abs(t *typ, v val) val {
	switch t.Kind {
	case csharp.KindDouble, csharp.KindFloat:
		return csharp.Double(math.Abs(v.Float()))
	case csharp.KindDecimal:
		if v.Dec().Sign() < 0 {
			return csharp.Dec(v.Dec().Neg())
		}
		return v
	}
	if int64(v.N) >= 0 {
		return v
	}
	low := map[csharp.Kind]int64{csharp.KindSByte: math.MinInt8, csharp.KindShort: math.MinInt16, csharp.KindInt: math.MinInt32, csharp.KindLong: math.MinInt64}[t.Kind]
	if int64(v.N) == low {
		csharp.Throw("OverflowException", "Negating the minimum value of a twos complement number is invalid.")
	}
	return csharp.Long(-int64(v.N))
}

func roundTo(x float64, mode int) float64 {
	switch mode {
	case awayFromZero:
		return math.Round(x)
	case toZero:
		return math.Trunc(x)
	case toNegativeInfinity:
		return math.Floor(x)
	case toPositiveInfinity:
		return math.Ceil(x)
	}
	return math.RoundToEven(x)
}

func roundDouble(x float64, digits, mode int) val {
	if digits < 0 || digits > 15 {
		csharp.ThrowRange("digits", "Rounding digits must be between 0 and 15, inclusive.")
	}
	if math.Abs(x) >= 1e16 || math.IsNaN(x) {
		return csharp.Double(x)
	}
	p := math.Pow(10, float64(digits))
	return csharp.Double(roundTo(x*p, mode) / p)
}

func roundDecimal(d csharp.Decimal, digits, mode int) val {
	if digits < 0 || digits > 28 {
		csharp.ThrowRange("decimals", "Decimal can only round to between 0 and 28 digits of precision.")
	}
	if digits >= d.Scale {
		return csharp.Dec(d)
	}
	if mode == toEven {
		return csharp.Dec(d.Rescale(digits))
	}
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale-digits)), nil)
	q, r := new(big.Int).QuoRem(d.Coef, p, new(big.Int))
	half := new(big.Int).Lsh(new(big.Int).Abs(r), 1).Cmp(p)
	sign := int64(d.Sign())
	up := false
	switch mode {
	case awayFromZero:
		up = half >= 0
	case toNegativeInfinity:
		up = sign < 0 && r.Sign() != 0
	case toPositiveInfinity:
		up = sign > 0 && r.Sign() != 0
	}
	if up {
		q.Add(q, big.NewInt(sign))
	}
	return csharp.Dec(csharp.Decimal{Coef: q, Scale: digits})
}

func floorDecimal(d csharp.Decimal, towards int) val {
	t := truncated(d)
	if d.Cmp(t) != 0 && d.Sign() == towards {
		t, _ = t.Add(format.DecimalOf(int64(towards)))
	}
	return csharp.Dec(t)
}
