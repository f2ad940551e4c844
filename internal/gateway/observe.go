package gateway

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"

	"tandem/internal/exchange"
)

// observed is what is told of one request: to OpenTelemetry, and to the loggers of its API's diagnostics. Requests that
// nobody asks about have none.
type observed struct {
	parent oteltrace.SpanContext // what the client sent; may be invalid
	self   oteltrace.SpanContext // of this request
	span   oteltrace.Span        // nil without OpenTelemetry

	calls    []backendCall
	request  snippet // the client's, as it came
	response snippet // the client's, as it goes
	url      exchange.URL
	header   exchange.Header // the client's
	messages []tracedMessage
}

// backendCall is one request to a backend.
type backendCall struct {
	id       oteltrace.SpanContext
	span     oteltrace.Span
	method   string
	url      exchange.URL
	start    time.Time
	took     time.Duration
	status   int
	failure  string
	sent     exchange.Header
	received exchange.Header
	request  snippet
	response snippet
}

// tracedMessage is one of the trace policy's.
type tracedMessage struct {
	severity     int
	source, text string
	at           time.Time
}

var w3c propagation.TraceContext

// carrier lets OpenTelemetry read and write a header list.
type carrier struct{ h *exchange.Header }

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string { return c.h.Get(key) }

// Set implements propagation.TextMapCarrier.
func (c carrier) Set(key, value string) { c.h.Set(key, value) }

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string { return []string{"traceparent", "tracestate"} }

// observe begins to observe a request where somebody asks for that.
func (g *Gateway) observe(r *run) {
	s := &r.state
	var diagnostics []*diagnostic
	if r.api != nil {
		diagnostics = r.api.diagnostics
	}
	if g.tracer == nil && len(diagnostics) == 0 {
		return
	}
	o := &observed{url: s.Original}
	r.observed = o
	ctx := w3c.Extract(s.Ctx(), carrier{&s.Request.Header})
	o.parent = oteltrace.SpanContextFromContext(ctx)
	if g.tracer != nil {
		_, o.span = g.tracer.Start(ctx, spanName(r), oteltrace.WithSpanKind(oteltrace.SpanKindServer), oteltrace.WithTimestamp(g.began(s)))
		o.self = o.span.SpanContext()
	} else {
		o.self = childOf(o.parent)
	}
	if len(diagnostics) == 0 {
		return
	}
	o.header = s.Request.Header.Clone()
	s.Note = func(severity, source, text string) {
		if len(o.messages) < mostEntries {
			o.messages = append(o.messages, tracedMessage{severities[severity], source, text, g.clock.Now()})
		}
	}
	n := 0
	for _, d := range diagnostics {
		n = max(n, d.frontRequest.bytes)
	}
	o.request.watch(&s.Request.Body, n)
}

// childOf makes ids for a part of a trace, or of a new one.
func childOf(parent oteltrace.SpanContext) oteltrace.SpanContext {
	c := oteltrace.SpanContextConfig{TraceID: parent.TraceID(), TraceFlags: parent.TraceFlags(), TraceState: parent.TraceState()}
	if !parent.IsValid() {
		binary.NativeEndian.PutUint64(c.TraceID[:8], rand.Uint64()|1)
		binary.NativeEndian.PutUint64(c.TraceID[8:], rand.Uint64())
	}
	binary.NativeEndian.PutUint64(c.SpanID[:], rand.Uint64()|1)
	return oteltrace.NewSpanContext(c)
}

func spanName(r *run) string {
	if r.op != nil {
		return r.op.info.Method + " /" + r.api.info.Path + r.op.info.URLTemplate
	}
	return r.state.OriginalMethod
}

// beginCall observes a request to a backend, which carries the trace on.
func (g *Gateway) beginCall(r *run) *backendCall {
	o := r.observed
	o.calls = append(o.calls, backendCall{method: r.sent.Method, url: r.sent.URL, start: g.clock.Now()})
	call := &o.calls[len(o.calls)-1]
	protocol, n := "", 0
	if r.api != nil {
		for _, d := range r.api.diagnostics {
			if d.protocol != "" {
				protocol = d.protocol
			}
			n = max(n, d.backRequest.bytes)
		}
	}
	ctx := oteltrace.ContextWithSpanContext(r.state.Ctx(), o.self)
	if g.tracer != nil {
		ctx, call.span = g.tracer.Start(ctx, r.sent.Method, oteltrace.WithSpanKind(oteltrace.SpanKindClient), oteltrace.WithTimestamp(call.start))
		call.id = call.span.SpanContext()
	} else {
		call.id = childOf(o.self)
		ctx = oteltrace.ContextWithSpanContext(ctx, call.id)
	}
	if g.tracer != nil || protocol == "w3c" {
		w3c.Inject(ctx, carrier{&r.sent.Header})
	}
	if protocol == "legacy" {
		r.sent.Header.Set("Request-Id", "|"+call.id.TraceID().String()+"."+call.id.SpanID().String()+".")
	}
	r.fields = r.sent.Header
	call.sent = r.sent.Header.Clone()
	call.request.watch(&r.sent.Body, n)
	return call
}

// endCall notes the answer to a call.
func (g *Gateway) endCall(r *run, call *backendCall, err error) {
	now := g.clock.Now()
	call.took = now.Sub(call.start)
	n := 0
	if r.api != nil {
		for _, d := range r.api.diagnostics {
			n = max(n, d.backResponse.bytes)
		}
	}
	if err != nil {
		call.failure = err.Error()
	} else {
		res := &r.state.Response
		call.status, call.received = res.Status, res.Header.Clone()
		if res.Status != 101 { // a connection is no body
			call.response.watch(&res.Body, n)
		}
	}
	if call.span != nil {
		call.span.SetAttributes(attribute.String("http.request.method", call.method), attribute.String("server.address", call.url.Host),
			attribute.String("url.full", withoutSecrets(call.url)), attribute.Int("http.response.status_code", call.status))
		if err != nil || call.status >= 400 {
			call.span.SetStatus(codes.Error, "")
		}
		call.span.End(oteltrace.WithTimestamp(now))
	}
}

// withoutSecrets writes a URL without the values of its query.
func withoutSecrets(u exchange.URL) string {
	u.Query = maskQuery(u.Query)
	return u.String()
}

// endObserved tells of a request whose answer has been sent.
func (g *Gateway) endObserved(r *run, x *exchange.Exchange, status int, sent int64, took time.Duration) {
	o, s := r.observed, &r.state
	if o.span != nil {
		attrs := []attribute.KeyValue{attribute.String("http.request.method", s.OriginalMethod), attribute.String("url.scheme", s.Original.Scheme), attribute.String("url.path", s.Original.Path),
			attribute.String("server.address", s.Original.Host), attribute.String("client.address", r.clientAddress()), attribute.Int("http.response.status_code", status),
			attribute.Int64("http.response.body.size", sent), attribute.String("tandem.service", g.Service), attribute.String("tandem.request.id", s.RequestIDText())}
		if r.op != nil {
			attrs = append(attrs, attribute.String("http.route", "/"+r.api.info.Path+r.op.info.URLTemplate), attribute.String("tandem.api", r.api.info.ID), attribute.String("tandem.operation", r.op.info.ID))
		}
		if s.Subscription != nil {
			attrs = append(attrs, attribute.String("tandem.subscription", s.Subscription.ID))
		}
		if s.LastError != nil {
			attrs = append(attrs, attribute.String("error.type", s.LastError.Reason))
		}
		o.span.SetAttributes(attrs...)
		if status >= 500 {
			o.span.SetStatus(codes.Error, "")
		}
		o.span.End(oteltrace.WithTimestamp(g.began(s).Add(took)))
	}
	if r.api == nil {
		return
	}
	failed := status >= 400 || s.LastError != nil
	id := o.self.TraceID()
	share := float64(binary.BigEndian.Uint64(id[8:])>>11) / (1 << 53) * 100
	for _, d := range r.api.diagnostics {
		if share < d.percent || d.always && failed {
			g.tell(r, x, d, status, sent, took)
		}
	}
}

// watchResponse keeps the beginning of the answer's body.
func (o *observed) watchResponse(r *run) {
	n := 0
	if r.api != nil && r.state.Response.Status != 101 {
		for _, d := range r.api.diagnostics {
			n = max(n, d.frontResponse.bytes)
		}
	}
	o.response.watch(&r.state.Response.Body, n)
}

// snippet is the beginning of a body.
type snippet struct {
	b     []byte
	most  int
	total int64
}

// watch keeps the first bytes of a body, n at most, as it is read.
func (p *snippet) watch(body *exchange.Body, n int) {
	if n == 0 || !body.Present() {
		return
	}
	if p.most = n; body.Held() {
		data, err := body.Bytes(1 << 62)
		if err == nil {
			p.total = int64(len(data))
			p.b = append(p.b, data[:min(n, len(data))]...)
		}
		return
	}
	inner := *body
	*body = exchange.Stream(&watchedBody{inner: inner, r: inner.Reader(), p: p}, inner.Length())
}

// watchedBody is a body whose beginning is kept. It passes on what the codec asks of its own bodies.
type watchedBody struct {
	inner exchange.Body
	r     io.Reader
	p     *snippet
}

// Read implements io.Reader.
func (w *watchedBody) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	w.p.b = append(w.p.b, b[:min(n, w.p.most-len(w.p.b))]...)
	w.p.total += int64(n)
	return n, err
}

// Close implements io.Closer.
func (w *watchedBody) Close() error { return w.inner.Close() }

// Buffered is how many bytes can be read without waiting.
func (w *watchedBody) Buffered() int {
	if b, ok := w.r.(interface{ Buffered() int }); ok {
		return b.Buffered()
	}
	return 0
}

// Interrupt ends a Read that another goroutine is in.
func (w *watchedBody) Interrupt() {
	if b, ok := w.r.(interface{ Interrupt() }); ok {
		b.Interrupt()
	}
}
