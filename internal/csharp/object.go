package csharp

import "unicode/utf8"

// Array is T[]. An array of bytes keeps them in Bytes, any other array its elements in Items.
type Array struct {
	Elem  *Type
	Items []Value
	Bytes []byte
}

// NewArray makes an array of n default elements.
func NewArray(elem *Type, n int) *Array {
	if elem.Kind == KindByte {
		return &Array{Elem: elem, Bytes: make([]byte, n)}
	}
	return &Array{Elem: elem, Items: make([]Value, n)}
}

// BytesValue makes a byte[] of b.
func BytesValue(b []byte) Value { return Ref(&Array{Elem: Byte, Bytes: b}) }

// Strings makes a string[] of ss.
func Strings(ss []string) Value {
	a := NewArray(StringT, len(ss))
	for i, s := range ss {
		a.Items[i] = String(s)
	}
	return Ref(a)
}

// NetType implements Typed.
func (a *Array) NetType() *Type { return ArrayOf(a.Elem) }

// Len is the number of elements.
func (a *Array) Len() int {
	if a.Elem.Kind == KindByte {
		return len(a.Bytes)
	}
	return len(a.Items)
}

// At is the element at i, which must exist.
func (a *Array) At(i int) Value {
	if a.Elem.Kind == KindByte {
		return Value{N: uint64(a.Bytes[i])}
	}
	return a.Items[i]
}

// Put assigns the element at i, which must exist.
func (a *Array) Put(i int, v Value) {
	if a.Elem.Kind == KindByte {
		a.Bytes[i] = byte(v.N)
		return
	}
	a.Items[i] = v
}

// Iter implements Seq.
func (a *Array) Iter(*Machine) func() (Value, bool) {
	i := 0
	return func() (Value, bool) {
		if i >= a.Len() {
			return Value{}, false
		}
		i++
		return a.At(i - 1), true
	}
}

// Seq is what implements IEnumerable<T>. Each Iter begins anew; the values are of the sequence's element type.
type Seq interface {
	Iter(m *Machine) func() (Value, bool)
}

// Lister is a Seq that knows its length and gives any element at once.
type Lister interface {
	Seq
	Len() int
	At(i int) Value
}

// SeqFunc makes a Seq of a function that begins an iteration.
type SeqFunc func(m *Machine) func() (Value, bool)

// Iter implements Seq.
func (s SeqFunc) Iter(m *Machine) func() (Value, bool) { return s(m) }

// Chars is a string as IEnumerable<char>: the units of UTF-16.
type Chars string

// NetType implements Typed.
func (Chars) NetType() *Type { return StringT }

// NetString implements Texter.
func (c Chars) NetString() string { return string(c) }

// Iter implements Seq.
func (c Chars) Iter(*Machine) func() (Value, bool) {
	rest, low := string(c), rune(-1)
	return func() (Value, bool) {
		if low >= 0 {
			r := low
			low = -1
			return Value{N: uint64(r)}, true
		}
		if rest == "" {
			return Value{}, false
		}
		r, w := utf8.DecodeRuneInString(rest)
		rest = rest[w:]
		if r > 0xFFFF {
			low = 0xDC00 + (r-0x10000)&0x3FF
			r = 0xD800 + (r-0x10000)>>10
		}
		return Value{N: uint64(r)}, true
	}
}

// mapped is a sequence whose elements are converted on the way: IEnumerable<string> seen as IEnumerable<object>.
type mapped struct {
	from Seq
	conv func(Value) Value
}

func (s mapped) Iter(m *Machine) func() (Value, bool) {
	next := s.from.Iter(m)
	return func() (Value, bool) {
		v, ok := next()
		if ok {
			v = s.conv(v)
		}
		return v, ok
	}
}

// KV is a KeyValuePair<K,V>.
type KV struct {
	T          *Type
	Key, Value Value
}

// NetHeight implements Nested.
func (k *KV) NetHeight() int { return HeightOf(k.Key, k.Value) }

// NetType implements Typed.
func (k *KV) NetType() *Type { return k.T }

// NetString implements Texter.
func (k *KV) NetString() string {
	return "[" + Text(k.Key, k.T.Args[0]) + ", " + Text(k.Value, k.T.Args[1]) + "]"
}

// Anon is an object of an anonymous type.
type Anon struct {
	T *Type
	V []Value
	h int
}

// NetHeight implements Nested.
func (a *Anon) NetHeight() int { return a.h }

// NetType implements Typed.
func (a *Anon) NetType() *Type { return a.T }

// NetString implements Texter.
func (a *Anon) NetString() string {
	s := "{ "
	for i, n := range a.T.anon.names {
		if i > 0 {
			s += ", "
		}
		s += n + " = " + Text(a.V[i], a.T.anon.types[i])
	}
	return s + " }"
}

// Members gives the names, the types and the values of an anonymous object.
func (a *Anon) Members() ([]string, []*Type, []Value) { return a.T.anon.names, a.T.anon.types, a.V }

// Func is a delegate.
type Func struct {
	T      *Type
	code   *code
	up     []*Value
	native func(m *Machine, a []Value) Value
}

// NetType implements Typed.
func (fn *Func) NetType() *Type { return fn.T }

// Native makes a delegate of a Go function.
func Native(t *Type, f func(m *Machine, a []Value) Value) Value { return Ref(&Func{T: t, native: f}) }

// code is a compiled function: its parameters are its first variables.
type code struct {
	params int
	slots  int
	cells  []int // parameters that lambdas inside capture
	body   func(f *Frame) Value
}

// Call0 invokes a delegate without arguments.
func (m *Machine) Call0(d Value) Value {
	a := m.push(0)
	return m.invoke(d, a)
}

// Call1 invokes a delegate with one argument.
func (m *Machine) Call1(d, x Value) Value {
	a := m.push(1)
	a[0] = x
	v := m.invoke(d, a)
	m.pop(1)
	return v
}

// Call2 invokes a delegate with two arguments.
func (m *Machine) Call2(d, x, y Value) Value {
	a := m.push(2)
	a[0], a[1] = x, y
	v := m.invoke(d, a)
	m.pop(2)
	return v
}

func (m *Machine) invoke(d Value, a []Value) Value {
	fn, ok := d.R.(*Func)
	if !ok {
		throwNullReference()
	}
	m.Step()
	if fn.native != nil {
		return fn.native(m, a)
	}
	f := m.enter(fn.code.slots)
	f.up = fn.up
	copy(f.l, a)
	for _, i := range fn.code.cells {
		f.l[i] = Value{R: &Value{N: f.l[i].N, S: f.l[i].S, R: f.l[i].R}}
	}
	v := fn.code.body(f)
	m.leave()
	return v
}
