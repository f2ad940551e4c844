package policy

import (
	"crypto/x509"
	"encoding/hex"
	"strings"

	"tandem/internal/policy/markup"
)

var policyValidateClientCertificate = &Policy{
	Name: "validate-client-certificate", Category: "Access restriction", Does: "refuses a client without a certificate that fits",
	Sections: inboundOnly,
	Attrs: []Attribute{attr("validate-revocation", trueFalse...).lit().def("true"), attr("validate-trust", trueFalse...).lit().def("true"),
		attr("validate-not-before", trueFalse...).lit().def("true"), attr("validate-not-after", trueFalse...).lit().def("true"),
		attr("ignore-error", trueFalse...).lit().def("false")},
	Children: []Child{{Name: "identities", Children: []Child{{Name: "identity", Many: true, Attrs: []Attribute{attr("thumbprint"), attr("serial-number"),
		attr("common-name"), attr("subject"), attr("dns-name"), attr("issuer-subject"), attr("issuer-thumbprint"), attr("issuer-certificate-id")}}}}},
	compile: compileClientCertificate,
}

func compileClientCertificate(c *compiler, n *markup.Node) runFunc {
	trust, before, after := c.boolean(n, "validate-trust", true), c.boolean(n, "validate-not-before", true), c.boolean(n, "validate-not-after", true)
	ignore := c.boolean(n, "ignore-error", false)
	if a, ok := n.Attr("validate-revocation"); !ok || !strings.EqualFold(c.value(a.Value).Text, "false") {
		c.report(Warning, n.Pos, KindPart, n.Name+"/validate-revocation", "revocation lists are not consulted; set validate-revocation to false to say so, or use short-lived certificates")
	}
	var identities []map[string]*text
	if e := element(n, "identities"); e != nil {
		for _, k := range e.Elements() {
			want := map[string]*text{}
			for _, a := range k.Attrs {
				if a.Name != "id" {
					want[a.Name] = c.text(k, a.Name, "")
				}
			}
			identities = append(identities, want)
		}
	}
	return func(s *State) error {
		why, err := s.checkClient(trust.lit, before.lit, after.lit, identities)
		if err != nil || why == "" || ignore.lit {
			return err
		}
		return failure(401, "ClientCertificateInvalid", why)
	}
}

// checkClient says what is wrong with the client's certificate, or "".
func (s *State) checkClient(trust, before, after bool, identities []map[string]*text) (string, error) {
	if s.TLS == nil || len(s.TLS.PeerCertificates) == 0 {
		return "Client certificate not present.", nil
	}
	chain := s.TLS.PeerCertificates
	leaf, now := chain[0], s.Now()
	switch {
	case before && now.Before(leaf.NotBefore):
		return "Client certificate is not yet valid.", nil
	case after && now.After(leaf.NotAfter):
		return "Client certificate has expired.", nil
	}
	if trust {
		o := x509.VerifyOptions{Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: leaf.NotBefore}
		if before && after {
			o.CurrentTime = now
		}
		if s.Host.Certificates != nil {
			o.Roots = s.Host.Certificates.Roots()
		}
		for _, c := range chain[1:] {
			o.Intermediates.AddCert(c)
		}
		if _, err := leaf.Verify(o); err != nil {
			return "Client certificate is not trusted.", nil
		}
	}
	if len(identities) == 0 {
		return "", nil
	}
	for _, want := range identities {
		ok, err := s.fits(chain, want)
		if err != nil {
			return "", err
		}
		if ok {
			return "", nil
		}
	}
	return "Client certificate is not among the allowed identities.", nil
}

func (s *State) fits(chain []*x509.Certificate, want map[string]*text) (bool, error) {
	leaf := chain[0]
	for name, t := range want {
		v, err := t.get(s)
		if err != nil {
			return false, err
		}
		plain := strings.ToUpper(strings.NewReplacer(":", "", " ", "").Replace(v))
		ok := false
		switch name {
		case "thumbprint":
			ok = thumbprintOf(leaf) == plain
		case "serial-number":
			ok = strings.TrimLeft(strings.ToUpper(hex.EncodeToString(leaf.SerialNumber.Bytes())), "0") == strings.TrimLeft(plain, "0")
		case "common-name":
			ok = leaf.Subject.CommonName == v
		case "subject":
			ok = sameName(leaf.Subject.String(), v)
		case "dns-name":
			ok = leaf.VerifyHostname(v) == nil || covers(leaf.DNSNames, v)
		case "issuer-subject":
			ok = sameName(leaf.Issuer.String(), v)
		case "issuer-thumbprint":
			for _, c := range chain[1:] {
				ok = ok || thumbprintOf(c) == plain
			}
		case "issuer-certificate-id":
			if s.Host.Certificates != nil {
				if c, found := s.Host.Certificates.ByID(v); found {
					if ca := leafOf(c); ca != nil {
						ok = leaf.CheckSignatureFrom(ca) == nil
					}
				}
			}
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}

// sameName compares distinguished names by their parts, whatever the order and the spaces.
func sameName(a, b string) bool {
	parts := func(s string) map[string]bool {
		m := map[string]bool{}
		for _, p := range strings.Split(s, ",") {
			k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
			if k = strings.ToUpper(strings.TrimSpace(k)); k == "S" {
				k = "ST"
			}
			m[k+"="+strings.TrimSpace(v)] = true
		}
		return m
	}
	x, y := parts(a), parts(b)
	for k := range x {
		if !y[k] {
			return false
		}
	}
	return len(x) == len(y)
}
