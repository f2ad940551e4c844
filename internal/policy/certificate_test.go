package policy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"tandem/internal/exchange"
)

type certificateStore struct {
	byID  map[string]*tls.Certificate
	roots *x509.CertPool
}

func (c *certificateStore) ByID(id string) (*tls.Certificate, bool) {
	v, ok := c.byID[id]
	return v, ok
}
func (c *certificateStore) ByThumbprint(hex string) (*tls.Certificate, bool) {
	for _, v := range c.byID {
		if thumbprintOf(v.Leaf) == hex {
			return v, true
		}
	}
	return nil, false
}
func (c *certificateStore) IDs() []string         { return []string{"ca"} }
func (c *certificateStore) Roots() *x509.CertPool { return c.roots }

// chainOf makes an authority and a client certificate under it.
func chainOf(t *testing.T, now time.Time) (ca, leaf *x509.Certificate, caKey, leafKey *ecdsa.PrivateKey) {
	t.Helper()
	make := func(tmpl, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if parent == nil {
			parent, parentKey = tmpl, key
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	ca, caKey = make(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf, leafKey = make(&x509.Certificate{SerialNumber: big.NewInt(0xab12), Subject: pkix.Name{CommonName: "client", Organization: []string{"Acme"}}, DNSNames: []string{"c.example"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Minute)}, ca, caKey)
	return ca, leaf, caKey, leafKey
}

func TestValidateClientCertificate(t *testing.T) {
	clock := newClock()
	ca, leaf, caKey, _ := chainOf(t, clock.now)
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	store := &certificateStore{byID: map[string]*tls.Certificate{"ca": {Certificate: [][]byte{ca.Raw}, Leaf: ca, PrivateKey: caKey}}, roots: roots}
	other := &certificateStore{roots: x509.NewCertPool()}
	open := `<validate-client-certificate validate-revocation="false"`
	for _, c := range []struct {
		name, policy string
		store        *certificateStore
		shift        time.Duration
		none, ok     bool
	}{
		{"good", open + `/>`, store, 0, false, true},
		{"none", open + `/>`, store, 0, true, false},
		{"expired", open + `/>`, store, time.Hour, false, false},
		{"expired but not checked", open + ` validate-not-after="false"/>`, store, time.Hour, false, true},
		{"early", open + `/>`, store, -time.Hour, false, false},
		{"not trusted", open + `/>`, other, 0, false, false},
		{"trust not checked", open + ` validate-trust="false"/>`, other, 0, false, true},
		{"ignored", open + ` ignore-error="true"/>`, other, 0, false, true},
		{"thumbprint", open + `><identities><identity thumbprint="` + thumbprintOf(leaf) + `"/></identities></validate-client-certificate>`, store, 0, false, true},
		{"serial", open + `><identities><identity serial-number="AB:12" common-name="client" dns-name="c.example" subject="O=Acme, CN=client" issuer-subject="CN=ca"/></identities></validate-client-certificate>`, store, 0, false, true},
		{"issuer", open + `><identities><identity issuer-certificate-id="ca" issuer-thumbprint="` + thumbprintOf(ca) + `"/></identities></validate-client-certificate>`, store, 0, false, true},
		{"other identity", open + `><identities><identity common-name="x"/></identities></validate-client-certificate>`, store, 0, false, false},
		{"second identity", open + `><identities><identity common-name="x"/><identity common-name="client"/></identities></validate-client-certificate>`, store, 0, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newClock()
			k.now = clock.now.Add(c.shift)
			host := &Host{Clock: k, Certificates: c.store}
			p, _, err := Compile([]Source{{Name: "t", Text: "<policies><inbound>" + c.policy + "</inbound><backend/></policies>"}}, Options{Host: host})
			if err != nil {
				t.Fatal(err)
			}
			x := &exchange.Exchange{Request: exchange.Request{Method: "GET"}, TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf, ca}}}
			if c.none {
				x.TLS = nil
			}
			s := &State{Exchange: x, Host: host}
			if err := p.Run(context.Background(), s); err != nil {
				t.Fatal(err)
			}
			if ok := s.LastError == nil; ok != c.ok {
				t.Errorf("passed %v, want %v: %v", ok, c.ok, s.LastError)
			}
		})
	}
}

type keepingForwarder struct{ got ForwardOptions }

func (k *keepingForwarder) Forward(s *State, o ForwardOptions) error {
	k.got = o
	s.Response.Status = 200
	return nil
}

func TestAuthenticationCertificate(t *testing.T) {
	clock := newClock()
	ca, _, key, _ := chainOf(t, clock.now)
	f := &keepingForwarder{}
	host := &Host{Clock: clock, Forwarder: f, Certificates: &certificateStore{byID: map[string]*tls.Certificate{"ca": {Certificate: [][]byte{ca.Raw}, Leaf: ca, PrivateKey: key}}}}
	for _, attr := range []string{`certificate-id="ca"`, `thumbprint="` + thumbprintOf(ca) + `"`} {
		p, _, err := Compile([]Source{{Name: "t", Text: `<policies><inbound><authentication-certificate ` + attr + `/></inbound></policies>`}}, Options{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		s := &State{Exchange: &exchange.Exchange{Request: exchange.Request{Method: "GET"}}, Host: host}
		if err := p.Run(context.Background(), s); err != nil || s.LastError != nil {
			t.Fatal(err, s.LastError)
		}
		if f.got.Certificate == nil || !f.got.Certificate.Leaf.Equal(ca) {
			t.Errorf("%s: the certificate was not given to the forwarder", attr)
		}
		f.got = ForwardOptions{}
	}
}
