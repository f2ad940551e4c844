package arm

import (
	"fmt"
	"net/http"
)

// Error is an error in ARM's envelope: {"error":{"code","message","target","details"}}.
type Error struct {
	Status  int           `json:"-"`
	Code    string        `json:"code"`
	Message string        `json:"message"`
	Target  string        `json:"target,omitempty"`
	Details []ErrorDetail `json:"details"` // null where there are none, as API Management writes it
	Header  http.Header   `json:"-"`
}

// ErrorDetail is one cause among several.
type ErrorDetail struct {
	Code    string `json:"code"`
	Target  string `json:"target,omitempty"`
	Message string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message)
	for _, d := range e.Details {
		text += " " + d.Message
	}
	return text
}

// Errorf makes an error of a status and a code.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}
