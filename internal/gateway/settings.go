package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are what a service itself says, beside its documents: they apply to its listeners and to whom it trusts.
type Settings struct {
	hosts   []host
	least   uint16 // version of TLS
	ciphers []uint16
	roots   *x509.CertPool // nil: the system's
	http2   bool

	shareCounters bool // rate limits and quotas are counted in the external cache
	problems      []Problem
}

// host is one host name of a service with its certificate.
type host struct {
	name      string // lower case
	cert      *tls.Certificate
	negotiate bool // clients are asked for a certificate
	standard  bool // it serves clients that name no host
}

// Prefixes of customProperties that API Management has.
const (
	protocolsProperty = "microsoft.windowsazure.apimanagement.gateway.security.protocols."
	ciphersProperty   = "microsoft.windowsazure.apimanagement.gateway.security.ciphers."
	countersProperty  = "tandem.gateway.counters.shared" // Tandem's own: count in the external cache
	http2Property     = "microsoft.windowsazure.apimanagement.gateway.protocols.server.http2"
)

// ReadSettings reads the properties of a service: hostnameConfigurations, certificates, customProperties and
// enableClientCertificate. What cannot be honoured is a problem of every generation (law 10).
func ReadSettings(properties map[string]any) *Settings {
	s := &Settings{http2: true}
	s.least = tls.VersionTLS12
	problem := func(at, format string, args ...any) {
		s.problems = append(s.problems, Problem{Document: "service/" + at, Message: fmt.Sprintf(format, args...)})
	}
	for i, v := range items(properties["hostnameConfigurations"]) {
		m, _ := v.(map[string]any)
		at := fmt.Sprintf("hostnameConfigurations[%d]", i)
		name := strings.ToLower(stringOf(m, "hostName"))
		if kind := stringOf(m, "type"); name == "" || !strings.EqualFold(kind, "Proxy") {
			if name != "" && !strings.EqualFold(kind, "Proxy") {
				problem(at, "host names of the type %s have no endpoint here; %s is not served", kind, name)
			}
			continue
		}
		h := host{name: name, negotiate: isTrue(m, "negotiateClientCertificate"), standard: isTrue(m, "defaultSslBinding")}
		switch encoded := stringOf(m, "encodedCertificate"); {
		case encoded != "":
			cert, err := readPFX(encoded, stringOf(m, "certificatePassword"))
			if err == nil && cert.PrivateKey == nil {
				err = fmt.Errorf("it has no private key")
			}
			if err != nil {
				problem(at, "the certificate of %s cannot be used: %v; the gateway's own is served", name, err)
				break
			}
			h.cert = cert
		case stringOf(m, "keyVaultId") != "":
			problem(at, "the certificate of %s lies in a Key Vault, which is not reachable from here; the gateway's own is served. Send the certificate itself", name)
		}
		s.hosts = append(s.hosts, h)
	}
	if isTrue(properties, "enableClientCertificate") {
		s.hosts = append(s.hosts, host{negotiate: true}) // for every name that says nothing else
	}
	for i, v := range items(properties["certificates"]) {
		m, _ := v.(map[string]any)
		cert, err := readPFX(stringOf(m, "encodedCertificate"), stringOf(m, "certificatePassword"))
		if err != nil {
			problem(fmt.Sprintf("certificates[%d]", i), "the authority cannot be read: %v; certificates that it issued are not trusted", err)
			continue
		}
		if s.roots == nil {
			if s.roots, err = x509.SystemCertPool(); err != nil {
				s.roots = x509.NewCertPool()
			}
		}
		s.roots.AddCert(cert.Leaf)
	}
	custom, _ := properties["customProperties"].(map[string]any)
	s.custom(custom, problem)
	return s
}

// custom reads customProperties.
func (s *Settings) custom(custom map[string]any, problem func(at, format string, args ...any)) {
	disabled := map[uint16]bool{}
	for _, name := range slices.Sorted(maps.Keys(custom)) {
		value := fmt.Sprint(custom[name])
		on := strings.EqualFold(value, "true")
		key := strings.ToLower(name)
		at := "customProperties/" + name
		switch {
		case key == countersProperty:
			s.shareCounters = on
		case key == http2Property:
			s.http2 = on
		case strings.HasPrefix(key, protocolsProperty):
			switch which := strings.TrimPrefix(key, protocolsProperty); {
			case strings.HasSuffix(which, "ssl30"):
				if on {
					problem(at, "SSL 3.0 is not spoken; TLS 1.2 and newer are")
				}
			case which == "tls10" && on:
				s.least = tls.VersionTLS10
			case which == "tls11" && on && s.least > tls.VersionTLS11:
				s.least = tls.VersionTLS11
			case strings.HasPrefix(which, "server.") || strings.HasPrefix(which, "tls1"):
			default:
				problem(at, "the property is not known; it has no effect")
			}
		case strings.HasPrefix(strings.Replace(key, ".backend.", ".", 1), protocolsProperty):
			if on {
				problem(at, "old versions of TLS are not spoken to backends; TLS 1.2 and newer are")
			}
		case strings.HasPrefix(key, ciphersProperty):
			id, known := cipherID(strings.TrimPrefix(key, ciphersProperty))
			switch {
			case !known && on:
				problem(at, "the cipher suite is not offered by this gateway")
			case known && !on:
				disabled[id] = true
			}
		default:
			problem(at, "the property is not known; it has no effect")
		}
	}
	if len(disabled) == 0 {
		return
	}
	for _, suite := range tls.CipherSuites() {
		if !disabled[suite.ID] && slices.Contains(suite.SupportedVersions, tls.VersionTLS12) && !slices.Equal(suite.SupportedVersions, []uint16{tls.VersionTLS13}) {
			s.ciphers = append(s.ciphers, suite.ID)
		}
	}
	if len(s.ciphers) == 0 {
		problem("customProperties", "every cipher suite of TLS 1.2 is disabled; clients need TLS 1.3")
		s.least = tls.VersionTLS13
	}
}

// cipherID finds a cipher suite by API Management's name, which is the standard one in lower case, or OpenSSL's
// "TripleDes168".
func cipherID(name string) (uint16, bool) {
	if name == "tripledes168" {
		return tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, true
	}
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		standard := strings.ToLower(suite.Name)
		if standard == name || standard+"_p256" == name || standard+"_p384" == name {
			return suite.ID, true
		}
	}
	return 0, false
}

func stringOf(m map[string]any, name string) string { s, _ := m[name].(string); return s }

func isTrue(m map[string]any, name string) bool { b, _ := m[name].(bool); return b }
