package csharp

import (
	"math"
	"math/big"

	"tandem/internal/csharp/format"
)

// Value is any value of an expression. Its static type says which field counts (see the Kinds); the zero Value is the
// type's default: null, zero, false.
type Value struct {
	N uint64
	S string
	R any
}

// Boxed forms: what an object holds (Value.R of a static object) when the value is of a simple type. Strings are boxed as
// Go strings, bool as bool, the integers as Go's integers of the same size, float and double as float32 and float64.
type (
	// Char is a boxed char.
	Char uint16
	// DateTime is a boxed DateTime.
	DateTime uint64
	// TimeSpan is a boxed TimeSpan.
	TimeSpan int64
	// DateTimeOffset is a boxed DateTimeOffset.
	DateTimeOffset struct {
		UTC     int64 // ticks
		Minutes int16
	}
	// Guid is a boxed Guid, its bytes in ToByteArray's order.
	Guid [16]byte
	// Enum is a boxed enum value.
	Enum struct {
		T *Type
		N int64
	}
	// Decimal is a decimal, boxed or not.
	Decimal = format.Decimal
)

// Typed is implemented by objects that know their .NET type.
type Typed interface{ NetType() *Type }

// Texter is implemented by objects with a ToString of their own.
type Texter interface{ NetString() string }

// Equaler is implemented by objects that override Equals: two are equal when their keys are. A key is comparable in Go.
type Equaler interface{ NetKey() any }

// String makes a non-null string.
func String(s string) Value { return Value{N: 1, S: s} }

// Int makes an int.
func Int(i int) Value { return Value{N: uint64(int64(int32(i)))} }

// Long makes a long.
func Long(i int64) Value { return Value{N: uint64(i)} }

// Boolean makes a bool.
func Boolean(b bool) Value {
	if b {
		return Value{N: 1}
	}
	return Value{}
}

// Double makes a double.
func Double(f float64) Value { return Value{N: math.Float64bits(f)} }

// Ref makes a value of a reference type other than string.
func Ref(r any) Value { return Value{R: r} }

// Dec makes a decimal.
func Dec(d Decimal) Value { return Value{R: d} }

// GuidOf makes a Guid.
func GuidOf(g [16]byte) Value { return Value{N: 1, S: string(g[:])} }

// Float is the value of a float or double.
func (v Value) Float() float64 { return math.Float64frombits(v.N) }

// Int is the value of a signed integer type.
func (v Value) Int() int { return int(int64(v.N)) }

// Dec is the value of a decimal.
func (v Value) Dec() Decimal {
	if d, ok := v.R.(Decimal); ok {
		return d
	}
	return Decimal{}
}

// Guid is the value of a Guid.
func (v Value) Guid() (g [16]byte) {
	copy(g[:], v.S)
	return g
}

// NullString tells whether a string is null.
func (v Value) NullString() bool { return v.N == 0 && v.S == "" }

// Offset is the value of a DateTimeOffset.
func (v Value) Offset() DateTimeOffset {
	m, _ := v.R.(int16)
	return DateTimeOffset{UTC: int64(v.N), Minutes: m}
}

// OffsetOf makes a DateTimeOffset.
func OffsetOf(d DateTimeOffset) Value {
	if d.Minutes == 0 {
		return Value{N: uint64(d.UTC)}
	}
	return Value{N: uint64(d.UTC), R: d.Minutes}
}

// Box makes the object that holds v, a value of type t.
func Box(v Value, t *Type) any {
	switch t.Kind {
	case KindString:
		if v.NullString() {
			return nil
		}
		return v.S
	case KindBool:
		return v.N != 0
	case KindChar:
		return Char(v.N)
	case KindSByte:
		return int8(v.N)
	case KindByte:
		return uint8(v.N)
	case KindShort:
		return int16(v.N)
	case KindUShort:
		return uint16(v.N)
	case KindInt:
		return int32(v.N)
	case KindUInt:
		return uint32(v.N)
	case KindLong:
		return int64(v.N)
	case KindULong:
		return v.N
	case KindFloat:
		return float32(v.Float())
	case KindDouble:
		return v.Float()
	case KindDecimal:
		return v.Dec()
	case KindDateTime:
		return DateTime(v.N)
	case KindTimeSpan:
		return TimeSpan(v.N)
	case KindDateTimeOffset:
		return v.Offset()
	case KindGuid:
		return Guid(v.Guid())
	case KindEnum:
		return Enum{t, int64(v.N)}
	case KindVoid:
		return nil
	case KindStruct:
		if v.R == nil {
			return defaultStruct{t}
		}
	}
	return v.R
}

// defaultStruct is the boxed default of a struct whose values lie in R.
type defaultStruct struct{ t *Type }

func (d defaultStruct) NetType() *Type { return d.t }

// unboxExact gives the value of a boxed simple type; ok is false when r is not exactly of type t.
func unboxExact(r any, t *Type) (v Value, ok bool) {
	switch t.Kind {
	case KindString:
		s, ok := r.(string)
		return String(s), ok
	case KindBool:
		b, ok := r.(bool)
		return Boolean(b), ok
	case KindChar:
		c, ok := r.(Char)
		return Value{N: uint64(c)}, ok
	case KindSByte:
		i, ok := r.(int8)
		return Long(int64(i)), ok
	case KindByte:
		i, ok := r.(uint8)
		return Value{N: uint64(i)}, ok
	case KindShort:
		i, ok := r.(int16)
		return Long(int64(i)), ok
	case KindUShort:
		i, ok := r.(uint16)
		return Value{N: uint64(i)}, ok
	case KindInt:
		i, ok := r.(int32)
		return Long(int64(i)), ok
	case KindUInt:
		i, ok := r.(uint32)
		return Value{N: uint64(i)}, ok
	case KindLong:
		i, ok := r.(int64)
		return Long(i), ok
	case KindULong:
		i, ok := r.(uint64)
		return Value{N: i}, ok
	case KindFloat:
		f, ok := r.(float32)
		return Double(float64(f)), ok
	case KindDouble:
		f, ok := r.(float64)
		return Double(f), ok
	case KindDecimal:
		_, ok := r.(Decimal)
		return Value{R: r}, ok
	case KindDateTime:
		d, ok := r.(DateTime)
		return Value{N: uint64(d)}, ok
	case KindTimeSpan:
		d, ok := r.(TimeSpan)
		return Value{N: uint64(d)}, ok
	case KindDateTimeOffset:
		d, ok := r.(DateTimeOffset)
		return OffsetOf(d), ok
	case KindGuid:
		g, ok := r.(Guid)
		return GuidOf(g), ok
	case KindEnum:
		e, ok := r.(Enum)
		return Long(e.N), ok && e.T.Is(t)
	}
	return Value{R: r}, false
}

// simple gives the type of a boxed simple value, or nil.
func simple(r any) *Type {
	switch r := r.(type) {
	case string:
		return StringT
	case bool:
		return Bool
	case Char:
		return CharT
	case int8:
		return SByte
	case uint8:
		return Byte
	case int16:
		return Short
	case uint16:
		return UShort
	case int32:
		return IntT
	case uint32:
		return UInt
	case int64:
		return LongT
	case uint64:
		return ULong
	case float32:
		return Float
	case float64:
		return DoubleT
	case Decimal:
		return DecimalT
	case DateTime:
		return DateTimeT
	case TimeSpan:
		return TimeSpanT
	case DateTimeOffset:
		return DateTimeOffT
	case Guid:
		return GuidT
	case Enum:
		return r.T
	}
	return nil
}

// TypeOf gives the .NET type of an object: exact for simple values and for Typed objects, otherwise object.
func TypeOf(r any) *Type {
	if t := simple(r); t != nil {
		return t
	}
	if t, ok := r.(Typed); ok {
		return t.NetType()
	}
	return Object
}

// BigInt is the integer value of v.
func (v Value) bigInt(t *Type) *big.Int {
	if t.signed() {
		return big.NewInt(int64(v.N))
	}
	return new(big.Int).SetUint64(v.N)
}
