package gateway

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"tandem"
	"tandem/internal/exchange"
	"tandem/internal/gateway/http1"
	"tandem/internal/policy"
)

// upstreams keeps a pool of connections for each backend address, client certificate and proxy.
type upstreams struct {
	client *http1.Client
	mu     sync.RWMutex
	pools  map[upstream]*http1.Pool
}

type upstream struct {
	scheme, host string
	certificate  [sha256.Size]byte
	proxy        policy.Proxy
}

func newUpstreams(clock tandem.Clock) *upstreams {
	return &upstreams{client: http1.NewClient(clock), pools: map[upstream]*http1.Pool{}}
}

func (u *upstreams) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range u.pools {
		p.Close()
	}
	u.client.Close()
}

// do sends a request to the address of its URL. A Host field in its header is the name the backend is told instead.
func (u *upstreams) do(ctx context.Context, r *exchange.Request, out *exchange.Response, o http1.Options, cert *tls.Certificate, proxy *policy.Proxy) error {
	to := upstream{scheme: r.URL.Scheme, host: r.URL.Host}
	if cert != nil && len(cert.Certificate) > 0 {
		to.certificate = sha256.Sum256(cert.Certificate[0])
	}
	if proxy != nil {
		to.proxy = *proxy
	}
	pool, err := u.pool(to, cert)
	if err != nil {
		return fmt.Errorf("%w: %w", policy.ErrConnection, err)
	}
	if host := r.Header.Get("Host"); host != "" {
		r.URL.Host = host
		r.Header = r.Header.Clone()
		r.Header.Del("Host")
	}
	err = pool.Do(ctx, r, out, o)
	if err == nil {
		return nil
	}
	switch http1.ReasonOf(err) {
	case http1.ReasonTimeout:
		return fmt.Errorf("%w: %w", policy.ErrTimeout, err)
	case http1.ReasonClient:
		return fmt.Errorf("%w: %w", policy.ErrClientGone, err)
	}
	return fmt.Errorf("%w: %w", policy.ErrConnection, err)
}

func (u *upstreams) pool(to upstream, cert *tls.Certificate) (*http1.Pool, error) {
	u.mu.RLock()
	p := u.pools[to]
	u.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	address := to.host
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(to.host, map[string]string{"http": "80", "https": "443"}[to.scheme])
	}
	b := http1.Backend{Address: address}
	if to.scheme == "https" {
		b.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		if cert != nil {
			b.TLS.Certificates = []tls.Certificate{*cert}
		}
	}
	if to.proxy.URL != "" {
		dial, err := through(to.proxy)
		if err != nil {
			return nil, err
		}
		b.Dial = dial
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if p := u.pools[to]; p != nil {
		return p, nil
	}
	p = u.client.Pool(b)
	u.pools[to] = p
	return p, nil
}

// through dials by way of an HTTP proxy (CONNECT, RFC 9110 section 9.3.6).
func through(p policy.Proxy) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the proxy's address %q is not one", p.URL)
	}
	at := u.Host
	if u.Port() == "" {
		at = net.JoinHostPort(u.Hostname(), "80")
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, at)
		if err != nil {
			return nil, err
		}
		if deadline, ok := ctx.Deadline(); ok {
			_ = conn.SetDeadline(deadline) // a connection that cannot is about to fail anyway
		}
		req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
		if p.Username != "" {
			req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.Username+":"+p.Password)))
		}
		err = req.Write(conn)
		var resp *http.Response
		if err == nil {
			resp, err = http.ReadResponse(bufio.NewReaderSize(conn, 1), req)
		}
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("the proxy %s answered %s", at, resp.Status)
		}
		if err != nil {
			_ = conn.Close() // the first error is the one to tell
			return nil, err
		}
		return conn, conn.SetDeadline(time.Time{})
	}, nil
}

// client sends requests of policies' own.
type client struct{ u *upstreams }

// sendTimeout is how long a service that a policy asks may take to begin its answer (Azure: 60 s).
const sendTimeout = 60 * time.Second

// Do implements policy.Client.
func (c client) Do(ctx context.Context, r *exchange.Request, o policy.SendOptions) (*exchange.Response, error) {
	if o.Timeout == 0 {
		o.Timeout = sendTimeout
	}
	out := &exchange.Response{}
	if err := c.u.do(ctx, r, out, http1.Options{Response: o.Timeout}, o.Certificate, o.Proxy); err != nil {
		return nil, err
	}
	return out, nil
}
