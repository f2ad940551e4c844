package dotnet

import (
	"slices"

	"tandem/internal/csharp"
)

// ordered is an IOrderedEnumerable: a source with the keys to sort by, the first one first.
type ordered struct {
	src  csharp.Seq
	keys []sortKey
}

type sortKey struct {
	fn   val
	by   func(x, y val) int
	down bool
}

// Iter sorts when it is first asked.
func (o *ordered) Iter(m *mach) func() (val, bool) {
	type row struct {
		v    val
		keys []val
	}
	var rows []row
	m.Deeper()
	defer m.Shallower()
	each(m, ref(o.src), "source", func(_ int, x val) bool {
		r := row{v: x}
		for _, k := range o.keys {
			r.keys = append(r.keys, m.Call1(k.fn, x))
		}
		m.Charge(40 * (1 + len(r.keys)))
		rows = append(rows, r)
		return true
	})
	slices.SortStableFunc(rows, func(x, y row) int {
		m.Step()
		for i, k := range o.keys {
			if c := k.by(x.keys[i], y.keys[i]); c != 0 {
				if k.down {
					return -c
				}
				return c
			}
		}
		return 0
	})
	i := 0
	return func() (val, bool) {
		if i >= len(rows) {
			return val{}, false
		}
		i++
		return rows[i-1].v, true
	}
}

// group is an IGrouping.
type group struct {
	key   val
	items []val
}

func (g *group) Len() int                      { return len(g.items) }
func (g *group) At(i int) val                  { return g.items[i] }
func (g *group) Iter(*mach) func() (val, bool) { return iterate(g.items) }

type lookup struct {
	groups []*group
	index  map[any]*group
	keyOf  func(val) any
}

func (l *lookup) Len() int     { return len(l.groups) }
func (l *lookup) At(i int) val { return ref(l.groups[i]) }
func (l *lookup) Iter(*mach) func() (val, bool) {
	i := 0
	return func() (val, bool) {
		if i >= len(l.groups) {
			return val{}, false
		}
		i++
		return ref(l.groups[i-1]), true
	}
}

func groupBy(m *mach, src val, t *typ, key func(x val) val, elem func(x val) val) *lookup {
	l := &lookup{index: map[any]*group{}, keyOf: keyOf(t)}
	each(m, src, "source", func(_ int, x val) bool {
		k := key(x)
		g, ok := l.index[l.keyOf(k)]
		if !ok {
			g = &group{key: k}
			m.Charge(160)
			l.index[l.keyOf(k)] = g
			l.groups = append(l.groups, g)
		}
		m.Charge(40)
		g.items = append(g.items, elem(x))
		return true
	})
	return l
}

func linqOrder() []member {
	sort := func(down, more bool) func(t []*typ) csharp.Fn {
		return func(t []*typ) csharp.Fn {
			by := compareFor(t[1])
			return func(_ *mach, a []val) val {
				k := sortKey{a[1], by, down}
				if o, ok := a[0].R.(*ordered); ok && more {
					return ref(&ordered{o.src, append(slices.Clip(o.keys), k)})
				}
				return ref(&ordered{source(a[0]), []sortKey{k}})
			}
		}
	}
	row := func(name, from string, down, more bool) member {
		return g("IOrderedEnumerable<T> "+name+"<T, K>(this "+from+"<T> source, Func<T, K> keySelector)", sort(down, more))
	}
	later := func(t *typ, fn func(m *mach, a []val) csharp.Seq) csharp.Fn {
		return func(_ *mach, a []val) val {
			source(a[0])
			args := slices.Clone(a)
			return ref(csharp.SeqFunc(func(m *mach) func() (val, bool) {
				m.Deeper()
				defer m.Shallower()
				return fn(m, args).Iter(m)
			}))
		}
	}
	same := func(x val) val { return x }
	return []member{
		row("OrderBy", "IEnumerable", false, false), row("OrderByDescending", "IEnumerable", true, false),
		row("ThenBy", "IOrderedEnumerable", false, true), row("ThenByDescending", "IOrderedEnumerable", true, true),
		f("IEnumerable<T> Reverse<T>(this IEnumerable<T> source)", later(nil, func(m *mach, a []val) csharp.Seq {
			all := gather(m, a[0], "source")
			slices.Reverse(all)
			return &group{items: all}
		})),
		g("IEnumerable<IGrouping<K, T>> GroupBy<T, K>(this IEnumerable<T> source, Func<T, K> keySelector)", func(t []*typ) csharp.Fn {
			return later(nil, func(m *mach, a []val) csharp.Seq {
				return groupBy(m, a[0], t[1], func(x val) val { return m.Call1(a[1], x) }, same)
			})
		}),
		g("IEnumerable<IGrouping<K, E>> GroupBy<T, K, E>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, E> elementSelector)", func(t []*typ) csharp.Fn {
			return later(nil, func(m *mach, a []val) csharp.Seq {
				return groupBy(m, a[0], t[1], func(x val) val { return m.Call1(a[1], x) }, func(x val) val { return m.Call1(a[2], x) })
			})
		}),
		g("IEnumerable<R> GroupBy<T, K, R>(this IEnumerable<T> source, Func<T, K> keySelector, Func<K, IEnumerable<T>, R> resultSelector)", func(t []*typ) csharp.Fn {
			return later(nil, func(m *mach, a []val) csharp.Seq {
				l := groupBy(m, a[0], t[1], func(x val) val { return m.Call1(a[1], x) }, same)
				out := &group{}
				for _, g := range l.groups {
					out.items = append(out.items, m.Call2(a[2], g.key, ref(g)))
				}
				return out
			})
		}),
		g("ILookup<K, T> ToLookup<T, K>(this IEnumerable<T> source, Func<T, K> keySelector)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val {
				return ref(groupBy(m, a[0], t[1], func(x val) val { return m.Call1(a[1], x) }, same))
			}
		}),
		g("ILookup<K, E> ToLookup<T, K, E>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, E> elementSelector)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val {
				return ref(groupBy(m, a[0], t[1], func(x val) val { return m.Call1(a[1], x) }, func(x val) val { return m.Call1(a[2], x) }))
			}
		}),
		g("IEnumerable<R> Join<O, I, K, R>(this IEnumerable<O> outer, IEnumerable<I> inner, Func<O, K> outerKeySelector, Func<I, K> innerKeySelector, Func<O, I, R> resultSelector)", func(t []*typ) csharp.Fn {
			return later(nil, func(m *mach, a []val) csharp.Seq {
				l := groupBy(m, a[1], t[2], func(x val) val { return m.Call1(a[3], x) }, same)
				out := &group{}
				each(m, a[0], "outer", func(_ int, x val) bool {
					if g, ok := l.index[l.keyOf(m.Call1(a[2], x))]; ok {
						for _, y := range g.items {
							m.Charge(40)
							out.items = append(out.items, m.Call2(a[4], x, y))
						}
					}
					return true
				})
				return out
			})
		}),
	}
}

func linqSets() []member {
	type step = func() (val, bool)
	// sifted keeps the elements whose key is new, or (not) among those of another sequence.
	sifted := func(two bool, keep func(seen, other map[any]bool, k any) bool, chain bool) func(t []*typ) csharp.Fn {
		return func(t []*typ) csharp.Fn {
			key := keyOf(t[0])
			return func(_ *mach, a []val) val {
				second := val{}
				if two {
					second = a[1]
					source(second)
				}
				return lazy(a[0], func(m *mach, next step) step {
					seen, other := map[any]bool{}, map[any]bool{}
					if two && !chain {
						each(m, second, "second", func(_ int, x val) bool { m.Charge(80); other[key(x)] = true; return true })
					}
					tail := chain
					return func() (val, bool) {
						for {
							x, ok := next()
							if !ok && tail {
								tail = false
								next = source(second).Iter(m)
								continue
							}
							if !ok {
								return x, false
							}
							m.Step()
							if k := key(x); keep(seen, other, k) {
								m.Charge(80)
								seen[k] = true
								return x, true
							}
						}
					}
				})
			}
		}
	}
	fresh := func(seen, _ map[any]bool, k any) bool { return !seen[k] }
	joined := func(first, second val) val {
		return ref(csharp.SeqFunc(func(m *mach) func() (val, bool) {
			m.Deeper()
			next, tail := source(first).Iter(m), true
			m.Shallower()
			return func() (val, bool) {
				m.Step()
				x, ok := next()
				if !ok && tail {
					tail = false
					m.Deeper()
					next = source(second).Iter(m)
					m.Shallower()
					x, ok = next()
				}
				return x, ok
			}
		}))
	}
	return []member{
		g("IEnumerable<T> Distinct<T>(this IEnumerable<T> source)", sifted(false, fresh, false)),
		f("IEnumerable<string> Distinct(this IEnumerable<string> source, IEqualityComparer<string> comparer)", func(_ *mach, a []val) val {
			c := a[1].R.(*comparer)
			return lazy(a[0], func(_ *mach, next step) step {
				seen := map[string]bool{}
				return func() (val, bool) {
					for {
						x, ok := next()
						if k := c.key(x.S); !ok || !seen[k] {
							seen[k] = true
							return x, ok
						}
					}
				}
			})
		}),
		g("IEnumerable<T> Union<T>(this IEnumerable<T> first, IEnumerable<T> second)", sifted(true, fresh, true)),
		g("IEnumerable<T> Except<T>(this IEnumerable<T> first, IEnumerable<T> second)", sifted(true, func(seen, other map[any]bool, k any) bool { return !seen[k] && !other[k] }, false)),
		g("IEnumerable<T> Intersect<T>(this IEnumerable<T> first, IEnumerable<T> second)", sifted(true, func(seen, other map[any]bool, k any) bool { return !seen[k] && other[k] }, false)),
		f("IEnumerable<T> Concat<T>(this IEnumerable<T> first, IEnumerable<T> second)", func(_ *mach, a []val) val {
			source(a[0])
			source(a[1])
			return joined(a[0], a[1])
		}),
		f("IEnumerable<T> Append<T>(this IEnumerable<T> source, T element)", func(_ *mach, a []val) val {
			return joined(a[0], ref(&group{items: []val{a[1]}}))
		}),
		f("IEnumerable<T> Prepend<T>(this IEnumerable<T> source, T element)", func(_ *mach, a []val) val {
			return joined(ref(&group{items: []val{a[1]}}), a[0])
		}),
		f("IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source)", func(_ *mach, a []val) val { return orDefault(a[0], val{}) }),
		f("IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source, T defaultValue)", func(_ *mach, a []val) val { return orDefault(a[0], a[1]) }),
		f("IEnumerable<R> Zip<A, B, R>(this IEnumerable<A> first, IEnumerable<B> second, Func<A, B, R> resultSelector)", func(_ *mach, a []val) val {
			second, fn := source(a[1]), a[2]
			return lazy(a[0], func(m *mach, next step) step {
				other := second.Iter(m)
				return func() (val, bool) {
					x, ok := next()
					if !ok {
						return x, false
					}
					y, ok := other()
					if !ok {
						return y, false
					}
					return m.Call2(fn, x, y), true
				}
			})
		}),
	}
}

func orDefault(v, d val) val {
	return lazy(v, func(_ *mach, next func() (val, bool)) func() (val, bool) {
		any := false
		return func() (val, bool) {
			x, ok := next()
			if !ok && !any {
				any = true
				return d, true
			}
			any = true
			return x, ok
		}
	})
}

func linqMake() []member {
	// counted makes n elements.
	counted := func(n int, at func(i int) val) val {
		return ref(csharp.SeqFunc(func(m *mach) func() (val, bool) {
			i := 0
			return func() (val, bool) {
				if i >= n {
					return val{}, false
				}
				i++
				return at(i - 1), true
			}
		}))
	}
	dict := func(t []*typ, selector bool) csharp.Fn {
		k, v := t[1], t[0]
		if selector {
			v = t[2]
		}
		return func(m *mach, a []val) val {
			d := newDict(csharp.Generic(dictDecl, k, v), keyOf(k))
			each(m, a[0], "source", func(_ int, x val) bool {
				key := m.Call1(a[1], x)
				if selector {
					x = m.Call1(a[2], x)
				}
				d.insert(m, key, x)
				return true
			})
			return ref(d)
		}
	}
	return []member{
		g("T[] ToArray<T>(this IEnumerable<T> source)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return makeArray(m, t[0], gather(m, a[0], "source")) }
		}),
		g("List<T> ToList<T>(this IEnumerable<T> source)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return NewList(t[0], gather(m, a[0], "source")) }
		}),
		g("HashSet<T> ToHashSet<T>(this IEnumerable<T> source)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val {
				s := &set{t: csharp.Generic(setDecl, t[0]), key: keyOf(t[0]), has: map[any]bool{}}
				each(m, a[0], "source", func(_ int, x val) bool { s.insert(m, x); return true })
				return ref(s)
			}
		}),
		g("Dictionary<K, T> ToDictionary<T, K>(this IEnumerable<T> source, Func<T, K> keySelector)", func(t []*typ) csharp.Fn { return dict(t, false) }),
		g("Dictionary<K, E> ToDictionary<T, K, E>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, E> elementSelector)", func(t []*typ) csharp.Fn { return dict(t, true) }),
		f("static IEnumerable<int> Range(int start, int count)", pure(func(a []val) val {
			start := a[0].Int()
			if a[1].Int() < 0 {
				csharp.ThrowRange("count", "Specified argument was out of the range of valid values.")
			}
			return counted(a[1].Int(), func(i int) val { return num(start + i) })
		})),
		f("static IEnumerable<T> Repeat<T>(T element, int count)", pure(func(a []val) val {
			x := a[0]
			if a[1].Int() < 0 {
				csharp.ThrowRange("count", "Specified argument was out of the range of valid values.")
			}
			return counted(a[1].Int(), func(int) val { return x })
		})),
		f("static IEnumerable<T> Empty<T>()", pure(func([]val) val { return counted(0, nil) })),
	}
}
