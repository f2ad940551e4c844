package gateway

import (
	"encoding/json"
	"fmt"
	"time"

	"tandem/internal/exchange"
)

// status answers the probe: 200 only when this gateway really serves a loaded generation, else 503 with the reason.
func (g *Gateway) status(x *exchange.Exchange) {
	x.Response = exchange.Response{Status: 200, Reason: "Service Operational"}
	x.Response.Header.Add("Cache-Control", "no-store")
	x.Response.Header.Add("Content-Type", "text/plain")
	gen := g.current.Load()
	switch {
	case gen == nil:
		x.Response.Status, x.Response.Reason = 503, ""
		x.Response.Body = exchange.Bytes([]byte("no generation is loaded yet\n"))
	case g.draining.Load():
		x.Response.Status, x.Response.Reason = 503, ""
		x.Response.Body = exchange.Bytes([]byte("draining: this gateway is being stopped\n"))
	default:
		x.Response.Body = exchange.Bytes([]byte("Service Operational\n"))
	}
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
	return s
}

func errorBody(status int, message string) []byte {
	text, _ := json.Marshal(message) // a string always encodes
	return fmt.Appendf(nil, `{ "statusCode": %d, "message": %s }`, status, text)
}
