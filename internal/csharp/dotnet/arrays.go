package dotnet

import (
	"slices"

	"tandem/internal/csharp"
)

// items gives the elements of an array as values.
func items(v val, param string) []val {
	arr := array(v, param)
	if arr.Elem.Kind != csharp.KindByte {
		return arr.Items
	}
	out := make([]val, len(arr.Bytes))
	for i := range out {
		out[i] = arr.At(i)
	}
	return out
}

func arrayTypes() []def {
	holds := func(m *mach, pred, x val) bool { m.Step(); return m.Call1(pred, x).N != 0 }
	arr := func(a []val) *csharp.Array { return self[*csharp.Array](a) }
	copyTo := func(from *csharp.Array, i int, to *csharp.Array, j, n int) val {
		if i < 0 || j < 0 || n < 0 || i+n > from.Len() || j+n > to.Len() {
			csharp.Throw("ArgumentException", "Destination array was not long enough. Check the destination index, length, and the array's lower bounds. (Parameter 'destinationArray')")
		}
		if from.Elem.Kind == csharp.KindByte && to.Elem.Kind == csharp.KindByte {
			copy(to.Bytes[j:j+n], from.Bytes[i:i+n])
			return val{}
		}
		if !from.Elem.Is(to.Elem) {
			csharp.Throw("ArrayTypeMismatchException", "Source array type cannot be assigned to destination array type.")
		}
		copy(to.Items[j:j+n], from.Items[i:i+n])
		return val{}
	}
	sorter := func(t []*typ) csharp.Fn {
		by := compareFor(t[0])
		return func(m *mach, a []val) val {
			all := items(a[0], "array")
			slices.SortStableFunc(all, func(x, y val) int { m.Step(); return by(x, y) })
			for i, x := range all {
				array(a[0], "array").Put(i, x)
			}
			return val{}
		}
	}
	rows := []member{
		f("int Length", pure(func(a []val) val { return num(arr(a).Len()) })),
		f("long LongLength", pure(func(a []val) val { return csharp.Long(int64(arr(a).Len())) })),
		f("int Rank", pure(func([]val) val { return num(1) })),
		f("int GetLength(int dimension)", pure(func(a []val) val { return num(arr(a).Len()) })),
		f("object Clone()", pure(func(a []val) val {
			return ref(&csharp.Array{Elem: arr(a).Elem, Items: slices.Clone(arr(a).Items), Bytes: slices.Clone(arr(a).Bytes)})
		})),
		f("void CopyTo(Array array, int index)", pure(func(a []val) val { return copyTo(arr(a), 0, array(a[1], "array"), a[2].Int(), arr(a).Len()) })),
		f("object GetValue(int index)", pure(func(a []val) val {
			if i := a[1].Int(); i < 0 || i >= arr(a).Len() {
				csharp.Throw("IndexOutOfRangeException", "Index was outside the bounds of the array.")
			}
			return ref(csharp.Box(arr(a).At(a[1].Int()), arr(a).Elem))
		})),
		f("static bool Exists<T>(T[] array, Predicate<T> match)", func(m *mach, a []val) val {
			return yes(slices.ContainsFunc(items(a[0], "array"), func(x val) bool { return holds(m, a[1], x) }))
		}),
		f("static bool TrueForAll<T>(T[] array, Predicate<T> match)", func(m *mach, a []val) val {
			return yes(!slices.ContainsFunc(items(a[0], "array"), func(x val) bool { return !holds(m, a[1], x) }))
		}),
		f("static T Find<T>(T[] array, Predicate<T> match)", func(m *mach, a []val) val {
			for _, x := range items(a[0], "array") {
				if holds(m, a[1], x) {
					return x
				}
			}
			return val{}
		}),
		f("static T[] FindAll<T>(T[] array, Predicate<T> match)", func(m *mach, a []val) val {
			var out []val
			for _, x := range items(a[0], "array") {
				if holds(m, a[1], x) {
					out = append(out, x)
				}
			}
			return makeArray(m, array(a[0], "array").Elem, out)
		}),
		f("static int FindIndex<T>(T[] array, Predicate<T> match)", func(m *mach, a []val) val {
			return num(slices.IndexFunc(items(a[0], "array"), func(x val) bool { return holds(m, a[1], x) }))
		}),
		f("static void ForEach<T>(T[] array, Action<T> action)", func(m *mach, a []val) val {
			for _, x := range items(a[0], "array") {
				m.Call1(a[1], x)
			}
			return val{}
		}),
		g("static TOutput[] ConvertAll<TInput, TOutput>(TInput[] array, Converter<TInput, TOutput> converter)", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val {
				var out []val
				for _, x := range items(a[0], "array") {
					m.Charge(40)
					out = append(out, m.Call1(a[1], x))
				}
				return makeArray(m, t[1], out)
			}
		}),
		g("static int IndexOf<T>(T[] array, T value)", func(t []*typ) csharp.Fn {
			eq := equalFor(t[0])
			return func(_ *mach, a []val) val {
				return num(slices.IndexFunc(items(a[0], "array"), func(x val) bool { return eq(x, a[1]) }))
			}
		}),
		g("static void Sort<T>(T[] array)", sorter),
		f("static void Reverse(Array array)", pure(func(a []val) val {
			slices.Reverse(array(a[0], "array").Items)
			slices.Reverse(array(a[0], "array").Bytes)
			return val{}
		})),
		f("static void Copy(Array sourceArray, Array destinationArray, int length)", pure(func(a []val) val {
			return copyTo(array(a[0], "sourceArray"), 0, array(a[1], "destinationArray"), 0, a[2].Int())
		})),
		f("static void Copy(Array sourceArray, int sourceIndex, Array destinationArray, int destinationIndex, int length)", pure(func(a []val) val {
			return copyTo(array(a[0], "sourceArray"), a[1].Int(), array(a[2], "destinationArray"), a[3].Int(), a[4].Int())
		})),
		f("static void Clear(Array array, int index, int length)", pure(func(a []val) val {
			arr := array(a[0], "array")
			for i := max(0, a[1].Int()); i < min(arr.Len(), a[1].Int()+a[2].Int()); i++ {
				arr.Put(i, val{})
			}
			return val{}
		})),
		g("static T[] Empty<T>()", func(t []*typ) csharp.Fn {
			return func(*mach, []val) val { return ref(csharp.NewArray(t[0], 0)) }
		}),
	}
	return []def{
		{Decl: "class Array", Namespace: system, Is: is[*csharp.Array], Members: rows},
		{Decl: "static class Buffer", Namespace: system, Members: []member{
			f("static void BlockCopy(Array src, int srcOffset, Array dst, int dstOffset, int count)", pure(func(a []val) val {
				s, d := array(a[0], "src"), array(a[2], "dst")
				if s.Elem.Kind != csharp.KindByte || d.Elem.Kind != csharp.KindByte {
					csharp.Throw("ArgumentException", "Object must be an array of bytes.")
				}
				return copyTo(s, a[1].Int(), d, a[3].Int(), a[4].Int())
			})),
		}},
	}
}

// tuple is a Tuple<…>.
type tuple struct {
	t *typ
	v []val
	h int
}

func (t *tuple) NetType() *typ { return t.t }

// NetHeight implements csharp.Nested.
func (t *tuple) NetHeight() int { return t.h }

func (t *tuple) NetString() string {
	s := "("
	for i, v := range t.v {
		if i > 0 {
			s += ", "
		}
		s += csharp.Text(v, t.t.Args[i])
	}
	return s + ")"
}

func (t *tuple) NetKey() any {
	key := any("tuple")
	for i, v := range t.v {
		key = [2]any{key, keyOf(t.t.Args[i])(v)}
	}
	return key
}

func tupleTypes() []def {
	var out []def
	var makers []member
	params, sig := "", ""
	for n := 1; n <= 6; n++ {
		d := string(rune('0' + n))
		if n > 1 {
			params, sig = params+", ", sig+", "
		}
		params, sig = params+"T"+d, sig+"T"+d+" item"+d
		decl := &csharp.Decl{Name: "Tuple", Namespace: system, Kind: csharp.KindClass}
		for i := 1; i <= n; i++ {
			decl.Params = append(decl.Params, "T"+string(rune('0'+i)))
		}
		make := func(t []*typ) csharp.Fn {
			tt := csharp.Generic(decl, t...)
			return func(_ *mach, a []val) val { return ref(&tuple{tt, slices.Clone(a), csharp.HeightOf(a...)}) }
		}
		rows := []member{g("new("+sig+")", make)}
		for i := 1; i <= n; i++ {
			k := string(rune('0' + i))
			rows = append(rows, f("T"+k+" Item"+k, pure(func(a []val) val { return self[*tuple](a).v[i-1] })))
		}
		out = append(out, def{Decl: "class Tuple<" + params + ">", Known: decl, Members: rows})
		makers = append(makers, g("static Tuple<"+params+"> Create<"+params+">("+sig+")", make))
	}
	return append(out, def{Decl: "static class Tuple", Namespace: system, Members: makers})
}
