package dotnet

import (
	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// sums keeps a running sum of numbers of a type.
type sums struct {
	t *typ
	i int64
	f float64
	d csharp.Decimal
	n int
}

func (s *sums) add(v val) {
	s.n++
	switch s.t.Kind {
	case csharp.KindDouble, csharp.KindFloat:
		s.f += v.Float()
	case csharp.KindDecimal:
		d, ok := s.d.Add(v.Dec())
		if !ok {
			csharp.Throw("OverflowException", tooLarge(csharp.DecimalT))
		}
		s.d = d
	default:
		x := int64(v.N)
		sum := s.i + x
		if (sum > s.i) != (x > 0) && x != 0 || s.t.Kind == csharp.KindInt && sum != int64(int32(sum)) {
			csharp.Throw("OverflowException", "Arithmetic operation resulted in an overflow.")
		}
		s.i = sum
	}
}

func (s *sums) total() val {
	switch s.t.Kind {
	case csharp.KindDouble, csharp.KindFloat:
		return csharp.Double(s.f)
	case csharp.KindDecimal:
		return csharp.Dec(s.d)
	}
	return csharp.Long(s.i)
}

func (s *sums) mean() val {
	if s.n == 0 {
		csharp.Throw("InvalidOperationException", "Sequence contains no elements")
	}
	switch s.t.Kind {
	case csharp.KindDouble, csharp.KindFloat:
		return csharp.Double(s.f / float64(s.n))
	case csharp.KindDecimal:
		d, _ := s.d.Div(format.DecimalOf(int64(s.n)))
		return csharp.Dec(d)
	}
	return csharp.Double(float64(s.i) / float64(s.n))
}

func linqReduce() []member {
	var rows []member
	for _, t := range []*typ{csharp.IntT, csharp.LongT, csharp.DoubleT, csharp.DecimalT, csharp.Float} {
		n, mean := t.String(), "double"
		if t.Kind == csharp.KindDecimal || t.Kind == csharp.KindFloat {
			mean = n
		}
		walk := func(m *mach, a []val, selector bool) *sums {
			s := &sums{t: t}
			each(m, a[0], "source", func(_ int, x val) bool {
				if selector {
					x = m.Call1(a[1], x)
				}
				s.add(x)
				return true
			})
			return s
		}
		rows = append(rows,
			f(n+" Sum(this IEnumerable<"+n+"> source)", func(m *mach, a []val) val { return walk(m, a, false).total() }),
			f(n+" Sum<T>(this IEnumerable<T> source, Func<T, "+n+"> selector)", func(m *mach, a []val) val { return walk(m, a, true).total() }),
			f(mean+" Average(this IEnumerable<"+n+"> source)", func(m *mach, a []val) val { return walk(m, a, false).mean() }),
			f(mean+" Average<T>(this IEnumerable<T> source, Func<T, "+n+"> selector)", func(m *mach, a []val) val { return walk(m, a, true).mean() }))
	}
	for name, sign := range map[string]int{"Max": 1, "Min": -1} {
		best := func(m *mach, a []val, t *typ, selector bool) val {
			by := compareFor(t)
			var hit val
			any := false
			each(m, a[0], "source", func(_ int, x val) bool {
				if selector {
					x = m.Call1(a[1], x)
				}
				if !any || by(x, hit)*sign > 0 {
					hit, any = x, true
				}
				return true
			})
			if !any && !t.Reference() {
				csharp.Throw("InvalidOperationException", "Sequence contains no elements")
			}
			return hit
		}
		rows = append(rows,
			g("T "+name+"<T>(this IEnumerable<T> source)", func(t []*typ) csharp.Fn {
				return func(m *mach, a []val) val { return best(m, a, t[0], false) }
			}),
			g("R "+name+"<T, R>(this IEnumerable<T> source, Func<T, R> selector)", func(t []*typ) csharp.Fn {
				return func(m *mach, a []val) val { return best(m, a, t[1], true) }
			}))
	}
	fold := func(m *mach, a []val, acc, fn val, skip bool) val {
		each(m, a[0], "source", func(i int, x val) bool {
			if skip && i == 0 {
				acc = x
				return true
			}
			acc = m.Call2(fn, acc, x)
			return true
		})
		return acc
	}
	return append(rows,
		f("T Aggregate<T>(this IEnumerable<T> source, Func<T, T, T> func)", func(m *mach, a []val) val {
			if _, ok := source(a[0]).Iter(m)(); !ok {
				csharp.Throw("InvalidOperationException", "Sequence contains no elements")
			}
			return fold(m, a, val{}, a[1], true)
		}),
		f("A Aggregate<T, A>(this IEnumerable<T> source, A seed, Func<A, T, A> func)", func(m *mach, a []val) val { return fold(m, a, a[1], a[2], false) }),
		f("R Aggregate<T, A, R>(this IEnumerable<T> source, A seed, Func<A, T, A> func, Func<A, R> resultSelector)", func(m *mach, a []val) val {
			return m.Call1(a[3], fold(m, a, a[1], a[2], false))
		}))
}
