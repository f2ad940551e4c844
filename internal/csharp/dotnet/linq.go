package dotnet

import "tandem/internal/csharp"

func linqTypes() []def {
	var rows []member
	for _, part := range [][]member{linqFilter(), linqElement(), linqReduce(), linqOrder(), linqSets(), linqMake()} {
		rows = append(rows, part...)
	}
	grouping := &csharp.Decl{Name: "IGrouping", Namespace: "System.Linq", Params: []string{"TKey", "TElement"}, Kind: csharp.KindInterface}
	return []def{
		{Decl: "interface IGrouping<TKey, TElement> : IEnumerable<TElement>", Known: grouping, Is: is[*group], Members: []member{
			f("TKey Key", pure(func(a []val) val { return self[*group](a).key })),
		}},
		{Decl: "interface IOrderedEnumerable<T> : IEnumerable<T>", Namespace: "System.Linq", Is: is[*ordered]},
		{Decl: "interface ILookup<TKey, TElement> : IEnumerable<IGrouping<TKey, TElement>>", Namespace: "System.Linq", Is: is[*lookup], Members: []member{
			f("int Count", pure(func(a []val) val { return num(len(self[*lookup](a).groups)) })),
			f("bool Contains(TKey key)", pure(func(a []val) val { _, ok := self[*lookup](a).index[self[*lookup](a).keyOf(a[1])]; return yes(ok) })),
			f("IEnumerable<TElement> this[TKey key]", pure(func(a []val) val {
				if g, ok := self[*lookup](a).index[self[*lookup](a).keyOf(a[1])]; ok {
					return ref(g)
				}
				return ref(&group{})
			})),
		}},
		{Decl: "static class Enumerable", Namespace: "System.Linq", Members: rows},
	}
}

// source gives a sequence that is not null.
func source(v val) csharp.Seq {
	s, ok := v.R.(csharp.Seq)
	if !ok {
		csharp.ThrowNull("source")
	}
	return s
}

// lazy makes a sequence that is computed while it is walked. start gets the iterator of its source.
func lazy(v val, start func(m *mach, next func() (val, bool)) func() (val, bool)) val {
	src := source(v)
	return ref(csharp.SeqFunc(func(m *mach) func() (val, bool) {
		m.Deeper()
		next := src.Iter(m)
		m.Shallower()
		return start(m, func() (val, bool) {
			m.Step()
			return next()
		})
	}))
}

func truth(m *mach, pred, x val) bool { return m.Call1(pred, x).N != 0 }

func linqFilter() []member {
	type step = func() (val, bool)
	selecting := func(call func(m *mach, fn, x val, i int) val) csharp.Fn {
		return func(_ *mach, a []val) val {
			fn := a[1]
			return lazy(a[0], func(m *mach, next step) step {
				i := -1
				return func() (val, bool) {
					x, ok := next()
					if !ok {
						return x, false
					}
					i++
					return call(m, fn, x, i), true
				}
			})
		}
	}
	filtering := func(keep func(m *mach, fn, x val, i int) bool) csharp.Fn {
		return func(_ *mach, a []val) val {
			fn := a[1]
			return lazy(a[0], func(m *mach, next step) step {
				i := -1
				return func() (val, bool) {
					for {
						x, ok := next()
						i++
						if !ok || keep(m, fn, x, i) {
							return x, ok
						}
					}
				}
			})
		}
	}
	call1 := func(m *mach, fn, x val, _ int) val { return m.Call1(fn, x) }
	call2 := func(m *mach, fn, x val, i int) val { return m.Call2(fn, x, num(i)) }
	flat := func(call func(m *mach, fn, x val, i int) val, result bool) csharp.Fn {
		return func(_ *mach, a []val) val {
			fn, res := a[1], val{}
			if result {
				res = a[2]
			}
			return lazy(a[0], func(m *mach, next step) step {
				var inner step
				var outer val
				i := -1
				return func() (val, bool) {
					for {
						if inner != nil {
							if x, ok := inner(); ok {
								m.Step()
								if result {
									x = m.Call2(res, outer, x)
								}
								return x, true
							}
						}
						x, ok := next()
						if !ok {
							return val{}, false
						}
						i++
						outer = x
						inner = source(call(m, fn, x, i)).Iter(m)
					}
				}
			})
		}
	}
	return []member{
		f("IEnumerable<TResult> Select<TSource, TResult>(this IEnumerable<TSource> source, Func<TSource, TResult> selector)", selecting(call1)),
		f("IEnumerable<TResult> Select<TSource, TResult>(this IEnumerable<TSource> source, Func<TSource, int, TResult> selector)", selecting(call2)),
		f("IEnumerable<TSource> Where<TSource>(this IEnumerable<TSource> source, Func<TSource, bool> predicate)",
			filtering(func(m *mach, fn, x val, _ int) bool { return truth(m, fn, x) })),
		f("IEnumerable<TSource> Where<TSource>(this IEnumerable<TSource> source, Func<TSource, int, bool> predicate)",
			filtering(func(m *mach, fn, x val, i int) bool { return m.Call2(fn, x, num(i)).N != 0 })),
		f("IEnumerable<TResult> SelectMany<TSource, TResult>(this IEnumerable<TSource> source, Func<TSource, IEnumerable<TResult>> selector)", flat(call1, false)),
		f("IEnumerable<TResult> SelectMany<TSource, TResult>(this IEnumerable<TSource> source, Func<TSource, int, IEnumerable<TResult>> selector)", flat(call2, false)),
		f("IEnumerable<TResult> SelectMany<TSource, TCollection, TResult>(this IEnumerable<TSource> source, Func<TSource, IEnumerable<TCollection>> collectionSelector, Func<TSource, TCollection, TResult> resultSelector)", flat(call1, true)),
		f("IEnumerable<TSource> Skip<TSource>(this IEnumerable<TSource> source, int count)", func(_ *mach, a []val) val {
			n := a[1].Int()
			return lazy(a[0], func(_ *mach, next step) step {
				left := n
				return func() (val, bool) {
					for ; left > 0; left-- {
						if x, ok := next(); !ok {
							return x, false
						}
					}
					return next()
				}
			})
		}),
		f("IEnumerable<TSource> Take<TSource>(this IEnumerable<TSource> source, int count)", func(_ *mach, a []val) val {
			n := a[1].Int()
			return lazy(a[0], func(_ *mach, next step) step {
				left := n
				return func() (val, bool) {
					if left <= 0 {
						return val{}, false
					}
					left--
					return next()
				}
			})
		}),
		f("IEnumerable<TSource> TakeWhile<TSource>(this IEnumerable<TSource> source, Func<TSource, bool> predicate)", func(_ *mach, a []val) val {
			fn := a[1]
			return lazy(a[0], func(m *mach, next step) step {
				done := false
				return func() (val, bool) {
					x, ok := next()
					if done || !ok || !truth(m, fn, x) {
						done = true
						return val{}, false
					}
					return x, true
				}
			})
		}),
		f("IEnumerable<TSource> SkipWhile<TSource>(this IEnumerable<TSource> source, Func<TSource, bool> predicate)", func(_ *mach, a []val) val {
			fn := a[1]
			return lazy(a[0], func(m *mach, next step) step {
				started := false
				return func() (val, bool) {
					for {
						x, ok := next()
						if !ok || started || !truth(m, fn, x) {
							started = true
							return x, ok
						}
					}
				}
			})
		}),
		g("IEnumerable<TResult> OfType<TResult>(this IEnumerable<object> source)", func(t []*typ) csharp.Fn {
			return func(_ *mach, a []val) val {
				return lazy(a[0], func(m *mach, next step) step {
					return func() (val, bool) {
						for {
							x, ok := next()
							if !ok {
								return x, false
							}
							if v, err := csharp.Unbox(m.Library(), x.R, t[0]); x.R != nil && err == nil {
								return v, true
							}
						}
					}
				})
			}
		}),
		g("IEnumerable<TResult> Cast<TResult>(this IEnumerable<object> source)", func(t []*typ) csharp.Fn {
			return func(_ *mach, a []val) val {
				return lazy(a[0], func(m *mach, next step) step {
					return func() (val, bool) {
						x, ok := next()
						if !ok {
							return x, false
						}
						return m.Library().Unbox(x.R, t[0]), true
					}
				})
			}
		}),
		f("IEnumerable<TSource> AsEnumerable<TSource>(this IEnumerable<TSource> source)", pure(func(a []val) val { return a[0] })),
	}
}

func linqElement() []member {
	// pick walks a sequence for one element that a predicate, if there is one, holds for.
	pick := func(m *mach, a []val, pred bool, last, single bool) (val, int) {
		var hit val
		n := 0
		each(m, a[0], "source", func(_ int, x val) bool {
			if pred && !truth(m, a[1], x) {
				return true
			}
			hit = x
			n++
			return last || single && n < 2
		})
		return hit, n
	}
	var rows []member
	for _, k := range []struct {
		name         string
		last, single bool
	}{{"First", false, false}, {"Last", true, false}, {"Single", false, true}} {
		for _, pred := range []bool{false, true} {
			sig, none := "(this IEnumerable<T> source)", "Sequence contains no elements"
			many := "Sequence contains more than one element"
			if pred {
				sig, none = "(this IEnumerable<T> source, Func<T, bool> predicate)", "Sequence contains no matching element"
				many = "Sequence contains more than one matching element"
			}
			get := func(orDefault bool) csharp.Fn {
				return func(m *mach, a []val) val {
					v, n := pick(m, a, pred, k.last, k.single)
					switch {
					case n == 0 && !orDefault:
						csharp.Throw("InvalidOperationException", none)
					case n > 1 && k.single:
						csharp.Throw("InvalidOperationException", many)
					}
					return v
				}
			}
			rows = append(rows, f("T "+k.name+"<T>"+sig, get(false)), f("T "+k.name+"OrDefault<T>"+sig, get(true)))
		}
	}
	nth := func(orDefault bool) csharp.Fn {
		return func(m *mach, a []val) val {
			var hit val
			found := false
			each(m, a[0], "source", func(i int, x val) bool {
				if i == a[1].Int() {
					hit, found = x, true
				}
				return !found
			})
			if !found && !orDefault {
				outOfRange()
			}
			return hit
		}
	}
	return append(rows,
		f("T ElementAt<T>(this IEnumerable<T> source, int index)", nth(false)),
		f("T ElementAtOrDefault<T>(this IEnumerable<T> source, int index)", nth(true)),
		f("bool Any<T>(this IEnumerable<T> source)", func(m *mach, a []val) val {
			_, ok := source(a[0]).Iter(m)()
			return yes(ok)
		}),
		f("bool Any<T>(this IEnumerable<T> source, Func<T, bool> predicate)", func(m *mach, a []val) val {
			hit := false
			each(m, a[0], "source", func(_ int, x val) bool { hit = truth(m, a[1], x); return !hit })
			return yes(hit)
		}),
		f("bool All<T>(this IEnumerable<T> source, Func<T, bool> predicate)", func(m *mach, a []val) val {
			all := true
			each(m, a[0], "source", func(_ int, x val) bool { all = truth(m, a[1], x); return all })
			return yes(all)
		}),
		f("int Count<T>(this IEnumerable<T> source)", count), f("long LongCount<T>(this IEnumerable<T> source)", count),
		f("int Count<T>(this IEnumerable<T> source, Func<T, bool> predicate)", func(m *mach, a []val) val {
			n := 0
			each(m, a[0], "source", func(_ int, x val) bool {
				if truth(m, a[1], x) {
					n++
				}
				return true
			})
			return num(n)
		}),
		g("bool Contains<T>(this IEnumerable<T> source, T value)", func(t []*typ) csharp.Fn {
			eq := equalFor(t[0])
			return func(m *mach, a []val) val {
				hit := false
				each(m, a[0], "source", func(_ int, x val) bool { hit = eq(x, a[1]); return !hit })
				return yes(hit)
			}
		}),
		f("bool Contains(this IEnumerable<string> source, string value, IEqualityComparer<string> comparer)", func(m *mach, a []val) val {
			order := ordering(a[2].R.(*comparer).mode)
			hit := false
			each(m, a[0], "source", func(_ int, x val) bool { hit = compareStrings(x, a[1], order) == 0; return !hit })
			return yes(hit)
		}),
		g("bool SequenceEqual<T>(this IEnumerable<T> first, IEnumerable<T> second)", func(t []*typ) csharp.Fn {
			eq := equalFor(t[0])
			return func(m *mach, a []val) val {
				p, q := source(a[0]).Iter(m), source(a[1]).Iter(m)
				for {
					m.Step()
					x, okX := p()
					y, okY := q()
					if !okX || !okY {
						return yes(okX == okY)
					}
					if !eq(x, y) {
						return yes(false)
					}
				}
			}
		}),
	)
}

func count(m *mach, a []val) val {
	if l, ok := a[0].R.(interface{ Len() int }); ok {
		return num(l.Len())
	}
	n := 0
	each(m, a[0], "source", func(int, val) bool { n++; return true })
	return num(n)
}
