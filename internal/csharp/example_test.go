package csharp_test

import (
	"fmt"
	"testing"

	"tandem/internal/csharp"
)

// header is a host object: what the expression sees as IHeaders.
type header map[string]string

func hostLibrary() (*csharp.Library, error) {
	is := func(r any) bool { _, ok := r.(header); return ok }
	return csharp.Core().With(
		csharp.TypeDef{Decl: "interface IHeaders", Is: is, Members: []csharp.Member{
			{Sig: "string this[string name]", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
				s, ok := a[0].R.(header)[a[1].S]
				if !ok {
					csharp.Throw("System.Collections.Generic.KeyNotFoundException", "The header is not there.")
				}
				return csharp.String(s)
			}},
			{Sig: "string GetValueOrDefault(string name, string other = null)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
				if s, ok := a[0].R.(header)[a[1].S]; ok {
					return csharp.String(s)
				}
				return a[2]
			}},
		}},
		csharp.TypeDef{Decl: "interface IContext", Is: is, Members: []csharp.Member{
			{Sig: "IHeaders Headers", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value { return a[0] }},
			{Sig: "int Status", Fn: func(*csharp.Machine, []csharp.Value) csharp.Value { return csharp.Int(200) }},
		}},
	)
}

// Adding a member to a host type is adding a row to its table.
func ExampleLibrary_With() {
	lib, err := hostLibrary()
	if err != nil {
		fmt.Println(err)
		return
	}
	context, _ := lib.Type("IContext")
	p, err := csharp.Compile(`@(context.Status == 200 ? "host " + context.Headers["Host"] : null)`,
		csharp.Options{Library: lib, Globals: []csharp.Global{{Name: "context", Type: context}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := p.Run(&csharp.Env{Globals: []csharp.Value{csharp.Ref(header{"Host": "example.org"})}})
	fmt.Println(p.Type(), v.S, err)
	// Output: string host example.org <nil>
}

// BenchmarkTypical is the expression that policies are full of: a header, a comparison, a concatenation.
func BenchmarkTypical(b *testing.B) {
	lib, err := hostLibrary()
	if err != nil {
		b.Fatal(err)
	}
	context, _ := lib.Type("IContext")
	p, err := csharp.Compile(`@(context.Headers.GetValueOrDefault("X-Tenant", "") == "contoso" ? "tenant-" + context.Headers.GetValueOrDefault("X-Tenant", "none") : "none")`,
		csharp.Options{Library: lib, Globals: []csharp.Global{{Name: "context", Type: context}}})
	if err != nil {
		b.Fatal(err)
	}
	env := &csharp.Env{Globals: []csharp.Value{csharp.Ref(header{"X-Tenant": "contoso"})}}
	b.ReportAllocs()
	for b.Loop() {
		if v, err := p.Run(env); err != nil || v.S != "tenant-contoso" {
			b.Fatal(v, err)
		}
	}
}
