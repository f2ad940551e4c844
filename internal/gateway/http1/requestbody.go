package http1

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"tandem/internal/exchange"
)

// An unread body of at most this many bytes is read away, to keep the connection; a longer one ends it.
const discardMost = 64 << 10

// How long a body may take before its average rate counts.
const rateGrace = 10 * time.Second

// requestBody is the body of the request that c serves. The handler, or a goroutine that sends it to a backend, reads it.
type requestBody struct {
	bodyReader
	c        *serverConn
	expect   bool // the client waits for 100 Continue
	begun    atomic.Bool
	received int64
	waited   int64 // nanoseconds in receive
}

// openBody makes the body that the head announces.
func (c *serverConn) openBody() error {
	c.body = nil
	limit := c.run.config.Limits.Body
	switch f := &c.facts; {
	case limit > 0 && f.length > limit:
		return errBodyLarge
	case !f.chunked && f.length > 0 || f.chunked:
		b := &requestBody{c: c, expect: f.expect && c.minor == 1}
		b.source, b.in, b.trailer, b.maxTrail = b, &c.in, &c.x.Request.Trailer, c.run.config.Limits.HeadFields
		b.kind, b.left, b.room = bodyLength, f.length, -1
		if f.chunked {
			b.kind, b.left = bodyChunked, 0
			if limit > 0 {
				b.room = limit
			}
		}
		c.body = b
		c.reads.leave()
		c.x.Request.Body = exchange.Stream(b, f.length)
	case f.length == 0:
		c.x.Request.Body = exchange.Bytes(nil)
	}
	return nil
}

// Read implements io.Reader. The first one asks the client to go on, where it waits to be asked.
func (b *requestBody) Read(p []byte) (int, error) {
	if !b.begun.Load() {
		b.begun.Store(true)
		// Bytes that are here already show that the client did not wait.
		if b.expect && b.in.r == b.in.w {
			if err := b.c.sendInterim(100, nil); err != nil {
				return 0, b.fail(err)
			}
		}
	}
	return b.bodyReader.Read(p)
}

// receive implements bodySource.
func (b *requestBody) receive(p []byte) (int, error) {
	c, w := b.c, b.c.run.warden
	if err := c.enterRead(phaseBody, c.run.config.Timeouts.Body); err != nil {
		return 0, slowBody(err)
	}
	since := w.now.Load()
	n, err := c.nc.Read(p)
	b.received += int64(n)
	b.waited += w.now.Load() - since
	if rate := c.run.config.Limits.BodyRate; rate > 0 && b.waited > int64(rateGrace) &&
		b.received < rate*(b.waited/int64(time.Second)) {
		return n, errBodySlow
	}
	if n > 0 {
		return n, nil
	}
	return n, slowBody(err)
}

func slowBody(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errBodySlow
	case errors.Is(err, io.EOF):
		return errBodyCut
	}
	return err
}

// ended implements bodySource.
func (b *requestBody) ended(err error) {
	if err != nil {
		b.c.reads.leave()
		if errors.Is(err, errBodyCut) || !isRefusal(err) {
			b.c.ctx.cancel(ErrClientGone)
		}
		return
	}
	b.c.reads.enter(b.c.run.warden, phaseWait, b.c.run.config.Timeouts.Watch)
}

// Interrupt ends a Read that another goroutine is in. The connection can then not be used for another request.
func (b *requestBody) Interrupt() {
	b.c.broken.Store(true)
	b.c.nc.SetReadDeadline(past)
}

// Ended tells that the body was read to its end.
func (b *requestBody) Ended() bool { return b.complete.Load() }

// mayKeep tells, before the answer's head is written, whether the connection can serve another request.
func (b *requestBody) mayKeep() bool {
	if b == nil || b.complete.Load() {
		return true
	}
	return !b.begun.Load() && !b.expect && b.kind == bodyLength && b.c.facts.length <= discardMost
}

// discard reads away what is left; false where that fails or is too much.
func (b *requestBody) discard() bool {
	if b == nil || b.complete.Load() {
		return true
	}
	n, err := io.Copy(io.Discard, io.LimitReader(&b.bodyReader, discardMost+1))
	return err == nil && n <= discardMost && b.complete.Load()
}

func isRefusal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}
