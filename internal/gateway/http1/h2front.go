package http1

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/net/http2"

	"tandem"
	"tandem/internal/exchange"
)

// The preface of HTTP/2 (RFC 9113, section 3.4) up to its first empty line, which reads like a head.
const prefaceHead = "PRI * HTTP/2.0\r\n\r\n"

// h2Front serves the connections that speak HTTP/2, by the standard library's server (golang.org/x/net/http2 is its source),
// to the same handler.
type h2Front struct {
	run       *serving
	server    *http.Server
	two       *http2.Server
	exchanges sync.Pool
}

func newH2Front(run *serving) *h2Front {
	f := &h2Front{exchanges: sync.Pool{New: func() any { return new(exchange.Exchange) }}, run: run}
	t, l := &run.config.Timeouts, &run.config.Limits
	f.server = &http.Server{Handler: f, MaxHeaderBytes: l.Head, ErrorLog: silent()}
	f.two = &http2.Server{
		MaxConcurrentStreams: uint32(max(l.Streams, 0)),
		// Frames are taken up to the size that RFC 9113 section 4.2 begins with: larger ones hold the other streams up.
		MaxReadFrameSize: maxFrame,
		IdleTimeout:      max(t.Idle, 0),
		WriteByteTimeout: max(t.Write, 0),
	}
	if err := http2.ConfigureServer(f.server, f.two); err != nil {
		run.config.Report(err) // never: it looks at a TLS configuration, and there is none
	}
	return f
}

// serve serves c until it is closed. read are the bytes that were taken off it already.
func (f *h2Front) serve(c *serverConn, read []byte) {
	c.reads.leave()
	if f.run.draining.Load() {
		return
	}
	nc := c.nc
	if read != nil {
		nc = &replayed{Conn: nc, first: read}
	}
	guarded := newH2Guard(nc)
	nc = guarded
	if c.tls != nil {
		nc = secureGuard{guarded, *c.tls}
	}
	f.two.ServeConn(nc, &http2.ServeConnOpts{Context: c.ctx, BaseConfig: f.server, Handler: f})
}

// drain tells clients to go (GOAWAY); each connection ends with its last stream, or is closed by force.
func (f *h2Front) drain() { _ = f.server.Shutdown(context.Background()) }

// replayed gives the bytes first that were read before.
type replayed struct {
	net.Conn
	first []byte
}

// Read implements net.Conn.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(p, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}

// ServeHTTP brings one HTTP/2 request to the handler.
func (f *h2Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := f.exchanges.Get().(*exchange.Exchange)
	x.Reset()
	x.Start = f.run.config.Clock.Now()
	x.Context, x.TLS = r.Context(), r.TLS
	x.Remote = remoteOf(r.RemoteAddr)
	if err := f.fill(x, r); err != nil {
		f.run.config.Refused(err.Status)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(err.Status)
		_, _ = w.Write(errorBody(err.Status, err.Message)) // a client that has gone is told nothing
		return
	}
	x.Inform = func(status int, header exchange.Header) error {
		setHeader(w.Header(), header)
		w.WriteHeader(status)
		clear(w.Header())
		return nil
	}
	f.run.config.Handler.ServeExchange(x)
	sent, err := f.answer(w, x, r.Method == "HEAD")
	x.Response.Body.Close()
	f.run.config.Handler.ExchangeDone(x, sent, err)
	if err != nil {
		panic(http.ErrAbortHandler) // the standard server's way to reset the stream
	}
	f.exchanges.Put(x)
}

func (f *h2Front) fill(x *exchange.Exchange, r *http.Request) *Refusal {
	limits := &f.run.config.Limits
	if r.Method == "CONNECT" {
		return errConnect
	}
	if !validTarget(r.RequestURI) || r.RequestURI[0] != '/' {
		return errTarget
	}
	if len(r.RequestURI) > limits.Target {
		return errTargetLong
	}
	if !validHost(r.Host) {
		return errHost
	}
	if limits.Body > 0 && r.ContentLength > limits.Body {
		return errBodyLarge
	}
	x.Request.Method, x.Request.Proto = r.Method, r.Proto
	x.Request.URL = exchange.URL{Scheme: "http", Host: r.Host, Path: r.RequestURI}
	if r.TLS != nil {
		x.Request.URL.Scheme = "https"
	}
	if q := strings.IndexByte(r.RequestURI, '?'); q >= 0 {
		x.Request.URL.Path, x.Request.URL.Query = r.RequestURI[:q], r.RequestURI[q+1:]
	}
	x.Request.Header.Add("Host", r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			if len(x.Request.Header) >= limits.HeadFields {
				return errHeadCount
			}
			x.Request.Header.Add(name, v)
		}
	}
	announce(&x.Request.Header, r.Trailer)
	if r.Body != nil && r.Body != http.NoBody {
		body := &h2Body{request: true, r: r.Body, trailer: &x.Request.Trailer, from: func() http.Header { return r.Trailer }, room: -1}
		if limits.Body > 0 {
			body.room = limits.Body
		}
		x.Request.Body = exchange.Stream(body, r.ContentLength)
	} else if r.Header.Get("Content-Length") == "0" {
		x.Request.Body = exchange.Bytes(nil)
	}
	return nil
}

// answer writes x.Response.
func (f *h2Front) answer(w http.ResponseWriter, x *exchange.Exchange, head bool) (sent int64, err error) {
	res := &x.Response
	if res.Status < 200 || res.Status > 999 {
		res.Body.Close()
		res.Status, res.Header = 500, exchange.Header{{Name: "Content-Type", Value: "application/json"}}
		res.Body = exchange.Bytes(errorBody(500, "Internal server error"))
	}
	length := parseLength(res.Header.Get("Content-Length"))
	setHeader(w.Header(), res.Header)
	if !res.Header.Has("Content-Type") {
		w.Header()["Content-Type"] = nil // nothing is to be guessed
	}
	bodied := hasBody("", res.Status) && !head
	if res.Body.Present() || bodied {
		length = res.Body.Length()
	}
	if length >= 0 && (hasBody("", res.Status) || res.Status == 304) {
		w.Header().Set("Content-Length", string(appendDecimal(nil, length)))
	}
	w.WriteHeader(res.Status)
	if !bodied {
		return 0, nil
	}
	if res.Body.Held() {
		data, _ := res.Body.Bytes(math.MaxInt64)
		n, err := w.Write(data)
		return int64(n), err
	}
	sent, err = f.copyBody(w, res.Body.Reader(), length)
	for _, t := range res.Trailer {
		if !forbiddenTrailer(t.Name) {
			w.Header().Add(http.TrailerPrefix+t.Name, t.Value)
		}
	}
	return sent, err
}

// copyBody writes what it has before it waits for more.
func (f *h2Front) copyBody(w http.ResponseWriter, r io.Reader, length int64) (sent int64, err error) {
	flusher := w.(http.Flusher)
	buf := f.run.buffers.get(largeBuffer)
	defer f.run.buffers.put(buf)
	for {
		if !ready(r) {
			flusher.Flush()
		}
		n, err := r.Read(*buf)
		if n > 0 {
			if _, err := w.Write((*buf)[:n]); err != nil {
				return sent, err
			}
			sent += int64(n)
		}
		switch {
		case err == io.EOF && length >= 0 && sent != length:
			return sent, errBodyLonger
		case err == io.EOF:
			return sent, nil
		case err != nil:
			return sent, &tandem.Error{Op: "read response", Kind: tandem.Unavailable, Err: err,
				Remedy: "see why the backend ended its answer"}
		}
	}
}
