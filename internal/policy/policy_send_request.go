package policy

import (
	"context"
	"errors"
	"strings"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var sendParts = []string{"set-url", "set-method", "set-header", "set-body", "authentication-certificate", "authentication-managed-identity",
	"authentication-basic", "proxy", "include-fragment", "choose"}

var sendChildren = []Child{{Name: "set-url", Text: true}}

var policySendRequest = &Policy{
	Name: "send-request", Category: "Integration", Does: "sends a request of its own and keeps the answer in a variable",
	Sections: everySection, Body: Listed, Nested: sendParts, Children: sendChildren, Needs: partClient,
	Attrs: []Attribute{attr("mode", "new", "copy").def("new"), need("response-variable-name").lit(), attr("timeout").def("60"), attr("timeout-ms"),
		attr("ignore-error", trueFalse...).def("false"), attr("buffer-response", trueFalse...), attr("fail-on-error-status-code", trueFalse...)},
	compile: compileSendRequest,
}

var policySendOneWayRequest = &Policy{
	Name: "send-one-way-request", Category: "Integration", Does: "sends a request of its own and does not wait for the answer",
	Sections: everySection, Body: Listed, Nested: sendParts, Children: sendChildren, Needs: partClient,
	Attrs:   []Attribute{attr("mode", "new", "copy").def("new"), attr("timeout").def("60")},
	compile: compileSendOneWayRequest,
}

// sender composes and sends a request.
type sender struct {
	mode    *text
	url     *text
	steps   []step
	timeout *integer
	ms      *integer
}

func (c *compiler) sender(n *markup.Node) *sender {
	x := &sender{mode: c.text(n, "mode", "new"), timeout: c.integer(n, "timeout", 60, 0), ms: c.integer(n, "timeout-ms", 0, 0)}
	parts := &markup.Node{Kind: markup.Element, Name: n.Name, Pos: n.Pos}
	for _, k := range n.Children {
		if k.Kind == markup.Element && k.Name == "set-url" {
			x.url = c.content(k)
			if x.url.constant() {
				if _, ok := parseURL(x.url.lit); !ok && !c.presumed(x.url.node) && !strings.Contains(x.url.lit, "{{") {
					c.report(Error, k.Pos, KindElement, n.Name+"/set-url", "set-url must be an absolute http or https URL")
				}
			}
			continue
		}
		parts.Children = append(parts.Children, k)
	}
	if x.url == nil && x.mode.constant() && x.mode.lit != "copy" {
		c.report(Error, n.Pos, KindElement, n.Name+"/set-url", "%s needs <set-url>", n.Name)
	}
	x.steps = c.steps(parts, c.path)
	return x
}

// compose makes the request.
func (x *sender) compose(s *State) (*outgoing, error) {
	mode, err := x.mode.get(s)
	if err != nil {
		return nil, err
	}
	r := &exchange.Request{Method: "GET", Proto: "HTTP/1.1"}
	if mode == "copy" {
		r.Method, r.URL, r.Header = s.Request.Method, s.Target(), s.Request.Header.Clone()
		r.Header.Del("Host")
		if s.Request.Body.Present() {
			b, err := s.Request.Body.Bytes(s.Host.maxBody())
			if err != nil {
				return nil, bodyFailure(err)
			}
			r.Body = exchange.Bytes(b)
		}
	}
	o := &outgoing{request: r}
	if x.url != nil {
		u, err := x.url.get(s)
		if err != nil {
			return nil, err
		}
		ok := false
		if r.URL, ok = parseURL(strings.TrimSpace(u)); !ok {
			return nil, failure(500, ReasonConnection, "The URL of the request is not an absolute http or https URL.")
		}
		if r.URL.Path == "" {
			r.URL.Path = "/"
		}
	}
	outer := s.hold
	s.hold = o
	err = s.steps(x.steps)
	s.hold = outer
	if err != nil {
		return nil, err
	}
	if r.Body.Present() || o.bodySet {
		r.Header.Del("Content-Length")
	}
	if o.send.Timeout, err = x.timeout.seconds(s); err != nil {
		return nil, err
	}
	if x.ms.set {
		i, err := x.ms.get(s)
		if err != nil {
			return nil, err
		}
		o.send.Timeout = time.Duration(i) * time.Millisecond
	}
	return o, nil
}

func compileSendRequest(c *compiler, n *markup.Node) runFunc {
	x, variable, ignore := c.sender(n), c.text(n, "response-variable-name", ""), c.boolean(n, "ignore-error", false)
	fail := c.boolean(n, "fail-on-error-status-code", false)
	return func(s *State) error {
		name, err := variable.get(s)
		if err != nil {
			return err
		}
		r, err := s.sendRequest(x)
		if err == nil {
			var f bool
			if f, err = fail.get(s); err == nil && f && r.Status >= 400 {
				err = failure(500, ReasonConnection, "The service answered with an error status code.")
			}
		}
		if err != nil {
			skipped, ierr := ignore.get(s)
			if ierr != nil {
				return ierr
			}
			if !skipped || errors.Is(err, context.Canceled) && s.Ctx().Err() != nil {
				return err
			}
			s.vars.set(name, nil)
			return nil
		}
		s.vars.set(name, &Answer{Response: *r})
		return nil
	}
}

func (s *State) sendRequest(x *sender) (*exchange.Response, error) {
	o, err := x.compose(s)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(s.Ctx())
	defer cancel()
	r, err := s.Host.Client.Do(ctx, o.request, o.send)
	if err != nil {
		return nil, err
	}
	// The answer outlives the policy and may be read more than once: hold it.
	if _, err := r.Body.Bytes(s.Host.maxBody()); err != nil {
		return nil, bodyFailure(err)
	}
	return r, nil
}

func compileSendOneWayRequest(c *compiler, n *markup.Node) runFunc {
	x := c.sender(n)
	return func(s *State) error {
		o, err := x.compose(s)
		if err != nil {
			return err
		}
		host := s.Host
		host.background(func(ctx context.Context) {
			if r, err := host.Client.Do(ctx, o.request, o.send); err == nil {
				_, _ = r.Body.Bytes(host.maxBody()) // read to the end, so that the connection is free again
			}
		})
		return nil
	}
}

// background runs f without the request waiting, where the host can; else at once.
func (h *Host) background(f func(context.Context)) {
	if h.Go == nil {
		f(context.Background())
		return
	}
	h.Go(f)
}
