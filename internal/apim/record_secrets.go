package apim

import (
	"crypto/sha1" //nolint:gosec // thumbprints of certificates are SHA-1 by definition
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"time"

	"tandem"
)

// hostSecrets are what the certificates of a service hold that no GET shows.
func hostSecrets() []string { return []string{"encodedCertificate", "certificatePassword"} }

// eachCertificate visits the hostname configurations and certificates of a service's properties.
func eachCertificate(props map[string]any, visit func(list string, m map[string]any) error) error {
	for _, list := range []string{"hostnameConfigurations", "certificates"} {
		items, _ := props[list].([]any)
		for _, v := range items {
			if m, ok := v.(map[string]any); ok {
				if err := visit(list, m); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sealed is the record as it rests: its certificates and their passwords sealed, each under "sealed" beside the others (law 7).
func (p *Provider) sealed(r *Record) (*Record, error) {
	out := *r
	out.Properties = copyLists(r.Properties)
	err := eachCertificate(out.Properties, func(_ string, m map[string]any) error {
		kept := map[string]any{}
		for _, name := range hostSecrets() {
			text := asString(m[name])
			delete(m, name)
			if text == "" {
				continue
			}
			s, err := p.Sealer.Seal([]byte(text), secretContext(r.key(), name))
			if err != nil {
				return &tandem.Error{Op: "seal", Subject: name + " of " + r.ID, Err: err}
			}
			kept[name] = s
		}
		if len(kept) > 0 {
			m["sealed"] = kept
		}
		return nil
	})
	return &out, err
}

// open undoes sealed, in place.
func (p *Provider) open(r *Record) error {
	return eachCertificate(r.Properties, func(_ string, m map[string]any) error {
		kept, _ := m["sealed"].(map[string]any)
		delete(m, "sealed")
		for name, v := range kept {
			plain, err := p.Sealer.Open(asString(v), secretContext(r.key(), name))
			if err != nil {
				return &tandem.Error{Op: "unseal", Subject: name + " of " + r.ID, Kind: tandem.Corrupt, Err: err, Remedy: "check that this region has the master key the secret was sealed with"}
			}
			m[name] = string(plain)
		}
		return nil
	})
}

// copyLists copies properties with the lists and objects that eachCertificate visits.
func copyLists(props map[string]any) map[string]any {
	out := maps.Clone(props)
	for _, list := range []string{"hostnameConfigurations", "certificates"} {
		items, ok := out[list].([]any)
		if !ok {
			continue
		}
		fresh := make([]any, len(items))
		for i, v := range items {
			if m, ok := v.(map[string]any); ok {
				v = maps.Clone(m)
			}
			fresh[i] = v
		}
		out[list] = fresh
	}
	return out
}

// certificates checks what was sent for hostnames and certificates, says what is in it, and keeps the certificate of a
// hostname that was sent again without it.
func (rec *Record) certificates(before map[string]any) error {
	old := map[string]map[string]any{}
	_ = eachCertificate(before, func(list string, m map[string]any) error { // the visit gives no error
		old[certificateKey(list, m)] = m
		return nil
	})
	return eachCertificate(rec.Properties, func(list string, m map[string]any) error {
		for name, v := range m { // Azure's case
			for _, known := range []string{"type", "hostName", "keyVaultId", "identityClientId", "encodedCertificate", "certificatePassword", "defaultSslBinding", "negotiateClientCertificate", "certificate", "certificateSource", "certificateStatus", "storeName"} {
				if name != known && strings.EqualFold(name, known) {
					delete(m, name)
					m[known] = v
				}
			}
		}
		if list == "hostnameConfigurations" && asString(m["hostName"]) == "" {
			return invalid("hostnameConfigurations.hostName", "hostName is required.")
		}
		if asString(m["encodedCertificate"]) == "" {
			if was := old[certificateKey(list, m)]; was != nil && asString(m["keyVaultId"]) == "" {
				for _, name := range append(hostSecrets(), "certificate", "certificateSource") {
					if was[name] != nil {
						m[name] = was[name]
					}
				}
			}
			return nil
		}
		facts, err := readCertificate(asString(m["encodedCertificate"]), asString(m["certificatePassword"]))
		if err != nil {
			return invalid(list+".encodedCertificate", "%v", err)
		}
		m["certificate"] = map[string]any{"subject": facts.subject, "thumbprint": facts.thumbprint, "expiry": facts.expires}
		if list == "hostnameConfigurations" {
			m["certificateSource"] = "Custom"
		}
		return nil
	})
}

// certificateKey tells which certificate of a service one is: by its hostname, or by its thumbprint.
func certificateKey(list string, m map[string]any) string {
	name := asString(m["hostName"]) + " " + asString(m["type"])
	if list == "certificates" {
		name = asString(lookup(m, "certificate.thumbprint"))
	}
	return strings.ToLower(list + " " + name)
}

// readCertificate reads a PFX, or a certificate alone, in base64.
func readCertificate(data, password string) (certificateFacts, error) {
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return certificateFacts{}, fmt.Errorf("the certificate is not base64: %w", err)
	}
	if leaf, err := x509.ParseCertificate(raw); err == nil {
		sum := sha1.Sum(leaf.Raw) //nolint:gosec // see above
		return certificateFacts{subject: leaf.Subject.String(), thumbprint: strings.ToUpper(fmt.Sprintf("%x", sum)), expires: leaf.NotAfter.UTC().Format(time.RFC3339)}, nil
	}
	return readPFX(data, password)
}
