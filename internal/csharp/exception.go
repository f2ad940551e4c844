package csharp

import "strings"

// Exception is a .NET exception that left an expression, or that travels inside one.
type Exception struct {
	Name  string // full .NET name: "System.FormatException"
	Msg   string
	Inner *Exception
	Param string // of the ArgumentException family
}

// Error implements error.
func (e *Exception) Error() string { return e.Name + ": " + e.Message() }

// Message is the Message property.
func (e *Exception) Message() string {
	if e.Param != "" {
		return e.Msg + " (Parameter '" + e.Param + "')"
	}
	return e.Msg
}

// NetString implements Texter; there is no stack trace to show.
func (e *Exception) NetString() string {
	var s strings.Builder
	s.WriteString(e.Error())
	for in := e.Inner; in != nil && s.Len() < 1<<16; in = in.Inner {
		s.WriteString(" ---> " + in.Error())
	}
	return s.String()
}

// Throw raises a .NET exception; only code that runs inside an expression may call it. The name is full, or a short name
// of the namespace System.
func Throw(name, msg string) {
	if !strings.Contains(name, ".") {
		name = "System." + name
	}
	panic(&Exception{Name: name, Msg: msg})
}

// ThrowNull raises ArgumentNullException for a parameter.
func ThrowNull(param string) {
	panic(&Exception{Name: "System.ArgumentNullException", Msg: "Value cannot be null.", Param: param})
}

// ThrowRange raises ArgumentOutOfRangeException for a parameter.
func ThrowRange(param, msg string) {
	panic(&Exception{Name: "System.ArgumentOutOfRangeException", Msg: msg, Param: param})
}

func throwNullReference() {
	Throw("NullReferenceException", "Object reference not set to an instance of an object.")
}

func throwCast(r any, t *Type) {
	Throw("InvalidCastException", "Unable to cast object of type '"+TypeOf(r).FullName()+"' to type '"+t.FullName()+"'.")
}

// LimitError says that an expression was stopped because it used more than it may. No catch clause sees it.
type LimitError struct {
	Limit string // "steps", "depth", "memory", "time"
}

// Error implements error.
func (e *LimitError) Error() string {
	return "run policy expression: stopped, because it exceeded its limit of " + e.Limit + "; simplify the expression or raise the limit"
}
