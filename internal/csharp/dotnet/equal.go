package dotnet

import (
	"cmp"
	"math"
	"strings"
	"unicode"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// keyOf gives a function to Go-comparable keys: two values of type t are equal when their keys are.
func keyOf(t *typ) func(v val) any {
	switch t.Kind {
	case csharp.KindString:
		return func(v val) any {
			if v.NullString() {
				return nil
			}
			return v.S
		}
	case csharp.KindDouble, csharp.KindFloat:
		return func(v val) any { return floatKey(v.Float()) }
	case csharp.KindDecimal:
		return func(v val) any { return decimalKey(v.Dec()) }
	case csharp.KindDateTime:
		return func(v val) any { t, _ := format.Split(v.N); return t }
	case csharp.KindGuid:
		return func(v val) any { return v.Guid() }
	case csharp.KindStruct:
		return func(v val) any { return objectKey(v.R) }
	}
	if t.Kind >= csharp.KindBool && t.Kind <= csharp.KindEnum {
		return func(v val) any { return v.N }
	}
	return func(v val) any { return objectKey(v.R) }
}

// floatKey makes all NaN equal, and zero equal to its negative.
func floatKey(f float64) any {
	if math.IsNaN(f) {
		return "NaN"
	}
	return f + 0
}

func decimalKey(d csharp.Decimal) any {
	s := d.String()
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return "m" + s
}

// objectKey gives the key of an object: its Equals decides, references are equal to themselves.
func objectKey(r any) any {
	switch o := r.(type) {
	case csharp.Equaler:
		return o.NetKey()
	case csharp.Decimal:
		return decimalKey(o)
	case csharp.DateTime:
		t, _ := format.Split(uint64(o))
		return csharp.DateTime(t)
	case csharp.DateTimeOffset:
		return csharp.DateTimeOffset{UTC: o.UTC}
	case float64:
		return floatKey(o)
	case float32:
		return [1]any{floatKey(float64(o))}
	case *csharp.Anon:
		_, types, vals := o.Members()
		key := any(o.T)
		for i, v := range vals {
			key = [2]any{key, keyOf(types[i])(v)}
		}
		return key
	case *csharp.KV:
		return [2]any{keyOf(o.T.Args[0])(o.Key), keyOf(o.T.Args[1])(o.Value)}
	case csharp.SeqFunc:
		return new(int) // equal to nothing
	}
	return r
}

// equalFor is EqualityComparer<T>.Default.
func equalFor(t *typ) func(a, b val) bool {
	switch {
	case t.Kind == csharp.KindString:
		return func(a, b val) bool { return a.S == b.S && a.NullString() == b.NullString() }
	case t.Kind >= csharp.KindBool && t.Kind <= csharp.KindULong || t.Kind == csharp.KindEnum:
		return func(a, b val) bool { return a.N == b.N }
	}
	key := keyOf(t)
	return func(a, b val) bool { return key(a) == key(b) }
}

// objectsEqual is object.Equals(a, b).
func objectsEqual(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return objectKey(a) == objectKey(b)
}

// compareFor is Comparer<T>.Default.
func compareFor(t *typ) func(a, b val) int {
	switch {
	case t.Kind == csharp.KindString:
		return func(a, b val) int { return compareStrings(a, b, cultureCompare) }
	case t.Kind >= csharp.KindBool && t.Kind <= csharp.KindDecimal || t.Kind == csharp.KindEnum:
		return func(a, b val) int { return csharp.CompareNumbers(t, a, b) }
	case t.Kind == csharp.KindDateTime:
		return func(a, b val) int {
			x, _ := format.Split(a.N)
			y, _ := format.Split(b.N)
			return cmp.Compare(x, y)
		}
	case t.Kind == csharp.KindTimeSpan || t.Kind == csharp.KindDateTimeOffset:
		return func(a, b val) int { return cmp.Compare(int64(a.N), int64(b.N)) }
	case t.Kind == csharp.KindGuid:
		return func(a, b val) int { return strings.Compare(csharp.Text(a, t), csharp.Text(b, t)) }
	}
	return func(a, b val) int { return compareObjects(a.R, b.R) }
}

// Comparable is implemented by objects that are IComparable.
type Comparable interface{ NetCompare(other any) int }

func compareObjects(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	if c, ok := a.(Comparable); ok {
		return c.NetCompare(b)
	}
	t, u := csharp.TypeOf(a), csharp.TypeOf(b)
	if t.Kind < csharp.KindBool || t.Kind > csharp.KindEnum {
		csharp.Throw("InvalidOperationException", "Failed to compare two elements in the array.")
	}
	if !t.Is(u) {
		csharp.Throw("ArgumentException", "Object must be of type "+t.Decl.Name+".")
	}
	return compareFor(t)(unboxed(a), unboxed(b))
}

// unboxed gives the value in a box of a simple type.
func unboxed(r any) val {
	v, err := csharp.Unbox(csharp.Core(), r, csharp.TypeOf(r))
	if err != nil {
		return val{R: r}
	}
	return v
}

func compareStrings(a, b val, order func(a, b string) int) int {
	switch {
	case a.NullString() || b.NullString():
		return cmp.Compare(a.N, b.N)
	}
	return order(a.S, b.S)
}

// ordinalCompare orders by UTF-16 units.
func ordinalCompare(a, b string) int {
	if ascii(a) && ascii(b) {
		return strings.Compare(a, b)
	}
	x, y := units(a), units(b)
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			return int(x[i]) - int(y[i])
		}
	}
	return len(x) - len(y)
}

func ordinalFold(a, b string) int { return ordinalCompare(upper(a), upper(b)) }

// cultureCompare orders as the invariant culture does: signs, digits, letters; case only where all else is equal, lower
// case first.
func cultureCompare(a, b string) int {
	if c := cultureFold(a, b); c != 0 {
		return c
	}
	x, y := []rune(a), []rune(b)
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			if unicode.IsLower(x[i]) {
				return -1
			}
			return 1
		}
	}
	return 0
}

func cultureFold(a, b string) int {
	x, y := []rune(upper(a)), []rune(upper(b))
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			if c := cmp.Compare(weight(x[i]), weight(y[i])); c != 0 {
				return c
			}
			return cmp.Compare(x[i], y[i])
		}
	}
	return cmp.Compare(len(x), len(y))
}

func weight(r rune) int {
	switch {
	case unicode.IsLetter(r):
		return 3
	case unicode.IsDigit(r):
		return 2
	case unicode.IsSpace(r):
		return 0
	}
	return 1
}

// The values of StringComparison.
const (
	currentCulture = iota
	currentCultureIgnoreCase
	invariantCulture
	invariantCultureIgnoreCase
	ordinal
	ordinalIgnoreCase
)

func ordering(mode int) func(a, b string) int {
	switch mode {
	case currentCultureIgnoreCase, invariantCultureIgnoreCase:
		return cultureFold
	case ordinal:
		return ordinalCompare
	case ordinalIgnoreCase:
		return ordinalFold
	case currentCulture, invariantCulture:
		return cultureCompare
	}
	csharp.Throw("ArgumentException", "The string comparison type passed in is currently not supported. (Parameter 'comparisonType')")
	return nil
}

func ignoresCase(mode int) bool { return mode%2 == 1 }
