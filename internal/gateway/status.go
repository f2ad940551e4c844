package gateway

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tandem/internal/apim"
	"tandem/internal/exchange"
)

// StatusPath is the page that health probes ask on every gateway host; it cannot be customised. With ?detail=1 it answers
// JSON: to everybody whether the gateway really works ({"generation":7,"keyCheck":"ok","certificate":"ok"}), to authorised
// probes all of Detail. A probe is authorised by the field Tandem-Probe with the deployment's probe token, or by a client
// certificate of the deployment's authority.
const StatusPath = "/status-0123456789abcdef"

// ProbeHeader carries the probe token.
const ProbeHeader = "Tandem-Probe"

// status answers the probe: 200 only when this gateway really serves a loaded generation, else 503 with the reason.
func (g *Gateway) status(ctx context.Context, x *exchange.Exchange) {
	x.Response = exchange.Response{Status: 200, Reason: "Service Operational"}
	x.Response.Header.Add("Cache-Control", "no-store")
	reason := "Service Operational"
	switch {
	case g.current.Load() == nil:
		reason = "no generation is loaded yet"
	case g.draining.Load():
		reason = "draining: this gateway is being stopped"
	}
	if reason != x.Response.Reason {
		x.Response.Status, x.Response.Reason = 503, ""
	}
	if queryValue(x.Request.URL.Query, "detail") == "1" {
		d := g.Detail(ctx, g.mayProbe(x))
		d.Reason = reason
		raw, _ := json.Marshal(d) // texts, numbers and times always encode
		x.Response.Header.Add("Content-Type", "application/json")
		x.Response.Body = exchange.Bytes(raw)
		return
	}
	x.Response.Header.Add("Content-Type", "text/plain")
	x.Response.Body = exchange.Bytes([]byte(reason + "\n"))
}

// mayProbe tells whether who asks may see all of the detail.
func (g *Gateway) mayProbe(x *exchange.Exchange) bool {
	if token := x.Request.Header.Get(ProbeHeader); token != "" && g.ProbeToken != "" {
		return subtle.ConstantTimeCompare([]byte(token), []byte(g.ProbeToken)) == 1
	}
	if x.TLS == nil || len(x.TLS.PeerCertificates) == 0 || g.ProbeCAs == nil {
		return false
	}
	between := x509.NewCertPool()
	for _, c := range x.TLS.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := x.TLS.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: g.ProbeCAs, Intermediates: between, CurrentTime: g.clock.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

// Detail is what a gateway found when it looked at itself (law 9).
type Detail struct {
	Reason      string `json:"reason,omitempty"`
	Generation  int64  `json:"generation"`
	KeyCheck    string `json:"keyCheck"`    // "ok", or why a sealed value of the service cannot be opened
	Certificate string `json:"certificate"` // "ok", or what is wrong with one that clients are served

	*FullDetail
}

// FullDetail is what only authorised probes see.
type FullDetail struct {
	Service      string              `json:"service"`
	Revision     int64               `json:"revision"`
	Documents    int                 `json:"documents"`
	Age          float64             `json:"ageSeconds"` // of the last change
	FromDisk     bool                `json:"fromDisk"`
	Listeners    []string            `json:"listeners"`
	Certificates []CertificateStatus `json:"certificates"`
	Backends     []BackendStatus     `json:"backends"`
	Problems     []Problem           `json:"problems"`
	InFlight     int64               `json:"inFlight"`
}

// Detail looks at what this gateway serves; all asks the backends as well.
func (g *Gateway) Detail(ctx context.Context, all bool) Detail {
	gen := g.current.Load()
	d := Detail{KeyCheck: g.keyCheck(gen), Certificate: "ok"}
	certs, ok := g.certificateStatus()
	if !ok {
		d.Certificate = "there is none"
		for _, c := range certs {
			if c.Problem != "" {
				d.Certificate = strings.TrimSpace(c.Host + " " + c.Problem)
			}
		}
	}
	if gen != nil {
		d.Generation = int64(gen.number)
	}
	if !all {
		if d.KeyCheck != "ok" {
			d.KeyCheck = "failed"
		}
		if d.Certificate != "ok" {
			d.Certificate = "failed"
		}
		return d
	}
	s := g.Status()
	d.FullDetail = &FullDetail{Service: g.Service, Revision: s.Revision, Documents: s.Documents, FromDisk: s.FromDisk, Listeners: g.listening(), Certificates: certs, Problems: s.Problems, InFlight: s.InFlight}
	if gen != nil {
		d.Age = g.clock.Now().Sub(s.Loaded).Seconds()
		d.Backends = g.reach.look(ctx, gen)
	}
	return d
}

// keyCheck seals and opens a text, and opens a value that the service's store holds: a gateway whose master key is another
// one serves, but not with the secrets of its service.
func (g *Gateway) keyCheck(gen *generation) string {
	const probe, place = "key check", "gateway\x00key check"
	sealed, err := g.Sealer.Seal([]byte(probe), []byte(place))
	if err != nil {
		return "a value cannot be sealed: " + err.Error()
	}
	if plain, err := g.Sealer.Open(sealed, []byte(place)); err != nil || string(plain) != probe {
		return "what was sealed cannot be opened"
	}
	if gen == nil || gen.sample.doc == nil {
		return "ok"
	}
	if _, err := gen.sample.doc.OpenSecret(g.Sealer, gen.sample.property); err != nil {
		return err.Error()
	}
	return "ok"
}

// sealedSample is a sealed value of the service.
type sealedSample struct {
	doc      *apim.Document
	property string
}

func (s *source) sample() sealedSample {
	for _, typ := range []string{"subscriptions", "namedvalues", "certificates"} {
		for _, d := range s.byType[typ] {
			d = s.open(d)
			for property := range d.Sealed {
				return sealedSample{d, property}
			}
		}
	}
	return sealedSample{}
}

// Status is what a gateway says of itself.
type Status struct {
	Service    string    `json:"service"`
	Generation int64     `json:"generation"`
	Revision   int64     `json:"revision"`
	Documents  int       `json:"documents"`
	Loaded     time.Time `json:"loaded"`
	FromDisk   bool      `json:"fromDisk"` // the generation was started from the gateway's own file
	Problems   []Problem `json:"problems"`
	InFlight   int64     `json:"inFlight"`
}

// Status tells what the gateway serves; Generation 0 is nothing.
func (g *Gateway) Status() Status {
	s := Status{Service: g.Service, InFlight: g.inflight.Load()}
	if gen := g.current.Load(); gen != nil {
		s.Generation, s.Revision, s.Documents, s.Problems = int64(gen.number), int64(gen.revision), gen.count, gen.problems
		s.Loaded, s.FromDisk = *g.loaded.Load(), g.fromDisk.Load()
	}
	if set := g.settings.Load(); set != nil && len(set.problems) > 0 {
		s.Problems = append(s.Problems[:len(s.Problems):len(s.Problems)], set.problems...)
	}
	return s
}

func errorBody(status int, message string) []byte {
	text, _ := json.Marshal(message) // a string always encodes
	return fmt.Appendf(nil, `{ "statusCode": %d, "message": %s }`, status, text)
}
