package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// Texts of refusals, as API Management writes them.
const (
	textKeyMissing = "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API."
	textKeyInvalid = "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
)

// ServeExchange serves one request: x.Response is the answer when it returns. The error is the context's: the client went
// away and nobody waits for an answer.
func (g *Gateway) ServeExchange(ctx context.Context, x *exchange.Exchange) error {
	g.inflight.Add(1)
	defer g.inflight.Add(-1)
	if x.Request.URL.Path == StatusPath {
		g.status(ctx, x)
		return nil
	}
	gen := g.current.Load()
	if gen == nil {
		answer(x, 503, "This gateway has not loaded the configuration of its service yet.")
		return nil
	}
	r := g.runs.Get().(*run)
	r.begin(gen, x)
	s := &r.state
	s.Exchange, s.Host, s.Deployment, s.Original, s.OriginalMethod = x, gen.host, g.deployment, x.Request.URL, x.Request.Method
	binary.NativeEndian.PutUint64(s.RequestID[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(s.RequestID[8:], rand.Uint64())
	p, refusal := g.route(r)
	g.observe(r)
	if token := x.Request.Header.Get(debugHeader); token != "" {
		g.beginTrace(r, token)
	}
	var err error
	if refusal != nil {
		err = p.Fail(ctx, s, refusal)
	} else {
		err = p.Run(ctx, s)
	}
	if r.trace != nil {
		g.endTrace(r)
	}
	if r.observed != nil {
		r.observed.watchResponse(r)
	}
	return err
}

// done ends a request whose answer has been sent. The run is used again.
func (g *Gateway) done(x *exchange.Exchange, sent int64, failure error) {
	r, ok := x.Kept.(*run)
	if !ok {
		return
	}
	x.Kept = nil
	r.end()
	g.account(r, x, sent, failure)
	g.runs.Put(r)
}

// route finds API, operation and subscription, and fills the state with them. The pipeline is the one to run, or to fail
// with the refusal.
func (g *Gateway) route(run *run) (*policy.Pipeline, *policy.LastError) {
	s, gen := &run.state, run.gen
	r := &s.Request
	a, rest := gen.router.find(r.URL.Path, r)
	if a == nil {
		return gen.shared.nowhere, notFound()
	}
	run.api, s.API, s.Base = a, a.info, a.service
	look := &run.look
	look.method, look.query = r.Method, r.URL.Query
	look.values = look.space[:0]
	if a.kind == kindSOAP {
		look.action = soapAction(r)
	}
	op := a.operations.find(rest, look)
	if op == nil && r.Method == "OPTIONS" {
		if wanted := r.Header.Get("Access-Control-Request-Method"); wanted != "" {
			return g.preflight(run, a, rest, wanted)
		}
	}
	if op == nil {
		return a.preflight, notFound()
	}
	run.enter(op, rest)
	if a.scheme == "query" {
		r.URL.Query = withoutQuery(r.URL.Query, a.versionName)
	}
	in, refusal := g.admit(gen, a, s)
	l := run.linked
	if l.broken != "" {
		return a.preflight, invalid(l.broken)
	}
	if l.setsHost {
		run.noteHost(r.Header)
	}
	if in == nil {
		return l.plain, refusal
	}
	s.Product = in.info
	if p := l.products[in]; p != nil {
		return p, refusal
	}
	return a.preflight, invalid(in.broken)
}

// enter takes an operation as the request's.
func (r *run) enter(op *operation, rest string) {
	r.op, r.linked = op, r.api.links[op.links]
	r.state.Operation = op.info
	r.state.Matched = op.matched(&r.look, r.params[:0])
	r.state.Request.URL.Path = rest
}

func invalid(why string) *policy.LastError {
	return &policy.LastError{Source: "configuration", Reason: "PolicyInvalid", Message: "The policies of this operation cannot be run: " + why, Status: 500}
}

// preflight serves a CORS preflight for an operation that has no OPTIONS of its own: the policies of the operation asked
// about run, and its cors policy answers. No key is asked for, since browsers send none; so an operation without a cors
// policy is not found, and nothing reaches its backend.
func (g *Gateway) preflight(run *run, a *api, rest, method string) (*policy.Pipeline, *policy.LastError) {
	run.look.method = strings.ToUpper(method)
	run.look.values = run.look.space[:0]
	op := a.operations.find(rest, &run.look)
	if op == nil {
		return a.preflight, notFound()
	}
	if l := a.links[op.links]; l.broken != "" || !l.cors {
		return a.preflight, notFound()
	}
	run.enter(op, rest)
	return run.linked.plain, nil
}

// pickVersion chooses among APIs that answer at one path by their version.
func pickVersion(list []*api, r *exchange.Request) *api {
	if len(list) == 1 && list[0].scheme == "" {
		return list[0]
	}
	var bare *api
	for _, a := range list {
		switch a.scheme {
		case "query":
			if strings.EqualFold(queryValue(r.URL.Query, a.versionName), a.version) {
				return a
			}
		case "header":
			if strings.EqualFold(r.Header.Get(a.versionName), a.version) {
				return a
			}
		default:
			bare = a
		}
	}
	return bare
}

// admit checks the subscription key as API Management does: without a key, an open product that holds the API admits, then
// an API that needs none; a key must be of an active subscription that opens the API. The product is the context to run in.
func (g *Gateway) admit(gen *generation, a *api, s *policy.State) (*product, *policy.LastError) {
	r := &s.Request
	key := r.Header.Get(a.keyHeader)
	if key == "" {
		key = queryValue(r.URL.Query, a.keyQuery)
	}
	if key == "" {
		switch {
		case a.open != nil:
			return a.open, nil
		case !a.subscription:
			return nil, nil
		}
		return nil, g.unauthorised(a, s, policy.ReasonKeyMissing, textKeyMissing)
	}
	sum := sha256.Sum256([]byte(key))
	sub := gen.keys[sum]
	if sub == nil || subtle.ConstantTimeCompare([]byte(sub.key), []byte(key)) != 1 {
		if !a.subscription && a.open == nil {
			return nil, nil
		}
		return nil, g.unauthorised(a, s, policy.ReasonKeyInvalid, textKeyInvalid)
	}
	in, ok := sub.allows(a, g.began(s))
	if !ok {
		return nil, g.unauthorised(a, s, policy.ReasonKeyInvalid, textKeyInvalid)
	}
	s.Subscription, s.User = sub.info, sub.user
	return in, nil
}

// began is when a request came.
func (g *Gateway) began(s *policy.State) time.Time {
	if s.Start.IsZero() {
		return g.clock.Now()
	}
	return s.Start
}

func (g *Gateway) unauthorised(a *api, s *policy.State, reason, text string) *policy.LastError {
	challenge := `AzureApiManagementKey realm="` + s.Original.Scheme + "://" + s.Original.Host + "/" + a.info.Path + a.challenge
	return &policy.LastError{Source: "authorization", Reason: reason, Message: text, Status: 401, Header: exchange.Header{{Name: "WWW-Authenticate", Value: challenge}}}
}

func notFound() *policy.LastError { return policy.NoOperation() }

// answer fills the response with API Management's error body.
func answer(x *exchange.Exchange, status int, message string) {
	x.Response = exchange.Response{Status: status}
	x.Response.Header.Add("Content-Type", "application/json")
	x.Response.Body = exchange.Bytes(errorBody(status, message))
}
