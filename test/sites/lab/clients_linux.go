package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// HTTP is a client that calls from inside a site. Addresses in URLs must be literal. TLS may be nil.
func (l *Lab) HTTP(site string, config *tls.Config, timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DialContext: l.Site(site).DialContext, TLSClientConfig: config, MaxIdleConnsPerHost: 32}}
}

// Ask sends one DNS question from inside a site and waits for its answer until ctx ends.
func (l *Lab) Ask(ctx context.Context, site, network, server, name string, kind uint16) (*dns.Msg, error) {
	c, err := l.Site(site).DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // it was read
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	conn := &dns.Conn{Conn: c}
	if err := conn.WriteMsg(q); err != nil {
		return nil, fmt.Errorf("ask %s: %w", server, err)
	}
	for {
		r, err := conn.ReadMsg()
		if err != nil {
			return nil, fmt.Errorf("answer of %s: %w", server, err)
		}
		if r.Id == q.Id {
			return r, nil
		}
	}
}

// Resolve asks DNS servers in turn for a name's IPv4 addresses, as a resolver does: the next one when one is silent for
// each.
func (l *Lab) Resolve(ctx context.Context, site, name string, each time.Duration, servers ...string) (out []netip.Addr, err error) {
	for _, server := range servers {
		var r *dns.Msg
		one, cancel := context.WithTimeout(ctx, each)
		r, err = l.Ask(one, site, "udp", server, name, dns.TypeA)
		cancel()
		if err != nil {
			continue
		}
		for _, rr := range r.Answer {
			if a, ok := rr.(*dns.A); ok {
				if ip, ok := netip.AddrFromSlice(a.A.To4()); ok {
					out = append(out, ip)
				}
			}
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("%s says %s for %s and gives no address", server, dns.RcodeToString[r.Rcode], name)
		}
		return out, nil
	}
	return nil, err
}

// At is the address of a port in a site.
func (l *Lab) At(site string, port int) string {
	return net.JoinHostPort(l.Site(site).Addr.String(), fmt.Sprint(port))
}
