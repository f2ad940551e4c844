package csharp

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"tandem/internal/csharp/format"
)

// Text is .NET's ToString() of a value of type t, in the invariant culture; null gives "".
func Text(v Value, t *Type) string {
	switch t.Kind {
	case KindString:
		return v.S
	case KindBool:
		if v.N != 0 {
			return "True"
		}
		return "False"
	case KindChar:
		return string(rune(uint16(v.N)))
	case KindSByte, KindShort, KindInt, KindLong:
		return strconv.FormatInt(int64(v.N), 10)
	case KindByte, KindUShort, KindUInt, KindULong:
		return strconv.FormatUint(v.N, 10)
	case KindFloat:
		return format.Float(v.Float(), 32)
	case KindDouble:
		return format.Float(v.Float(), 64)
	case KindDecimal:
		return v.Dec().String()
	case KindDateTime:
		return format.DateTime(v.N, "")
	case KindTimeSpan:
		return format.TimeSpan(int64(v.N), "")
	case KindDateTimeOffset:
		o := v.Offset()
		return format.DateTimeOffset(o.UTC, o.Minutes, "")
	case KindGuid:
		return format.Guid(v.Guid(), "D")
	case KindEnum:
		return EnumText(t, int64(v.N))
	case KindNull, KindVoid:
		return ""
	case KindStruct:
		if v.R == nil {
			return t.FullName()
		}
	}
	return ObjectText(v.R)
}

// ObjectText is ToString() of an object; null gives "".
func ObjectText(r any) string {
	switch o := r.(type) {
	case nil:
		return ""
	case string:
		return o
	case Texter:
		return o.NetString()
	case Enum:
		return EnumText(o.T, o.N)
	}
	if t := simple(r); t != nil {
		v, _ := unboxExact(r, t)
		return Text(v, t)
	}
	return TypeOf(r).FullName()
}

// FormatValue is v in a .NET format, as composite formatting does it: IFormattable values take the format, others do not.
// A format that the type does not know throws FormatException.
func FormatValue(v Value, t *Type, f string) string {
	if t.Kind == KindObject || t.Kind == KindNullable || t.Kind == KindInterface {
		if v.R == nil {
			return ""
		}
		if s := simple(v.R); s != nil {
			u, _ := unboxExact(v.R, s)
			return FormatValue(u, s, f)
		}
		if o, ok := v.R.(Formattable); ok {
			return o.NetFormat(f)
		}
		return ObjectText(v.R)
	}
	if f == "" {
		return Text(v, t)
	}
	var s string
	var err error
	switch t.Kind {
	case KindSByte, KindShort, KindInt, KindLong:
		bits := map[Kind]int{KindSByte: 8, KindShort: 16, KindInt: 32, KindLong: 64}[t.Kind]
		s, err = format.Int(int64(v.N), bits, f)
	case KindByte, KindUShort, KindUInt, KindULong:
		s, err = format.Uint(v.N, f)
	case KindFloat:
		s, err = format.Double(v.Float(), 32, f)
	case KindDouble:
		s, err = format.Double(v.Float(), 64, f)
	case KindDecimal:
		s, err = format.DecimalText(v.Dec(), f)
	case KindDateTime:
		s, err = format.FormatDateTime(v.N, f)
	case KindTimeSpan:
		s, err = format.FormatTimeSpan(int64(v.N), f)
	case KindDateTimeOffset:
		o := v.Offset()
		s, err = format.FormatDateTimeOffset(o.UTC, o.Minutes, f)
	case KindGuid:
		s, err = format.FormatGuid(v.Guid(), f)
	default:
		return Text(v, t)
	}
	if err != nil {
		Throw("FormatException", err.Error())
	}
	return s
}

// Formattable is implemented by objects that take a format (IFormattable).
type Formattable interface{ NetFormat(f string) string }

// pad aligns s: to the right for a positive width, to the left for a negative one.
func pad(s string, width int) string {
	n := utf8.RuneCountInString(s)
	switch {
	case width > n:
		return strings.Repeat(" ", width-n) + s
	case -width > n:
		return s + strings.Repeat(" ", -width-n)
	}
	return s
}

// Pad aligns s as composite formatting does.
func Pad(s string, width int) string { return pad(s, width) }

// EnumText is ToString() of an enum value: its name, the names of its flags, or its number.
func EnumText(t *Type, n int64) string {
	e := t.Decl.enum
	if e == nil {
		return strconv.FormatInt(n, 10)
	}
	for i, v := range e.values {
		if v == n {
			return e.names[i]
		}
	}
	if e.flags && n > 0 {
		var parts []string
		rest := n
		for i := len(e.values) - 1; i >= 0; i-- {
			if v := e.values[i]; v != 0 && rest&v == v {
				parts = append([]string{e.names[i]}, parts...)
				rest &^= v
			}
		}
		if rest == 0 {
			return strings.Join(parts, ", ")
		}
	}
	return strconv.FormatInt(n, 10)
}

// EnumValues gives the names of an enum with their values, in order.
func EnumValues(t *Type) (names []string, values []int64) {
	if t.Decl == nil || t.Decl.enum == nil {
		return nil, nil
	}
	return t.Decl.enum.names, t.Decl.enum.values
}
