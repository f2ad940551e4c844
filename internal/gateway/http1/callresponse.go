package http1

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"

	"tandem/internal/exchange"
)

// The most interim answers to one request.
const maxInterim = 16

// earlyAnswer tells whether the backend said something before it stopped taking the request.
func (c *call) earlyAnswer() bool {
	b := c.b
	b.in.buf = *c.buf
	n, err := b.read(b.in.buf, phaseHead, c.options.Response)
	b.in.w = n
	c.reusable = false
	b.spoiled = true
	return err == nil && n > 0
}

// readResponse reads heads until the final one, and fills res.
func (c *call) readResponse(req *exchange.Request, res *exchange.Response) error {
	b := c.b
	if b.in.buf == nil {
		b.in.buf = *c.buf
	}
	// Under load others have work to do while the backend answers; then the first read finds the answer, where it would
	// find nothing now, and the goroutine would have to be parked and woken. With nothing else to do this costs next to
	// nothing.
	runtime.Gosched()
	for interim := 0; ; interim++ {
		end, err := c.readHead()
		if err != nil {
			return err
		}
		head := string(b.in.buf[b.in.r : b.in.r+end])
		b.in.r += end
		var f facts
		minor, err := parseResponse(head, res, maxResponseFields, &f)
		if err != nil {
			return err
		}
		if res.Status >= 200 || res.Status == 101 {
			c.sender.final()
			return c.open(req, res, &f, minor)
		}
		if interim == maxInterim {
			return errInterimMany
		}
		if res.Status == 100 {
			c.sender.proceed()
		} else if c.options.Inform != nil {
			if err := c.options.Inform(res.Status, res.Header); err != nil {
				c.abort(err)
				return err
			}
		}
	}
}

// readHead waits for a head and gives its length.
func (c *call) readHead() (int, error) {
	b := c.b
	in := &b.in
	w := b.pool.client.warden
	if s := c.sender; s == nil {
		b.reads.enter(w, phaseHead, c.options.Response)
	} else {
		b.reads.enter(w, phaseWait, 0) // the sender begins phaseHead when the request is out
		select {
		case <-s.done:
			b.reads.enter(w, phaseHead, c.options.Response)
		default:
		}
	}
	line := 0
	in.compact()
	for {
		if in.w > 0 {
			end, next, err := headEnd(in.buf[:in.w], line)
			if err != nil {
				return 0, err
			}
			if end > c.pool.settings.MaxHead {
				return 0, errHeadLarge
			}
			if end > 0 {
				b.leaveRead()
				return end, nil
			}
			line = next
			if !in.grow(c.pool.settings.MaxHead) {
				return 0, errHeadLarge
			}
		}
		n, err := b.nc.Read(in.buf[in.w:])
		in.w += n
		if n > 0 {
			c.answered = true
		} else if err != nil {
			if b.leaveRead() {
				return 0, os.ErrDeadlineExceeded
			}
			if errors.Is(err, io.EOF) && c.answered {
				return 0, io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
}

// open gives res its body by what the head says (RFC 9112, section 6.3).
func (c *call) open(req *exchange.Request, res *exchange.Response, f *facts, minor int) error {
	res.Trailer = res.Trailer[:0]
	c.source, c.in, c.trailer, c.maxTrail, c.room = c, &c.b.in, &res.Trailer, maxResponseFields, -1
	c.reusable = minor == 1 && !f.close || minor == 0 && f.keep && !f.close
	switch {
	case res.Status == 101:
		if !c.options.Upgrade {
			return errUpgradeUnread
		}
		c.reusable = false
		in := &c.b.in
		res.Body = exchange.Stream(&upgraded{nc: c.b.nc, first: bytes.Clone(in.buf[in.r:in.w]),
			close: sync.OnceFunc(func() { c.release(false) })}, -1)
		return nil
	case !hasBody(req.Method, res.Status):
		res.Body = exchange.Body{}
		c.finish()
		return nil
	case f.chunked:
		c.kind, c.state = bodyChunked, chunkSize
	case f.length == 0:
		res.Body = exchange.Bytes(nil)
		c.finish()
		return nil
	case f.length > 0:
		c.kind, c.left = bodyLength, f.length
	default:
		c.kind, c.reusable = bodyClose, false
	}
	res.Body = exchange.Stream(c, f.length)
	return nil
}

// upgraded is a connection to a backend after its answer 101. Reading, writing and closing may run at the same time.
type upgraded struct {
	nc    net.Conn
	first []byte // came with the answer
	close func()
}

// Read implements io.Reader.
func (u *upgraded) Read(p []byte) (int, error) {
	if len(u.first) > 0 {
		n := copy(p, u.first)
		u.first = u.first[n:]
		return n, nil
	}
	return u.nc.Read(p)
}

// Write implements io.Writer.
func (u *upgraded) Write(p []byte) (int, error) { return u.nc.Write(p) }

// CloseWrite passes on that the client will send no more.
func (u *upgraded) CloseWrite() error {
	if half, ok := u.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close ends the connection.
func (u *upgraded) Close() error {
	u.close()
	return nil
}
