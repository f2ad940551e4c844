package workflow

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"tandem"
)

// Endpoint is where a host name that workflows use is served in this deployment.
type Endpoint struct {
	Address    string         // host:port to connect to
	ServerName string         // the name in the certificate; empty: the host of Address
	RootCAs    *x509.CertPool // who may sign the certificate; nil: the system's
	Plain      bool           // plain HTTP behind an https name; for tests
}

// TokenSource gives access tokens of the managed identity that workflows run as.
type TokenSource interface {
	// Token gives a bearer token, without the word Bearer, for an audience such as https://management.azure.com/. identity
	// is the resource id of a user-assigned identity, or empty for the system-assigned one.
	Token(ctx context.Context, audience, identity string) (string, error)
}

// caller sends the requests of Http actions. Host names that the deployment maps are reached at their endpoints, with the
// name that the workflow wrote in the Host header, so that a workflow written for Azure runs unchanged.
type caller struct {
	hosts   map[string]Endpoint // by lower-case host, or host:port
	tokens  TokenSource
	clock   tandem.Clock
	timeout time.Duration // of one request
	poll    time.Duration // between two polls that name no delay

	mu         sync.Mutex
	transports map[string]*http.Transport // by host; "" for all that is not mapped
}

func newCaller(hosts map[string]Endpoint, tokens TokenSource, clock tandem.Clock, timeout, poll time.Duration) *caller {
	c := &caller{hosts: map[string]Endpoint{}, tokens: tokens, clock: clock, timeout: timeout, poll: poll, transports: map[string]*http.Transport{}}
	for name, e := range hosts {
		c.hosts[strings.ToLower(name)] = e
		if _, given := hosts[e.Address]; !given {
			c.hosts[strings.ToLower(e.Address)] = e // links to the endpoint itself are trusted as well
		}
	}
	return c
}

// close drops idle connections.
func (c *caller) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
}

func (c *caller) endpoint(u *url.URL) (string, *Endpoint) {
	host := strings.ToLower(u.Host)
	if e, ok := c.hosts[host]; ok {
		return host, &e
	}
	if name := strings.ToLower(u.Hostname()); u.Port() == "" || u.Port() == "443" || u.Port() == "80" {
		if e, ok := c.hosts[name]; ok {
			return name, &e
		}
	}
	return "", nil
}

// transport gives the connections to use for an address.
func (c *caller) transport(u *url.URL) *http.Transport {
	key, e := c.endpoint(u)
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.transports[key]; ok {
		return t
	}
	t := newTransport(e)
	c.transports[key] = t
	return t
}

func newTransport(e *Endpoint) *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: 15 * time.Second, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if e == nil {
		return t
	}
	t.Proxy = nil // an endpoint of the deployment is reached directly
	t.TLSClientConfig.RootCAs = e.RootCAs
	t.TLSClientConfig.ServerName = e.ServerName
	if e.ServerName == "" {
		if host, _, err := net.SplitHostPort(e.Address); err == nil {
			t.TLSClientConfig.ServerName = host
		}
	}
	dial := &net.Dialer{Timeout: 15 * time.Second}
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial.DialContext(ctx, network, e.Address)
	}
	if e.Plain {
		t.DialTLSContext = t.DialContext
	}
	return t
}

// send does one request. Redirects are not followed: they are answers like any other.
func (c *caller) send(req *http.Request, certificate *tls.Certificate) (*http.Response, error) {
	var t *http.Transport
	if certificate == nil {
		t = c.transport(req.URL)
	} else {
		_, e := c.endpoint(req.URL)
		t = newTransport(e)
		t.TLSClientConfig.Certificates = []tls.Certificate{*certificate}
		t.DisableKeepAlives = true
	}
	client := &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which may hold secrets
	}
	return resp, err
}
