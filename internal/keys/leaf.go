package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"sync"
	"time"

	"tandem"
)

// DefaultLife is how long a leaf holds when Leaf.Life is zero.
const DefaultLife = 90 * 24 * time.Hour

// Leaf says what a certificate is for.
type Leaf struct {
	Name   string        // the subject's common name: what logs and consoles show
	Hosts  []string      // DNS names ("*.example.org" too) and IP addresses that clients may use
	Client bool          // it also proves a client (mutual TLS)
	Life   time.Duration // zero: DefaultLife
}

// Issue makes a key (ECDSA P-256, in memory alone) and a certificate for it, signed by the authority and never outliving
// it. The chain that is sent holds the leaf alone, as the authority is the root.
func (c *CA) Issue(l Leaf) (tls.Certificate, error) {
	fail := func(kind tandem.Kind, err error, remedy string) (tls.Certificate, error) {
		return tls.Certificate{}, &tandem.Error{Op: "issue certificate", Subject: l.Name, Kind: kind, Err: err, Remedy: remedy}
	}
	if l.Name == "" || len(l.Hosts) == 0 && !l.Client {
		return fail(tandem.Invalid, errors.New("a leaf needs a name, and hosts unless it is a client's"), "give both")
	}
	serial, err := newSerial()
	if err != nil {
		return fail(tandem.Unavailable, err, "check the machine's source of random numbers")
	}
	now, life := c.clock.Now(), l.Life
	if life <= 0 {
		life = DefaultLife
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Tandem"}, CommonName: l.Name},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(life),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	if t.NotAfter.After(c.cert.NotAfter) {
		t.NotAfter = c.cert.NotAfter
	}
	for _, h := range l.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	if len(l.Hosts) > 0 {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if l.Client {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(tandem.Unavailable, err, "check the machine's source of random numbers")
	}
	der, err := x509.CreateCertificate(rand.Reader, t, c.cert, &key.PublicKey, c.key)
	if err != nil {
		return fail(tandem.Invalid, err, "check that every host is a DNS name or an IP address")
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(tandem.Invalid, err, "check that every host is a DNS name or an IP address")
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// Source keeps one leaf fresh: whoever asks for the certificate when two thirds of its life are gone makes the next one.
// It needs no goroutine. Its two methods fit tls.Config.
type Source struct {
	ca   *CA
	leaf Leaf

	mu   sync.Mutex
	cert *tls.Certificate
}

// Source issues the first certificate and gives what renews it.
func (c *CA) Source(l Leaf) (*Source, error) {
	s := &Source{ca: c, leaf: l}
	_, err := s.Certificate()
	return s, err
}

// Certificate is the current certificate. A renewal that fails keeps the old one until it has expired.
func (s *Source) Certificate() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.ca.clock.Now()
	if s.cert != nil {
		begin, end := s.cert.Leaf.NotBefore.Add(backdate), s.cert.Leaf.NotAfter
		if now.Before(end.Add(-end.Sub(begin) / 3)) {
			return s.cert, nil
		}
	}
	next, err := s.ca.Issue(s.leaf)
	switch {
	case err == nil:
		s.cert = &next
	case s.cert == nil || !now.Before(s.cert.Leaf.NotAfter):
		return nil, err
	}
	return s.cert, nil
}

// GetCertificate fits tls.Config.GetCertificate.
func (s *Source) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.Certificate()
}

// GetClientCertificate fits tls.Config.GetClientCertificate.
func (s *Source) GetClientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return s.Certificate()
}
