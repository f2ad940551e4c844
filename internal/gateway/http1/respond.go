package http1

import (
	"errors"
	"math"
	"os"
	"strconv"
	"time"

	"tandem"
	"tandem/internal/exchange"
)

// writeSlice is the most that is written at once: Timeouts.Write is for this much.
const writeSlice = 64 << 10

// respond writes the exchange's answer and tells whether the connection serves another request.
func (c *serverConn) respond() bool {
	c.answer.Lock()
	c.final = true
	c.answer.Unlock()
	x := &c.x
	if s := x.Response.Status; s != 101 && (s < 200 || s > 999) {
		x.Response.Body.Close()
		x.Response.Status, x.Response.Reason, x.Response.Header = 500, "", x.Response.Header[:0]
		x.Response.Header.Add("Content-Type", "application/json")
		x.Response.Body = exchange.Bytes(errorBody(500, "Internal server error"))
	}
	var keep bool
	var sent int64
	var err error
	if x.Response.Status == 101 {
		sent, err = c.upgrade()
	} else {
		keep = c.keepAlive()
		sent, err = c.writeResponse(&keep)
	}
	x.Response.Body.Close()
	if call := c.ctx.call.Swap(nil); call != nil {
		call.release(false) // an answer of a backend that nobody closed
	}
	c.run.config.Handler.ExchangeDone(x, sent, err)
	if err != nil || x.Response.Status == 101 {
		return false
	}
	if keep && c.body.discard() {
		return true
	}
	if c.body != nil && !c.body.complete.Load() {
		c.linger()
	}
	return false
}

func (c *serverConn) keepAlive() bool {
	wanted := c.facts.keep && !c.facts.close
	if c.minor == 1 {
		wanted = !c.facts.close
	}
	return wanted && !c.run.draining.Load() && !c.broken.Load() && c.body.mayKeep()
}

// writeResponse writes head and body; it takes back keep where the answer ends with the connection.
func (c *serverConn) writeResponse(keep *bool) (sent int64, err error) {
	res := &c.x.Response
	buf := c.run.buffers.get(smallBuffer)
	defer c.run.buffers.put(buf)
	b := appendStatusLine((*buf)[:0], res.Status, res.Reason)
	date, length := false, int64(-1)
	for i := range res.Header {
		f := &res.Header[i]
		switch {
		case len(f.Name) == 14 && sameName(f.Name, "Content-Length"):
			length = parseLength(f.Value)
			continue
		case len(f.Name) == 10 && sameName(f.Name, "Connection"):
			if token, _ := nextToken(f.Value); sameName(token, "close") {
				*keep = false
			}
			continue
		case len(f.Name) == 4 && sameName(f.Name, "Date"):
			date = true
		case hopByHop(f.Name) || !validToken(f.Name):
			continue
		}
		b = appendField(b, f.Name, f.Value)
	}
	if !date {
		b = append(b, "Date: "...)
		b = append(b, *c.run.warden.date.Load()...)
		b = append(b, "\r\n"...)
	}
	if !hasBody("", res.Status) || c.head {
		if c.head && res.Body.Present() {
			length = res.Body.Length()
		}
		if length >= 0 && res.Status != 204 {
			b = appendLength(b, length)
		}
		b = c.appendConnection(b, *keep)
		return 0, c.write(b)
	}
	if res.Body.Held() {
		data, _ := res.Body.Bytes(math.MaxInt64)
		b = c.appendConnection(appendLength(b, int64(len(data))), *keep)
		n := copy(b[len(b):cap(b)], data)
		if err := c.write(b[:len(b)+n]); err != nil {
			return 0, err
		}
		return int64(len(data)), c.write(data[n:])
	}
	length = res.Body.Length()
	chunked := length < 0 && c.minor == 1
	switch {
	case length >= 0:
		b = appendLength(b, length)
	case chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	default:
		*keep = false // HTTP/1.0 knows the end of such a body by the end of the connection
	}
	b = c.appendConnection(b, *keep)
	if chunked {
		return c.copyChunked(b, res.Body.Reader())
	}
	return c.copyBody(b, res.Body.Reader(), length)
}

func appendLength(b []byte, n int64) []byte {
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, "\r\n"...)
}

// appendConnection ends the head.
func (c *serverConn) appendConnection(b []byte, keep bool) []byte {
	switch {
	case !keep:
		b = append(b, "Connection: close\r\n"...)
	case c.minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return append(b, "\r\n"...)
}

// write writes p in slices, each within Timeouts.Write.
func (c *serverConn) write(p []byte) error {
	for len(p) > 0 {
		part := p[:min(len(p), writeSlice)]
		c.writes.enter(c.run.warden, phaseWrite, c.run.config.Timeouts.Write)
		_, err := c.nc.Write(part)
		if c.writes.leave() == phaseExpired || errors.Is(err, os.ErrDeadlineExceeded) {
			return errWriteStall
		}
		if err != nil {
			return &tandem.Error{Op: "write response", Kind: tandem.Closed, Err: err,
				Remedy: "the client closed its connection; see its own timeout"}
		}
		p = p[len(part):]
	}
	return nil
}

var (
	errWriteStall error = &tandem.Error{Op: "write response", Kind: tandem.Closed,
		Remedy: "the client took no bytes for longer than the write timeout; raise it for slow clients"}
	errAbandoned error = &tandem.Error{Op: "read response", Kind: tandem.Closed,
		Remedy: "its body was neither read nor closed before the exchange ended"}
	errBodyLonger error = &tandem.Error{Op: "write response", Kind: tandem.Invalid,
		Remedy: "its body does not have the length that was announced"}
)

// sendInterim writes an interim answer at once.
func (c *serverConn) sendInterim(status int, header exchange.Header) error {
	c.answer.Lock()
	defer c.answer.Unlock()
	if c.final {
		return errAbandoned
	}
	b := appendStatusLine(make([]byte, 0, 128), status, "")
	for _, f := range header {
		if !hopByHop(f.Name) && validToken(f.Name) {
			b = appendField(b, f.Name, f.Value)
		}
	}
	return c.write(append(b, "\r\n"...))
}

// refuseHead answers a request that never reached the handler, where it can be answered, and ends the connection.
func (c *serverConn) refuseHead(err error) bool {
	var r *Refusal
	if !errors.As(err, &r) {
		return false
	}
	c.run.config.Refused(r.Status)
	body := errorBody(r.Status, r.Message)
	b := appendStatusLine(make([]byte, 0, 512), r.Status, "")
	b = append(b, "Content-Type: application/json\r\nDate: "...)
	b = append(b, *c.run.warden.date.Load()...)
	b = append(b, "\r\n"...)
	b = c.appendConnection(appendLength(b, int64(len(body))), false)
	if c.write(append(b, body...)) == nil {
		c.linger()
	}
	return false
}

// errorBody is an error in the shape that API Management's gateway answers with.
func errorBody(status int, message string) []byte {
	b := append([]byte(`{ "statusCode": `), strconv.Itoa(status)...)
	b = append(b, `, "message": `...)
	b = strconv.AppendQuote(b, message)
	return append(b, " }"...)
}

// linger reads on for a while after the last answer: closing with bytes unread would reset the connection, and the
// client might lose the answer (RFC 9112, section 9.6).
func (c *serverConn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.enterRead(phaseHead, c.run.config.Timeouts.Linger) // an earlier timeout is why we are here
	c.nc.SetReadDeadline(time.Time{})
	for total := 0; total < 4*discardMost; {
		n, err := c.nc.Read(c.in.buf)
		total += n
		if err != nil || c.reads.kind() == phaseExpired {
			return
		}
	}
}
