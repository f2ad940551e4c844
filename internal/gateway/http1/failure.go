package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"tandem"
)

// Reason sorts why a backend gave no answer; a policy's LastError tells it.
type Reason string

// The reasons.
const (
	ReasonConnect  Reason = "connect"  // no connection: name not found, refused, unreachable, TLS not agreed
	ReasonTimeout  Reason = "timeout"  // connecting, or the answer, took too long
	ReasonReset    Reason = "reset"    // the connection ended before the answer was whole
	ReasonProtocol Reason = "protocol" // the answer broke the rules of HTTP
	ReasonBusy     Reason = "busy"     // all connections are taken, and none became free in time
	ReasonClient   Reason = "client"   // the client went away, or its body broke off: the backend is not at fault
)

// Failure is a call to a backend that failed at its connection.
type Failure struct {
	Reason  Reason
	Backend string // host:port
	Err     error
}

// Error implements error.
func (f *Failure) Error() string {
	return "call backend " + f.Backend + ": " + string(f.Reason) + ": " + f.Err.Error() + "; " + f.remedy()
}

func (f *Failure) remedy() string {
	switch f.Reason {
	case ReasonConnect:
		return "check that the backend listens there and that its certificate is trusted"
	case ReasonTimeout:
		return "see why the backend is slow, or raise the timeout"
	case ReasonBusy:
		return "raise the limit of connections, or make the backend faster"
	case ReasonProtocol:
		return "correct what the backend sends"
	case ReasonClient:
		return "nothing is to be done here"
	}
	return "see in the backend's log why it closed the connection"
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Is makes errors.Is(err, tandem.Unavailable) true for what another try may cure.
func (f *Failure) Is(target error) bool {
	return target == tandem.Unavailable && f.Reason != ReasonProtocol && f.Reason != ReasonClient
}

// ReasonOf gives the reason of a failed call, "" for another error.
func ReasonOf(err error) Reason {
	var f *Failure
	if errors.As(err, &f) {
		return f.Reason
	}
	return ""
}

// RefusalOf gives the refusal that a failed call is to be answered with: the client's own body was malformed, too large or
// too slow. It is nil where the client is not at fault.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	if ReasonOf(err) != ReasonClient || !errors.As(err, &r) {
		return nil
	}
	return r
}

// failure sorts err.
func (p *Pool) failure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	reason := ReasonReset
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, ErrClientGone), errors.Is(err, errStopping):
		reason = ReasonClient
	case isRefusal(err):
		reason = ReasonProtocol
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		reason = ReasonTimeout
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return &Failure{Reason: reason, Backend: p.settings.Address, Err: err}
}
