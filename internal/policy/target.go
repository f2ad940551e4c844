package policy

import (
	"tandem/internal/exchange"
)

// target says on which message a transforming policy works.
type target uint8

const (
	bySection  target = iota // of a fragment by itself
	onRequest                // inbound and backend
	onResponse               // outbound and on-error
	onHold                   // the request or answer that an enclosing policy composes
)

// outgoing is a message that an enclosing policy composes: send-request's request or return-response's answer.
type outgoing struct {
	request  *exchange.Request
	response *exchange.Response
	send     SendOptions
	bodySet  bool
}

// outgoingAuth is what authentication-certificate and proxy chose for the forwarded request.
type outgoingAuth struct {
	options SendOptions
}

// composing are the policies whose children work on a message of their own.
var composing = map[string]bool{"send-request": true, "send-one-way-request": true, "return-response": true, "http-request": true,
	"http-response": true}

func (c *compiler) target() target {
	for i := len(c.inside) - 2; i >= 0; i-- {
		if composing[c.inside[i]] {
			return onHold
		}
	}
	switch c.section {
	case Inbound, Backend:
		return onRequest
	case Outbound, OnError:
		return onResponse
	}
	return bySection
}

func (t target) of(s *State) target {
	if t == bySection {
		if s.section == Outbound || s.section == OnError {
			return onResponse
		}
		return onRequest
	}
	return t
}

// message gives the message and whether it is the answer (for the mark that its body was consumed).
func (t target) message(s *State) *exchange.Message {
	switch t.of(s) {
	case onResponse:
		return &s.Response.Message
	case onHold:
		if s.hold.response != nil {
			return &s.hold.response.Message
		}
		return &s.hold.request.Message
	}
	return &s.Request.Message
}

// setBody replaces the message's content.
func (t target) setBody(s *State, b []byte) {
	m := t.message(s)
	m.Body = exchange.Bytes(b)
	m.Header.Del("Content-Length")
	switch t.of(s) {
	case onRequest:
		s.consumed[0] = false
	case onResponse:
		s.consumed[1] = false
	case onHold:
		s.hold.bodySet = true
	}
}
