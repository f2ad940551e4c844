// Package exchange is one HTTP request and its answer, as the gateway's fronts read them off a connection and as
// policies change them. It knows no connection, no policy and no API Management: the fronts (HTTP/1.1 of our own, HTTP/2
// of the standard library) fill it, the pipeline works on it, so that each can be replaced alone.
//
// An Exchange belongs to the goroutine that serves the request. Strings in it may be kept: they are ordinary Go strings.
package exchange

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"
)

// Exchange is one request on its way through the gateway.
type Exchange struct {
	Context  context.Context // ends when the client goes away or the gateway stops
	Start    time.Time       // when the first byte of the head was read
	Remote   netip.AddrPort
	TLS      *tls.ConnectionState // nil on a plain connection
	Request  Request
	Response Response

	// Inform sends an interim answer (1xx other than 101) to the client at once, before Response. It is nil where the
	// client cannot take one (HTTP/1.0).
	Inform func(status int, header Header) error

	// Kept is what the handler keeps from ServeExchange to ExchangeDone. Fronts do not look at it.
	Kept any
}

// Reset empties the exchange for the next request and keeps the room of its lists.
func (x *Exchange) Reset() {
	req, res := x.Request.Message.reset(), x.Response.Message.reset()
	*x = Exchange{}
	x.Request.Message, x.Response.Message = req, res
}

func (m *Message) reset() Message {
	return Message{Header: m.Header[:0], Trailer: m.Trailer[:0]}
}

// Request is what the client sent and, after the inbound policies, what the backend gets.
type Request struct {
	Message
	Method string
	Proto  string // "HTTP/1.1", "HTTP/2.0"
	URL    URL
}

// Response is the answer. Status 0 means that there is none yet.
type Response struct {
	Message
	Status int
	Reason string // reason phrase; empty: the standard one
}

// Message is what requests and responses share.
type Message struct {
	Header  Header
	Body    Body
	Trailer Header // complete once Body has been read to its end
}

// URL is a request's target, kept as it was sent: Path and Query are still percent-encoded.
type URL struct {
	Scheme string // "http" or "https"
	Host   string // with the port where one was written
	Path   string // begins with "/"
	Query  string // without "?"
}

// String writes the URL.
func (u URL) String() string {
	s := u.Path
	if u.Host != "" {
		s = u.Scheme + "://" + u.Host + s
	}
	if u.Query != "" {
		s += "?" + u.Query
	}
	return s
}
