package template

import (
	"fmt"
	"strings"

	"tandem"
)

// Error says what is wrong with a template and where.
type Error struct {
	Path    string // as "resources[0].properties.sku"; empty: the whole document
	Message string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

// Is makes the error one of kind tandem.Invalid.
func (e *Error) Is(target error) bool { return target == tandem.Invalid }

// Errors are all problems that were found in a template.
type Errors []*Error

// Error implements error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Is makes the errors one of kind tandem.Invalid.
func (e Errors) Is(target error) bool { return target == tandem.Invalid }

func errorAt(path, format string, args ...any) *Error {
	return &Error{Path: path, Message: fmt.Sprintf(format, args...)}
}

// at adds the place to an error that has none.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // wrapped ones have their place already
		if e.Path == "" {
			return &Error{path, e.Message}
		}
		return e
	}
	return fmt.Errorf("%s: %w", path, err)
}

// property is the path of a member.
func property(path, name string) string {
	if path == "" {
		return name
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '$' {
			return path + "['" + name + "']"
		}
	}
	return path + "." + name
}

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
