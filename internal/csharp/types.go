package csharp

import "strings"

// Kind says how values of a type are held in a Value and what the language does with them.
type Kind uint8

// The kinds of type. From KindBool to KindDouble they lie in Value.N.
const (
	KindVoid Kind = iota
	KindNull      // the type of the literal null
	KindBool
	KindChar
	KindSByte
	KindByte
	KindShort
	KindUShort
	KindInt
	KindUInt
	KindLong
	KindULong
	KindFloat
	KindDouble
	KindDecimal        // R: Decimal
	KindString         // S, with N==1 unless null
	KindDateTime       // N: ticks of 100 ns since year 1, with the DateTimeKind in the two highest bits
	KindTimeSpan       // N: ticks
	KindDateTimeOffset // N: ticks of the UTC time; R: the offset in minutes as int16, nil for zero
	KindGuid           // S: 16 bytes as .NET's ToByteArray gives them; empty for Guid.Empty
	KindEnum           // N
	KindObject         // R, boxed
	KindStruct         // R, nil for the default
	KindClass          // R
	KindInterface      // R
	KindDelegate       // R: *Func
	KindArray          // R: *Array
	KindNullable       // R: nil or the boxed value
	KindParam          // a type parameter, only in declarations
	KindStatic         // a static class
	KindBad            // of an expression with an error; converts to everything, so that one error is told once
)

// Decl is the identity of a declared type. Two types are the same when their declarations are and their arguments.
type Decl struct {
	Name      string   // without arguments: "List"
	Namespace string   // "System.Collections.Generic"
	Params    []string // names of type parameters
	Kind      Kind
	enum      *enumeration
}

// enumeration is what an enum's declaration lists.
type enumeration struct {
	names  []string
	values []int64
	flags  bool
}

// Type is a static type. It is immutable.
type Type struct {
	Kind  Kind
	Decl  *Decl   // nil for arrays and type parameters
	Args  []*Type // type arguments; the element of an array, what a nullable holds
	Index int     // of a type parameter
	meth  bool    // the type parameter is a method's
	alias string  // C#'s keyword
	anon  *anonymous
}

func basic(k Kind, name, alias string) *Type {
	return &Type{Kind: k, Decl: &Decl{Name: name, Namespace: "System", Kind: k}, alias: alias}
}

// The types that the language itself knows.
var (
	Void           = basic(KindVoid, "Void", "void")
	Object         = basic(KindObject, "Object", "object")
	StringT        = basic(KindString, "String", "string")
	Bool           = basic(KindBool, "Boolean", "bool")
	CharT          = basic(KindChar, "Char", "char")
	SByte          = basic(KindSByte, "SByte", "sbyte")
	Byte           = basic(KindByte, "Byte", "byte")
	Short          = basic(KindShort, "Int16", "short")
	UShort         = basic(KindUShort, "UInt16", "ushort")
	IntT           = basic(KindInt, "Int32", "int")
	UInt           = basic(KindUInt, "UInt32", "uint")
	LongT          = basic(KindLong, "Int64", "long")
	ULong          = basic(KindULong, "UInt64", "ulong")
	Float          = basic(KindFloat, "Single", "float")
	DoubleT        = basic(KindDouble, "Double", "double")
	DecimalT       = basic(KindDecimal, "Decimal", "decimal")
	DateTimeT      = basic(KindDateTime, "DateTime", "")
	TimeSpanT      = basic(KindTimeSpan, "TimeSpan", "")
	DateTimeOffT   = basic(KindDateTimeOffset, "DateTimeOffset", "")
	GuidT          = basic(KindGuid, "Guid", "")
	ExceptionT     = basic(KindClass, "Exception", "")
	disposable     = basic(KindInterface, "IDisposable", "")
	formatProvider = basic(KindInterface, "IFormatProvider", "")
	null           = &Type{Kind: KindNull, Decl: &Decl{Name: "<null>", Kind: KindNull}}
	bad            = &Type{Kind: KindBad, Decl: &Decl{Name: "?", Kind: KindBad}}

	nullableDecl = &Decl{Name: "Nullable", Namespace: "System", Params: []string{"T"}, Kind: KindNullable}
	// EnumerableDecl and KeyValueDecl are the generic types that the language and the collections share.
	EnumerableDecl = &Decl{Name: "IEnumerable", Namespace: collections, Params: []string{"T"}, Kind: KindInterface}
	collectionDecl = &Decl{Name: "ICollection", Namespace: collections, Params: []string{"T"}, Kind: KindInterface}
	listDecl       = &Decl{Name: "IList", Namespace: collections, Params: []string{"T"}, Kind: KindInterface}
	roCollection   = &Decl{Name: "IReadOnlyCollection", Namespace: collections, Params: []string{"T"}, Kind: KindInterface}
	roListDecl     = &Decl{Name: "IReadOnlyList", Namespace: collections, Params: []string{"T"}, Kind: KindInterface}
	KeyValueDecl   = &Decl{Name: "KeyValuePair", Namespace: collections, Params: []string{"TKey", "TValue"}, Kind: KindStruct}
)

const collections = "System.Collections.Generic"

// ArrayOf is elem[].
func ArrayOf(elem *Type) *Type { return &Type{Kind: KindArray, Args: []*Type{elem}} }

// NullableOf is elem?.
func NullableOf(elem *Type) *Type {
	return &Type{Kind: KindNullable, Decl: nullableDecl, Args: []*Type{elem}}
}

// EnumerableOf is IEnumerable<elem>.
func EnumerableOf(elem *Type) *Type { return Generic(EnumerableDecl, elem) }

// Generic is the declared type with its arguments.
func Generic(d *Decl, args ...*Type) *Type { return &Type{Kind: d.Kind, Decl: d, Args: args} }

// Is tells whether two types are the same.
func (t *Type) Is(u *Type) bool {
	if t == u {
		return true
	}
	if t == nil || u == nil || t.Kind != u.Kind || t.Decl != u.Decl || len(t.Args) != len(u.Args) || t.Index != u.Index || t.meth != u.meth {
		return false
	}
	if t.anon != nil || u.anon != nil {
		return t.anon == u.anon
	}
	for i := range t.Args {
		if !t.Args[i].Is(u.Args[i]) {
			return false
		}
	}
	return true
}

// String is the type as C# writes it: "string", "List<int>", "int?".
func (t *Type) String() string {
	switch {
	case t == nil:
		return "?"
	case t.alias != "":
		return t.alias
	case t.Kind == KindArray:
		return t.Args[0].String() + "[]"
	case t.Kind == KindNullable:
		return t.Args[0].String() + "?"
	case t.anon != nil:
		return "anonymous type"
	}
	return t.Decl.Name + t.argList((*Type).String)
}

func (t *Type) argList(f func(*Type) string) string {
	if len(t.Args) == 0 {
		return ""
	}
	var parts []string
	for _, a := range t.Args {
		parts = append(parts, f(a))
	}
	return "<" + strings.Join(parts, ", ") + ">"
}

// FullName is the type as .NET's messages write it: "System.String".
func (t *Type) FullName() string {
	switch t.Kind {
	case KindArray:
		return t.Args[0].FullName() + "[]"
	case KindParam:
		return t.String()
	}
	name := t.Decl.Name
	if t.Decl.Namespace != "" {
		name = t.Decl.Namespace + "." + name
	}
	if len(t.Args) > 0 {
		var parts []string
		for _, a := range t.Args {
			parts = append(parts, a.FullName())
		}
		name += "`" + string(rune('0'+len(t.Args))) + "[" + strings.Join(parts, ",") + "]"
	}
	return name
}

// Reference tells whether values of t may be null without being Nullable<T>.
func (t *Type) Reference() bool {
	switch t.Kind {
	case KindString, KindObject, KindClass, KindInterface, KindDelegate, KindArray, KindNull:
		return true
	}
	return false
}

func (t *Type) integral() bool { return t.Kind >= KindChar && t.Kind <= KindULong }
func (t *Type) numeric() bool  { return t.Kind >= KindChar && t.Kind <= KindDecimal }
func (t *Type) signed() bool {
	return t.Kind == KindSByte || t.Kind == KindShort || t.Kind == KindInt || t.Kind == KindLong
}

// Elem is the element of an array or of a nullable.
func (t *Type) Elem() *Type { return t.Args[0] }

// anonymous is the shape of an anonymous type.
type anonymous struct {
	names []string
	types []*Type
}

// subst puts actual types in place of type parameters. A method's parameter without an actual type stays.
func (t *Type) subst(class, method []*Type) *Type {
	if t == nil {
		return nil
	}
	if t.Kind == KindParam {
		from := class
		if t.meth {
			from = method
		}
		if t.Index < len(from) && from[t.Index] != nil {
			return from[t.Index]
		}
		return t
	}
	if len(t.Args) == 0 {
		return t
	}
	args, changed := make([]*Type, len(t.Args)), false
	for i, a := range t.Args {
		args[i] = a.subst(class, method)
		changed = changed || args[i] != a
	}
	if !changed {
		return t
	}
	if t.Kind == KindNullable && args[0].Kind == KindNullable {
		return args[0]
	}
	return &Type{Kind: t.Kind, Decl: t.Decl, Args: args}
}

// open tells whether t mentions a method's type parameter.
func (t *Type) open() bool {
	if t.Kind == KindParam {
		return t.meth
	}
	for _, a := range t.Args {
		if a.open() {
			return true
		}
	}
	return false
}
