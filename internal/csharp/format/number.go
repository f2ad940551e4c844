// Package format writes and reads numbers, dates, times and Guids as .NET does in the invariant culture. It knows Go's
// types only, so that the language and its library share it. Doubles are written as .NET Core 3.0 and later do: the
// shortest text that reads back the same.
package format

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// ErrFormat is .NET's message for a format that a type does not know.
var ErrFormat = errors.New("Format specifier was invalid.") //nolint:staticcheck // the text is .NET's own

// Float writes a double (64) or a float (32) as ToString() does.
func Float(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		if math.Signbit(f) {
			return "-0"
		}
		return "0"
	}
	limit := 15
	if bits == 32 {
		limit = 7
	}
	e := strconv.FormatFloat(f, 'e', -1, bits)
	exp, _ := strconv.Atoi(e[strings.IndexByte(e, 'e')+1:])
	if exp > -5 && exp < limit {
		return strconv.FormatFloat(f, 'f', -1, bits)
	}
	return netExponent(e, "E", 2)
}

// netExponent rewrites Go's exponent e+07 as E+07 with at least the given digits.
func netExponent(e, letter string, digits int) string {
	i := strings.IndexByte(e, 'e')
	mant, sign, exp := e[:i], e[i+1:i+2], strings.TrimLeft(e[i+2:], "0")
	for len(exp) < digits {
		exp = "0" + exp
	}
	return mant + letter + sign + exp
}

// number is a value as decimal digits: 0.DIGITS times ten to the power of point, without leading zeros.
type number struct {
	neg    bool
	digits string
	point  int
	// exact gives the digits rounded to n places after the point, or to n significant digits. It is set for doubles, which
	// round from their binary value.
	exact func(verb byte, n int) string
	float bool
	bits  int
	f     float64
}

// Int writes a signed integer of the given size in a format.
func Int(i int64, bits int, f string) (string, error) {
	u := uint64(i)
	if i < 0 {
		u = -u
	}
	n := number{neg: i < 0, digits: strconv.FormatUint(u, 10)}
	return n.integer(f, uint64(i), bits)
}

// Uint writes an unsigned integer in a format.
func Uint(u uint64, f string) (string, error) {
	n := number{digits: strconv.FormatUint(u, 10)}
	return n.integer(f, u, 64)
}

func (n number) integer(f string, raw uint64, bits int) (string, error) {
	n.point = len(n.digits)
	if n.digits == "0" {
		n.digits, n.point = "", 0
	}
	letter, prec, ok := standard(f)
	if !ok {
		return n.custom(f)
	}
	switch letter {
	case 'D', 'd':
		s := n.whole()
		if len(s) < prec {
			s = strings.Repeat("0", prec-len(s)) + s
		}
		return n.minus() + s, nil
	case 'X', 'x', 'B', 'b':
		base := 16
		if letter == 'B' || letter == 'b' {
			base = 2
		}
		if bits < 64 {
			raw &= 1<<bits - 1
		}
		s := strconv.FormatUint(raw, base)
		if letter == 'X' {
			s = strings.ToUpper(s)
		}
		if len(s) < prec {
			s = strings.Repeat("0", prec-len(s)) + s
		}
		return s, nil
	case 'G', 'g', 'R', 'r':
		if prec <= 0 || prec >= len(n.digits) || letter == 'R' || letter == 'r' {
			return n.minus() + n.whole(), nil
		}
	}
	return n.format(letter, prec)
}

// DecimalText writes a decimal in a format.
func DecimalText(d Decimal, f string) (string, error) {
	s := strings.TrimPrefix(d.String(), "-")
	n := number{neg: d.Sign() < 0}
	whole, frac, _ := strings.Cut(s, ".")
	whole = strings.TrimLeft(whole, "0")
	n.digits, n.point = whole+frac, len(whole)
	if whole == "" {
		cut := strings.TrimLeft(n.digits, "0")
		n.point -= len(n.digits) - len(cut)
		n.digits = cut
	}
	letter, prec, ok := standard(f)
	if !ok {
		n.trim()
		return n.custom(f)
	}
	switch letter {
	case 'G', 'g':
		if prec <= 0 {
			return d.String(), nil
		}
	case 'D', 'd', 'X', 'x', 'R', 'r', 'B', 'b':
		return "", ErrFormat
	}
	return n.format(letter, prec)
}

// Double writes a double (64) or a float (32) in a format.
func Double(v float64, bits int, f string) (string, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Float(v, bits), nil
	}
	letter, prec, ok := standard(f)
	switch letter {
	case 'D', 'd', 'X', 'x', 'B', 'b':
		if ok {
			return "", ErrFormat
		}
	case 'R', 'r':
		if ok {
			return Float(v, bits), nil
		}
	case 'G', 'g':
		if ok && prec <= 0 {
			s := Float(v, bits)
			if letter == 'g' {
				s = strings.ToLower(s)
			}
			return s, nil
		}
	}
	n := number{neg: math.Signbit(v) && v != 0, float: true, bits: bits, f: math.Abs(v)}
	n.exact = func(verb byte, p int) string { return strconv.FormatFloat(n.f, verb, p, 64) }
	if !ok {
		digits := 15
		if bits == 32 {
			digits = 7
		}
		n.set(strconv.FormatFloat(n.f, 'e', digits-1, 64))
		n.exact = nil
		n.trim()
		return n.custom(f)
	}
	return n.format(letter, prec)
}

// set takes the digits of Go's exponential form.
func (n *number) set(e string) {
	i := strings.IndexByte(e, 'e')
	exp, _ := strconv.Atoi(e[i+1:])
	n.digits = strings.Replace(e[:i], ".", "", 1)
	n.point = exp + 1
	if strings.Trim(n.digits, "0") == "" {
		n.digits, n.point = "", 0
	}
}

func (n *number) trim() { n.digits = strings.TrimRight(n.digits, "0") }

func (n number) minus() string {
	if n.neg {
		return "-"
	}
	return ""
}

func (n number) whole() string {
	if n.digits == "" {
		return "0"
	}
	return n.digits
}

// standard splits a standard format into its letter and precision, -1 when there is none.
func standard(f string) (letter byte, prec int, ok bool) {
	if f == "" {
		return 'G', -1, true
	}
	c := f[0]
	if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') || len(f) > 10 {
		return 0, 0, false
	}
	if len(f) == 1 {
		return c, -1, true
	}
	p := 0
	for _, d := range []byte(f[1:]) {
		if d < '0' || d > '9' {
			return 0, 0, false
		}
		p = p*10 + int(d-'0')
	}
	return c, min(p, 100_000), true
}

// fixed gives the digits with p places after the point, without a sign.
func (n number) fixed(p int) string {
	if n.exact != nil {
		return n.exact('f', p)
	}
	d := n.round(n.point + p)
	whole, frac := "0", ""
	if d.point > 0 {
		whole = (d.digits + strings.Repeat("0", max(0, d.point-len(d.digits))))[:d.point]
	}
	if d.point < 0 {
		frac = strings.Repeat("0", min(p, -d.point)) + d.digits
	} else if d.point < len(d.digits) {
		frac = d.digits[d.point:]
	}
	frac += strings.Repeat("0", max(0, p-len(frac)))
	if p > 0 {
		return whole + "." + frac[:p]
	}
	return whole
}

// round keeps the first k digits, rounding half away from zero.
func (n number) round(k int) number {
	if k >= len(n.digits) {
		return n
	}
	if k < 0 {
		n.digits, n.point = "", 0
		return n
	}
	up := n.digits[k] >= '5'
	d := []byte(n.digits[:k])
	for i := k - 1; up && i >= 0; i-- {
		if d[i] == '9' {
			d[i] = '0'
			continue
		}
		d[i]++
		up = false
	}
	n.digits = string(d)
	if up {
		n.digits = "1" + n.digits
		n.point++
	}
	n.trim()
	if n.digits == "" {
		n.point = 0
	}
	return n
}

func zeroText(s string) bool { return strings.Trim(s, "0.,") == "" }

// format writes C E F G N P.
func (n number) format(letter byte, prec int) (string, error) {
	p := prec
	switch letter {
	case 'F', 'f', 'N', 'n', 'C', 'c', 'P', 'p':
		if p < 0 {
			p = 2
		}
		if letter == 'P' || letter == 'p' {
			n = n.percent()
		}
		s := n.fixed(p)
		neg := n.neg && (!zeroText(s) || n.float)
		if letter != 'F' && letter != 'f' {
			s = grouped(s)
		}
		switch letter {
		case 'C', 'c':
			if neg {
				return "(¤" + s + ")", nil
			}
			return "¤" + s, nil
		case 'P', 'p':
			s += " %"
		}
		if neg {
			s = "-" + s
		}
		return s, nil
	case 'E', 'e':
		if p < 0 {
			p = 6
		}
		return n.minus() + netExponent(n.exponential(p), string(rune(letter)), 3), nil
	case 'G', 'g':
		s := n.exponential(max(p, 1) - 1)
		i := strings.IndexByte(s, 'e')
		exp, _ := strconv.Atoi(s[i+1:])
		mant := s[:i]
		if strings.Contains(mant, ".") {
			mant = strings.TrimRight(strings.TrimRight(mant, "0"), ".")
		}
		if exp >= max(p, 1) || exp <= -5 {
			return n.minus() + netExponent(mant+s[i:], string(rune(letter-('G'-'E'))), 2), nil
		}
		m := number{neg: n.neg}
		m.set(mant + s[i:])
		m.trim()
		return n.minus() + m.fixed(max(0, len(m.digits)-m.point)), nil
	}
	return "", ErrFormat
}

func (n number) exponential(p int) string {
	if n.exact != nil {
		return n.exact('e', p)
	}
	d := n.round(p + 1)
	digits := d.digits + strings.Repeat("0", max(0, p+1-len(d.digits)))
	exp := d.point - 1
	if d.digits == "" {
		exp = 0
	}
	s := digits[:1]
	if p > 0 {
		s += "." + digits[1:p+1]
	}
	sign := "+"
	if exp < 0 {
		sign, exp = "-", -exp
	}
	return s + "e" + sign + strconv.Itoa(exp)
}

func (n number) percent() number {
	if n.exact == nil {
		if n.digits != "" {
			n.point += 2
		}
		return n
	}
	// Shift the decimal digits rather than multiply, which would round.
	f := n.f
	n.exact = func(verb byte, p int) string {
		m := number{}
		m.set(strconv.FormatFloat(f, 'e', 17, 64))
		m.trim()
		if m.digits != "" {
			m.point += 2
		}
		return m.fixed(p)
	}
	return n
}

// grouped puts commas between groups of three digits.
func grouped(s string) string {
	whole, frac, has := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if has {
		return whole + "." + frac
	}
	return whole
}
