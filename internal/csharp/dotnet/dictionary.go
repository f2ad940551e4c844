package dotnet

import (
	"slices"

	"tandem/internal/csharp"
)

// Dict is a Dictionary<K,V> that keeps the order of insertion, as .NET's does while nothing is removed.
type Dict struct {
	t       *typ
	key     func(val) any
	entries []entry
	index   map[any]int
	version int
}

type entry struct {
	key, value val
}

// dictDecl is the identity of Dictionary<K,V>.
var dictDecl = &csharp.Decl{Name: "Dictionary", Namespace: collections, Params: []string{"TKey", "TValue"}, Kind: csharp.KindClass}

// NewDict makes a Dictionary<key, value>; with fold set its string keys are compared without case.
func NewDict(key, value *csharp.Type, fold bool) *Dict {
	return newDict(csharp.Generic(dictDecl, key, value), foldKey(keyOf(key), fold))
}

func foldKey(key func(val) any, fold bool) func(val) any {
	if !fold {
		return key
	}
	return func(v val) any { return upper(v.S) }
}

func newDict(t *typ, key func(val) any) *Dict {
	return &Dict{t: t, key: key, index: map[any]int{}}
}

// readOnlyDict is the identity of IReadOnlyDictionary<K,V>.
var readOnlyDict = &csharp.Decl{Name: "IReadOnlyDictionary", Namespace: collections, Params: []string{"TKey", "TValue"}, Kind: csharp.KindInterface}

// NetType implements csharp.Typed.
func (d *Dict) NetType() *typ { return d.t }

// Len is the number of entries.
func (d *Dict) Len() int { return len(d.entries) }

// Get finds the value of a key.
func (d *Dict) Get(k val) (val, bool) {
	i, ok := d.index[d.key(k)]
	if !ok {
		return val{}, false
	}
	return d.entries[i].value, true
}

// Set puts a value under a key, in the place of an old one.
func (d *Dict) Set(k, v val) {
	key := d.key(k)
	if key == nil {
		csharp.ThrowNull("key")
	}
	d.version++
	if i, ok := d.index[key]; ok {
		d.entries[i].value = v
		return
	}
	d.index[key] = len(d.entries)
	d.entries = append(d.entries, entry{k, v})
}

// Delete removes a key.
func (d *Dict) Delete(k val) bool {
	key := d.key(k)
	i, ok := d.index[key]
	if !ok {
		return false
	}
	d.version++
	delete(d.index, key)
	d.entries = slices.Delete(d.entries, i, i+1)
	for j := i; j < len(d.entries); j++ {
		d.index[d.key(d.entries[j].key)] = j
	}
	return true
}

// Each walks the entries in order.
func (d *Dict) Each(fn func(k, v val)) {
	for _, e := range d.entries {
		fn(e.key, e.value)
	}
}

func (d *Dict) walk(pick func(e entry) val) csharp.SeqFunc {
	return func(*mach) func() (val, bool) {
		i, version := 0, d.version
		return func() (val, bool) {
			if d.version != version {
				csharp.Throw("InvalidOperationException", "Collection was modified; enumeration operation may not execute.")
			}
			if i >= len(d.entries) {
				return val{}, false
			}
			i++
			return pick(d.entries[i-1]), true
		}
	}
}

// Iter implements csharp.Seq over KeyValuePairs.
func (d *Dict) Iter(m *mach) func() (val, bool) {
	t := csharp.Generic(csharp.KeyValueDecl, d.t.Args...)
	return d.walk(func(e entry) val { m.Charge(96); return ref(&csharp.KV{T: t, Key: e.key, Value: e.value}) })(m)
}

func (d *Dict) add(m *mach, x val) {
	if kv, ok := x.R.(*csharp.KV); ok {
		d.insert(m, kv.Key, kv.Value)
	}
}

func (d *Dict) insert(m *mach, k, v val) {
	m.Charge(160)
	key := d.key(k)
	if key == nil {
		csharp.ThrowNull("key")
	}
	if _, ok := d.index[key]; ok {
		csharp.Throw("ArgumentException", "An item with the same key has already been added. Key: "+csharp.Text(k, d.t.Args[0]))
	}
	d.Set(k, v)
}

func (d *Dict) clear() {
	d.version++
	d.entries, d.index = nil, map[any]int{}
}

func (d *Dict) remove(_ func(val) any, x val) bool {
	kv, ok := x.R.(*csharp.KV)
	return ok && d.Delete(kv.Key)
}

// keysOf and valuesOf are views of a dictionary that know their number.
type view struct {
	d    *Dict
	pick func(e entry) val
}

func (v view) Len() int                        { return len(v.d.entries) }
func (v view) At(i int) val                    { return v.pick(v.d.entries[i]) }
func (v view) Iter(m *mach) func() (val, bool) { return v.d.walk(v.pick)(m) }

func dictionaryTypes() []def {
	me := self[*Dict]
	made := func(t []*typ) *Dict { return newDict(csharp.Generic(dictDecl, t...), keyOf(t[0])) }
	comparing := func(t []*typ, c val) *Dict {
		d := made(t)
		if cmp, ok := c.R.(*comparer); ok && t[0].Kind == csharp.KindString {
			d.key = func(v val) any {
				if v.NullString() {
					return nil
				}
				return cmp.key(v.S)
			}
		}
		return d
	}
	fill := func(m *mach, d *Dict, from val, param string) val {
		each(m, from, param, func(_ int, x val) bool { d.add(m, x); return true })
		return ref(d)
	}
	get := pure(func(a []val) val {
		v, ok := me(a).Get(a[1])
		if !ok {
			if me(a).key(a[1]) == nil {
				csharp.ThrowNull("key")
			}
			csharp.Throw("System.Collections.Generic.KeyNotFoundException", "The given key '"+csharp.Text(a[1], me(a).t.Args[0])+"' was not present in the dictionary.")
		}
		return v
	})
	reads := func(own ...member) []member {
		return append(own,
			f("int Count", pure(func(a []val) val { return num(me(a).Len()) })),
			f("bool ContainsKey(TKey key)", pure(func(a []val) val { _, ok := me(a).Get(a[1]); return yes(ok) })),
			f("bool TryGetValue(TKey key, out TValue value)", pure(func(a []val) val {
				v, ok := me(a).Get(a[1])
				a[2] = v
				return yes(ok)
			})),
			f("ICollection<TKey> Keys", pure(func(a []val) val { return ref(view{me(a), func(e entry) val { return e.key }}) })),
			f("ICollection<TValue> Values", pure(func(a []val) val { return ref(view{me(a), func(e entry) val { return e.value }}) })),
		)
	}
	put := pure(func(a []val) val { me(a).Set(a[1], a[2]); return val{} })
	writes := func() []member {
		return append(reads(
			f("TValue GetValueOrDefault(TKey key)", pure(func(a []val) val { v, _ := me(a).Get(a[1]); return v })),
			f("TValue GetValueOrDefault(TKey key, TValue defaultValue)", pure(func(a []val) val {
				if v, ok := me(a).Get(a[1]); ok {
					return v
				}
				return a[2]
			}))),
			fs("TValue this[TKey key]", get, func(m *mach, a []val) val { m.Charge(160); return put(m, a) }),
			f("void Add(TKey key, TValue value)", func(m *mach, a []val) val { me(a).insert(m, a[1], a[2]); return val{} }),
			f("bool TryAdd(TKey key, TValue value)", func(m *mach, a []val) val {
				if _, ok := me(a).Get(a[1]); ok {
					return yes(false)
				}
				me(a).insert(m, a[1], a[2])
				return yes(true)
			}),
			f("bool Remove(TKey key)", func(m *mach, a []val) val {
				m.Steps(len(me(a).entries)) // the entries behind move up
				return yes(me(a).Delete(a[1]))
			}),
			f("void Clear()", pure(func(a []val) val { me(a).clear(); return val{} })),
		)
	}
	ctors := []member{
		g("new()", func(t []*typ) csharp.Fn { return func(*mach, []val) val { return ref(made(t)) } }),
		g("new(int capacity)", func(t []*typ) csharp.Fn { return func(*mach, []val) val { return ref(made(t)) } }),
		g("new(IEqualityComparer<TKey> comparer)", func(t []*typ) csharp.Fn {
			return func(_ *mach, a []val) val { return ref(comparing(t, a[0])) }
		}),
		g("new(IDictionary<TKey, TValue> dictionary)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return fill(m, made(t), a[0], "dictionary") }
		}),
		g("new(IDictionary<TKey, TValue> dictionary, IEqualityComparer<TKey> comparer)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return fill(m, comparing(t, a[1]), a[0], "dictionary") }
		}),
		f("bool ContainsValue(TValue value)", pure(func(a []val) val {
			d := me(a)
			key := keyOf(d.t.Args[1])
			return yes(slices.ContainsFunc(d.entries, func(e entry) bool { return key(e.value) == key(a[1]) }))
		})),
	}
	return []def{
		{Decl: "struct KeyValuePair<TKey, TValue>", Known: csharp.KeyValueDecl, Members: []member{
			f("TKey Key", pure(func(a []val) val { kv, _ := a[0].R.(*csharp.KV); return kvOr(kv).Key })),
			f("TValue Value", pure(func(a []val) val { kv, _ := a[0].R.(*csharp.KV); return kvOr(kv).Value })),
			g("new(TKey key, TValue value)", func(t []*typ) csharp.Fn {
				kt := csharp.Generic(csharp.KeyValueDecl, t...)
				return func(_ *mach, a []val) val {
					csharp.HeightOf(a...)
					return ref(&csharp.KV{T: kt, Key: a[0], Value: a[1]})
				}
			}),
		}},
		{Decl: "interface IReadOnlyDictionary<TKey, TValue> : IReadOnlyCollection<KeyValuePair<TKey, TValue>>, IEnumerable<KeyValuePair<TKey, TValue>>",
			Known: readOnlyDict, Members: append(reads(), f("TValue this[TKey key]", get))},
		{Decl: "interface IDictionary<TKey, TValue> : ICollection<KeyValuePair<TKey, TValue>>, IEnumerable<KeyValuePair<TKey, TValue>>",
			Namespace: collections, Members: writes()},
		{Decl: "class Dictionary<TKey, TValue> : IDictionary<TKey, TValue>, IReadOnlyDictionary<TKey, TValue>, IEnumerable<KeyValuePair<TKey, TValue>>",
			Known: dictDecl, Members: append(writes(), ctors...)},
	}
}

func kvOr(kv *csharp.KV) *csharp.KV {
	if kv == nil {
		return &csharp.KV{}
	}
	return kv
}
