package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/gateway/http1"
	"tandem/internal/policy"
)

// forwardTimeout is how long a backend may take to begin its answer where no policy says otherwise (Azure: 300 s).
const forwardTimeout = 300 * time.Second

// forwarder sends a request to its backend.
type forwarder struct{ g *Gateway }

// Forward implements policy.Forwarder.
func (f forwarder) Forward(s *policy.State, o policy.ForwardOptions) error {
	if s.Base.Host == "" {
		return fmt.Errorf("%w: no backend is set: the API has no service URL and no policy chose one", policy.ErrConnection)
	}
	if o.BufferRequest && s.Request.Body.Present() {
		if _, err := s.Request.Body.Bytes(f.g.maxBody()); err != nil {
			return err
		}
	}
	r := s.Request
	r.URL = s.Target()
	r.Header = append(s.Request.Header[:len(s.Request.Header):len(s.Request.Header)], exchange.Field{Name: "X-Forwarded-For", Value: f.g.forwardedFor(s)})
	timeout := o.Timeout
	if timeout == 0 {
		timeout = forwardTimeout
	}
	out := exchange.Response{}
	err := f.g.upstreams.do(s.Ctx(), &r, &out, http1.Options{Response: timeout, Upgrade: true, Inform: s.Inform}, o.Certificate, o.Proxy)
	s.Request.Body = r.Body
	if err != nil {
		return err
	}
	for hops := 0; o.FollowRedirects && hops < maxRedirects && redirects(out.Status); hops++ {
		if !follow(&r, &out) {
			break
		}
		_ = out.Body.Close() // its content is not wanted
		if err := f.g.upstreams.do(s.Ctx(), &r, &out, http1.Options{Response: timeout}, o.Certificate, o.Proxy); err != nil {
			return err
		}
	}
	s.Response = out
	if o.BufferResponse {
		if _, err := s.Response.Body.Bytes(f.g.maxBody()); err != nil && !errors.Is(err, exchange.ErrBodyTooLarge) {
			return fmt.Errorf("%w: %w", policy.ErrConnection, err)
		}
	}
	return nil
}

// forwardedFor is the list of clients up to this one; a list that the client sent is continued.
func (g *Gateway) forwardedFor(s *policy.State) string {
	client := s.Remote.Addr().Unmap().String()
	if before := s.Request.Header.Get("X-Forwarded-For"); before != "" {
		s.Request.Header.Del("X-Forwarded-For")
		return before + ", " + client
	}
	return client
}

// maxBody is how much of a body is held for a policy.
func (g *Gateway) maxBody() int64 {
	if g.host.MaxBody > 0 {
		return g.host.MaxBody
	}
	return 16 << 20
}

const maxRedirects = 10

func redirects(status int) bool {
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308
}

// follow turns a request to where an answer points; false where that is not possible.
func follow(r *exchange.Request, answer *exchange.Response) bool {
	to := answer.Header.Get("Location")
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
	if answer.Status == 303 || answer.Status < 303 && r.Method == "POST" {
		r.Method, r.Body = "GET", exchange.Body{}
		return true
	}
	return !r.Body.Present() || r.Body.Held()
}

// backends shows policies the named backends of the generation that serves the request (law 2).
type backends struct{ gen *generation }

// Backend implements policy.Backends.
func (b backends) Backend(id string) (policy.BackendInfo, bool) {
	k := b.gen.backends[strings.ToLower(id)]
	if k == nil {
		return policy.BackendInfo{}, false
	}
	return k.info, true
}
