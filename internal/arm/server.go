package arm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"tandem"
)

// ServerConfig says what a Server serves. Providers, Authoriser, Clock and Log are needed.
type ServerConfig struct {
	Providers  []Provider
	Authoriser Authoriser
	Clock      tandem.Clock
	Log        *slog.Logger
	// Base is the scheme and host of absolute links; empty: those the client used.
	Base string
	// Region names this place in x-ms-routing-request-id.
	Region string
	// AuthorizationURI is what WWW-Authenticate tells clients to get tokens from: "https://{authority}/{tenant}".
	AuthorizationURI string
	// Scopes looks whether the subscription and the resource group of a request exist; nil: they do.
	Scopes ScopeChecker
	// Auditor is told every call; nil: nobody.
	Auditor Auditor
	// MaxBody is the largest request body in bytes; zero: 64 MiB, since API definitions are imported inline.
	MaxBody int64
	// MaxInFlight is how many requests may run at one time, the rest are answered 429 with Retry-After; zero: 1024.
	MaxInFlight int
	// Rates are the request rates of a subscription and caller.
	Rates Rates
}

// ScopeChecker knows what exists above resources.
type ScopeChecker interface {
	// CheckSubscription gives an *Error where the subscription does not exist.
	CheckSubscription(ctx context.Context, subscription string) error
	// CheckResourceGroup gives an *Error where the group does not exist or, for a PUT or PATCH, takes no new resources.
	CheckResourceGroup(ctx context.Context, subscription, group string, write bool) error
}

// Server is the front door of the management plane: it routes, authenticates, authorises and answers in ARM's words.
type Server struct {
	ServerConfig
	clock    tandem.Clock
	region   string
	router   *router
	known    map[string]string // provider namespaces by lower-case name
	inFlight chan struct{}
	rates    *rateLimiter
}

// NewServer binds the providers' routes. It fails on route tables that clash.
func NewServer(c ServerConfig) (*Server, error) {
	if c.Authoriser == nil || c.Clock == nil || c.Log == nil {
		return nil, &tandem.Error{Op: "make ARM server", Kind: tandem.Invalid, Remedy: "set Authoriser, Clock and Log"}
	}
	if c.MaxBody == 0 {
		c.MaxBody = 64 << 20
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 1024
	}
	router, err := newRouter(c.Providers)
	if err != nil {
		return nil, err
	}
	s := &Server{ServerConfig: c, clock: c.Clock, region: c.Region, router: router, known: map[string]string{},
		inFlight: make(chan struct{}, c.MaxInFlight), rates: newRateLimiter(c.Rates, c.Clock)}
	for _, p := range c.Providers {
		s.known[lower(p.Namespace())] = p.Namespace()
	}
	return s, nil
}

// call is one request on its way through the server.
type call struct {
	*Request
	route  *boundRoute
	action string
	scope  string
	// handled says that the request reached its handler.
	handled bool
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	started := s.clock.Now()
	c := &call{Request: &Request{HTTP: hr, Method: hr.Method}}
	c.RequestID = s.setCommonHeaders(w.Header(), hr)
	resp, body, err := s.guard(c, func() (*Response, []byte, error) {
		resp, err := s.serve(w, c)
		if err != nil {
			return nil, nil, err
		}
		if resp == nil {
			return nil, nil, fmt.Errorf("the handler of %s gave neither an answer nor an error", c.route.Pattern)
		}
		if resp.Status == 0 {
			resp.Status = http.StatusOK
		}
		body, err := encodeBody(resp.Body)
		return resp, body, err
	})
	var sent *Error
	if err != nil {
		resp, sent = s.errorResponse(c, err)
		if body, err = marshal(sent.Envelope()); err != nil {
			s.Log.Error("an error answer cannot be written", "request", c.RequestID, "error", err)
		}
	}
	if s.Auditor != nil {
		s.audit(c, resp, sent, started)
	}
	writeResponse(w, hr.Method, resp, body)
}

// guard turns a panic into an error, so that one bad handler costs one request.
func (s *Server) guard(c *call, serve func() (*Response, []byte, error)) (resp *Response, body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("a handler panicked", "request", c.RequestID, "method", c.Method, "path", c.Path, "panic", p, "stack", string(debug.Stack()))
			resp, body, err = nil, nil, Errorf(http.StatusInternalServerError, "InternalServerError",
				"The request %s failed on an internal error; report it with this id.", c.RequestID)
		}
	}()
	return serve()
}

// serve is the way of a request: overload, path, route, token, version, subscription, role, group, body, handler.
func (s *Server) serve(w http.ResponseWriter, c *call) (*Response, error) {
	select {
	case s.inFlight <- struct{}{}:
		defer func() { <-s.inFlight }()
	default:
		e := Errorf(http.StatusTooManyRequests, "TooManyRequests", "The server handles %d requests already. Please try again after '1' seconds.", s.MaxInFlight)
		e.Header = http.Header{"Retry-After": {"1"}}
		return nil, e
	}
	hr, ctx := c.HTTP, c.HTTP.Context()
	if c.Base = s.Base; c.Base == "" {
		c.Base = "https://" + hr.Host
		if hr.TLS == nil {
			c.Base = "http://" + hr.Host
		}
	}
	segments, err := splitPath(hr.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	c.Path = joinPath(segments)
	if c.Query, err = ParseQuery(hr.URL.RawQuery); err != nil {
		return nil, Errorf(http.StatusBadRequest, "InvalidRequestUri", "The query of the request cannot be read: %v.", err)
	}
	c.APIVersion = c.Query["api-version"]
	found, allowed := s.router.find(hr.Method, segments)
	if found != nil {
		c.route, c.Params = found.route, found.params
	}
	if c.route == nil || !c.route.Anonymous {
		if c.Principal, err = s.authenticate(ctx, hr); err != nil {
			return nil, err
		}
	}
	if err := checkVersion(c.route, c.APIVersion); err != nil {
		return nil, err
	}
	subscription, group := owners(segments)
	if s.Scopes != nil && subscription != "" && (c.route == nil || !c.route.Anonymous) {
		if err := s.Scopes.CheckSubscription(ctx, subscription); err != nil {
			return nil, err
		}
	}
	if c.route == nil {
		return nil, s.noRoute(segments, c, allowed)
	}
	c.action, c.scope = c.route.actionOf(c.Params), c.route.scopeOf(c.Request)
	if !c.route.Anonymous && !c.route.AnyPrincipal {
		if err := s.Authoriser.Authorise(ctx, c.Principal, c.action, c.scope); err != nil {
			return nil, err
		}
	}
	if err := s.rates.take(w.Header(), hr.Method, subscription, c.Principal); err != nil {
		return nil, err
	}
	if s.Scopes != nil && group != "" {
		if err := s.Scopes.CheckResourceGroup(ctx, subscription, group, hr.Method == http.MethodPut || hr.Method == http.MethodPatch); err != nil {
			return nil, err
		}
	}
	if c.Body, err = s.readBody(hr); err != nil {
		return nil, err
	}
	c.handled = true
	return c.route.Handler(ctx, c.Request)
}

// owners gives the subscription that must exist for a path and, where the path is below a resource group, the group.
func owners(segments []string) (subscription, group string) {
	if len(segments) < 2 || !strings.EqualFold(segments[0], "subscriptions") {
		return "", ""
	}
	if len(segments) > 4 && strings.EqualFold(segments[2], "resourceGroups") {
		group = segments[3]
	}
	return segments[1], group
}

func (s *Server) readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	tooLarge := Errorf(http.StatusRequestEntityTooLarge, "RequestContentTooLarge",
		"The request content size exceeds the maximum size of %d bytes; split the document or refer to it by a link.", s.MaxBody)
	if r.ContentLength > s.MaxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, s.MaxBody+1))
	if err != nil {
		return nil, Errorf(http.StatusBadRequest, "InvalidRequestContent", "The request content could not be read to its end: %v.", err)
	}
	if int64(len(body)) > s.MaxBody {
		return nil, tooLarge
	}
	return body, nil
}

func (s *Server) errorResponse(c *call, err error) (*Response, *Error) {
	e := AsError(err)
	if e.Status >= 500 && !errors.Is(err, context.Canceled) {
		s.Log.Error("request failed", "request", c.RequestID, "method", c.Method, "path", c.Path, "error", err)
	}
	// Only what belongs to an error goes on: an error that came from another server carries all of that one's headers.
	h := http.Header{}
	for _, name := range []string{"Www-Authenticate", "Retry-After", "Allow"} {
		if v := e.Header.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	if e.Status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", s.challenge("invalid_token", e.Message))
	}
	if !c.handled {
		h.Set("X-Ms-Failure-Cause", "gateway") // Azure's word for Resource Manager itself
	}
	return &Response{Status: e.Status, Header: h}, e
}

func (s *Server) audit(c *call, resp *Response, sent *Error, started time.Time) {
	record := AuditRecord{Time: started, Principal: c.Principal, Action: c.action, Scope: c.scope, Method: c.Method, Path: c.Path,
		APIVersion: c.APIVersion, Remote: c.HTTP.RemoteAddr, RequestID: c.RequestID,
		CorrelationID: c.HTTP.Header.Get("X-Ms-Correlation-Request-Id"), Status: resp.Status, Duration: s.clock.Now().Sub(started)}
	if sent != nil {
		record.Code = sent.Code
	}
	s.Auditor.Audit(c.HTTP.Context(), record)
}
