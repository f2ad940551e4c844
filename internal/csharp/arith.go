package csharp

import (
	"cmp"
	"math"

	"tandem/internal/csharp/format"
)

func divideByZero() { Throw("DivideByZeroException", "Attempted to divide by zero.") }

func arithmeticOverflow() {
	Throw("OverflowException", "Arithmetic operation resulted in an overflow.")
}

// arithmetic makes + - * / % & | ^ on two values of type t.
func arithmetic(op string, t *Type, checked bool, x, y eval) eval {
	switch t.Kind {
	case KindDouble, KindFloat:
		return floats(op, t.Kind == KindFloat, x, y)
	case KindDecimal:
		return decimals(op, x, y)
	}
	switch op {
	case "&":
		return func(f *Frame) Value { return Value{N: x(f).N & y(f).N} }
	case "|":
		return func(f *Frame) Value { return Value{N: x(f).N | y(f).N} }
	case "^":
		return func(f *Frame) Value { return Value{N: x(f).N ^ y(f).N} }
	}
	k := t.Kind
	if k == KindInt && !checked {
		switch op {
		case "+":
			return func(f *Frame) Value { a, c := x(f).N, y(f).N; return Value{N: uint64(int64(int32(a + c)))} }
		case "-":
			return func(f *Frame) Value { a, c := x(f).N, y(f).N; return Value{N: uint64(int64(int32(a - c)))} }
		}
	}
	signed := t.signed()
	if op == "/" || op == "%" {
		div := op == "/"
		return func(f *Frame) Value {
			a, c := x(f).N, y(f).N
			if c == 0 {
				divideByZero()
			}
			lo, _ := integerRange(k)
			if signed && int64(c) == -1 && int64(a) == lo {
				arithmeticOverflow()
			}
			switch {
			case signed && div:
				return Long(int64(a) / int64(c))
			case signed:
				return Long(int64(a) % int64(c))
			case div:
				return Value{N: a / c}
			}
			return Value{N: a % c}
		}
	}
	if checked {
		return func(f *Frame) Value {
			a, c := Value{N: x(f).N}.bigInt(t), Value{N: y(f).N}.bigInt(t)
			switch op {
			case "+":
				a.Add(a, c)
			case "-":
				a.Sub(a, c)
			case "*":
				a.Mul(a, c)
			}
			v, ok := narrow(a, k)
			if !ok {
				arithmeticOverflow()
			}
			return v
		}
	}
	switch op {
	case "+":
		return func(f *Frame) Value { a, c := x(f).N, y(f).N; return Value{N: wrap(a+c, k)} }
	case "-":
		return func(f *Frame) Value { a, c := x(f).N, y(f).N; return Value{N: wrap(a-c, k)} }
	}
	return func(f *Frame) Value { a, c := x(f).N, y(f).N; return Value{N: wrap(a*c, k)} }
}

func floats(op string, single bool, x, y eval) eval {
	round := func(f float64) Value {
		if single {
			f = float64(float32(f))
		}
		return Double(f)
	}
	switch op {
	case "+":
		return func(f *Frame) Value { a, c := x(f).Float(), y(f).Float(); return round(a + c) }
	case "-":
		return func(f *Frame) Value { a, c := x(f).Float(), y(f).Float(); return round(a - c) }
	case "*":
		return func(f *Frame) Value { a, c := x(f).Float(), y(f).Float(); return round(a * c) }
	case "/":
		return func(f *Frame) Value { a, c := x(f).Float(), y(f).Float(); return round(a / c) }
	}
	return func(f *Frame) Value { a, c := x(f).Float(), y(f).Float(); return round(math.Mod(a, c)) }
}

func decimals(op string, x, y eval) eval {
	return func(f *Frame) Value {
		a, c := x(f).Dec(), y(f).Dec()
		var d format.Decimal
		ok := true
		switch op {
		case "+":
			d, ok = a.Add(c)
		case "-":
			d, ok = a.Sub(c)
		case "*":
			d, ok = a.Mul(c)
		default:
			if c.Sign() == 0 {
				divideByZero()
			}
			if op == "/" {
				d, ok = a.Div(c)
			} else {
				d = a.Rem(c)
			}
		}
		if !ok {
			overflow(DecimalT)
		}
		return Dec(d)
	}
}

func shift(op string, k Kind, x, y eval) eval {
	mask, signed := uint64(31), k == KindInt || k == KindLong
	if k == KindLong || k == KindULong {
		mask = 63
	}
	return func(f *Frame) Value {
		a, n := x(f).N, y(f).N&mask
		switch {
		case op == "<<":
			return Value{N: wrap(a<<n, k)}
		case signed:
			return Long(int64(a) >> n)
		}
		return Value{N: a >> n}
	}
}

// comparison makes == != < > <= >= on two values of the numeric type t.
func comparison(op string, t *Type, x, y eval) eval {
	switch {
	case t.Kind == KindDouble || t.Kind == KindFloat:
		return func(f *Frame) Value {
			a, c := x(f).Float(), y(f).Float()
			switch op {
			case "==":
				return Boolean(a == c)
			case "!=":
				return Boolean(a != c)
			case "<":
				return Boolean(a < c)
			case ">":
				return Boolean(a > c)
			case "<=":
				return Boolean(a <= c)
			}
			return Boolean(a >= c)
		}
	case t.Kind == KindDecimal:
		return func(f *Frame) Value {
			a, c := x(f).Dec(), y(f).Dec()
			return Boolean(holds(op, a.Cmp(c)))
		}
	case op == "==":
		return func(f *Frame) Value { return Boolean(x(f).N == y(f).N) }
	case op == "!=":
		return func(f *Frame) Value { return Boolean(x(f).N != y(f).N) }
	case t.signed():
		return func(f *Frame) Value {
			a, c := int64(x(f).N), int64(y(f).N)
			switch op {
			case "<":
				return Boolean(a < c)
			case ">":
				return Boolean(a > c)
			case "<=":
				return Boolean(a <= c)
			}
			return Boolean(a >= c)
		}
	}
	return func(f *Frame) Value {
		a, c := x(f).N, y(f).N
		return Boolean(holds(op, cmp.Compare(a, c)))
	}
}

func holds(op string, order int) bool {
	switch op {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	}
	return order >= 0
}

// CompareNumbers orders two values of the numeric type t; NaN comes first, as in .NET.
func CompareNumbers(t *Type, a, c Value) int {
	switch {
	case t.Kind == KindDecimal:
		return a.Dec().Cmp(c.Dec())
	case t.Kind == KindDouble || t.Kind == KindFloat:
		x, y := a.Float(), c.Float()
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		case x == y:
			return 0
		case math.IsNaN(x) && math.IsNaN(y):
			return 0
		case math.IsNaN(x):
			return -1
		}
		return 1
	case t.signed() || t.Kind == KindEnum:
		return cmp.Compare(int64(a.N), int64(c.N))
	}
	return cmp.Compare(a.N, c.N)
}
