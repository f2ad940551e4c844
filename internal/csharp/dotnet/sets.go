package dotnet

import (
	"slices"

	"tandem/internal/csharp"
)

// setDecl is the identity of HashSet<T>.
var setDecl = &csharp.Decl{Name: "HashSet", Namespace: collections, Params: []string{"T"}, Kind: csharp.KindClass}

// set is a HashSet<T>, in order of insertion.
type set struct {
	t     *typ
	key   func(val) any
	has   map[any]bool
	items []val
}

func (s *set) NetType() *typ { return s.t }
func (s *set) Len() int      { return len(s.items) }
func (s *set) At(i int) val  { return s.items[i] }
func (s *set) Iter(*mach) func() (val, bool) {
	return iterate(slices.Clone(s.items))
}

func (s *set) insert(m *mach, x val) bool {
	k := s.key(x)
	if s.has[k] {
		return false
	}
	m.Charge(100)
	s.has[k] = true
	s.items = append(s.items, x)
	return true
}

func (s *set) add(m *mach, x val) { s.insert(m, x) }
func (s *set) clear()             { s.items, s.has = nil, map[any]bool{} }
func (s *set) remove(_ func(val) any, x val) bool {
	k := s.key(x)
	if !s.has[k] {
		return false
	}
	delete(s.has, k)
	s.items = slices.DeleteFunc(s.items, func(y val) bool { return s.key(y) == k })
	return true
}

func setTypes() []def {
	me := self[*set]
	made := func(t []*typ, c val) *set {
		s := &set{t: csharp.Generic(setDecl, t[0]), key: keyOf(t[0]), has: map[any]bool{}}
		if cmp, ok := c.R.(*comparer); ok && t[0].Kind == csharp.KindString {
			s.key = func(v val) any { return cmp.key(v.S) }
		}
		return s
	}
	fill := func(m *mach, s *set, from val) val {
		each(m, from, "collection", func(_ int, x val) bool { s.insert(m, x); return true })
		return ref(s)
	}
	other := func(m *mach, a []val) *set {
		o := &set{key: me(a).key, has: map[any]bool{}}
		fill(m, o, a[1])
		return o
	}
	within := func(x, y *set) bool {
		return !slices.ContainsFunc(x.items, func(v val) bool { return !y.has[y.key(v)] })
	}
	test := func(name string, ok func(s, o *set) bool) member {
		return f("bool "+name+"(IEnumerable<T> other)", func(m *mach, a []val) val { return yes(ok(me(a), other(m, a))) })
	}
	rows := []member{
		g("new()", func(t []*typ) csharp.Fn { return func(*mach, []val) val { return ref(made(t, val{})) } }),
		g("new(IEnumerable<T> collection)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return fill(m, made(t, val{}), a[0]) }
		}),
		g("new(IEqualityComparer<T> comparer)", func(t []*typ) csharp.Fn {
			return func(_ *mach, a []val) val { return ref(made(t, a[0])) }
		}),
		g("new(IEnumerable<T> collection, IEqualityComparer<T> comparer)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return fill(m, made(t, a[1]), a[0]) }
		}),
		f("int Count", pure(func(a []val) val { return num(len(me(a).items)) })),
		f("bool Add(T item)", func(m *mach, a []val) val { return yes(me(a).insert(m, a[1])) }),
		f("bool Contains(T item)", pure(func(a []val) val { return yes(me(a).has[me(a).key(a[1])]) })),
		f("bool Remove(T item)", pure(func(a []val) val { return yes(me(a).remove(nil, a[1])) })),
		f("void Clear()", pure(func(a []val) val { me(a).clear(); return val{} })),
		f("void UnionWith(IEnumerable<T> other)", func(m *mach, a []val) val { fill(m, me(a), a[1]); return val{} }),
		f("void IntersectWith(IEnumerable<T> other)", func(m *mach, a []val) val {
			o := other(m, a)
			for _, x := range slices.Clone(me(a).items) {
				if !o.has[o.key(x)] {
					me(a).remove(nil, x)
				}
			}
			return val{}
		}),
		f("void ExceptWith(IEnumerable<T> other)", func(m *mach, a []val) val {
			for _, x := range other(m, a).items {
				me(a).remove(nil, x)
			}
			return val{}
		}),
		test("IsSubsetOf", within),
		test("IsSupersetOf", func(s, o *set) bool { return within(o, s) }),
		test("SetEquals", func(s, o *set) bool { return within(s, o) && within(o, s) }),
		test("Overlaps", func(s, o *set) bool { return slices.ContainsFunc(s.items, func(v val) bool { return o.has[o.key(v)] }) }),
	}
	return append([]def{{Decl: "class HashSet<T> : ISet<T>, ICollection<T>, IReadOnlyCollection<T>, IEnumerable<T>", Known: setDecl, Members: rows}}, lines()...)
}

// lines are Queue<T> and Stack<T>; both are kept in a list, a stack with its top first.
func lines() []def {
	var out []def
	for _, k := range []struct{ name, push, pop, peek, empty string }{
		{"Queue", "Enqueue", "Dequeue", "Peek", "Queue empty."}, {"Stack", "Push", "Pop", "Peek", "Stack empty."}} {
		decl := &csharp.Decl{Name: k.name, Namespace: collections, Params: []string{"T"}, Kind: csharp.KindClass}
		me := self[*list]
		push := func(m *mach, l *list, x val) {
			if k.name == "Queue" {
				l.add(m, x)
				return
			}
			l.insert(m, 0, x)
		}
		first := func(a []val) val {
			if len(me(a).items) == 0 {
				csharp.Throw("InvalidOperationException", k.empty)
			}
			return me(a).items[0]
		}
		try := func(a []val, take bool) val {
			if len(me(a).items) == 0 {
				a[1] = val{}
				return yes(false)
			}
			a[1] = me(a).items[0]
			if take {
				me(a).removeAt(0, 1)
			}
			return yes(true)
		}
		out = append(out, def{Decl: "class " + k.name + "<T> : IReadOnlyCollection<T>, IEnumerable<T>", Known: decl, Members: []member{
			g("new()", func(t []*typ) csharp.Fn {
				return func(*mach, []val) val { return ref(&list{t: csharp.Generic(decl, t[0])}) }
			}),
			g("new(IEnumerable<T> collection)", func(t []*typ) csharp.Fn {
				return func(m *mach, a []val) val {
					l := &list{t: csharp.Generic(decl, t[0])}
					each(m, a[0], "collection", func(_ int, x val) bool { push(m, l, x); return true })
					return ref(l)
				}
			}),
			f("int Count", pure(func(a []val) val { return num(len(me(a).items)) })),
			f("void "+k.push+"(T item)", func(m *mach, a []val) val { push(m, me(a), a[1]); return val{} }),
			f("T "+k.pop+"()", func(m *mach, a []val) val {
				m.Steps(len(me(a).items) >> 6) // the items behind move up
				v := first(a)
				me(a).removeAt(0, 1)
				return v
			}),
			f("T "+k.peek+"()", pure(first)),
			f("bool Try"+k.pop+"(out T result)", pure(func(a []val) val { return try(a, true) })),
			f("bool Try"+k.peek+"(out T result)", pure(func(a []val) val { return try(a, false) })),
			f("void Clear()", pure(func(a []val) val { me(a).clear(); return val{} })),
			g("bool Contains(T item)", func(t []*typ) csharp.Fn {
				key := keyOf(t[0])
				return func(m *mach, a []val) val { return yes(contains(m, a[0], key, a[1])) }
			}),
			f("T[] ToArray()", func(m *mach, a []val) val { return makeArray(m, me(a).t.Args[0], slices.Clone(me(a).items)) }),
		}})
	}
	return out
}
