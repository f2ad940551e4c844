package dotnet

import (
	"slices"

	"tandem/internal/csharp"
)

// list is a List<T>.
type list struct {
	t       *typ // the list's own type
	items   []val
	version int
}

// listDecl is the identity of List<T>.
var listDecl = &csharp.Decl{Name: "List", Namespace: collections, Params: []string{"T"}, Kind: csharp.KindClass}

// NewList makes a List<elem>.
func NewList(elem *csharp.Type, items []csharp.Value) csharp.Value {
	return ref(&list{t: csharp.Generic(listDecl, elem), items: items})
}

// NetType implements csharp.Typed.
func (l *list) NetType() *typ { return l.t }

// Len and At implement csharp.Lister.
func (l *list) Len() int     { return len(l.items) }
func (l *list) At(i int) val { return l.items[i] }

// Iter implements csharp.Seq; a change of the list while it is walked throws.
func (l *list) Iter(*mach) func() (val, bool) {
	i, version := 0, l.version
	return func() (val, bool) {
		if l.version != version {
			csharp.Throw("InvalidOperationException", "Collection was modified; enumeration operation may not execute.")
		}
		if i >= len(l.items) {
			return val{}, false
		}
		i++
		return l.items[i-1], true
	}
}

func (l *list) add(m *mach, x val) {
	m.Charge(40)
	l.version++
	l.items = append(l.items, x)
}

func (l *list) clear() {
	l.version++
	l.items = nil
}

func (l *list) remove(key func(val) any, x val) bool {
	want := key(x)
	i := slices.IndexFunc(l.items, func(y val) bool { return key(y) == want })
	if i >= 0 {
		l.removeAt(i, 1)
	}
	return i >= 0
}

func (l *list) removeAt(i, n int) {
	if i < 0 || n < 0 || i+n > len(l.items) {
		outOfRange()
	}
	l.version++
	l.items = slices.Delete(l.items, i, i+n)
}

func (l *list) insert(m *mach, i int, xs ...val) {
	if i < 0 || i > len(l.items) {
		outOfRange()
	}
	m.Charge(40 * len(xs))
	l.version++
	l.items = slices.Insert(l.items, i, xs...)
}

func (l *list) set(i int, x val) {
	if i < 0 || i >= len(l.items) {
		outOfRange()
	}
	l.version++
	l.items[i] = x
}

func (l *list) rng(i, n int) []val {
	if i < 0 || n < 0 {
		outOfRange()
	}
	if i+n > len(l.items) {
		csharp.Throw("ArgumentException", "Offset and length were out of bounds for the array or count is greater than the number of elements from index to the end of the source collection.")
	}
	return l.items[i : i+n]
}

func listTypes() []def {
	me := self[*list]
	like := func(a []val, items []val) val { return ref(&list{t: me(a).t, items: items}) }
	holds := func(m *mach, pred, x val) bool { m.Step(); return m.Call1(pred, x).N != 0 }
	index := func(m *mach, items []val, pred val) int {
		return slices.IndexFunc(items, func(x val) bool { return holds(m, pred, x) })
	}
	made := func(t []*typ, items []val) val { return ref(&list{t: csharp.Generic(listDecl, t[0]), items: items}) }
	sorted := func(t []*typ, order func(m *mach, a []val) func(x, y val) int) csharp.Fn {
		return func(m *mach, a []val) val {
			l := me(a)
			l.version++
			by := order(m, a)
			slices.SortFunc(l.items, func(x, y val) int { m.Step(); return by(x, y) })
			return val{}
		}
	}
	rows := []member{
		g("new()", func(t []*typ) csharp.Fn { return func(*mach, []val) val { return made(t, nil) } }),
		g("new(int capacity)", func(t []*typ) csharp.Fn { return func(*mach, []val) val { return made(t, nil) } }),
		g("new(IEnumerable<T> collection)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return made(t, gather(m, a[0], "collection")) }
		}),
		f("int Count", pure(func(a []val) val { return num(len(me(a).items)) })),
		fs("T this[int index]", pure(func(a []val) val {
			l, i := me(a), a[1].Int()
			if i < 0 || i >= len(l.items) {
				outOfRange()
			}
			return l.items[i]
		}), pure(func(a []val) val { me(a).set(a[1].Int(), a[2]); return val{} })),
		f("void Add(T item)", func(m *mach, a []val) val { me(a).add(m, a[1]); return val{} }),
		f("void AddRange(IEnumerable<T> collection)", func(m *mach, a []val) val {
			l := me(a)
			l.insert(m, len(l.items), gather(m, a[1], "collection")...)
			return val{}
		}),
		f("void Insert(int index, T item)", func(m *mach, a []val) val { me(a).insert(m, a[1].Int(), a[2]); return val{} }),
		f("void InsertRange(int index, IEnumerable<T> collection)", func(m *mach, a []val) val {
			me(a).insert(m, a[1].Int(), gather(m, a[2], "collection")...)
			return val{}
		}),
		f("void RemoveAt(int index)", pure(func(a []val) val { me(a).removeAt(a[1].Int(), 1); return val{} })),
		f("void RemoveRange(int index, int count)", pure(func(a []val) val {
			me(a).rng(a[1].Int(), a[2].Int())
			me(a).removeAt(a[1].Int(), a[2].Int())
			return val{}
		})),
		f("int RemoveAll(Predicate<T> match)", func(m *mach, a []val) val {
			l := me(a)
			before := len(l.items)
			l.version++
			l.items = slices.DeleteFunc(l.items, func(x val) bool { return holds(m, a[1], x) })
			return num(before - len(l.items))
		}),
		f("void Clear()", pure(func(a []val) val { me(a).clear(); return val{} })),
		f("T[] ToArray()", func(m *mach, a []val) val { return makeArray(m, me(a).t.Args[0], slices.Clone(me(a).items)) }),
		f("List<T> GetRange(int index, int count)", pure(func(a []val) val { return like(a, slices.Clone(me(a).rng(a[1].Int(), a[2].Int()))) })),
		f("void Reverse()", pure(func(a []val) val { me(a).version++; slices.Reverse(me(a).items); return val{} })),
		f("void ForEach(Action<T> action)", func(m *mach, a []val) val {
			for _, x := range me(a).items {
				m.Call1(a[1], x)
			}
			return val{}
		}),
		f("bool Exists(Predicate<T> match)", func(m *mach, a []val) val { return yes(index(m, me(a).items, a[1]) >= 0) }),
		f("bool TrueForAll(Predicate<T> match)", func(m *mach, a []val) val {
			return yes(!slices.ContainsFunc(me(a).items, func(x val) bool { return !holds(m, a[1], x) }))
		}),
		f("T Find(Predicate<T> match)", func(m *mach, a []val) val {
			if i := index(m, me(a).items, a[1]); i >= 0 {
				return me(a).items[i]
			}
			return val{}
		}),
		f("List<T> FindAll(Predicate<T> match)", func(m *mach, a []val) val {
			var out []val
			for _, x := range me(a).items {
				if holds(m, a[1], x) {
					out = append(out, x)
				}
			}
			return like(a, out)
		}),
		f("int FindIndex(Predicate<T> match)", func(m *mach, a []val) val { return num(index(m, me(a).items, a[1])) }),
		g("List<TOutput> ConvertAll<TOutput>(Converter<T, TOutput> converter)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val {
				var out []val
				for _, x := range me(a).items {
					m.Charge(40)
					out = append(out, m.Call1(a[1], x))
				}
				return made(t[1:], out)
			}
		}),
		g("void Sort()", func(t []*typ) csharp.Fn {
			return sorted(t, func(*mach, []val) func(x, y val) int { return compareFor(t[0]) })
		}),
		g("void Sort(Comparison<T> comparison)", func(t []*typ) csharp.Fn {
			return sorted(t, func(m *mach, a []val) func(x, y val) int {
				return func(x, y val) int { return m.Call2(a[1], x, y).Int() }
			})
		}),
		g("bool Contains(T item)", func(t []*typ) csharp.Fn {
			eq := equalFor(t[0])
			return func(m *mach, a []val) val {
				return yes(slices.ContainsFunc(me(a).items, func(x val) bool { m.Step(); return eq(x, a[1]) }))
			}
		}),
		g("bool Remove(T item)", func(t []*typ) csharp.Fn {
			key := keyOf(t[0])
			return func(_ *mach, a []val) val { return yes(me(a).remove(key, a[1])) }
		}),
		g("int IndexOf(T item)", func(t []*typ) csharp.Fn {
			eq := equalFor(t[0])
			return func(_ *mach, a []val) val {
				return num(slices.IndexFunc(me(a).items, func(x val) bool { return eq(x, a[1]) }))
			}
		}),
	}
	return []def{{Decl: "class List<T> : IList<T>, ICollection<T>, IReadOnlyList<T>, IReadOnlyCollection<T>, IEnumerable<T>", Known: listDecl, Members: rows}}
}

func makeArray(m *mach, elem *typ, items []val) val {
	if elem.Kind == csharp.KindByte {
		a := csharp.NewArray(elem, len(items))
		for i, x := range items {
			a.Put(i, x)
		}
		return ref(a)
	}
	m.Charge(40 * len(items))
	return ref(&csharp.Array{Elem: elem, Items: items})
}
