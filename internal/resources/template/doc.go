// Package template is the language of Azure Resource Manager templates: it reads them, tells what is wrong with its place,
// binds parameters, expands copy loops, orders resources by their dependencies, and evaluates expressions and outputs. It
// makes no calls itself: what an expression asks of deployed resources comes through a Runtime.
//
// The parts: ReadJSON reads documents as clients send them; Parse checks a template; Template.Plan binds it to a place and
// values; Plan.Body and Plan.Outputs evaluate what needs deployed resources.
//
// Values are those of JSON: nil, bool, string, int64, float64, []any and map[string]any. Names of properties, functions,
// parameters and variables are compared without regard to case, as Azure does.
//
// Source: learn.microsoft.com, "Understand the structure and syntax of ARM templates" and "ARM template functions".
package template
