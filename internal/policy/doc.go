// Package policy is Azure API Management's policy language: documents of five scopes are read, checked against one table
// of policies, compiled and linked into a Pipeline, and run for a request.
//
// A gateway compiles each document once (CompileUnit), links the units of a scope chain (Link) and runs the result for
// each request (Pipeline.Run). What policies need from outside (backends, caches, counters, tokens, certificates) comes
// in a Host; a policy whose part is absent is a Problem when its document is compiled, with its place (law 10).
package policy
