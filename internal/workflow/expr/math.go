package expr

import (
	"fmt"
	"math"
	"math/bits"

	"tandem/internal/workflow/value"
)

// arithmetic makes a function of two numbers: whole where both are, else floating.
func arithmetic(name string, whole func(x, y int64) (int64, error), floating func(x, y float64) (float64, error)) function {
	return function{name: name, min: 2, max: 2, eval: func(a *args) (any, error) {
		x, ok1 := a.any(0).(int64)
		y, ok2 := a.any(1).(int64)
		if ok1 && ok2 {
			n, err := whole(x, y)
			return n, err
		}
		f, g := a.float(0), a.float(1)
		if a.err != nil {
			return nil, a.err
		}
		r, err := floating(f, g)
		if err == nil && (math.IsInf(r, 0) || math.IsNaN(r)) {
			err = fmt.Errorf("the result is too large for a number")
		}
		return r, err
	}}
}

var errOverflow = fmt.Errorf("the result is too large for an integer of 64 bits")
var errZero = fmt.Errorf("division by zero")

func addInts(x, y int64) (int64, error) {
	r := x + y
	if (r > x) != (y > 0) && y != 0 {
		return 0, errOverflow
	}
	return r, nil
}

func mulInts(x, y int64) (int64, error) {
	if x == 0 || y == 0 {
		return 0, nil
	}
	hi, _ := bits.Mul64(uint64(max(x, -x)), uint64(max(y, -y)))
	r := x * y
	if x == math.MinInt64 || y == math.MinInt64 || hi != 0 || r/y != x {
		return 0, errOverflow
	}
	return r, nil
}

// decimalAdd adds without the noise that binary fractions bring: 10.3 - .3 is 10.
func decimalAdd(x, y float64) float64 {
	r := x + y
	if s := math.Round(r*1e12) / 1e12; math.Abs(r) < 1e3 && math.Abs(s-r) < 1e-13*math.Max(1, math.Abs(r)) {
		return s
	}
	return r
}

func mathFunctions() []function {
	return []function{
		arithmetic("add", addInts, func(x, y float64) (float64, error) { return decimalAdd(x, y), nil }),
		arithmetic("sub", func(x, y int64) (int64, error) {
			if y == math.MinInt64 {
				return 0, errOverflow
			}
			return addInts(x, -y)
		}, func(x, y float64) (float64, error) { return decimalAdd(x, -y), nil }),
		arithmetic("mul", mulInts, func(x, y float64) (float64, error) { return x * y, nil }),
		arithmetic("div", func(x, y int64) (int64, error) {
			if y == 0 {
				return 0, errZero
			}
			if y == -1 {
				return mulInts(x, -1)
			}
			return x / y, nil
		}, func(x, y float64) (float64, error) {
			if y == 0 {
				return 0, errZero
			}
			return x / y, nil
		}),
		arithmetic("mod", func(x, y int64) (int64, error) {
			if y == 0 {
				return 0, errZero
			}
			if y == -1 {
				return 0, nil
			}
			return x % y, nil
		}, func(x, y float64) (float64, error) {
			if y == 0 {
				return 0, errZero
			}
			return math.Mod(x, y), nil
		}),
		{name: "max", min: 1, max: -1, eval: func(a *args) (any, error) { return extreme(a, 1) }},
		{name: "min", min: 1, max: -1, eval: func(a *args) (any, error) { return extreme(a, -1) }},
		{name: "rand", min: 2, max: 2, eval: func(a *args) (any, error) {
			low, high := a.integer(0), a.integer(1)
			if a.err != nil {
				return nil, a.err
			}
			if high <= low || high-low <= 0 {
				return nil, fmt.Errorf("the end %d, which is not drawn, must be greater than the start %d", high, low)
			}
			return low + a.env.Rand(high-low), nil
		}},
		{name: "range", min: 2, max: 2, eval: func(a *args) (any, error) {
			start, n := a.integer(0), a.integer(1)
			if a.err != nil {
				return nil, a.err
			}
			if n < 0 || n > maxItems {
				return nil, fmt.Errorf("the count must be between 0 and %d", maxItems)
			}
			out := make([]any, n)
			for i := range out {
				out[i] = start + int64(i)
			}
			return out, nil
		}},
	}
}

func extreme(a *args, sign int) (any, error) {
	list := a.values
	if one, ok := a.any(0).([]any); ok && len(list) == 1 {
		list = one
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the array is empty")
	}
	for i, v := range list {
		if _, ok := value.Float(v); !ok {
			return nil, fmt.Errorf("element %d is of type %s, not a number", i, value.Type(v))
		}
	}
	best := list[0]
	for _, v := range list[1:] {
		if n, _ := compare(v, best); n == sign { // numbers always compare
			best = v
		}
	}
	return best, nil
}
