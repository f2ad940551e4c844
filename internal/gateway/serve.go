package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// StatusPath is the page that health probes ask on every gateway host; it cannot be customised.
const StatusPath = "/status-0123456789abcdef"

// Texts of refusals, as API Management writes them.
const (
	textKeyMissing = "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API."
	textKeyInvalid = "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
	textNotFound   = "Resource not found"
)

// ServeExchange serves one request: x.Response is the answer when it returns. The error is the context's: the client went
// away and nobody waits for an answer.
func (g *Gateway) ServeExchange(ctx context.Context, x *exchange.Exchange) error {
	g.inflight.Add(1)
	defer g.inflight.Add(-1)
	if x.Request.URL.Path == StatusPath {
		g.status(x)
		return nil
	}
	gen := g.current.Load()
	if gen == nil {
		answer(x, 503, "This gateway has not loaded the configuration of its service yet.")
		return nil
	}
	s := &policy.State{Exchange: x, Host: gen.host, Deployment: g.deployment, Original: x.Request.URL, OriginalMethod: x.Request.Method}
	_, _ = rand.Read(s.RequestID[:]) // never fails, by its documentation
	p, refusal := g.route(gen, s)
	if refusal != nil {
		return p.Fail(ctx, s, refusal)
	}
	return p.Run(ctx, s)
}

// route finds API, operation and subscription, and fills s with them. The pipeline is the one to run, or to fail with the
// refusal.
func (g *Gateway) route(gen *generation, s *policy.State) (*policy.Pipeline, *policy.LastError) {
	r := &s.Request
	a, rest := gen.router.find(r.URL.Path, func(list []*api) *api { return pickVersion(list, r) })
	if a == nil {
		return gen.global, notFound()
	}
	s.API, s.Base = a.info, a.service
	look := search{method: r.Method, query: r.URL.Query, values: make([]string, 0, 4)}
	op := a.operations.find(rest, &look)
	if op == nil && r.Method == "OPTIONS" {
		if wanted := r.Header.Get("Access-Control-Request-Method"); wanted != "" {
			return g.preflight(a, rest, wanted, s)
		}
	}
	if op == nil {
		return a.preflight, notFound()
	}
	s.Operation, s.Matched = op.info, op.matched(&look)
	r.URL.Path = rest
	if a.scheme == "query" {
		r.URL.Query = withoutQuery(r.URL.Query, a.versionName)
	}
	in, refusal := g.admit(gen, a, s)
	if op.broken != "" {
		return a.preflight, &policy.LastError{Source: "configuration", Reason: "PolicyInvalid", Message: "The policies of this operation cannot be run: " + op.broken, Status: 500}
	}
	p := op.plain
	if in != nil {
		s.Product = in.info
		p = op.products[in]
	}
	return p, refusal
}

// preflight serves a CORS preflight for an operation that has no OPTIONS of its own: the policies of the operation asked
// about run, and its cors policy answers. No key is asked for, since browsers send none.
func (g *Gateway) preflight(a *api, rest, method string, s *policy.State) (*policy.Pipeline, *policy.LastError) {
	look := search{method: strings.ToUpper(method), query: s.Request.URL.Query, values: make([]string, 0, 4)}
	op := a.operations.find(rest, &look)
	if op == nil || op.plain == nil {
		return a.preflight, notFound()
	}
	s.Operation, s.Matched = op.info, op.matched(&look)
	s.Request.URL.Path = rest
	return op.plain, nil
}

// pickVersion chooses among APIs that answer at one path by their version.
func pickVersion(list []*api, r *exchange.Request) *api {
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
	in, ok := sub.allows(a, g.clock.Now())
	if !ok {
		return nil, g.unauthorised(a, s, policy.ReasonKeyInvalid, textKeyInvalid)
	}
	s.Subscription, s.User = sub.info, sub.user
	return in, nil
}

func (g *Gateway) unauthorised(a *api, s *policy.State, reason, text string) *policy.LastError {
	challenge := `AzureApiManagementKey realm="` + s.Original.Scheme + "://" + s.Original.Host + "/" + a.info.Path + `",name="` + a.keyHeader + `",type="header"`
	return &policy.LastError{Source: "authorization", Reason: reason, Message: text, Status: 401, Header: exchange.Header{{Name: "WWW-Authenticate", Value: challenge}}}
}

func notFound() *policy.LastError {
	return &policy.LastError{Source: "configuration", Reason: policy.ReasonNoOperation, Message: "Unable to match incoming request to an operation.", Status: 404, Text: textNotFound}
}

// answer fills the response with API Management's error body.
func answer(x *exchange.Exchange, status int, message string) {
	x.Response = exchange.Response{Status: status}
	x.Response.Header.Add("Content-Type", "application/json")
	x.Response.Body = exchange.Bytes(errorBody(status, message))
}
