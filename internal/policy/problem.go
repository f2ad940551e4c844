package policy

import (
	"fmt"
	"strings"

	"tandem/internal/policy/markup"
)

// Severity tells how bad a problem is.
type Severity string

// The severities. A document with an error does not run; a warning is for people.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// The kinds of problem: what cannot be honoured.
const (
	KindDocument   = "document"  // the document cannot be read
	KindPolicy     = "policy"    // no such policy, or not here
	KindAttribute  = "attribute" // an attribute is unknown, missing or has a wrong value
	KindElement    = "element"   // a child element is unknown, missing or too many
	KindSection    = "section"   // a policy where Azure documents it is not allowed
	KindScope      = "scope"     // a scope in which Azure documents it is not allowed
	KindConstruct  = "construct" // C# that is not of the expression language, or is wrong
	KindMember     = "member"    // a .NET type or member that is not offered
	KindFragment   = "fragment"  // a fragment that does not exist or includes itself
	KindNamedValue = "named-value"
	KindPart       = "part" // a part outside the gateway that is absent: a cache, a sidecar, a backend, a certificate
)

// Problem is one thing in a document that Tandem cannot or should not honour, with its place.
type Problem struct {
	File     string   `json:"file,omitempty"` // the source's name
	Scope    Scope    `json:"scope,omitempty"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Kind     string   `json:"kind"`
	Name     string   `json:"name"` // what it is about: a policy, policy/attribute, a member
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
}

// String writes the problem in one line.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Severity, p.Message)
}

// Problems is what was found in a document or in a chain of documents.
type Problems []Problem

// Failed tells whether an error is among them.
func (ps Problems) Failed() bool {
	for _, p := range ps {
		if p.Severity == Error {
			return true
		}
	}
	return false
}

// Error joins the errors; Problems is an error when Failed.
func (ps Problems) Error() string {
	var lines []string
	for _, p := range ps {
		if p.Severity == Error {
			lines = append(lines, p.String())
		}
	}
	return strings.Join(lines, "\n")
}

// report adds a problem at a place in the current document.
func (c *compiler) report(sev Severity, pos markup.Pos, kind, name, format string, args ...any) {
	c.problems = append(c.problems, Problem{File: c.file, Scope: c.scope, Line: pos.Line, Column: pos.Column, Kind: kind, Name: name,
		Severity: sev, Message: fmt.Sprintf(format, args...)})
}
