package http1

import (
	"context"
	"sync/atomic"

	"tandem"
)

// Why an exchange's context ended.
var (
	// ErrClientGone is the cause where the client closed its connection or reset it.
	ErrClientGone error = &tandem.Error{Op: "serve request", Kind: tandem.Closed,
		Remedy: "the client closed its connection before the answer; see its own timeout"}
	errStopping error = &tandem.Error{Op: "serve request", Kind: tandem.Closed,
		Remedy: "the gateway stopped before the answer was ready; send the request again"}
)

// connContext is the context of a connection's exchanges: it ends with the connection. A call to a backend hangs itself
// in by one atomic store, where context.AfterFunc would allocate for every request.
type connContext struct {
	context.Context
	end  context.CancelCauseFunc
	over atomic.Bool
	call atomic.Pointer[call]
}

func newConnContext() *connContext {
	ctx, end := context.WithCancelCause(context.Background())
	return &connContext{Context: ctx, end: end}
}

func (x *connContext) cancel(cause error) {
	x.over.Store(true)
	x.end(cause)
	if c := x.call.Swap(nil); c != nil {
		c.abort(cause)
	}
}

// attach has c aborted when ctx ends, until detach. It tells false where the place is taken by another call, or the
// context is over.
func (x *connContext) attach(c *call) bool {
	if !x.call.CompareAndSwap(nil, c) {
		return false
	}
	if x.over.Load() && x.call.CompareAndSwap(c, nil) {
		return false
	}
	return true
}

// detach ends what attach began; false where c is being aborted.
func (x *connContext) detach(c *call) bool { return x.call.CompareAndSwap(c, nil) }
