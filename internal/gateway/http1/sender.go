package http1

import (
	"io"
	"sync"
	"sync/atomic"

	"tandem/internal/exchange"
)

// sender sends a request's body while the call reads the response, which may come before the body's end.
type sender struct {
	goOn    chan struct{} // closed: send the body now; nil where nothing is waited for
	skip    chan struct{} // closed: the answer is there, the body is not wanted
	once    sync.Once
	done    chan struct{}
	drained atomic.Bool // the body was read to its end; what is left is one write
	sent    bool        // wholly; valid once done
	body    io.Reader
}

func (c *call) startSender(req *exchange.Request, expect bool) {
	s := &sender{done: make(chan struct{}), skip: make(chan struct{}), body: req.Body.Reader()}
	if expect {
		s.goOn = make(chan struct{})
	}
	c.sender = s
	length, b := req.Body.Length(), c.b
	go func() {
		defer close(s.done)
		if s.goOn != nil && !c.awaitContinue(s) {
			return
		}
		var err error
		if s.sent, err = c.sendBody(s, b, length, &req.Trailer); err != nil {
			c.abort(clientBody(err))
		}
		// From now on the time of the response runs.
		w := c.pool.client.warden
		if d := c.options.Response; d > 0 {
			b.reads.become(phaseWait, phaseHead|uint64(w.now.Load()+int64(d))<<4)
		}
	}()
}

// awaitContinue waits for the backend to ask for the body.
func (c *call) awaitContinue(s *sender) bool {
	select {
	case <-s.goOn:
	case <-c.pool.client.clock.After(c.pool.settings.Timeouts.Continue):
	case <-s.skip:
		return false
	}
	return true
}

// sendBody copies the body to the backend. The error is the client's; when the backend takes no more, its answer, or the
// end of the connection, tells why.
func (c *call) sendBody(s *sender, b *backendConn, length int64, trailer *exchange.Header) (whole bool, err error) {
	buf := c.pool.client.buffers.get(largeBuffer)
	defer c.pool.client.buffers.put(buf)
	left := length
	for {
		p := (*buf)[chunkRoom-2 : len(*buf)-64]
		if length >= 0 && int64(len(p)) > left {
			p = p[:left]
		}
		n, err := s.body.Read(p)
		last := err == io.EOF
		if err != nil && !last {
			return false, err
		}
		if length >= 0 {
			left -= int64(n)
			if last && left > 0 {
				return false, errBodyCut
			}
			last = left == 0
		}
		if last {
			s.drained.Store(true)
		}
		out := p[:n]
		if length < 0 {
			out = (*buf)[:0]
			if n > 0 {
				putChunkSize(*buf, n)
				out = append((*buf)[:chunkRoom-2+n], "\r\n"...)
			}
			if last {
				out = appendTrailer(out, *trailer)
			}
		}
		if b.write(out) != nil {
			return false, nil
		}
		if last {
			return true, nil
		}
	}
}

// proceed lets a sender that waits for 100 Continue go on.
func (s *sender) proceed() {
	if s != nil && s.goOn != nil {
		s.once.Do(func() { close(s.goOn) })
	}
}

// final tells a sender that still waits that the body is not wanted.
func (s *sender) final() {
	if s != nil && s.goOn != nil {
		s.once.Do(func() { close(s.skip) })
	}
}

// join ends the sender. whole tells that the response is; the result tells that the request is too.
func (c *call) join(whole bool) bool {
	s := c.sender
	if s == nil {
		return whole
	}
	s.final()
	if !whole || !s.drained.Load() {
		c.nc.SetDeadline(past)
		if body, ok := s.body.(interface{ Interrupt() }); ok {
			select {
			case <-s.done:
			default:
				body.Interrupt()
			}
		}
	}
	<-s.done
	return whole && s.sent
}
