package http1

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"strconv"

	"tandem/internal/exchange"
)

// h2Body is a body of the standard library's, which brings its trailers to an exchange at its end.
type h2Body struct {
	r       io.ReadCloser
	trailer *exchange.Header
	from    func() http.Header
	room    int64 // bytes it may still have; below zero: no limit
	over    bool
	request bool // a client's: it is at fault where the body breaks off
}

// Read implements io.Reader.
func (b *h2Body) Read(p []byte) (int, error) {
	if b.over {
		return 0, io.EOF
	}
	n, err := b.r.Read(p)
	if b.room >= 0 {
		if b.room -= int64(n); b.room < 0 {
			return 0, errBodyLarge
		}
	}
	if err == io.EOF {
		b.over = true
		for name, values := range b.from() {
			for _, v := range values {
				b.trailer.Add(name, v)
			}
		}
	}
	if err != nil && err != io.EOF && b.request {
		err = errBodyCut
	}
	return n, err
}

// Close implements io.Closer.
func (b *h2Body) Close() error { return b.r.Close() }

// Interrupt ends a Read that another goroutine is in.
func (b *h2Body) Interrupt() { b.r.Close() }

// setHeader puts the fields of h that go beyond one hop into the standard library's map.
func setHeader(to http.Header, h exchange.Header) {
	room := make([]string, len(h)) // one allocation for all lists of one value
	for i, f := range h {
		if hopByHop(f.Name) || sameName(f.Name, "Host") || !validToken(f.Name) {
			continue
		}
		value := f.Value
		if !cleanText(value) {
			value = string(appendText(nil, value))
		}
		name := http.CanonicalHeaderKey(f.Name)
		if list := to[name]; list != nil {
			to[name] = append(list, value)
			continue
		}
		room[i] = value
		to[name] = room[i : i+1 : i+1]
	}
}

// announce puts back the Trailer field, which the standard library keeps apart.
func announce(h *exchange.Header, trailer http.Header) {
	for name := range trailer {
		h.Add("Trailer", name)
	}
}

// asOp gives the operation of a network error: "dial", "read", "write".
func asOp(err error) (string, bool) {
	var op *net.OpError
	if !errors.As(err, &op) {
		return "", false
	}
	return op.Op, true
}

// withInform has the transport pass on interim answers.
func withInform(ctx context.Context, inform func(int, exchange.Header) error) context.Context {
	if inform == nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			if code == 100 {
				return nil
			}
			var h exchange.Header
			for name, values := range header {
				for _, v := range values {
					h.Add(name, v)
				}
			}
			return inform(code, h)
		},
	})
}

func appendDecimal(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

func remoteOf(s string) netip.AddrPort {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{} // a pipe in memory has no address
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// silent takes what the standard library would write to standard error; what matters reaches ExchangeDone.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
