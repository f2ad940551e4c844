package http1

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"tandem/internal/exchange"
)

// newH2Transport makes the standard library's transport speak HTTP/2 alone to one backend.
func newH2Transport(b Backend) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(b.TLS != nil)
	protocols.SetUnencryptedHTTP2(b.TLS == nil)
	return &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			if b.Timeouts.Dial > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, b.Timeouts.Dial)
				defer cancel()
			}
			return b.Dial(ctx, network, b.Address)
		},
		TLSClientConfig:     b.TLS,
		TLSHandshakeTimeout: max(b.Timeouts.Handshake, 0),
		IdleConnTimeout:     max(b.Timeouts.Idle, 0),
		MaxConnsPerHost:     b.MaxConns,
		DisableCompression:  true,
		Protocols:           protocols,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:  30 * time.Second, // a backend that says nothing is asked whether it lives
			PingTimeout:      15 * time.Second,
			WriteByteTimeout: max(b.Timeouts.Write, 0),
		},
		MaxResponseHeaderBytes: int64(b.MaxHead),
	}
}

// doHTTP2 is Do over HTTP/2.
func (p *Pool) doHTTP2(ctx context.Context, req *exchange.Request, res *exchange.Response, o Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	hr := p.toStandard(ctx, req, o)
	head := make(chan struct{})
	if o.Response == 0 {
		o.Response = p.settings.Timeouts.Response
	}
	if o.Response > 0 {
		go func() { // ends with the response's head, below
			select {
			case <-p.client.clock.After(o.Response):
				cancel(os.ErrDeadlineExceeded)
			case <-head:
			}
		}()
	}
	hs, err := p.h2.RoundTrip(hr)
	close(head)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel(nil)
		f := p.failure(err)
		if op, ok := asOp(err); ok && op == "dial" && f.Reason == ReasonReset {
			f.Reason = ReasonConnect
		}
		return f
	}
	res.Status, res.Reason = hs.StatusCode, ""
	res.Header, res.Trailer = res.Header[:0], res.Trailer[:0]
	for name, values := range hs.Header {
		for _, v := range values {
			res.Header.Add(name, v)
		}
	}
	announce(&res.Header, hs.Trailer)
	if !hasBody(req.Method, hs.StatusCode) {
		hs.Body.Close()
		cancel(nil)
		res.Body = exchange.Body{}
		return nil
	}
	res.Body = exchange.Stream(&h2Response{h2Body{r: hs.Body, trailer: &res.Trailer, room: -1,
		from: func() http.Header { return hs.Trailer }}, cancel}, hs.ContentLength)
	return nil
}

// h2Response is a response's body; closing it ends the call.
type h2Response struct {
	h2Body
	cancel context.CancelCauseFunc
}

// Close implements io.Closer.
func (b *h2Response) Close() error {
	err := b.h2Body.Close()
	b.cancel(nil)
	return err
}

func (p *Pool) toStandard(ctx context.Context, req *exchange.Request, o Options) *http.Request {
	u := &url.URL{Scheme: "http", Host: p.settings.Address, Opaque: req.URL.Path, RawQuery: req.URL.Query}
	if p.settings.TLS != nil {
		u.Scheme = "https"
	}
	hr := (&http.Request{Method: req.Method, URL: u, Host: req.URL.Host, Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: make(http.Header, len(req.Header)+1)}).WithContext(withInform(ctx, o.Inform))
	setHeader(hr.Header, req.Header)
	hr.Header.Del("Expect")
	for _, v := range req.Header.Values("TE") {
		if sameName(v, "trailers") { // gRPC asks for it; RFC 9113 section 8.2.2 lets it pass
			hr.Header.Set("TE", "trailers")
		}
	}
	if _, ok := hr.Header["User-Agent"]; !ok {
		hr.Header["User-Agent"] = nil // the standard library would name itself
	}
	if !req.Body.Present() {
		return hr
	}
	hr.ContentLength = req.Body.Length()
	if hr.ContentLength == 0 {
		hr.Body = http.NoBody
		return hr
	}
	for _, names := range req.Header.Values("Trailer") {
		for names != "" {
			var name string
			if name, names = nextToken(names); validToken(name) && !forbiddenTrailer(name) {
				if hr.Trailer == nil {
					hr.Trailer = make(http.Header)
				}
				hr.Trailer[http.CanonicalHeaderKey(name)] = nil
			}
		}
	}
	hr.Body = &h2Request{Reader: req.Body.Reader(), done: func() {
		for name := range hr.Trailer {
			hr.Trailer[name] = req.Trailer.Values(name)
		}
	}}
	return hr
}

// h2Request is a request's body; at its end it brings the trailers over.
type h2Request struct {
	io.Reader
	done func()
}

// Read implements io.Reader.
func (b *h2Request) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.done()
	}
	return n, err
}

// Close is called when the transport needs no more of the body; it may be in Read at that time.
func (b *h2Request) Close() error {
	if i, ok := b.Reader.(interface {
		Interrupt()
		Ended() bool
	}); ok && !i.Ended() {
		i.Interrupt()
	}
	return nil
}
