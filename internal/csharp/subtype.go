package csharp

import "slices"

// supers lists t, its base classes and all of its interfaces, nearest first. Object is not among them.
func (l *Library) supers(t *Type) []*Type {
	if info := l.info(t); info == nil || info.self != t || len(t.Args) > 0 {
		return l.findSupers(t)
	}
	if known, ok := l.known.Load(t); ok {
		return known.([]*Type)
	}
	found := slices.Clip(l.findSupers(t))
	l.known.Store(t, found)
	return found
}

func (l *Library) findSupers(t *Type) []*Type {
	out := make([]*Type, 0, 8)
	seen := func(t *Type) bool {
		for _, o := range out {
			if o.Is(t) {
				return true
			}
		}
		return false
	}
	var ifaces func(t *Type)
	visit := func(t *Type) {
		if !seen(t) {
			out = append(out, t)
			ifaces(t)
		}
	}
	ifaces = func(t *Type) {
		if t.Kind == KindArray {
			if info := l.types["Array`0"]; info != nil {
				visit(info.self)
			}
			e := t.Args
			visit(Generic(listDecl, e...))
			visit(Generic(roListDecl, e...))
			return
		}
		if info := l.info(t); info != nil {
			for _, i := range info.ifaces {
				visit(i.subst(t.Args, nil))
			}
		}
	}
	var chain []*Type
	for c := t; c != nil; {
		chain = append(chain, c)
		out = append(out, c)
		info := l.info(c)
		if info == nil || info.base == nil {
			break
		}
		c = info.base.subst(c.Args, nil)
	}
	for _, c := range chain {
		ifaces(c)
	}
	return out
}

// as finds the type among t's supertypes that d declares: as(List<int>, IEnumerable) is IEnumerable<int>.
func (l *Library) as(t *Type, d *Decl) *Type {
	if t.Decl == d {
		return t
	}
	for _, s := range l.supers(t) {
		if s.Decl == d {
			return s
		}
	}
	return nil
}

// Element gives the element type of a sequence type, nil when t is none.
func (l *Library) Element(t *Type) *Type {
	if t.Kind == KindString {
		return CharT
	}
	if s := l.as(t, EnumerableDecl); s != nil {
		return s.Args[0]
	}
	return nil
}

// subtype tells whether every non-null t is a u: identity, inheritance, interfaces, variance.
func (l *Library) subtype(t, u *Type) bool {
	if t.Is(u) || u.Kind == KindObject {
		return true
	}
	for _, s := range l.supers(t) {
		if s.Is(u) {
			return true
		}
		if s.Decl == nil || s.Decl != u.Decl || len(s.Args) == 0 || !variant(u.Decl) {
			continue
		}
		ok := true
		for i := range s.Args {
			a, b := s.Args[i], u.Args[i]
			if a.Is(b) {
				continue
			}
			// Only the last argument of these types is covariant: the result of a function, the value of a map.
			if i != len(s.Args)-1 || !a.Reference() || !b.Reference() || !l.subtype(a, b) {
				ok = false
				break
			}
		}
		if ok {
			return true
		}
	}
	if t.Kind == KindArray && u.Kind == KindArray {
		a, b := t.Args[0], u.Args[0]
		return a.Reference() && b.Reference() && a.Kind != KindString && l.subtype(a, b)
	}
	return false
}

func variant(d *Decl) bool {
	return d == EnumerableDecl || d == roListDecl || d == roCollection || d.Kind == KindDelegate && d.Name == "Func" || d.Name == "IGrouping" || d.Name == "IOrderedEnumerable"
}

// instance tells whether a non-null object is of type t.
func (l *Library) instance(r any, t *Type) bool {
	switch t.Kind {
	case KindObject:
		return true
	case KindNullable:
		return l.instance(r, t.Args[0])
	}
	if _, ok := unboxExact(r, t); ok {
		return true
	}
	if e, ok := r.(*Exception); ok {
		return t.Kind == KindClass && l.subtype(l.exceptionType(e.Name), t)
	}
	o, typed := r.(Typed)
	if info := l.info(t); info != nil && info.is != nil && !(typed && len(t.Args) > 0) && info.is(r) {
		return true
	}
	if s := simple(r); s != nil {
		return t.Kind == KindInterface && l.subtype(s, t)
	}
	return typed && l.subtype(o.NetType(), t)
}

// exceptionType is the declared type of an exception, Exception itself when the library has none of that name.
func (l *Library) exceptionType(name string) *Type {
	if info := l.types[arity(name, 0)]; info != nil {
		return info.self
	}
	return ExceptionT
}

// Unbox converts an object to t as a C# cast of an object does: exactly, or with InvalidCastException.
func (l *Library) Unbox(r any, t *Type) Value {
	if r == nil {
		if !t.Reference() && t.Kind != KindNullable {
			throwNullReference()
		}
		return Value{}
	}
	switch t.Kind {
	case KindObject, KindBad:
		return Value{R: r}
	case KindNullable:
		if !l.instance(r, t.Args[0]) {
			throwCast(r, t.Args[0])
		}
		return Value{R: r}
	}
	if v, ok := unboxExact(r, t); ok {
		return v
	}
	if e, ok := r.(Enum); ok && t.integral() { // an enum unboxes to its underlying int
		if t.Kind == KindInt {
			return Long(e.N)
		}
	}
	if i, ok := r.(int32); ok && t.Kind == KindEnum {
		return Long(int64(i))
	}
	if !l.instance(r, t) {
		throwCast(r, t)
	}
	if s, ok := r.(string); ok {
		return Value{R: Chars(s)}
	}
	if t.Decl == EnumerableDecl {
		if o, ok := r.(Typed); ok {
			if from := l.Element(o.NetType()); from != nil && !from.Is(t.Args[0]) {
				return l.mapSeq(Value{R: r}, from, t.Args[0])
			}
		}
	}
	return Value{R: r}
}

// mapSeq sees a sequence of references as one of a supertype; only the form of strings differs.
func (l *Library) mapSeq(v Value, from, to *Type) Value {
	if (from.Kind == KindString) == (to.Kind == KindString) || v.R == nil {
		return v
	}
	return Value{R: mapped{v.R.(Seq), func(v Value) Value {
		if to.Kind == KindString {
			return l.Unbox(v.R, to)
		}
		return Value{R: Box(v, from)}
	}}}
}
