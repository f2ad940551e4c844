package policy

import (
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// knownCertificate holds a literal id or thumbprint against the service's certificates.
func (c *compiler) knownCertificate(t *text, thumbprint bool) {
	if !t.set || !t.constant() || c.opts.Presume || strings.Contains(t.lit, "{{") {
		return
	}
	if h := c.host.Certificates; h != nil {
		found := false
		if thumbprint {
			_, found = h.ByThumbprint(t.lit)
		} else {
			_, found = h.ByID(t.lit)
		}
		if found {
			return
		}
	}
	c.report(Error, t.node.Pos, KindPart, t.lit, "the service has no certificate %s; import it", t.lit)
}

// certificate finds a certificate with its key: by thumbprint, by id, or in a PKCS #12 body.
func (s *State) certificate(thumbprint, id string, pfx []byte, password string) (*tls.Certificate, error) {
	if pfx != nil {
		key, leaf, chain, err := pkcs12.DecodeChain(pfx, password)
		if err != nil {
			return nil, &LastError{Status: 500, Message: "The client certificate's body is not PKCS #12 that the password opens.", Err: err}
		}
		cert := &tls.Certificate{PrivateKey: key, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
		for _, ca := range chain {
			cert.Certificate = append(cert.Certificate, ca.Raw)
		}
		return cert, nil
	}
	name := id
	if h := s.Host.Certificates; h != nil {
		if id != "" {
			if cert, ok := h.ByID(id); ok {
				return cert, nil
			}
		} else if cert, ok := h.ByThumbprint(thumbprint); ok {
			return cert, nil
		}
	}
	if name == "" {
		name = thumbprint
	}
	return nil, failure(500, "", "The service has no certificate "+name+".")
}

// leafOf gives the parsed certificate.
func leafOf(c *tls.Certificate) *x509.Certificate {
	if c == nil {
		return nil
	}
	if c.Leaf != nil {
		return c.Leaf
	}
	if len(c.Certificate) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}

// thumbprintOf is the SHA-1 of a certificate in upper-case hex, as .NET writes it.
func thumbprintOf(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
