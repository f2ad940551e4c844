package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"tandem/internal/gateway/http1"
)

// GetCertificate gives a certificate for a connection, as tls.Config has it.
type GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// frontTLS is the TLS side of a gateway's listeners as its settings want it.
type frontTLS struct {
	byHost   map[string]*tls.Config // host names and wildcards, lower case
	standard *tls.Config
}

// TLSConfig is the TLS side of a listener of this gateway. Host names of the service have their own certificates; own is
// for all other names. The service's settings apply to the next connection after they changed.
func (g *Gateway) TLSConfig(own GetCertificate) *tls.Config {
	g.own.Store(&own)
	g.applyTLS(g.settings.Load())
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: own, NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return g.front.Load().forHost(hello.ServerName), nil
		}}
}

// Apply makes the gateway keep to the service's settings from now on.
func (g *Gateway) Apply(s *Settings) {
	g.settings.Store(s)
	g.roots.Store(s.roots)
	g.counters.share.Store(s.shareCounters)
	g.applyTLS(s)
	g.tellProblems(s.problems)
}

func (g *Gateway) applyTLS(s *Settings) {
	own := g.own.Load()
	if own == nil {
		return
	}
	if s == nil {
		s = ReadSettings(nil)
	}
	certs := http1.NewCertificates()
	byName := map[string]*tls.Certificate{}
	var standard *tls.Certificate
	for _, h := range s.hosts {
		if h.cert != nil {
			byName[h.name] = h.cert
			if h.standard {
				standard = h.cert
			}
		}
	}
	certs.Swap(byName, standard)
	get := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if cert, err := certs.Get(hello); err == nil {
			return cert, nil
		}
		return (*own)(hello)
	}
	base := &tls.Config{MinVersion: s.least, CipherSuites: s.ciphers, GetCertificate: get, NextProtos: []string{"h2", "http/1.1"}}
	if !s.http2 {
		base.NextProtos = []string{"http/1.1"}
	}
	asking := base.Clone()
	// Who the client is is for policies to judge: any certificate is taken, none is demanded.
	asking.ClientAuth = tls.RequestClientCert
	if !slices.Contains(asking.NextProtos, "http/1.1") {
		asking.NextProtos = append(asking.NextProtos, "http/1.1")
	}
	f := &frontTLS{byHost: map[string]*tls.Config{}, standard: base}
	for _, h := range s.hosts {
		switch {
		case h.name == "":
			f.standard = asking
		case h.negotiate:
			f.byHost[h.name] = asking
		default:
			f.byHost[h.name] = base
		}
	}
	g.front.Store(f)
}

func (f *frontTLS) forHost(name string) *tls.Config {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if c := f.byHost[name]; c != nil {
		return c
	}
	if dot := strings.IndexByte(name, '.'); dot > 0 {
		if c := f.byHost["*"+name[dot:]]; c != nil {
			return c
		}
	}
	return f.standard
}

// CertificateStatus is a certificate that the gateway serves.
type CertificateStatus struct {
	Host    string    `json:"host"` // empty: the gateway's own, for all other names
	Expires time.Time `json:"expires"`
	Problem string    `json:"problem,omitempty"`
}

// certificateStatus looks at every certificate that clients may be served.
func (g *Gateway) certificateStatus() (list []CertificateStatus, ok bool) {
	own := g.own.Load()
	if own == nil {
		return nil, false
	}
	now, ok := g.clock.Now(), true
	look := func(host string, cert *tls.Certificate, err error) {
		s := CertificateStatus{Host: host}
		leaf := (*x509.Certificate)(nil)
		if err == nil {
			leaf, err = leafOf(cert)
		}
		switch {
		case err != nil:
			s.Problem = err.Error()
		case now.After(leaf.NotAfter):
			s.Expires, s.Problem = leaf.NotAfter, "it has ended"
		case now.Before(leaf.NotBefore):
			s.Expires, s.Problem = leaf.NotAfter, "it has not begun"
		default:
			s.Expires = leaf.NotAfter
		}
		ok = ok && s.Problem == ""
		list = append(list, s)
	}
	cert, err := (*own)(&tls.ClientHelloInfo{})
	look("", cert, err)
	if s := g.settings.Load(); s != nil {
		for _, h := range s.hosts {
			if h.cert != nil {
				look(h.name, h.cert, nil)
			}
		}
	}
	return list, ok
}

func leafOf(cert *tls.Certificate) (*x509.Certificate, error) {
	switch {
	case cert == nil || len(cert.Certificate) == 0:
		return nil, errors.New("there is none")
	case cert.Leaf != nil:
		return cert.Leaf, nil
	}
	return x509.ParseCertificate(cert.Certificate[0])
}
