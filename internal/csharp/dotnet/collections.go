package dotnet

import "tandem/internal/csharp"

// each walks a sequence until fn says stop; a null sequence throws.
func each(m *mach, v val, param string, fn func(i int, x val) bool) {
	seq, ok := v.R.(csharp.Seq)
	if !ok {
		csharp.ThrowNull(param)
	}
	next := seq.Iter(m)
	for i := 0; ; i++ {
		x, ok := next()
		if !ok {
			return
		}
		m.Step()
		if !fn(i, x) {
			return
		}
	}
}

// gather gives all elements of a sequence in a new slice.
func gather(m *mach, v val, param string) []val {
	var out []val
	each(m, v, param, func(_ int, x val) bool {
		m.Charge(40)
		out = append(out, x)
		return true
	})
	return out
}

// iterate makes an iterator over a slice that does not change.
func iterate(items []val) func() (val, bool) {
	i := 0
	return func() (val, bool) {
		if i >= len(items) {
			return val{}, false
		}
		i++
		return items[i-1], true
	}
}

// collection is what ICollection<T> needs beside Lister.
type collection interface {
	csharp.Seq
	Len() int
	add(m *mach, x val)
	clear()
	remove(key func(val) any, x val) bool
}

func readOnly() { csharp.Throw("NotSupportedException", "Collection was of a fixed size.") }

func outOfRange() {
	csharp.ThrowRange("index", "Index was out of range. Must be non-negative and less than the size of the collection.")
}

func contains(m *mach, v val, key func(val) any, x val) bool {
	found, want := false, key(x)
	each(m, v, "source", func(_ int, y val) bool {
		found = key(y) == want
		return !found
	})
	return found
}

func collectionTypes() []def {
	count := func(a []val) val {
		if l, ok := a[0].R.(interface{ Len() int }); ok {
			return num(l.Len())
		}
		return num(0)
	}
	own := func(a []val) collection {
		c, ok := a[0].R.(collection)
		if !ok {
			readOnly()
		}
		return c
	}
	at := func(a []val) val {
		l, ok := a[0].R.(csharp.Lister)
		if i := a[1].Int(); !ok || i < 0 || i >= l.Len() {
			outOfRange()
		}
		return l.At(a[1].Int())
	}
	return []def{
		{Decl: "interface IEnumerable<T>", Known: csharp.EnumerableDecl, Is: is[csharp.Seq]},
		{Decl: "extend IReadOnlyCollection<T> : IEnumerable<T>", Members: []member{f("int Count", pure(count))}},
		{Decl: "extend IReadOnlyList<T> : IReadOnlyCollection<T>, IEnumerable<T>", Members: []member{f("int Count", pure(count)), f("T this[int index]", pure(at))}},
		{Decl: "extend ICollection<T> : IEnumerable<T>", Members: []member{
			f("int Count", pure(count)),
			f("bool IsReadOnly", pure(func(a []val) val { return yes(!is[collection](a[0].R)) })),
			f("void Add(T item)", func(m *mach, a []val) val { own(a).add(m, a[1]); return val{} }),
			f("void Clear()", pure(func(a []val) val { own(a).clear(); return val{} })),
			g("bool Contains(T item)", func(t []*typ) csharp.Fn {
				key := keyOf(t[0])
				return func(m *mach, a []val) val { return yes(contains(m, a[0], key, a[1])) }
			}),
			g("bool Remove(T item)", func(t []*typ) csharp.Fn {
				key := keyOf(t[0])
				return func(_ *mach, a []val) val { return yes(own(a).remove(key, a[1])) }
			}),
		}},
		{Decl: "extend IList<T> : ICollection<T>, IEnumerable<T>", Members: []member{
			fs("T this[int index]", pure(at), pure(func(a []val) val {
				switch l := a[0].R.(type) {
				case *list:
					l.set(a[1].Int(), a[2])
				case *csharp.Array:
					if i := a[1].Int(); i < 0 || i >= l.Len() {
						outOfRange()
					}
					l.Put(a[1].Int(), a[2])
				default:
					readOnly()
				}
				return val{}
			})),
			g("int IndexOf(T item)", func(t []*typ) csharp.Fn {
				key := keyOf(t[0])
				return func(m *mach, a []val) val {
					hit := -1
					each(m, a[0], "source", func(i int, x val) bool {
						if key(x) == key(a[1]) {
							hit = i
						}
						return hit < 0
					})
					return num(hit)
				}
			}),
			f("void RemoveAt(int index)", pure(func(a []val) val {
				l, ok := a[0].R.(*list)
				if !ok {
					readOnly()
				}
				l.removeAt(a[1].Int(), 1)
				return val{}
			})),
			f("void Insert(int index, T item)", func(m *mach, a []val) val {
				l, ok := a[0].R.(*list)
				if !ok {
					readOnly()
				}
				l.insert(m, a[1].Int(), a[2])
				return val{}
			}),
		}},
		{Decl: "interface ISet<T> : ICollection<T>", Namespace: collections, Is: is[*set]},
		{Decl: "interface IEnumerator<T> : IDisposable", Namespace: collections, Is: is[*enumerator], Members: []member{
			f("bool MoveNext()", pure(func(a []val) val {
				e := self[*enumerator](a)
				v, ok := e.next()
				e.current = v
				return yes(ok)
			})),
			f("T Current", pure(func(a []val) val { return self[*enumerator](a).current })),
		}},
		{Decl: "static class CollectionExtensions", Namespace: collections, Members: []member{
			f("IEnumerator<T> GetEnumerator<T>(this IEnumerable<T> source)", func(m *mach, a []val) val {
				seq, ok := a[0].R.(csharp.Seq)
				if !ok {
					csharp.ThrowNull("source")
				}
				return ref(&enumerator{next: seq.Iter(m)})
			}),
		}},
	}
}

type enumerator struct {
	next    func() (val, bool)
	current val
}
