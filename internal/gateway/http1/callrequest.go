package http1

import (
	"errors"
	"io"
	"math"

	"tandem"
	"tandem/internal/exchange"
)

// A held body above this is sent by a goroutine, so that an answer before its end is seen.
const inlineMost = 64 << 10

// checkRequest looks at what policies may have changed.
func checkRequest(req *exchange.Request) error {
	path := req.URL.Path
	if !validToken(req.Method) || !validHost(req.URL.Host) || !validTarget(path) || path[0] != '/' ||
		req.URL.Query != "" && !validTarget(req.URL.Query) {
		return &tandem.Error{Op: "send request", Kind: tandem.Invalid, Err: errNoTarget,
			Remedy: "percent-encode the parts of the URL that policies build"}
	}
	return nil
}

// sendRequest writes the head, and the body where it is at hand or small; else it starts the sender.
func (c *call) sendRequest(req *exchange.Request) error {
	stream := !req.Body.Held()
	length := req.Body.Length()
	var data []byte
	if !stream {
		data, _ = req.Body.Bytes(math.MaxInt64)
	}
	b, expect := c.appendHead((*c.buf)[:0], req, stream)
	if stream && (expect || length < 0 || length > int64(cap(b)-len(b))) || len(data) > inlineMost {
		c.wrote = true
		if err := c.b.write(b); err != nil {
			return err
		}
		c.startSender(req, expect)
		return nil
	}
	if stream {
		// A small body of known length is read first: it costs no goroutine, and a client that breaks off costs the
		// backend nothing.
		at := len(b)
		b = b[:at+int(length)]
		if _, err := io.ReadFull(req.Body.Reader(), b[at:]); err != nil {
			c.abort(clientBody(err))
			return err
		}
	} else if len(data) <= cap(b)-len(b) {
		b, data = append(b, data...), nil
	}
	c.wrote = true
	if err := c.b.write(b); err != nil || stream {
		return err
	}
	return c.b.write(data)
}

// clientBody marks an error of the client's side.
func clientBody(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errBodyCut
	}
	return err
}

// appendHead writes the request's head anew.
func (c *call) appendHead(b []byte, req *exchange.Request, stream bool) (head []byte, expect bool) {
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = append(b, req.URL.Path...)
	if req.URL.Query != "" {
		b = append(b, '?')
		b = append(b, req.URL.Query...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, req.URL.Host...)
	b = append(b, "\r\n"...)
	for i := range req.Header {
		f := &req.Header[i]
		switch {
		case len(f.Name) == 4 && sameName(f.Name, "Host"):
			continue
		case len(f.Name) == 6 && sameName(f.Name, "Expect"):
			expect = stream
			continue
		case hopByHop(f.Name) || !validToken(f.Name):
			continue
		}
		b = appendField(b, f.Name, f.Value)
	}
	switch length := req.Body.Length(); {
	case !req.Body.Present():
		if req.Method == "POST" || req.Method == "PUT" || req.Method == "PATCH" {
			b = append(b, "Content-Length: 0\r\n"...)
		}
	case length >= 0:
		b = appendLength(b, length)
	default:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if expect {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if c.options.Upgrade = c.options.Upgrade && mayUpgrade(req); c.options.Upgrade {
		b = append(b, "Connection: Upgrade\r\n"...)
		b = appendField(b, "Upgrade", req.Header.Get("Upgrade"))
	}
	return append(b, "\r\n"...), expect
}

// mayUpgrade tells whether the request asks for another protocol that can be passed through. HTTP/2 cannot: behind the
// gateway's back the connection would carry requests that no policy sees.
func mayUpgrade(req *exchange.Request) bool {
	if req.Body.Present() {
		return false
	}
	wanted := false
	for _, v := range req.Header.Values("Connection") {
		for v != "" {
			var token string
			token, v = nextToken(v)
			wanted = wanted || sameName(token, "Upgrade")
		}
	}
	token, rest := nextToken(req.Header.Get("Upgrade"))
	return wanted && token != "" && rest == "" && !sameName(token, "h2c") && !sameName(token, "h2")
}
