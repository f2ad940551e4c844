package gateway

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/gateway/http1"
	"tandem/internal/policy"
)

// client sends requests of policies' own.
type client struct{ u *upstreams }

// sendTimeout is how long a service that a policy asks may take to begin its answer (Azure: 60 s).
const sendTimeout = 60 * time.Second

// Do implements policy.Client. A Host field in the request's header is the name that the service is told.
func (c client) Do(ctx context.Context, r *exchange.Request, o policy.SendOptions) (*exchange.Response, error) {
	if o.Timeout == 0 {
		o.Timeout = sendTimeout
	}
	to := upstream{scheme: r.URL.Scheme, host: r.URL.Host}
	if o.Certificate != nil && len(o.Certificate.Certificate) > 0 {
		to.certificate = sha256.Sum256(o.Certificate.Certificate[0])
	}
	if o.Proxy != nil {
		to.proxy = *o.Proxy
	}
	pool, err := c.u.pool(to, o.Certificate)
	if err != nil {
		return nil, err
	}
	send := *r
	if host := r.Header.Get("Host"); host != "" {
		send.URL.Host = host
	}
	out := &exchange.Response{}
	if err := call(ctx, pool, &send, out, http1.Options{Response: o.Timeout}); err != nil {
		return nil, err
	}
	return out, nil
}

func checkProxy(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" {
		return fmt.Errorf("the proxy's address must be http:// and a host")
	}
	return nil
}

// through dials by way of an HTTP proxy (CONNECT, RFC 9110 section 9.3.6).
func through(p policy.Proxy) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the proxy's address is not one")
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
