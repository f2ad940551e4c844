package http1

import (
	"crypto/tls"
	"strings"
	"sync/atomic"

	"tandem"
)

// Certificates gives TLS connections the certificate for the name they ask for, and can be changed while connections are
// served: Get is for tls.Config.GetCertificate.
type Certificates struct {
	table atomic.Pointer[certificateTable]
}

type certificateTable struct {
	byName   map[string]*tls.Certificate
	standard *tls.Certificate
}

// NewCertificates makes an empty set.
func NewCertificates() *Certificates { return new(Certificates) }

// Swap replaces the whole set at once. A name is a host name or a wildcard such as "*.example.com", which stands for one
// label. standard, which may be nil, is for clients that ask for no name or an unknown one.
func (c *Certificates) Swap(byName map[string]*tls.Certificate, standard *tls.Certificate) {
	t := &certificateTable{byName: make(map[string]*tls.Certificate, len(byName)), standard: standard}
	for name, cert := range byName {
		t.byName[strings.ToLower(name)] = cert
	}
	c.table.Store(t)
}

// Get finds the certificate for a connection (RFC 6066, section 3).
func (c *Certificates) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if t := c.table.Load(); t != nil {
		if cert := t.byName[name]; cert != nil {
			return cert, nil
		}
		if dot := strings.IndexByte(name, '.'); dot > 0 {
			if cert := t.byName["*"+name[dot:]]; cert != nil {
				return cert, nil
			}
		}
		if t.standard != nil {
			return t.standard, nil
		}
	}
	return nil, &tandem.Error{Op: "find certificate for", Subject: name, Kind: tandem.NotFound,
		Remedy: "configure a custom hostname with this name, or a default certificate"}
}
