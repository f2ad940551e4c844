package http1

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
	"tandem/internal/exchange"
)

// serverConn is one client's connection. Its goroutine reads a request, calls the handler, writes the answer, and again.
type serverConn struct {
	run    *serving
	nc     net.Conn
	in     input
	reads  phase
	writes phase
	ctx    *connContext
	remote netip.AddrPort
	tls    *tls.ConnectionState
	inform func(int, exchange.Header) error

	x     exchange.Exchange
	facts facts
	head  bool // the method was HEAD, whatever it has been changed to since
	minor int
	body  *requestBody // nil where the request has none

	answer sync.Mutex // orders interim answers before the final one
	final  bool       // the final answer has begun

	watch   watch
	readErr error // found by the watch; what the next read gives
	broken  atomic.Bool
}

func newServerConn(run *serving, nc net.Conn) *serverConn {
	c := &serverConn{run: run, nc: nc, ctx: newConnContext()}
	c.inform = c.sendInterim
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.remote = a.AddrPort()
		c.remote = netip.AddrPortFrom(c.remote.Addr().Unmap(), c.remote.Port())
	}
	return c
}

// serve runs the connection to its end.
func (c *serverConn) serve() {
	small := c.run.buffers.get(smallBuffer)
	c.in.buf = *small
	defer func() {
		if p := recover(); p != nil {
			c.run.config.Report(&tandem.Error{Op: "serve request", Subject: c.x.Request.URL.Path, Err: fmt.Errorf("panic: %v", p),
				Remedy: "the connection was closed; report this with the request that causes it"})
			if call := c.ctx.call.Swap(nil); call != nil {
				call.release(false)
			}
			if !c.final {
				c.refuseHead(errPanic)
			}
		}
		c.nc.Close()
		if c.reads.leave() == phaseWatched {
			<-c.watch.done // it reads into the buffer
		}
		c.run.buffers.put(small)
		c.ctx.cancel(ErrClientGone)
	}()
	if c.handshake() {
		return
	}
	for c.one() {
		if c.reads.leave() == phaseWatched {
			c.stopWatch() // before anything is moved in the buffer that it reads into
		}
		if len(c.in.buf) > smallBuffer && c.in.r == c.in.w {
			c.in = input{buf: *small} // a large head must not keep its room for ever
		}
	}
}

// handshake does TLS where the connection has it; it tells true where the connection was HTTP/2 and is over.
func (c *serverConn) handshake() (over bool) {
	tc, ok := c.nc.(*tls.Conn)
	if !ok {
		return false
	}
	c.reads.enter(c.run.warden, phaseHandshake, c.run.config.Timeouts.Handshake)
	err := tc.HandshakeContext(c.ctx)
	if c.reads.leave() == phaseExpired || err != nil {
		return true
	}
	state := tc.ConnectionState()
	c.tls = &state
	if state.NegotiatedProtocol == "h2" {
		c.run.h2.serve(c, nil)
		return true
	}
	return false
}

// one serves one request; false ends the connection.
func (c *serverConn) one() bool {
	end, err := c.readHead()
	if err != nil {
		return c.refuseHead(err)
	}
	if end == 0 {
		c.run.h2.serve(c, c.in.buf[c.in.r:c.in.w])
		return false
	}
	x := &c.x
	x.Reset()
	x.Start = c.run.config.Clock.Now()
	head := string(c.in.buf[c.in.r : c.in.r+end])
	c.in.r += end
	c.minor, err = parseRequest(head, &x.Request, &c.run.config.Limits, &c.facts)
	if err != nil {
		return c.refuseHead(err)
	}
	c.head = x.Request.Method == "HEAD"
	x.Context, x.Remote, x.TLS = c.ctx, c.remote, c.tls
	x.Request.URL.Scheme = "http"
	if c.tls != nil {
		x.Request.URL.Scheme = "https"
	}
	if c.minor == 1 {
		x.Inform = c.inform
	}
	c.final = false
	if err := c.openBody(); err != nil {
		return c.refuseHead(err)
	}
	if c.body == nil {
		c.reads.enter(c.run.warden, phaseWait, c.run.config.Timeouts.Watch)
	}
	c.run.config.Handler.ServeExchange(x)
	return c.respond()
}

// readHead waits for a head and gives its length. The bytes of HTTP/2's preface give length zero.
func (c *serverConn) readHead() (int, error) {
	in := &c.in
	in.compact()
	line, begun := 0, false
	for {
		if in.w > 0 {
			// One empty line before a request is forgiven (RFC 9112, section 2.2).
			if line == 0 && in.w >= 2 && in.buf[0] == '\r' && in.buf[1] == '\n' && !begun {
				in.r = 2
				in.compact()
				begun = true
				continue
			}
			if first := in.buf[0]; !tokenChar[first] && first != '\r' {
				return 0, errRequestLine
			}
			end, next, err := headEnd(in.buf[:in.w], line)
			if err != nil {
				return 0, err
			}
			if end > 0 {
				if end > c.run.config.Limits.Head {
					return 0, errHeadLarge
				}
				if end == len(prefaceHead) && string(in.buf[:end]) == prefaceHead {
					return 0, nil
				}
				return end, nil
			}
			if line == 0 && next > 0 {
				// A bad request line is refused before the rest is waited for: an HTTP/0.9 request has no rest.
				var r exchange.Request
				first := string(in.buf[:bytes.IndexByte(in.buf, '\n')-1])
				if _, err := parseRequestLine(first, &r, &c.run.config.Limits); err != nil && first+"\r\n\r\n" != prefaceHead {
					return 0, err
				}
			}
			line = next
			if !in.grow(c.run.config.Limits.Head) {
				return 0, errHeadLarge
			}
		}
		n, err := c.fill(in.w > 0)
		if n == 0 && err != nil {
			if in.w > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				return 0, errHeadSlow
			}
			return 0, io.EOF
		}
	}
}

// fill reads once more of a head into the buffer. The time of a head runs from its first byte.
func (c *serverConn) fill(begun bool) (n int, err error) {
	t := &c.run.config.Timeouts
	switch {
	case !begun:
		err = c.enterRead(phaseIdle, t.Idle)
		if c.run.draining.Load() {
			return 0, io.EOF
		}
	case c.reads.kind() != phaseHead:
		err = c.enterRead(phaseHead, t.Head)
	}
	if err != nil {
		return 0, err
	}
	if !begun {
		runtime.Gosched() // see readResponse
	}
	n, err = c.nc.Read(c.in.buf[c.in.w:])
	c.in.w += n
	return n, err
}

// enterRead begins a phase in which the connection is read. It ends the watch; the error tells that the connection
// cannot be read any more.
func (c *serverConn) enterRead(kind uint64, d time.Duration) error {
	switch c.reads.enter(c.run.warden, kind, d) {
	case phaseWatched:
		c.stopWatch()
	case phaseExpired:
		c.broken.Store(true)
	}
	if c.broken.Load() {
		return os.ErrDeadlineExceeded
	}
	return c.readErr
}

// check implements watched.
func (c *serverConn) check(now int64) {
	switch kind, word := c.reads.due(now); kind {
	case phaseNone, phaseExpired, phaseWatched:
	case phaseWait:
		c.startWatch(word)
	case phaseUpgraded:
		if c.reads.become(word, phaseExpired) {
			c.nc.SetDeadline(past)
		}
	default:
		if c.reads.become(word, phaseExpired) {
			c.nc.SetReadDeadline(past)
		}
	}
	if kind, word := c.writes.due(now); kind == phaseWrite && c.writes.become(word, phaseExpired) {
		c.nc.SetWriteDeadline(past)
	}
}

// drain ends the connection if it waits for a request.
func (c *serverConn) drain() {
	word := c.reads.word.Load()
	if word&15 == phaseIdle && c.reads.become(word, phaseExpired) {
		c.nc.SetReadDeadline(past)
	}
}

// abort ends the connection at once.
func (c *serverConn) abort(cause error) {
	c.broken.Store(true)
	c.ctx.cancel(cause)
	c.nc.Close()
}
