package http1

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"tandem"
)

// Client makes pools of connections to backends; one warden looks after them all.
type Client struct {
	clock   tandem.Clock
	warden  *warden
	buffers *buffers
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// NewClient makes a client. Close ends it.
func NewClient(clock tandem.Clock) *Client {
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{clock: clock, warden: newWarden(clock), buffers: newBuffers(), stop: stop}
	c.wg.Go(func() { c.warden.run(ctx) })
	return c
}

// Close ends the client's goroutine. Pools are closed before, each by its owner.
func (c *Client) Close() {
	c.stop()
	c.wg.Wait()
}

// Backend is how one backend is reached.
type Backend struct {
	Address string      // host:port to connect to
	TLS     *tls.Config // nil: a plain connection. Where ServerName is empty, it is the host of Address
	HTTP2   bool        // speak HTTP/2: by ALPN with TLS, by prior knowledge without

	// Dial connects; nil: TCP. It is the place for proxies.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	MaxConns int // open connections; default 0: no limit. Calls wait for a free one at most Timeouts.Dial
	MaxIdle  int // idle connections kept; default 256
	MaxHead  int // bytes of a response's status line and header section; default 64 KiB

	Timeouts BackendTimeouts
}

// BackendTimeouts bound how long a call may stay in a phase; each is kept to within 50 ms. Negative means never.
type BackendTimeouts struct {
	Dial      time.Duration // name lookup and TCP, or the wait for a free connection; default 10 s
	Handshake time.Duration // TLS; default 10 s
	Response  time.Duration // from the request's last byte to the end of the response's head; default 300 s
	Read      time.Duration // between two pieces of a response body; default 300 s
	Write     time.Duration // for the backend to take 64 KiB; default 60 s
	Idle      time.Duration // unused in the pool; default 60 s
	Continue  time.Duration // wait for 100 Continue before the body is sent anyway; default 1 s
}

const maxResponseFields = 256

func (b Backend) withDefaults() Backend {
	if b.Dial == nil {
		b.Dial = new(net.Dialer).DialContext
	}
	if b.MaxIdle == 0 {
		b.MaxIdle = 256
	}
	if b.MaxHead == 0 {
		b.MaxHead = 64 << 10
	}
	t := &b.Timeouts
	orInt(&t.Dial, 10*time.Second)
	orInt(&t.Handshake, 10*time.Second)
	orInt(&t.Response, 300*time.Second)
	orInt(&t.Read, 300*time.Second)
	orInt(&t.Write, 60*time.Second)
	orInt(&t.Idle, 60*time.Second)
	orInt(&t.Continue, time.Second)
	return b
}

// Pool makes the pool of one backend. Its owner closes it.
func (c *Client) Pool(b Backend) *Pool {
	b = b.withDefaults()
	if b.TLS != nil {
		b.TLS = b.TLS.Clone()
		if b.TLS.ServerName == "" {
			b.TLS.ServerName, _, _ = net.SplitHostPort(b.Address)
		}
	}
	p := &Pool{client: c, settings: b}
	if b.HTTP2 {
		p.h2 = newH2Transport(b)
	}
	return p
}

// Pool is the connections to one backend.
type Pool struct {
	client   *Client
	settings Backend
	h2       *http.Transport // nil for HTTP/1.1

	mu      sync.Mutex
	idle    []*backendConn // the last one was used last
	open    int
	waiters []chan *backendConn // a nil in the channel is leave to connect
	closed  bool
}

// Close closes idle connections; those in use close when their call ends.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, b := range idle {
		p.drop(b)
	}
	if p.h2 != nil {
		p.h2.CloseIdleConnections()
	}
}
