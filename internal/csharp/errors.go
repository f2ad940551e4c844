package csharp

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// Error is one thing in an expression that cannot be compiled, with its place.
type Error struct {
	Offset  int    // bytes from the start of the source
	Line    int    // from 1
	Column  int    // in characters, from 1
	Kind    string // "syntax": not C#; "type": C# would refuse it too; "unsupported": C#, but not offered here
	Name    string // what is meant: "String.Foo", a type, or a construct such as "query expression"
	Message string // a clause for people
}

// Error implements error.
func (e Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Errors are all the errors of one expression, by place.
type Errors []Error

// Error implements error.
func (e Errors) Error() string {
	var lines []string
	for _, one := range e {
		lines = append(lines, one.Error())
	}
	return strings.Join(lines, "\n")
}

func (e Errors) sorted() Errors {
	sort.SliceStable(e, func(i, j int) bool { return e[i].Offset < e[j].Offset })
	return e
}

// position gives the line and the column, both from 1, of a byte offset.
func position(src string, at int) (line, column int) {
	before := src[:min(at, len(src))]
	nl := strings.LastIndexByte(before, '\n')
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[nl+1:])
}
