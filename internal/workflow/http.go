package workflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tandem/internal/workflow/value"
)

// maxResponse is how many bytes of a response an Http action takes.
const maxResponse = MaxRecordBytes / 2

// httpAction sends a request and, unless told otherwise, waits for the end of what a 202 began.
type httpAction struct{ retry retryPolicy }

func parseHTTP(p *parser, a *action, o *value.Object, _ int) spec {
	s := &httpAction{}
	in := p.inputs(a, o, "method", "uri", "headers", "queries", "body", "authentication", "retryPolicy", "cookie")
	at := property(a.path, "inputs")
	p.require(a, in, "method", "uri")
	if m := in.String("method"); m != "" && !strings.Contains(m, "@") {
		switch strings.ToUpper(m) {
		case "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE":
		default:
			p.add(property(at, "method"), "use GET, POST, PUT, PATCH, DELETE or HEAD", "%q is no HTTP method", m)
		}
	}
	if u := in.String("uri"); u != "" && !strings.Contains(u, "@") {
		if parsed, err := url.Parse(u); err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
			p.add(property(at, "uri"), "write an absolute http or https address", "%q is no address", u)
		}
	}
	p.object(at, in, "headers")
	p.object(at, in, "queries")
	s.retry = p.retryPolicy(property(at, "retryPolicy"), p.object(at, in, "retryPolicy"))
	if auth, given := in.Get("authentication"); given {
		p.authentication(property(at, "authentication"), auth)
	}
	if kind := o.String("kind"); kind != "" {
		p.add(property(a.path, "kind"), "remove it", "an Http action has no kind")
	}
	a.inputs = p.field(a.path, o, "inputs", user{action: a})
	return s
}

func (*httpAction) instant() bool { return false }

// request is what an Http action asks for, with its expressions evaluated.
type request struct {
	method  string
	url     *url.URL
	headers http.Header
	body    []byte
	auth    *value.Object
	quiet   bool // without the headers that tell of the workflow
}

func (s *httpAction) run(ctx context.Context, x *exec) outcome {
	v, bad := x.inputs()
	if bad != nil {
		return *bad
	}
	req, err := newRequest(v.(*value.Object))
	if err != nil {
		return fail(codeBadRequest, "The inputs of action '%s' are not valid: %v", x.a.name, err)
	}
	if o, isObject := v.(*value.Object); isObject && req.auth != nil {
		// What authenticates is not kept in the journal: a repeated action evaluates its inputs again.
		x.rec.Inputs = o.With("authentication", value.New("type", req.auth.String("type")))
	}
	async := !x.a.option("DisableAsyncPattern")
	if p, polling := x.rec.Progress.(*value.Object); polling && async {
		// The request was accepted before a crash: only its end is still to be waited for.
		location, err := url.Parse(p.String("location"))
		if err == nil {
			return s.await(ctx, x, req, location, x.r.caller.poll)
		}
	}
	resp, out := s.withRetries(ctx, x, req)
	if resp == nil {
		return out
	}
	if location := resp.Header.Get("Location"); async && resp.StatusCode == http.StatusAccepted && location != "" {
		next, err := req.url.Parse(location)
		if err != nil || next.Host == "" {
			return fail(codeBadRequest, "The address to poll that the server gave is not valid.")
		}
		return s.await(ctx, x, req, next, retryAfter(resp.Header, x.r.clock.Now(), x.r.caller.poll))
	}
	return out
}

// await polls until the answer is no longer 202.
func (s *httpAction) await(ctx context.Context, x *exec, first *request, location *url.URL, delay time.Duration) outcome {
	for {
		x.rec.Progress = value.New("location", location.String())
		if err := x.checkpoint(); err != nil {
			return outcome{}
		}
		if err := x.r.clock.Sleep(ctx, delay); err != nil {
			return outcome{status: Cancelled, code: codeCancelled}
		}
		poll := &request{method: http.MethodGet, url: location, headers: http.Header{}, quiet: first.quiet}
		if first.url.Scheme == location.Scheme && strings.EqualFold(first.url.Host, location.Host) {
			// Credentials go to the host they were written for, and to no other.
			poll.auth = first.auth
			if h := first.headers.Values("Authorization"); h != nil {
				poll.headers["Authorization"] = h
			}
		}
		resp, out := s.withRetries(ctx, x, poll)
		if resp == nil || resp.StatusCode != http.StatusAccepted {
			return out
		}
		if next := resp.Header.Get("Location"); next != "" {
			if u, err := location.Parse(next); err == nil && u.Host != "" {
				location = u
			}
		}
		delay = retryAfter(resp.Header, x.r.clock.Now(), x.r.caller.poll)
	}
}

// withRetries sends a request until it succeeds, fails for good, or the policy's tries are used up. The response's body is
// read already; it is nil where there was no answer.
func (s *httpAction) withRetries(ctx context.Context, x *exec, req *request) (*http.Response, outcome) {
	for try := 1; ; try++ {
		start := x.r.clock.Now().UTC()
		resp, body, err := s.once(ctx, x, req)
		if ctx.Err() != nil {
			return nil, outcome{status: Cancelled, code: codeCancelled}
		}
		var auth *authError
		if errors.As(err, &auth) {
			return nil, fail(codeUnauthorized, "Action '%s' could not authenticate: %v", x.a.name, err)
		}
		out := answer(resp, body, err)
		if try > s.retry.count || err == nil && !transient(resp.StatusCode) {
			return resp, out
		}
		delay := s.retry.delay(try, x.r.rand)
		if resp != nil {
			delay = max(delay, retryAfter(resp.Header, x.r.clock.Now(), 0))
		}
		x.rec.Attempts = append(x.rec.Attempts, Attempt{Start: start, End: x.r.clock.Now().UTC(), Code: out.code, Error: out.fault})
		if err := x.checkpoint(); err != nil {
			return nil, outcome{}
		}
		if err := x.r.clock.Sleep(ctx, delay); err != nil {
			return nil, outcome{status: Cancelled, code: codeCancelled}
		}
	}
}

func transient(status int) bool { return status == 408 || status == 429 || status >= 500 }

// retryAfter reads the Retry-After header (RFC 9110, section 10.2.3), at most a day.
func retryAfter(h http.Header, now time.Time, other time.Duration) time.Duration {
	text := h.Get("Retry-After")
	d := other
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		d = time.Duration(min(n, 86400)) * time.Second
	} else if t, err := http.ParseTime(text); err == nil {
		d = min(max(0, t.Sub(now)), 24*time.Hour)
	}
	return d
}

// once sends a request one time.
func (s *httpAction) once(ctx context.Context, x *exec, in *request) (*http.Response, []byte, error) {
	limited, cancel := withTimeout(ctx, x.r.clock, x.r.caller.timeout)
	defer cancel()
	var body io.Reader = http.NoBody
	if in.body != nil {
		body = bytes.NewReader(in.body)
	}
	req, err := http.NewRequestWithContext(limited, in.method, in.url.String(), body)
	if err != nil {
		return nil, nil, fmt.Errorf("the request is not valid")
	}
	req.Header = in.headers.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	if !in.quiet {
		setDefault(req.Header, "User-Agent", "azure-logic-apps/1.0 (workflow "+x.r.info.String("name")+")")
		run := x.r.info.Object("run")
		req.Header.Set("X-Ms-Workflow-Id", x.r.info.String("name"))
		req.Header.Set("X-Ms-Workflow-Run-Id", run.String("name"))
		req.Header.Set("X-Ms-Workflow-Operation-Name", x.a.name)
		req.Header.Set("X-Ms-Client-Tracking-Id", x.rec.Tracking)
	}
	certificate, err := x.r.caller.authenticate(limited, req, in)
	if err != nil {
		return nil, nil, &authError{err}
	}
	resp, err := x.r.caller.send(req, certificate)
	if err == nil {
		defer resp.Body.Close()
		var read []byte
		read, err = io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
		if err == nil && len(read) > maxResponse {
			err = fmt.Errorf("the response has more than %d bytes", maxResponse)
		}
		if err == nil {
			return resp, read, nil
		}
	}
	if errors.Is(context.Cause(limited), errTimeout) && ctx.Err() == nil {
		err = errTimeout
	}
	return nil, nil, err
}

func setDefault(h http.Header, name, v string) {
	if h.Get(name) == "" {
		h.Set(name, v)
	}
}

// answer turns a response, or the lack of one, into the outcome of the action.
func answer(resp *http.Response, body []byte, err error) outcome {
	if err != nil {
		if errors.Is(err, errTimeout) {
			return fail("GatewayTimeout", "Http request failed: the server did not answer in time.")
		}
		return fail("BadGateway", "Http request failed as there is an error: '%v'.", err)
	}
	headers := value.New()
	for _, name := range sortedKeys(resp.Header) {
		headers.Set(name, strings.Join(resp.Header[name], ","))
	}
	out := value.New("statusCode", int64(resp.StatusCode), "headers", headers)
	if len(body) > 0 {
		out.Set("body", readBody(body, resp.Header.Get("Content-Type")))
	}
	code := strings.NewReplacer(" ", "", "-", "", "'", "").Replace(http.StatusText(resp.StatusCode))
	if code == "" {
		code = strconv.Itoa(resp.StatusCode)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return outcome{status: Succeeded, code: code, outputs: out}
	}
	return outcome{status: Failed, code: code, outputs: out, fault: fault(code, "Http request failed: the server answered with status code %d.", resp.StatusCode)}
}
