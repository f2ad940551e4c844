package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"tandem"
	"tandem/internal/exchange"
	"tandem/internal/gateway/http1"
	"tandem/internal/policy"
)

// rootStore holds the authorities that backends and clients are trusted by, hot-swapped; nil: the system's.
type rootStore struct{ atomic.Pointer[x509.CertPool] }

func (r *rootStore) pool() *x509.CertPool { return r.Load() }

// upstreams keeps a pool of connections for each way of reaching a backend.
type upstreams struct {
	client *http1.Client
	roots  *rootStore
	mu     sync.RWMutex
	pools  map[upstream]*http1.Pool
}

// upstream is a way of reaching a backend. Two that are equal share connections.
type upstream struct {
	scheme, host string
	certificate  [sha256.Size]byte
	proxy        policy.Proxy
	noChain      bool // the chain of the backend's certificate is not looked at
	noName       bool // nor its name
	http2        bool
	roots        *x509.CertPool
}

// endpoint is an upstream that a configuration names: it keeps its pool at hand.
type endpoint struct {
	to   upstream
	pool atomic.Pointer[pinned]
}

type pinned struct {
	*http1.Pool
	roots *x509.CertPool
}

// maxPools bounds how many backends are kept connected to, since policies can make up addresses. What is beyond loses its
// idle connections, no more.
const maxPools = 2048

func newUpstreams(clock tandem.Clock, roots *rootStore) *upstreams {
	return &upstreams{client: http1.NewClient(clock), roots: roots, pools: map[upstream]*http1.Pool{}}
}

func (u *upstreams) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range u.pools {
		p.Close()
	}
	u.client.Close()
}

// at gives the pool of an endpoint.
func (u *upstreams) at(e *endpoint, cert *tls.Certificate) (*http1.Pool, error) {
	roots := u.roots.pool()
	if p := e.pool.Load(); p != nil && p.roots == roots {
		return p.Pool, nil
	}
	p, err := u.pool(e.to, cert)
	if err != nil {
		return nil, err
	}
	e.pool.Store(&pinned{p, roots})
	return p, nil
}

// call sends a request over a pool; errors are those of policy.Forwarder and policy.Client.
func call(ctx context.Context, pool *http1.Pool, r *exchange.Request, out *exchange.Response, o http1.Options) error {
	err := pool.Do(ctx, r, out, o)
	if err == nil {
		return nil
	}
	if refusal := http1.RefusalOf(err); refusal != nil {
		return &policy.LastError{Source: "request", Reason: policy.ReasonClient, Message: refusal.Message, Status: refusal.Status, Err: err}
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
	if to.scheme == "https" {
		to.roots = u.roots.pool()
	}
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
	b := http1.Backend{Address: address, HTTP2: to.http2}
	if to.scheme == "https" {
		b.TLS = to.tls(cert)
	}
	if to.proxy.URL != "" {
		dial, err := through(to.proxy)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", policy.ErrConnection, err)
		}
		b.Dial = dial
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if p := u.pools[to]; p != nil {
		return p, nil
	}
	if len(u.pools) >= maxPools {
		for other, p := range u.pools {
			p.Close()
			delete(u.pools, other)
			break
		}
	}
	p = u.client.Pool(b)
	u.pools[to] = p
	return p, nil
}

// tls makes the client's side of TLS to a backend with the validation that its settings ask for.
func (to upstream) tls(cert *tls.Certificate) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: to.roots}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	if to.http2 {
		c.NextProtos = []string{"h2"}
	}
	if !to.noChain && !to.noName {
		return c
	}
	name := to.host // the connection knows no name where that is an address
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	c.InsecureSkipVerify = true //nolint:gosec // the parts that are asked for are verified below
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the backend sent no certificate")
		}
		leaf := s.PeerCertificates[0]
		if !to.noName {
			return leaf.VerifyHostname(name)
		}
		if to.noChain {
			return nil
		}
		between := x509.NewCertPool()
		for _, ca := range s.PeerCertificates[1:] {
			between.AddCert(ca)
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: to.roots, Intermediates: between})
		return err
	}
	return c
}
