package gateway

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/gateway/balance"
	"tandem/internal/gateway/http1"
	"tandem/internal/policy"
)

// forwardTimeout is how long a backend may take to begin its answer where no policy says otherwise (Azure: 300 s).
const forwardTimeout = 300 * time.Second

// forwarder sends requests of one generation to their backends (law 2).
type forwarder struct {
	g   *Gateway
	gen *generation
}

// way is how one request reaches its backend.
type way struct {
	base  exchange.URL
	pool  *http1.Pool
	named *backend // nil: no named backend
	spare *backend // the pool of backends that named was chosen from
	fresh bool     // the client's session with spare begins
}

// Forward implements policy.Forwarder. Answers stream: each piece is passed on as it comes, and a policy that reads the
// body holds it.
func (f forwarder) Forward(s *policy.State, o policy.ForwardOptions) error {
	r, ok := s.Kept.(*run)
	if !ok {
		return fmt.Errorf("%w: the request did not come through this gateway", policy.ErrConnection)
	}
	if r.api != nil && r.api.graphql != nil && s.BackendID == "" && s.Base.Host == "" {
		return r.api.graphql.answer(s)
	}
	_ = r.answer.Close() // of an earlier try
	r.answer = exchange.Body{}
	w, err := f.way(s, &o)
	if err != nil {
		return err
	}
	f.compose(r, s, &w)
	timeout := o.Timeout
	if timeout == 0 {
		timeout = forwardTimeout
	}
	s.Response.Header = r.room[:0]
	var observing *backendCall
	if r.observed != nil {
		observing = f.g.beginCall(r)
	}
	err = call(s.Ctx(), w.pool, &r.sent, &s.Response, http1.Options{Response: timeout, Upgrade: true, Inform: s.Inform})
	if observing != nil {
		f.g.endCall(r, observing, err)
	}
	s.Request.Body = r.sent.Body
	if w.named != nil && w.named.breaker != nil {
		w.named.breaker.Record(f.g.clock.Now(), f.outcome(s, err))
	}
	if err != nil {
		return err
	}
	r.answer = s.Response.Body
	if w.fresh {
		s.Response.Header.Add("Set-Cookie", w.spare.affinity+"="+sessionValue(strings.ToLower(w.named.info.ID))+"; Path=/; HttpOnly")
	}
	if o.FollowRedirects {
		return f.follow(r, s, timeout, &o)
	}
	return nil
}

// way finds the backend of a request.
func (f forwarder) way(s *policy.State, o *policy.ForwardOptions) (w way, err error) {
	w.base = s.Base
	r := s.Kept.(*run)
	var end *endpoint
	var cert *tls.Certificate
	if s.BackendID != "" {
		if w.named = f.gen.shared.backends.byID[lowerASCII(s.BackendID)]; w.named == nil {
			return w, fmt.Errorf("%w: there is no backend %s", policy.ErrConnection, s.BackendID)
		}
		if err := f.choose(s, &w); err != nil {
			return w, err
		}
		r.backend = w.named.info.ID
		end = w.named.endpoint
		if len(w.named.certs) > 0 {
			cert = w.named.certs[0]
		}
	} else if r.api != nil && r.api.service.Host == s.Base.Host && r.api.service.Scheme == s.Base.Scheme {
		end = r.api.endpoint
	}
	if w.base.Host == "" {
		return w, fmt.Errorf("%w: no backend is set: the API has no service URL and no policy chose one", policy.ErrConnection)
	}
	http2 := o.HTTPVersion == "2"
	if end != nil && o.Certificate == nil && o.Proxy == nil && (!http2 || end.to.http2) {
		w.pool, err = f.g.upstreams.at(end, cert)
		return w, err
	}
	to := upstream{scheme: w.base.Scheme, host: w.base.Host}
	if end != nil {
		to = end.to
	}
	to.http2 = to.http2 || http2
	if o.Certificate != nil && len(o.Certificate.Certificate) > 0 {
		cert = o.Certificate
		to.certificate = sha256.Sum256(cert.Certificate[0])
	}
	if o.Proxy != nil {
		to.proxy = *o.Proxy
	}
	w.pool, err = f.g.upstreams.pool(to, cert)
	return w, err
}

// choose picks the member of a pool, and refuses what a tripped circuit breaker keeps back.
func (f forwarder) choose(s *policy.State, w *way) error {
	k := w.named
	if k.broken != "" {
		return fmt.Errorf("%w: backend %s: %s", policy.ErrConnection, k.info.ID, k.broken)
	}
	if k.pool == nil {
		if k.breaker == nil {
			return nil
		}
		if wait, open := k.breaker.Open(f.g.clock.Now()); open {
			return tripped("The backend "+k.info.ID+" is not asked while its circuit breaker is open.", wait)
		}
		return nil
	}
	session := ""
	if k.affinity != "" {
		session = k.sessions[cookie(s.Request.Header, k.affinity)]
	}
	id, wait, ok := k.pool.Pick(f.g.clock.Now(), session)
	if !ok {
		return tripped("The circuit breakers of all backends of the pool "+k.info.ID+" are open.", wait)
	}
	w.spare, w.fresh = k, k.affinity != "" && id != session
	w.named = f.gen.shared.backends.byID[id]
	w.base = w.named.base
	return nil
}

// tripped is the refusal of an open circuit breaker.
func tripped(message string, wait time.Duration) error {
	after := strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
	return &policy.LastError{Source: "forward-request", Reason: policy.ReasonConnection, Message: message, Text: "Service Unavailable", Status: 503, Header: exchange.Header{{Name: "Retry-After", Value: after}}}
}

// compose makes the request that the backend gets.
func (f forwarder) compose(r *run, s *policy.State, w *way) {
	r.sent = s.Request
	base := s.Base
	s.Base = w.base
	r.sent.URL = s.Target()
	s.Base = base
	fields, before := r.fields[:0], ""
	for _, h := range s.Request.Header {
		if len(h.Name) == len(forwardedFor) && strings.EqualFold(h.Name, forwardedFor) {
			before += h.Value + ", "
			continue
		}
		fields = append(fields, h)
	}
	client := r.clientAddress()
	if before != "" {
		client = strings.TrimSuffix(before+client, ", ")
	}
	if client != "" {
		fields = append(fields, exchange.Field{Name: forwardedFor, Value: client})
	}
	if w.named != nil {
		for _, h := range w.named.headers {
			fields.Del(h.Name)
		}
		for _, h := range w.named.headers {
			fields = append(fields, exchange.Field(h))
		}
		for _, q := range w.named.queries {
			r.sent.URL.Query = appendQuery(r.sent.URL.Query, q.Name, q.Value)
		}
	}
	r.fields, r.sent.Header = fields, fields
	if host := r.chosenHost(); host != "" {
		r.sent.URL.Host = host
	}
}

const forwardedFor = "X-Forwarded-For"

// outcome is what a circuit breaker is told of a call.
func (f forwarder) outcome(s *policy.State, err error) balance.Outcome {
	switch {
	case err == nil:
		return balance.Outcome{Status: s.Response.Status, RetryAfter: f.retryAfter(s.Response.Header.Get("Retry-After"))}
	case errors.Is(err, policy.ErrTimeout):
		return balance.Outcome{Reason: policy.ReasonTimeout}
	case errors.Is(err, policy.ErrConnection):
		return balance.Outcome{Reason: policy.ReasonConnection}
	}
	return balance.Outcome{Reason: policy.ReasonClient}
}

// longestRetry bounds how long an answer can shut its backend out.
const longestRetry = 24 * time.Hour

// retryAfter reads a Retry-After field: seconds or a date (RFC 9110, section 10.2.3).
func (f forwarder) retryAfter(value string) time.Duration {
	if value == "" {
		return 0
	}
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(f.g.clock.Now())
	}
	return min(max(wait, 0), longestRetry)
}

const maxRedirects = 10

func redirects(status int) bool {
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308
}

// follow goes where answers point.
func (f forwarder) follow(r *run, s *policy.State, timeout time.Duration, o *policy.ForwardOptions) error {
	for hops := 0; hops < maxRedirects && redirects(s.Response.Status); hops++ {
		if !redirect(&r.sent, &s.Response) {
			break
		}
		_ = r.answer.Close() // its content is not wanted
		r.answer = exchange.Body{}
		to := upstream{scheme: r.sent.URL.Scheme, host: r.sent.URL.Host}
		if o.Proxy != nil {
			to.proxy = *o.Proxy
		}
		pool, err := f.g.upstreams.pool(to, nil)
		if err != nil {
			return err
		}
		s.Response = exchange.Response{}
		if err := call(s.Ctx(), pool, &r.sent, &s.Response, http1.Options{Response: timeout}); err != nil {
			return err
		}
		r.answer = s.Response.Body
	}
	return nil
}

// redirect turns a request to where an answer points; false where that is not possible. Another host is not told what was
// meant for this one.
func redirect(r *exchange.Request, answer *exchange.Response) bool {
	to := answer.Header.Get("Location")
	before := r.URL
	switch {
	case to == "" || strings.HasPrefix(to, "//"):
		return false
	case strings.HasPrefix(to, "/"):
		r.URL.Path, r.URL.Query, _ = strings.Cut(to, "?")
	default:
		base, err := parseBase(to)
		if err != nil {
			return false
		}
		r.URL = base
		if r.URL.Path == "" {
			r.URL.Path = "/"
		}
	}
	if before.Host != r.URL.Host || before.Scheme != r.URL.Scheme {
		for _, name := range []string{"Authorization", "Cookie", "Ocp-Apim-Subscription-Key"} {
			r.Header.Del(name)
		}
	}
	if answer.Status == 303 || answer.Status < 303 && r.Method == "POST" {
		r.Method, r.Body = "GET", exchange.Body{}
		return true
	}
	return !r.Body.Present() || r.Body.Held()
}
