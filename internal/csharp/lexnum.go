package csharp

import (
	"math"
	"strconv"
	"strings"

	"tandem/internal/csharp/format"
)

// number reads an integer or real literal with its suffix.
func (l *lexer) number(at int) {
	rest := l.src[at:]
	base, n := 10, 0
	digits := func(set string) {
		for n < len(rest) && strings.IndexByte(set, rest[n]) >= 0 {
			n++
		}
	}
	fail := func(msg string) {
		l.fail(at, msg)
		l.i = at + max(n, 1)
		l.add(token{kind: tNumber, pos: at, typ: IntT})
	}
	real := false
	switch {
	case len(rest) > 1 && rest[0] == '0' && (rest[1] == 'x' || rest[1] == 'X'):
		base, n = 16, 2
		digits("0123456789abcdefABCDEF_")
	case len(rest) > 1 && rest[0] == '0' && (rest[1] == 'b' || rest[1] == 'B'):
		base, n = 2, 2
		digits("01_")
	default:
		digits("0123456789_")
		if n+1 < len(rest) && rest[n] == '.' && rest[n+1] >= '0' && rest[n+1] <= '9' {
			real = true
			n++
			digits("0123456789_")
		}
		if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
			k := n + 1
			if k < len(rest) && (rest[k] == '+' || rest[k] == '-') {
				k++
			}
			if k < len(rest) && rest[k] >= '0' && rest[k] <= '9' {
				real = true
				n = k
				digits("0123456789_")
			}
		}
	}
	body := strings.ReplaceAll(rest[:n], "_", "")
	from := n
	for n < len(rest) && strings.IndexByte("uUlLfFdDmM", rest[n]) >= 0 && n-from < 2 {
		n++
	}
	suffix := strings.ToLower(rest[from:n])
	if id := identLen(rest[n:]); id > 0 || (n < len(rest) && rest[n] >= '0' && rest[n] <= '9') {
		fail("the number " + strconv.Quote(rest[:n+max(id, 1)]) + " is not a C# number")
		return
	}
	t := token{kind: tNumber, pos: at}
	switch {
	case suffix == "m" && base == 10:
		d, ok := format.ParseDecimal(body)
		if !ok {
			fail("the number is outside the range of decimal")
			return
		}
		t.num, t.typ = Dec(d), DecimalT
	case (real || suffix == "d" || suffix == "f") && base == 10:
		f, err := strconv.ParseFloat(body, 64)
		t.typ = DoubleT
		if suffix == "f" {
			f, t.typ = float64(float32(f)), Float
		}
		if err != nil || math.IsInf(f, 0) || (suffix != "" && suffix != "d" && suffix != "f") {
			fail("the number is outside the range of double, or its suffix is wrong")
			return
		}
		t.num = Double(f)
	default:
		if base != 10 {
			body = body[2:]
		}
		u, err := strconv.ParseUint(body, base, 64)
		if err != nil {
			fail("the number is outside the range of ulong, or has no digits")
			return
		}
		unsigned, long := strings.Contains(suffix, "u"), strings.Contains(suffix, "l")
		switch {
		case suffix != "" && suffix != "u" && suffix != "l" && suffix != "ul" && suffix != "lu":
			fail("the suffix " + suffix + " does not fit the number")
			return
		case !unsigned && !long && u <= math.MaxInt32:
			t.typ = IntT
		case !long && u <= math.MaxUint32:
			t.typ = UInt
		case !unsigned && u <= math.MaxInt64:
			t.typ = LongT
		default:
			t.typ = ULong
		}
		t.num = Value{N: u}
	}
	l.i = at + n
	l.add(t)
}
