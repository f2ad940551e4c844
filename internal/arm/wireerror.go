package arm

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"tandem"
)

// AsError gives the ARM error for any error: an *Error as it is, an error of a kind by the table below, and everything else
// as 500 without its text, which may tell what callers must not know.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) && e.Status >= 400 && e.Status < 600 {
		return e
	}
	kind := tandem.KindOf(err)
	row, ok := kindErrors()[kind]
	if !ok {
		return Errorf(http.StatusInternalServerError, "InternalServerError", "An internal error occurred; try again, and quote the request id if it stays.")
	}
	out := Errorf(row.status, row.code, "%s", err.Error())
	if row.retry > 0 {
		out.Header = http.Header{"Retry-After": {seconds(row.retry)}}
	}
	return out
}

type kindError struct {
	status int
	code   string
	retry  time.Duration
}

func kindErrors() map[tandem.Kind]kindError {
	return map[tandem.Kind]kindError{
		tandem.NotFound:        {status: http.StatusNotFound, code: "ResourceNotFound"},
		tandem.Exists:          {status: http.StatusConflict, code: "Conflict"},
		tandem.Precondition:    {status: http.StatusPreconditionFailed, code: "PreconditionFailed"},
		tandem.Locked:          {status: http.StatusConflict, code: "AnotherOperationInProgress", retry: time.Second},
		tandem.Compacted:       {status: http.StatusGone, code: "ExpiredSkipToken"},
		tandem.Invalid:         {status: http.StatusBadRequest, code: "BadRequest"},
		tandem.Unauthenticated: {status: http.StatusUnauthorized, code: "AuthenticationFailed"},
		tandem.Denied:          {status: http.StatusForbidden, code: "AuthorizationFailed"},
		tandem.Unavailable:     {status: http.StatusServiceUnavailable, code: "ServiceUnavailable", retry: time.Second},
		tandem.Unsupported:     {status: http.StatusBadRequest, code: "NotSupported"},
		tandem.TooLarge:        {status: http.StatusRequestEntityTooLarge, code: "RequestContentTooLarge"},
		tandem.Closed:          {status: http.StatusServiceUnavailable, code: "ServiceUnavailable", retry: time.Second},
	}
}

// seconds writes a duration as Retry-After wants it: whole seconds, at least one.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}

type errorEnvelope struct {
	Error *Error `json:"error"`
}

// Envelope is the body of an error answer.
func (e *Error) Envelope() any { return errorEnvelope{e} }
