package policy

import (
	"slices"
	"time"

	"tandem/internal/policy/markup"
)

var policyForwardRequest = &Policy{
	Name: "forward-request", Category: "Routing", Does: "sends the request to its backend and takes the answer",
	Sections: []Section{Backend}, Needs: partForwarder,
	Attrs: []Attribute{attr("timeout").def("300"), attr("timeout-ms"), attr("continue-timeout"), attr("http-version", "1", "1.1", "2", "2or1", "2or11"),
		attr("follow-redirects", trueFalse...).def("false"), attr("buffer-request-body", trueFalse...).def("false"),
		attr("buffer-response", trueFalse...).lit().def("true"), attr("fail-on-error-status-code", trueFalse...).lit().def("false")},
	compile: compileForwardRequest,
}

// defaultForward is what Azure's global policy has: <forward-request />.
func defaultForward() step {
	return step{name: "forward-request", path: "forward-request", scope: Global, run: func(s *State) error {
		return s.forward(ForwardOptions{Timeout: 300 * time.Second, BufferResponse: true})
	}}
}

func compileForwardRequest(c *compiler, n *markup.Node) runFunc {
	timeout, ms := c.integer(n, "timeout", 300, 0), c.integer(n, "timeout-ms", 0, 0)
	cont := c.integer(n, "continue-timeout", 0, 0)
	version := c.text(n, "http-version", "")
	follow, bufferRequest := c.boolean(n, "follow-redirects", false), c.boolean(n, "buffer-request-body", false)
	bufferResponse, fail := c.boolean(n, "buffer-response", true), c.boolean(n, "fail-on-error-status-code", false)
	again := slices.Contains(c.inside, "retry") // the body may be sent more than once
	return func(s *State) error {
		var o ForwardOptions
		var err error
		if o.Timeout, err = timeout.seconds(s); err != nil {
			return err
		}
		if ms.set {
			i, err := ms.get(s)
			if err != nil {
				return err
			}
			o.Timeout = time.Duration(i) * time.Millisecond
		}
		if o.ContinueTimeout, err = cont.seconds(s); err != nil {
			return err
		}
		if o.HTTPVersion, err = version.get(s); err != nil {
			return err
		}
		if o.FollowRedirects, err = follow.get(s); err != nil {
			return err
		}
		if o.BufferRequest, err = bufferRequest.get(s); err != nil {
			return err
		}
		o.BufferRequest = o.BufferRequest || again
		if o.BufferResponse, err = bufferResponse.get(s); err != nil {
			return err
		}
		if err := s.forward(o); err != nil {
			return err
		}
		if f, err := fail.get(s); err != nil || !f || s.Response.Status < 400 || s.Response.Status > 599 {
			return err
		}
		return failure(s.Response.Status, ReasonConnection, "The backend answered with an error status code.")
	}
}

func (s *State) forward(o ForwardOptions) error {
	if s.Host.Forwarder == nil {
		return failure(500, ReasonConnection, "This gateway has no forwarder to backends.")
	}
	if o.BufferRequest {
		if _, err := s.Request.Body.Bytes(s.Host.maxBody()); err != nil {
			return bodyFailure(err)
		}
	}
	if s.auth != nil {
		o.Certificate, o.Proxy = s.auth.options.Certificate, s.auth.options.Proxy
	}
	s.resetResponse()
	err := s.Host.Forwarder.Forward(s, o)
	if err != nil {
		s.resetResponse()
		s.noResponse = true
		return err
	}
	s.Forwarded = true
	return nil
}
