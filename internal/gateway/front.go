package gateway

import (
	"context"
	"errors"
	"net"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/gateway/http1"
)

// Front serves a gateway on a listener, plain or of crypto/tls.
type Front struct{ server *http1.Server }

// NewFront makes a front for g. drain is how long requests may take when the front stops.
func NewFront(g *Gateway, drain time.Duration) *Front {
	return &Front{server: http1.NewServer(http1.Config{Handler: handler{g}, Clock: g.clock, Timeouts: http1.Timeouts{Drain: drain},
		Report: func(err error) { g.Log.Error("the gateway's front", "service", g.Service, "error", err) }})}
}

// Serve accepts connections until ctx ends and requests under way are done.
func (f *Front) Serve(ctx context.Context, l net.Listener) error { return f.server.Serve(ctx, l) }

// handler adapts a gateway to the codec.
type handler struct{ g *Gateway }

// ServeExchange implements http1.Handler.
func (h handler) ServeExchange(x *exchange.Exchange) {
	if err := h.g.ServeExchange(x.Context, x); err != nil {
		answer(x, 499, "The client went away.")
	}
}

// ExchangeDone implements http1.Handler.
func (h handler) ExchangeDone(x *exchange.Exchange, _ int64, err error) {
	if err != nil && !errors.Is(err, http1.ErrClientGone) {
		h.g.Log.Debug("an answer could not be passed on to its end", "service", h.g.Service, "error", err)
	}
}
