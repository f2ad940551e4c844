// Package csharp is the expression language of gateway policies: C# 7 as Azure API Management's "@(…)" and "@{…}" offer
// it. Expressions are bound with static types when a policy is loaded and compiled to closures; what is not C#, or not
// offered, is an error with its place then, not a surprise later.
//
//	end, err := csharp.ScanExpression(text, i)            // where does the expression in this document end?
//	p, err := csharp.Compile(src, csharp.Options{Library: lib, Globals: globals})
//	v, err := p.Run(&csharp.Env{Globals: values, Clock: clock})
//
// # Values
//
// A Value has no type of its own: the static type of the expression that made it says which of its fields counts, and
// the comments of the Kinds say how. The zero Value is default(T) of every type. Nothing is boxed until an expression
// says object; then Value.R holds a Go value from which the exact .NET type can be told (Box, TypeOf), so that a cast
// is as strict as .NET's: (string) of a JObject and (int) of a boxed long throw InvalidCastException.
//
// # Library
//
// What expressions may use is a table, Library, made of TypeDefs whose members are C# signatures with Go functions.
// Core has the language's own types without members; package dotnet has .NET's; a host adds its objects with With.
// Adding a member is adding a row, see the example there. A host object is any Go value in Value.R; TypeDef.Is tells
// which Go values are of the type. Members get their receiver and arguments in the forms that their signatures name,
// the receiver never null. They throw with Throw, and pay for long work with Machine.Step and for memory with
// Machine.Charge. A generic member is made for its type arguments once, at compile time, by Member.Make.
//
// # Choices
//
// Messages, and the text of doubles, are those of .NET (Core) 3.0 and later. Culture is invariant, the local time zone
// is UTC. Reference equality of strings is identity of their memory. Of C# 7 these are refused when compiling: tuples
// and deconstruction, queries (from … select), async, goto, ref locals, types declared in expressions, typeof.
// Use of an unassigned variable reads its default.
package csharp
