package gateway

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/gateway/http1"
)

// AccessLog says which requests are written to a log, as JSON where the logger's handler writes that.
type AccessLog struct {
	Log *slog.Logger
	// Every writes one request of so many; 0: none. Requests answered 500 or more are written in any case, up to
	// MostFailures of them a second.
	Every int
}

// MostFailures is how many failed requests a second are written beside the sampled ones.
const MostFailures = 100

// account counts a request that is over, and writes it to the access log.
func (g *Gateway) account(r *run, x *exchange.Exchange, sent int64, failure error) {
	status := x.Response.Status
	if errors.Is(failure, http1.ErrClientGone) {
		status = 499
	}
	if r.op != nil && r.op.stats != nil {
		r.op.stats.count(status)
	} else {
		g.metrics.unmatched.count(status)
	}
	g.metrics.sent.Add(sent)
	var took time.Duration
	if !x.Start.IsZero() {
		took = g.clock.Now().Sub(x.Start)
		g.metrics.duration.observe(took)
	}
	if r.observed != nil {
		g.endObserved(r, x, status, sent, took)
	}
	if g.Access.Log != nil && g.sampled(status, x.Start) {
		g.writeAccess(r, x, status, sent, took)
	}
}

// sampled decides whether a request is written.
func (g *Gateway) sampled(status int, at time.Time) bool {
	if n := g.Access.Every; n > 0 && g.requests.Add(1)%int64(n) == 0 {
		return true
	}
	if status < 500 {
		return false
	}
	if second := at.Unix(); g.failureSecond.Swap(second) != second {
		g.failures.Store(0)
	}
	return g.failures.Add(1) <= MostFailures
}

func (g *Gateway) writeAccess(r *run, x *exchange.Exchange, status int, sent int64, took time.Duration) {
	s := &r.state
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs, slog.String("service", g.Service), slog.String("request", s.RequestIDText()), slog.String("client", r.clientAddress()), slog.String("method", s.OriginalMethod),
		slog.String("host", s.Original.Host), slog.String("path", s.Original.Path), slog.String("query", maskQuery(s.Original.Query)), slog.Int("status", status),
		slog.Int64("bytes", sent), slog.Duration("took", took), slog.Int64("generation", int64(r.gen.number)))
	if r.op != nil {
		attrs = append(attrs, slog.String("api", r.api.info.ID), slog.String("operation", r.op.info.ID))
	}
	if s.Subscription != nil {
		attrs = append(attrs, slog.String("subscription", s.Subscription.ID))
	}
	if r.backend != "" {
		attrs = append(attrs, slog.String("backend", r.backend))
	}
	if e := s.LastError; e != nil {
		attrs = append(attrs, slog.String("reason", e.Reason), slog.String("source", e.Source))
	}
	if parent := x.Request.Header.Get("traceparent"); parent != "" {
		attrs = append(attrs, slog.String("traceparent", parent))
	}
	g.Access.Log.LogAttrs(context.WithoutCancel(s.Ctx()), slog.LevelInfo, "request", attrs...)
}

// masked stands in logs and traces for what may be a secret (law 7).
const masked = "***"

// maskQuery keeps the names of a query's parameters: values carry keys, tokens and signatures under any name.
func maskQuery(query string) string {
	if query == "" {
		return ""
	}
	var b strings.Builder
	for part := range strings.SplitSeq(query, "&") {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		name, _, _ := strings.Cut(part, "=")
		b.WriteString(name + "=" + masked)
	}
	return b.String()
}
