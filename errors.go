package tandem

import (
	"errors"
	"strings"
)

// Kind sorts errors by what a caller can do about them. A Kind is itself an error, so that
// errors.Is(err, tandem.NotFound) asks for it through any wrapping.
type Kind string

// The kinds of error.
const (
	NotFound        Kind = "not found"
	Exists          Kind = "already exists"
	Precondition    Kind = "precondition failed" // the document changed since the caller read it
	Locked          Kind = "locked"              // a restore or another service-level operation runs; try again later
	Compacted       Kind = "compacted"           // history older than asked for is gone: list again
	Invalid         Kind = "invalid"             // the input is wrong; the same call fails again
	Unauthenticated Kind = "not authenticated"
	Denied          Kind = "not authorised"
	Unavailable     Kind = "unavailable" // a part that is needed does not answer; try again
	Unsupported     Kind = "not supported"
	Corrupt         Kind = "corrupt" // bytes are not what was written
	TooLarge        Kind = "too large"
	Closed          Kind = "closed"
)

// Error implements error.
func (k Kind) Error() string { return string(k) }

// Error says what was being done (Op), to what (Subject), what kind of failure it was, what caused it, and what to do.
type Error struct {
	Op      string // a verb phrase: "commit", "restore backup"
	Subject string // the name of the thing: a key, a resource id, a file with its place
	Kind    Kind
	Err     error  // the cause; may be nil
	Remedy  string // what the reader can do, a full clause; may be empty
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Subject != "" {
		b.WriteString(" " + e.Subject)
	}
	if e.Kind != "" {
		b.WriteString(": " + string(e.Kind))
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, kind) true for the error's own kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// KindOf gives the outermost kind in err's chain, or "" where there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		if e.Kind != "" {
			return e.Kind
		}
		return KindOf(e.Err)
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return ""
}
