package health

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"time"
)

// detail is what a Tandem gateway tells at /status-0123456789abcdef?detail=1. Fields that are absent were not measured.
type detail struct {
	Generation  int64  `json:"generation"`
	KeyCheck    string `json:"keyCheck"`    // "ok" when the gateway opened a sealed value with its key
	Certificate string `json:"certificate"` // "ok" when it is served and in date
}

// checkDetail gives what is wrong with a detailed status, or nothing. A 200 from an empty gateway is not health (law 9).
func checkDetail(body []byte) string {
	var d detail
	if err := json.Unmarshal(body, &d); err != nil {
		return "the detailed status is not JSON"
	}
	switch {
	case d.Generation < 1:
		return "the gateway serves no generation"
	case d.KeyCheck != "ok":
		return fmt.Sprintf("the gateway's key check says %q", d.KeyCheck)
	case d.Certificate != "ok":
		return fmt.Sprintf("the gateway's certificate check says %q", d.Certificate)
	}
	return ""
}

// judge verifies the peer's chain against the system's roots, for the name and the time.
func judge(s tls.ConnectionState, name string, now time.Time) error {
	if len(s.PeerCertificates) == 0 {
		return fmt.Errorf("none was sent")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: name, Intermediates: between, CurrentTime: now})
	return err
}
