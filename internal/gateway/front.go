package gateway

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/gateway/http1"
)

// Front serves a gateway on a listener, plain or of crypto/tls.
type Front struct {
	server *http1.Server
	g      *Gateway
}

// NewFront makes a front for g. drain is how long requests may take when the front stops.
func NewFront(g *Gateway, drain time.Duration) *Front {
	return &Front{g: g, server: http1.NewServer(http1.Config{Handler: handler{g}, Clock: g.clock, Refused: g.metrics.unmatched.count, Timeouts: http1.Timeouts{Drain: drain},
		Report: func(err error) { g.Log.Error("the gateway's front", "service", g.Service, "error", err) }})}
}

// Serve accepts connections until ctx ends and requests under way are done.
func (f *Front) Serve(ctx context.Context, l net.Listener) error {
	address := l.Addr().String()
	f.g.mu.Lock()
	f.g.listeners = append(f.g.listeners, address)
	f.g.mu.Unlock()
	defer func() {
		f.g.mu.Lock()
		defer f.g.mu.Unlock()
		if at := slices.Index(f.g.listeners, address); at >= 0 {
			f.g.listeners = slices.Delete(f.g.listeners, at, at+1)
		}
	}()
	return f.server.Serve(ctx, l)
}

// listening are the addresses that the gateway is served on.
func (g *Gateway) listening() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.listeners)
}

// handler adapts a gateway to the codec.
type handler struct{ g *Gateway }

// ServeExchange implements http1.Handler.
func (h handler) ServeExchange(x *exchange.Exchange) {
	if err := h.g.ServeExchange(x.Context, x); err != nil {
		answer(x, 499, "The client went away.")
	}
}

// ExchangeDone implements http1.Handler.
func (h handler) ExchangeDone(x *exchange.Exchange, sent int64, err error) {
	h.g.done(x, sent, err)
	if err != nil && !errors.Is(err, http1.ErrClientGone) {
		h.g.Log.Debug("an answer could not be passed on to its end", "service", h.g.Service, "error", err)
	}
}
