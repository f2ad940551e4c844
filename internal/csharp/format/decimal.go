package format

import (
	"math/big"
	"strconv"
	"strings"
)

// Decimal is .NET's decimal: a coefficient of at most 96 bits and a scale of 0 to 28 digits after the point. The zero
// value is 0. Values are immutable.
type Decimal struct {
	Coef  *big.Int // nil is zero
	Scale int
}

func (d Decimal) coef() *big.Int {
	if d.Coef == nil {
		return new(big.Int)
	}
	return d.Coef
}

// maxDecimal is 2^96-1.
func maxDecimal() *big.Int {
	one := big.NewInt(1)
	return new(big.Int).Sub(new(big.Int).Lsh(one, 96), one)
}

// MaxDecimal is decimal.MaxValue.
func MaxDecimal() Decimal { return Decimal{Coef: maxDecimal()} }

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// fit rounds to what a decimal can hold, half to even; ok is false on overflow.
func (d Decimal) fit() (Decimal, bool) {
	limit := maxDecimal()
	if d.Scale > 28 {
		d = d.Rescale(28)
	}
	for d.coef().CmpAbs(limit) > 0 {
		if d.Scale == 0 {
			return d, false
		}
		d = d.Rescale(d.Scale - 1)
	}
	return d, true
}

// Rescale gives d with the given digits after the point, rounding half to even.
func (d Decimal) Rescale(scale int) Decimal {
	switch {
	case scale == d.Scale:
		return d
	case scale > d.Scale:
		return Decimal{new(big.Int).Mul(d.coef(), pow10(scale-d.Scale)), scale}
	}
	p := pow10(d.Scale - scale)
	q, r := new(big.Int).QuoRem(d.coef(), p, new(big.Int))
	twice := new(big.Int).Lsh(new(big.Int).Abs(r), 1)
	if c := twice.Cmp(p); c > 0 || (c == 0 && q.Bit(0) == 1) {
		q.Add(q, big.NewInt(int64(d.coef().Sign())))
	}
	return Decimal{q, scale}
}

func align(a, b Decimal) (x, y *big.Int, scale int) {
	scale = max(a.Scale, b.Scale)
	return a.Rescale(scale).coef(), b.Rescale(scale).coef(), scale
}

// Add is a+b; ok is false on overflow.
func (d Decimal) Add(b Decimal) (Decimal, bool) {
	x, y, s := align(d, b)
	return Decimal{new(big.Int).Add(x, y), s}.fit()
}

// Sub is d-b.
func (d Decimal) Sub(b Decimal) (Decimal, bool) { return d.Add(b.Neg()) }

// Mul is d*b.
func (d Decimal) Mul(b Decimal) (Decimal, bool) {
	return Decimal{new(big.Int).Mul(d.coef(), b.coef()), d.Scale + b.Scale}.fit()
}

// Div is d/b, as exact as 28 digits allow; b is not zero.
func (d Decimal) Div(b Decimal) (Decimal, bool) {
	// Work with 29 digits more than needed, then drop the zeros that the division did not ask for.
	num := new(big.Int).Mul(d.coef(), pow10(58))
	q := Decimal{num.Quo(num, b.coef()), d.Scale - b.Scale + 58}
	if q.Scale < 0 {
		q = q.Rescale(0)
	}
	q, ok := q.fit()
	want := max(0, d.Scale-b.Scale)
	ten, rem := big.NewInt(10), new(big.Int)
	for ok && q.Scale > want {
		n, r := new(big.Int).QuoRem(q.coef(), ten, rem)
		if r.Sign() != 0 {
			break
		}
		q = Decimal{n, q.Scale - 1}
	}
	return q, ok
}

// Rem is d%b with the sign of d; b is not zero.
func (d Decimal) Rem(b Decimal) Decimal {
	x, y, s := align(d, b)
	return Decimal{new(big.Int).Rem(x, y), s}
}

// Neg is -d.
func (d Decimal) Neg() Decimal { return Decimal{new(big.Int).Neg(d.coef()), d.Scale} }

// Cmp compares: -1, 0, 1.
func (d Decimal) Cmp(b Decimal) int {
	x, y, _ := align(d, b)
	return x.Cmp(y)
}

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int { return d.coef().Sign() }

// Truncate drops the digits after the point.
func (d Decimal) Truncate() *big.Int { return new(big.Int).Quo(d.coef(), pow10(d.Scale)) }

// Float is the nearest double.
func (d Decimal) Float() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

// DecimalOf makes a decimal of an integer.
func DecimalOf(i int64) Decimal { return Decimal{Coef: big.NewInt(i)} }

// DecimalOfBig makes a decimal of any integer.
func DecimalOfBig(i *big.Int) (Decimal, bool) { return Decimal{Coef: i}.fit() }

// DecimalOfFloat converts as .NET does: a double keeps 15 significant digits, a float 7.
func DecimalOfFloat(f float64, digits int) (Decimal, bool) {
	d, ok := ParseDecimal(strconv.FormatFloat(f, 'e', digits-1, 64))
	if !ok {
		return d, false
	}
	ten, rem := big.NewInt(10), new(big.Int)
	for d.Scale > 0 {
		n, r := new(big.Int).QuoRem(d.coef(), ten, rem)
		if r.Sign() != 0 {
			break
		}
		d = Decimal{n, d.Scale - 1}
	}
	return d, true
}

// ParseDecimal reads digits with an optional sign, point and exponent.
func ParseDecimal(s string) (Decimal, bool) {
	mant, exp := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n > 400 || n < -400 {
			return Decimal{}, false
		}
		mant, exp = s[:i], n
	}
	scale := 0
	if i := strings.IndexByte(mant, '.'); i >= 0 {
		scale = len(mant) - i - 1
		mant = mant[:i] + mant[i+1:]
	}
	c, ok := new(big.Int).SetString(mant, 10)
	if !ok || strings.ContainsRune(mant, '_') {
		return Decimal{}, false
	}
	scale -= exp
	if scale < 0 {
		c.Mul(c, pow10(-scale))
		scale = 0
	}
	return Decimal{c, scale}.fit()
}

// String writes all digits, as ToString does: 1.50 keeps its zero.
func (d Decimal) String() string {
	s := new(big.Int).Abs(d.coef()).String()
	if d.Scale > 0 {
		if len(s) <= d.Scale {
			s = strings.Repeat("0", d.Scale-len(s)+1) + s
		}
		s = s[:len(s)-d.Scale] + "." + s[len(s)-d.Scale:]
	}
	if d.Sign() < 0 {
		s = "-" + s
	}
	return s
}
