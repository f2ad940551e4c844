package csharp

import (
	"math"
	"math/big"

	"tandem/internal/csharp/format"
)

// widen lists the implicit numeric conversions of C#.
var widen = map[Kind]string{
	KindSByte:  "short int long float double decimal",
	KindByte:   "short ushort int uint long ulong float double decimal",
	KindShort:  "int long float double decimal",
	KindUShort: "int uint long ulong float double decimal",
	KindInt:    "long float double decimal",
	KindUInt:   "long ulong float double decimal",
	KindLong:   "float double decimal",
	KindULong:  "float double decimal",
	KindChar:   "ushort int uint long ulong float double decimal",
	KindFloat:  "double",
}

// widens tells whether from converts to to without a cast.
func widens(from, to *Type) bool {
	list, name := widen[from.Kind], to.alias
	if name == "" {
		return false
	}
	for i := 0; i+len(name) <= len(list); i++ {
		if list[i:i+len(name)] == name && (i == 0 || list[i-1] == ' ') && (i+len(name) == len(list) || list[i+len(name)] == ' ') {
			return true
		}
	}
	return false
}

// number converts between numbers, and between numbers and enums.
func (b *binder) number(x *bound, to *Type, explicit bool) *bound {
	from := x.t
	switch {
	case from.Kind == KindEnum && to.Kind == KindEnum, from.Kind == KindEnum && to.numeric(), from.numeric() && to.Kind == KindEnum:
		if !explicit && !(x.konst && from.integral() && x.val.N == 0 && to.Kind == KindEnum) {
			return nil
		}
		if from.Kind == KindEnum {
			from = IntT
		}
		target := to
		if to.Kind == KindEnum {
			target = IntT
		}
		conv, ev := numberConverter(from, target, b.checked), x.ev
		return fold(b.as(x, to, func(f *Frame) Value { return conv(ev(f)) }), x)
	case !from.numeric() || !to.numeric():
		return nil
	case !explicit && !widens(from, to):
		if !x.konst || !from.integral() || !to.integral() || from.Kind == KindChar || to.Kind == KindChar || from.Kind != KindInt && !(from.Kind == KindLong && to.Kind == KindULong) {
			return nil
		}
		if narrowed, ok := narrow(x.val.bigInt(from), to.Kind); ok {
			return constant(x.pos, to, narrowed)
		}
		return nil
	}
	conv, ev := numberConverter(from, to, b.checked || x.konst && !explicit), x.ev
	return fold(b.as(x, to, func(f *Frame) Value { return conv(ev(f)) }), x)
}

// limits gives the range of an integral kind.
func integerRange(k Kind) (lo int64, hi uint64) {
	switch k {
	case KindSByte:
		return math.MinInt8, math.MaxInt8
	case KindByte:
		return 0, math.MaxUint8
	case KindShort:
		return math.MinInt16, math.MaxInt16
	case KindUShort, KindChar:
		return 0, math.MaxUint16
	case KindInt:
		return math.MinInt32, math.MaxInt32
	case KindUInt:
		return 0, math.MaxUint32
	case KindLong:
		return math.MinInt64, math.MaxInt64
	}
	return 0, math.MaxUint64
}

// narrow gives i as a value of an integral kind, when it fits.
func narrow(i *big.Int, k Kind) (Value, bool) {
	lo, hi := integerRange(k)
	if i.Cmp(big.NewInt(lo)) < 0 || i.Cmp(new(big.Int).SetUint64(hi)) > 0 {
		return Value{}, false
	}
	if i.Sign() < 0 {
		return Long(i.Int64()), true
	}
	return Value{N: i.Uint64()}, true
}

// wrap cuts n to the size of an integral kind.
func wrap(n uint64, k Kind) uint64 {
	switch k {
	case KindSByte:
		return uint64(int64(int8(n)))
	case KindByte:
		return uint64(uint8(n))
	case KindShort:
		return uint64(int64(int16(n)))
	case KindUShort, KindChar:
		return uint64(uint16(n))
	case KindInt:
		return uint64(int64(int32(n)))
	case KindUInt:
		return uint64(uint32(n))
	}
	return n
}

func overflow(t *Type) {
	Throw("OverflowException", overflowText(t))
}

func overflowText(t *Type) string {
	switch t.Kind {
	case KindByte:
		return "Value was either too large or too small for an unsigned byte."
	case KindSByte:
		return "Value was either too large or too small for a signed byte."
	case KindChar:
		return "Value was either too large or too small for a character."
	case KindDecimal:
		return "Value was either too large or too small for a Decimal."
	}
	return "Value was either too large or too small for an " + t.Decl.Name + "."
}

// numberConverter makes the conversion between two numeric types. Where checked is set, what does not fit throws.
func numberConverter(from, to *Type, checked bool) func(Value) Value {
	k := to.Kind
	arithmetic := func() { Throw("OverflowException", "Arithmetic operation resulted in an overflow.") }
	switch {
	case from.integral() && to.integral():
		if !checked || widens(from, to) {
			return func(v Value) Value { return Value{N: wrap(v.N, k)} }
		}
		return func(v Value) Value {
			out, ok := narrow(v.bigInt(from), k)
			if !ok {
				arithmetic()
			}
			return out
		}
	case from.integral() && (k == KindDouble || k == KindFloat):
		signed := from.signed()
		return func(v Value) Value {
			f := float64(v.N)
			if signed {
				f = float64(int64(v.N))
			}
			if k == KindFloat {
				f = float64(float32(f))
			}
			return Double(f)
		}
	case from.integral() && k == KindDecimal:
		return func(v Value) Value {
			d, _ := format.DecimalOfBig(v.bigInt(from))
			return Dec(d)
		}
	case from.Kind == KindDecimal && to.integral():
		return func(v Value) Value {
			out, ok := narrow(v.Dec().Truncate(), k)
			if !ok {
				overflow(to)
			}
			return out
		}
	case from.Kind == KindDecimal && k != KindDecimal:
		return func(v Value) Value {
			f := v.Dec().Float()
			if k == KindFloat {
				f = float64(float32(f))
			}
			return Double(f)
		}
	case k == KindDecimal && from.Kind != KindDecimal:
		digits := 15
		if from.Kind == KindFloat {
			digits = 7
		}
		return func(v Value) Value {
			d, ok := format.DecimalOfFloat(v.Float(), digits)
			if !ok || math.IsNaN(v.Float()) {
				overflow(DecimalT)
			}
			return Dec(d)
		}
	case to.integral(): // from float or double
		lo, hi := integerRange(k)
		return func(v Value) Value {
			f := math.Trunc(v.Float())
			if math.IsNaN(f) || f < float64(lo) || f >= float64(hi)+1 || (hi > 1<<53 && f >= float64(hi)) {
				if checked {
					arithmetic()
				}
				// What .NET leaves unspecified is here the processor's "indefinite integer".
				if k == KindInt || k == KindLong {
					return Long(lo)
				}
				return Value{}
			}
			if f < 0 {
				return Value{N: wrap(uint64(int64(f)), k)}
			}
			return Value{N: wrap(uint64(f), k)}
		}
	case k == KindFloat:
		return func(v Value) Value { return Double(float64(float32(v.Float()))) }
	}
	return func(v Value) Value { return v }
}
