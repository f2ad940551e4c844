package http1

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"tandem/internal/exchange"
)

// Options change one call.
type Options struct {
	Response time.Duration // instead of the backend's Timeouts.Response; 0: that one
	Upgrade  bool          // pass on the request's Upgrade; an answer 101 then carries the connection as its body

	// Inform, where set, is given the backend's interim answers other than 100.
	Inform func(status int, header exchange.Header) error
}

// Do sends req to the backend and fills res: status, header, and a body that streams. The Host line is req.URL.Host,
// whatever the header list says. The connection goes back when the body was read to its end; who does not read it closes
// res.Body. ctx ends the call, its body included. Failures of the connection are of type *Failure.
//
// A request that finds its reused connection closed is sent once more on a new one, where that cannot do it twice:
// nothing was sent yet, or the method is idempotent (RFC 9110, section 9.2.2) and no part of a streamed body is spent.
func (p *Pool) Do(ctx context.Context, req *exchange.Request, res *exchange.Response, o Options) error {
	if err := checkRequest(req); err != nil {
		return err
	}
	if p.h2 != nil {
		return p.doHTTP2(ctx, req, res, o)
	}
	if o.Response == 0 {
		o.Response = p.settings.Timeouts.Response
	}
	fresh := false
	for {
		b, err := p.take(ctx, fresh)
		if err != nil {
			return p.failure(err)
		}
		c := &call{pool: p, b: b, nc: b.nc, options: o}
		if err = c.run(ctx, req, res); err == nil {
			return nil
		}
		f := c.failure(err)
		c.release(false)
		if fresh || !b.reused || f.Reason != ReasonReset || !c.repeatable(req) {
			return f
		}
		fresh = true
	}
}

// call is one request on one connection; it is also the body of the response.
type call struct {
	bodyReader
	pool    *Pool
	b       *backendConn // nil once it was given back
	nc      interface{ SetDeadline(time.Time) error }
	options Options
	buf     *[]byte

	held *connContext // where the call hangs, to be aborted
	stop func() bool  // or this ends the wait for the context

	cause    atomic.Pointer[error] // why it was aborted
	sender   *sender               // nil where the request was sent at once
	wrote    bool                  // some of the request may have reached the backend
	answered bool                  // some of the response has arrived
	reusable bool
}

// run sends the request and reads the response's head.
func (c *call) run(ctx context.Context, req *exchange.Request, res *exchange.Response) error {
	if held, ok := ctx.(*connContext); ok && held.attach(c) {
		c.held = held
	} else if ctx.Done() != nil {
		c.stop = context.AfterFunc(ctx, func() { c.abort(context.Cause(ctx)) })
	}
	c.buf = c.pool.client.buffers.get(smallBuffer)
	if err := c.sendRequest(req); err != nil {
		// A backend may answer early and close; then the answer counts.
		if !c.wrote || c.cause.Load() != nil || !c.earlyAnswer() {
			return err
		}
	}
	return c.readResponse(req, res)
}

// abort ends the call from another goroutine.
func (c *call) abort(cause error) {
	c.cause.CompareAndSwap(nil, &cause)
	c.nc.SetDeadline(past)
}

// failure sorts err; an abort's cause stands before what it led to.
func (c *call) failure(err error) *Failure {
	if cause := c.cause.Load(); cause != nil {
		err = *cause
		f := c.pool.failure(err)
		if f.Reason != ReasonTimeout {
			f = &Failure{Reason: ReasonClient, Backend: f.Backend, Err: err}
		}
		return f
	}
	return c.pool.failure(err)
}

func (c *call) repeatable(req *exchange.Request) bool {
	if c.answered || c.cause.Load() != nil || !req.Body.Held() && c.wrote {
		return false
	}
	switch req.Method {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE":
		return true
	}
	return !c.wrote
}

// receive implements bodySource, for the response's body.
func (c *call) receive(p []byte) (int, error) {
	return c.b.read(p, phaseBody, c.pool.settings.Timeouts.Read)
}

// ended implements bodySource.
func (c *call) ended(err error) {
	if err != nil {
		c.done = c.failure(err)
	}
	c.release(err == nil)
}

// Close gives the connection back, or closes it where the body was not read to its end.
func (c *call) Close() error {
	c.release(false)
	if c.done == nil {
		c.done = os.ErrClosed
	}
	return nil
}

// release ends the call; whole tells that the response was read to its end.
func (c *call) release(whole bool) {
	b := c.b
	if b == nil {
		return
	}
	whole = c.join(whole)
	c.b = nil
	switch {
	case c.held != nil:
		whole = c.held.detach(c) && whole
	case c.stop != nil:
		whole = c.stop() && whole
	}
	whole = whole && c.reusable && !b.spoiled && b.in.r == b.in.w
	c.in = nil
	b.in = input{}
	if c.buf != nil {
		c.pool.client.buffers.put(c.buf)
		c.buf = nil
	}
	if whole {
		c.pool.put(b)
	} else {
		c.pool.drop(b)
	}
}

var errNoTarget = errors.New("the method, the host or the target that a policy made is not valid in HTTP")
