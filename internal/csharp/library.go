package csharp

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Library is a table of types with their members. It is immutable; With makes a larger one.
type Library struct {
	types      map[string]*typeInfo // by name`arity, short and full
	byDecl     map[*Decl]*typeInfo
	extensions map[string][]*member
	namespaces map[string]bool
	known      *sync.Map // supertypes of the types without arguments, found when first asked for
}

// TypeDef declares one type.
type TypeDef struct {
	// Decl is the head of the declaration as C# writes it, without a body: "class JObject : JContainer",
	// "interface IRequest", "struct DateTime", "static class Convert", "enum Kind", "delegate R Func<T, R>(T a)".
	// "extend string" adds members to a type that exists.
	Decl      string
	Namespace string
	// Is tells whether a non-null object is of this type, for casts, is, as and catch. It may be nil for static
	// classes, for generic types and where every object of the type is Typed.
	Is func(r any) bool
	// Values are the members of an enum in order: "None", or with a value "Compiled=8".
	Values  []string
	Members []Member
	// Known binds the declaration to an identity that the caller already has; nil makes a new one.
	Known *Decl
}

// Member declares one member by its C# signature:
//
//	int Length                                        a property or a field
//	static DateTime UtcNow                            a static one
//	string this[string key]                           an indexer
//	string Substring(int startIndex, int length)      a method
//	T As<T>(bool preserveContent = false)             a generic one with an optional parameter
//	static string Format(string format, params object[] args)
//	static bool TryParse(string s, out int result)
//	Jwt AsJwt(this string input)                      an extension method, of a static class
//	new(string value)                                 a constructor
//	implicit JToken(string value)                     a conversion operator, also explicit
//	operator TimeSpan -(DateTime a, DateTime b)       an operator
//
// Overloads are further rows of the same name.
type Member struct {
	Sig string
	Fn  Fn // the body; for a property its getter
	Set Fn // the setter of a property or an indexer, with the new value as the last argument
	// Make and MakeSet stand for Fn and Set where the body depends on types: they get the type arguments of the class
	// and then of the method, once, when an expression is compiled.
	Make    func(t []*Type) Fn
	MakeSet func(t []*Type) Fn
}

type memberKind uint8

const (
	mProperty memberKind = iota
	mMethod
	mIndexer
	mConstructor
	mImplicit
	mExplicit
	mOperator
)

type member struct {
	kind   memberKind
	name   string
	static bool
	ext    bool
	owner  *typeInfo
	tnames []string
	params []parameter
	ret    *Type
	def    Member
}

type parameter struct {
	name     string
	t        *Type
	mode     string // "", "out", "ref"
	params   bool
	optional bool
	def      Value
}

type typeInfo struct {
	decl      *Decl
	self      *Type
	static    bool
	base      *Type
	ifaces    []*Type
	members   map[string][]*member
	special   map[memberKind][]*member // constructors, indexers, conversions
	operators map[string][]*member
	is        func(any) bool
	values    map[string]int64
	invoke    []*Type // parameters of a delegate
	result    *Type
}

// Core is the library of the language itself: its own types, without members.
func Core() *Library {
	l := &Library{types: map[string]*typeInfo{}, byDecl: map[*Decl]*typeInfo{}, extensions: map[string][]*member{}, namespaces: map[string]bool{}, known: new(sync.Map)}
	for _, t := range []*Type{Object, StringT, Bool, CharT, SByte, Byte, Short, UShort, IntT, UInt, LongT, ULong, Float, DoubleT,
		DecimalT, DateTimeT, TimeSpanT, DateTimeOffT, GuidT, ExceptionT, disposable, formatProvider, Void} {
		l.add(&typeInfo{decl: t.Decl, self: t})
	}
	for _, d := range []*Decl{nullableDecl, EnumerableDecl, collectionDecl, listDecl, roCollection, roListDecl, KeyValueDecl} {
		l.add(&typeInfo{decl: d, self: openType(d)})
	}
	l.byDecl[StringT.Decl].ifaces = []*Type{EnumerableOf(CharT)}
	return l
}

// openType is the generic type over its own parameters.
func openType(d *Decl) *Type {
	var args []*Type
	for i, name := range d.Params {
		args = append(args, &Type{Kind: KindParam, Index: i, alias: name})
	}
	return &Type{Kind: d.Kind, Decl: d, Args: args}
}

func arity(name string, n int) string { return name + "`" + strconv.Itoa(n) }

func (l *Library) add(info *typeInfo) {
	d := info.decl
	l.byDecl[d] = info
	l.types[arity(d.Name, len(d.Params))] = info
	if d.Namespace != "" {
		l.types[arity(d.Namespace+"."+d.Name, len(d.Params))] = info
		for ns := d.Namespace; ns != ""; {
			l.namespaces[ns] = true
			ns = ns[:max(0, strings.LastIndexByte(ns, '.'))]
		}
	}
}

// With makes a library that also has the given types. An error says which declaration is wrong, and why.
func (l *Library) With(defs ...TypeDef) (*Library, error) {
	n := &Library{types: maps.Clone(l.types), byDecl: maps.Clone(l.byDecl), extensions: maps.Clone(l.extensions), namespaces: maps.Clone(l.namespaces), known: new(sync.Map)}
	infos := make([]*typeInfo, len(defs))
	heads := make([]*head, len(defs))
	for i, d := range defs {
		h, err := parseHead(d)
		if err != nil {
			return nil, fmt.Errorf("declare type %q: %w", d.Decl, err)
		}
		heads[i] = h
		if infos[i], err = n.declare(h, d); err != nil {
			return nil, fmt.Errorf("declare type %q: %w", d.Decl, err)
		}
	}
	for i, d := range defs {
		if err := n.supertypes(infos[i], heads[i]); err != nil {
			return nil, fmt.Errorf("declare type %q: %w", d.Decl, err)
		}
	}
	for i, d := range defs {
		for _, m := range d.Members {
			if err := n.member(infos[i], m); err != nil {
				return nil, fmt.Errorf("declare member %q of %q: %w", m.Sig, d.Decl, err)
			}
		}
	}
	return n, nil
}

// declare enters the type, without what refers to other types.
func (l *Library) declare(h *head, d TypeDef) (*typeInfo, error) {
	if h.extend || d.Known != nil {
		old := l.byDecl[d.Known]
		if d.Known == nil {
			old = l.types[arity(h.name, len(h.params))]
		}
		if old == nil && h.extend {
			return nil, fmt.Errorf("there is no type %s to extend", h.name)
		}
		if old != nil {
			info := *old
			info.members = maps.Clone(old.members)
			info.special = maps.Clone(old.special)
			info.operators = maps.Clone(old.operators)
			if d.Is != nil {
				info.is = d.Is
			}
			l.add(&info)
			return &info, nil
		}
	}
	decl := d.Known
	if decl == nil {
		decl = &Decl{Name: h.name, Namespace: d.Namespace, Params: h.params, Kind: h.kind}
	}
	info := &typeInfo{decl: decl, is: d.Is, static: h.static, self: openType(decl)}
	if len(d.Values) > 0 {
		info.values = map[string]int64{}
		e := &enumeration{flags: h.flags}
		next := int64(0)
		for _, v := range d.Values {
			name, num, given := strings.Cut(v, "=")
			if given {
				n, err := strconv.ParseInt(num, 0, 64)
				if err != nil {
					return nil, err
				}
				next = n
			}
			e.names, e.values = append(e.names, name), append(e.values, next)
			info.values[name] = next
			next++
		}
		decl.enum = e
	}
	l.add(info)
	return info, nil
}

func (l *Library) supertypes(info *typeInfo, h *head) error {
	for _, te := range h.bases {
		t, err := l.resolve(te, h.params, nil)
		if err != nil {
			return err
		}
		if t.Kind == KindInterface {
			info.ifaces = append(slices.Clip(info.ifaces), t)
		} else {
			info.base = t
		}
	}
	if h.kind == KindDelegate {
		var err error
		if info.result, err = l.resolve(h.result, h.params, nil); err != nil {
			return err
		}
		for _, p := range h.sig {
			t, err := l.resolve(p.typ, h.params, nil)
			if err != nil {
				return err
			}
			info.invoke = append(info.invoke, t)
		}
	}
	return nil
}

// resolve turns a written type into a Type. class and method name the type parameters in scope.
func (l *Library) resolve(te *typeExpr, class, method []string) (*Type, error) {
	switch {
	case te.elem != nil:
		t, err := l.resolve(te.elem, class, method)
		if err != nil {
			return nil, err
		}
		return ArrayOf(t), nil
	case te.nullable != nil:
		t, err := l.resolve(te.nullable, class, method)
		if err != nil {
			return nil, err
		}
		if t.Reference() {
			return nil, fmt.Errorf("%s? is not a type: %s can be null by itself", t, t)
		}
		return NullableOf(t), nil
	}
	if i := slices.Index(method, te.name); i >= 0 {
		return &Type{Kind: KindParam, Index: i, meth: true, alias: te.name}, nil
	}
	if i := slices.Index(class, te.name); i >= 0 {
		return &Type{Kind: KindParam, Index: i, alias: te.name}, nil
	}
	if t := predefined[te.name]; t != nil && len(te.args) == 0 {
		return t, nil
	}
	info := l.types[arity(te.name, len(te.args))]
	if info == nil {
		return nil, unknownType(te.String())
	}
	if len(te.args) == 0 {
		return info.self, nil
	}
	args := make([]*Type, len(te.args))
	for i, a := range te.args {
		t, err := l.resolve(a, class, method)
		if err != nil {
			return nil, err
		}
		args[i] = t
	}
	if info.decl == nullableDecl {
		return NullableOf(args[0]), nil
	}
	return Generic(info.decl, args...), nil
}

type unknownType string

func (u unknownType) Error() string {
	return "the type " + string(u) + " is not known; it is not on the list of types that policy expressions may use"
}

// Type finds a type by its C# name: "JObject", "List<string>", "System.Guid".
func (l *Library) Type(name string) (*Type, error) {
	te, err := parseTypeName(name)
	if err != nil {
		return nil, err
	}
	return l.resolve(te, nil, nil)
}

// info is the table of t's members, nil when there is none.
func (l *Library) info(t *Type) *typeInfo {
	if t.Decl == nil {
		return nil
	}
	return l.byDecl[t.Decl]
}
