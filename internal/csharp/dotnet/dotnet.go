// Package dotnet is the .NET library that policy expressions may use, as tables of C# signatures with Go functions: the
// types of Microsoft's allow-list for policy expressions, and the extension methods that API Management adds to string
// and byte[]. One file holds one family of types; adding a member is adding a row to its table.
//
// Behaviour and messages are those of .NET (Core) in the invariant culture with UTC as the local zone; Newtonsoft.Json
// writes lines that end in "\r\n", as the managed gateway on Windows does. Random gives other numbers than .NET's for the
// same seed.
//
// Hosts make objects of these types with NewDict, NewList, NewURI, ParseJSON, ParseXElement, ParseXDocument, ReadJwt and
// Certificate, and add their own types to the library that New gives:
//
//	lib, err := dotnet.New()
//	lib, err = lib.With(csharp.TypeDef{Decl: "interface IRequest", Is: isRequest, Members: []csharp.Member{
//		{Sig: "string Method", Fn: method},
//		{Sig: "string Header(string name, string other = null)", Fn: header},
//	}})
package dotnet

import "tandem/internal/csharp"

// Short names for what every table uses.
type (
	mach   = csharp.Machine
	val    = csharp.Value
	typ    = csharp.Type
	def    = csharp.TypeDef
	member = csharp.Member
)

const (
	system      = "System"
	collections = "System.Collections.Generic"
)

// f is a row with a function, fs one with a getter and a setter, g one whose function depends on type arguments.
func f(sig string, fn csharp.Fn) member        { return member{Sig: sig, Fn: fn} }
func fs(sig string, get, set csharp.Fn) member { return member{Sig: sig, Fn: get, Set: set} }
func g(sig string, mk func(t []*typ) csharp.Fn) member {
	return member{Sig: sig, Make: mk}
}

// pure makes a function that needs no machine.
func pure(fn func(a []val) val) csharp.Fn {
	return func(_ *mach, a []val) val { return fn(a) }
}

// New builds the library. It is immutable and meant to be shared; an error is a mistake in a table.
func New() (*csharp.Library, error) {
	var all []def
	for _, family := range [][]def{
		objectTypes(), delegateTypes(), exceptionTypes(), collectionTypes(), listTypes(), dictionaryTypes(), setTypes(), arrayTypes(), tupleTypes(),
		stringTypes(), builderTypes(), charTypes(), numberTypes(), mathTypes(), convertTypes(), encodingTypes(),
		dateTypes(), offsetTypes(), spanTypes(), zoneTypes(), guidTypes(), randomTypes(), uriTypes(), webTypes(), ioTypes(), networkTypes(),
		linqTypes(), regexTypes(), jsonTypes(), jsonConvertTypes(), xmlTypes(), hashTypes(), cipherTypes(), rsaTypes(), certificateTypes(), jwtTypes(),
	} {
		all = append(all, family...)
	}
	return csharp.Core().With(all...)
}

func str(s string) val { return csharp.String(s) }
func num(i int) val    { return csharp.Int(i) }
func yes(b bool) val   { return csharp.Boolean(b) }
func ref(r any) val    { return csharp.Ref(r) }
func needString(v val, param string) string {
	if v.NullString() {
		csharp.ThrowNull(param)
	}
	return v.S
}

// is makes a type test for a Go type.
func is[T any](r any) bool { _, ok := r.(T); return ok }

// self gives the receiver as a Go value.
func self[T any](a []val) T { return a[0].R.(T) }
