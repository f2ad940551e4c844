package apim

import (
	"crypto/sha1" //nolint:gosec // thumbprints of certificates are SHA-1 by definition
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

type certificateFacts struct{ subject, thumbprint, expires string }

// readPFX opens a PFX in base64 and tells what is in it.
func readPFX(data, password string) (certificateFacts, error) {
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return certificateFacts{}, fmt.Errorf("data is not base64: %w", err)
	}
	_, leaf, _, err := pkcs12.DecodeChain(raw, password)
	if err != nil {
		return certificateFacts{}, fmt.Errorf("the PFX cannot be opened: %w; check the password", err)
	}
	sum := sha1.Sum(leaf.Raw) //nolint:gosec // see above
	return certificateFacts{subject: leaf.Subject.String(), thumbprint: strings.ToUpper(fmt.Sprintf("%x", sum)), expires: leaf.NotAfter.UTC().Format(time.RFC3339)}, nil
}
