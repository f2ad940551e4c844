package http1

import (
	"errors"
	"os"
	"time"
)

// watch reads from a client's connection while the handler works, to see the client leave. Most requests are over
// before it begins: the warden starts it only when one lasts.
type watch struct {
	n    int
	err  error
	done chan struct{}
}

// startWatch is called by the warden, which saw word.
func (c *serverConn) startWatch(word uint64) {
	done := make(chan struct{})
	// Only the warden writes this, and only in phaseWait; the connection reads it after it found phaseWatched.
	c.watch.done = done
	if !c.reads.become(word, phaseWatched) {
		return
	}
	c.run.wg.Go(func() {
		defer close(done)
		if c.in.w == len(c.in.buf) {
			return // requests are queued up; there is no room to read more
		}
		n, err := c.nc.Read(c.in.buf[c.in.w:])
		c.watch.n, c.watch.err = n, err
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			c.ctx.cancel(ErrClientGone)
		}
	})
}

// stopWatch ends the watch and takes over what it read.
func (c *serverConn) stopWatch() {
	c.nc.SetReadDeadline(past)
	<-c.watch.done
	c.nc.SetReadDeadline(time.Time{})
	c.in.w += c.watch.n
	if err := c.watch.err; err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.readErr = err
	}
	c.watch.n, c.watch.err = 0, nil
}
