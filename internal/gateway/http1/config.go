package http1

import (
	"time"

	"tandem"
	"tandem/internal/exchange"
)

// Handler answers requests.
type Handler interface {
	// ServeExchange fills x.Response and returns; the server then writes it, streaming the body where it streams, and
	// closes the body. Status 101 with a streamed body that is an io.ReadWriteCloser joins that to the client. The
	// exchange and its lists are used again after ExchangeDone; strings may be kept.
	ServeExchange(x *exchange.Exchange)
	// ExchangeDone is called after the response was written, or failed with err. sent is the bytes of body written.
	ExchangeDone(x *exchange.Exchange, sent int64, err error)
}

// Config says how a Server works. Handler and Clock are needed; zero limits and timeouts mean the defaults.
type Config struct {
	Handler  Handler
	Clock    tandem.Clock
	Limits   Limits
	Timeouts Timeouts

	// Refused, where set, is told of each request that was answered without the handler, for counting.
	Refused func(status int)
	// Report, where set, is told of what should not happen: a handler's panic, a listener's passing error.
	Report func(err error)
}

// Limits bound what a client can make the server hold.
type Limits struct {
	Head        int   // bytes of request line and header section; default 32 KiB
	HeadFields  int   // header fields; default 128
	Target      int   // bytes of the request target; default 16 KiB
	Body        int64 // bytes of a request body; default 0: none
	Connections int   // open connections of one Serve; default 0: none. More wait in the listener's queue
	Streams     int   // concurrent requests of one HTTP/2 connection; default 250
	// BodyRate is the least average rate, in bytes per second, that a request body must keep once it has taken 10 s.
	// Default 240; negative: none.
	BodyRate int64
}

// Timeouts bound how long a connection may stay in a phase; each is kept to within 50 ms. Negative means never.
type Timeouts struct {
	Handshake time.Duration // TLS; default 10 s
	Idle      time.Duration // keep-alive without a request; default 120 s
	Head      time.Duration // from a head's first byte to its last; default 15 s
	Body      time.Duration // between two pieces of a request body; default 60 s
	Write     time.Duration // for the client to take 64 KiB; default 60 s
	Watch     time.Duration // how long a request lasts before its client is watched for leaving; default 100 ms
	Upgraded  time.Duration // silence of both sides after an upgrade; default 10 min
	Linger    time.Duration // reading on after an answer that ends the connection; default 2 s
	Drain     time.Duration // for requests to end once Serve's context has; default 30 s
}

func (l Limits) withDefaults() Limits {
	orInt(&l.Head, 32<<10)
	orInt(&l.HeadFields, 128)
	orInt(&l.Target, 16<<10)
	orInt(&l.Streams, 250)
	orInt(&l.BodyRate, 240)
	return l
}

func (t Timeouts) withDefaults() Timeouts {
	orInt(&t.Handshake, 10*time.Second)
	orInt(&t.Idle, 120*time.Second)
	orInt(&t.Head, 15*time.Second)
	orInt(&t.Body, 60*time.Second)
	orInt(&t.Write, 60*time.Second)
	orInt(&t.Watch, 100*time.Millisecond)
	orInt(&t.Upgraded, 10*time.Minute)
	orInt(&t.Linger, 2*time.Second)
	orInt(&t.Drain, 30*time.Second)
	return t
}

func orInt[T int | int64 | time.Duration](v *T, standard T) {
	if *v == 0 {
		*v = standard
	}
}
