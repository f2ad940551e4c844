package gateway

import (
	"crypto/sha1" //nolint:gosec // thumbprints of certificates are SHA-1 by definition
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"tandem/internal/apim"
)

// certificates are a service's, with their keys. It implements policy.Certificates.
type certificates struct {
	byID         map[string]*tls.Certificate
	byThumbprint map[string]*tls.Certificate
	ids          []string
	roots        *rootStore
	print        string
}

// ByID implements policy.Certificates.
func (c *certificates) ByID(id string) (*tls.Certificate, bool) {
	found, ok := c.byID[strings.ToLower(id)]
	return found, ok
}

// ByThumbprint implements policy.Certificates.
func (c *certificates) ByThumbprint(hex string) (*tls.Certificate, bool) {
	found, ok := c.byThumbprint[normalThumbprint(hex)]
	return found, ok
}

// IDs implements policy.Certificates.
func (c *certificates) IDs() []string { return c.ids }

// Roots implements policy.Certificates.
func (c *certificates) Roots() *x509.CertPool { return c.roots.pool() }

func normalThumbprint(s string) string {
	return strings.ToUpper(strings.NewReplacer(":", "", " ", "").Replace(s))
}

func thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw) //nolint:gosec // see above
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// readPFX opens a PKCS #12 in base64, as API Management is sent certificates. A certificate without a key is PEM or DER in
// base64 and has no password.
func readPFX(data, password string) (*tls.Certificate, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	if err != nil {
		return nil, fmt.Errorf("it is not base64")
	}
	key, leaf, chain, err := pkcs12.DecodeChain(raw, password)
	if err != nil {
		if only, perr := x509.ParseCertificate(raw); perr == nil {
			return &tls.Certificate{Certificate: [][]byte{only.Raw}, Leaf: only}, nil
		}
		return nil, fmt.Errorf("it is not PKCS #12 that the password opens: %w", err)
	}
	out := &tls.Certificate{PrivateKey: key, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, ca := range chain {
		out.Certificate = append(out.Certificate, ca.Raw)
	}
	return out, nil
}

// compileCertificates opens the service's certificates; those whose documents did not change are kept.
func (c *compiler) compileCertificates(sh *shared) *certificates {
	out := &certificates{byID: map[string]*tls.Certificate{}, byThumbprint: map[string]*tls.Certificate{}, roots: c.roots}
	var prints []string
	old := c.opened
	c.opened = make(map[*apim.Document]*tls.Certificate, len(old))
	for _, d := range c.source.list("certificates") {
		cert := old[d]
		if cert == nil {
			if d.Sealed["data"] == "" {
				sh.problem(d.Key, false, "the certificate lies in a Key Vault (%s), which is not reachable from here; what uses it fails. Import the certificate itself", d.String("keyVault.secretIdentifier"))
				continue
			}
			data, err := d.OpenSecretString(c.sealer, "data")
			password := ""
			if err == nil {
				password, err = d.OpenSecretString(c.sealer, "password")
			}
			if err != nil {
				sh.problem(d.Key, true, "%v", err)
				continue
			}
			if cert, err = readPFX(data, password); err != nil {
				sh.problem(d.Key, false, "the certificate cannot be opened: %v; import it again", err)
				continue
			}
		}
		c.opened[d] = cert
		if at := c.host.Clock.Now(); at.After(cert.Leaf.NotAfter) {
			sh.problem(d.Key, false, "the certificate ended on %s; import a new one", cert.Leaf.NotAfter.UTC().Format(time.DateOnly))
		}
		out.byID[strings.ToLower(d.Name())] = cert
		out.byThumbprint[thumbprint(cert.Leaf)] = cert
		out.ids = append(out.ids, d.Name())
		prints = append(prints, d.Name(), thumbprint(cert.Leaf))
	}
	out.print = digest(prints...)
	return out
}
