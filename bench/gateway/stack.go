//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"tandem"
	"tandem/internal/exchange"
	"tandem/internal/gateway/http1"
)

// runTandem serves Tandem's codec with a handler that does what the peers' configurations do.
func runTandem(listen, tlsListen, target, cert, key string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	clock := tandem.SystemClock{}
	client := http1.NewClient(clock)
	defer client.Close()
	h := newMinimal(client.Pool(http1.Backend{Address: target}), clock, target)
	defer h.pool.Close()
	server := http1.NewServer(http1.Config{Handler: h, Clock: clock})
	var wg sync.WaitGroup
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w; choose another -port", err)
	}
	if tlsListen != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("load certificate: %w", err)
		}
		tl, err := net.Listen("tcp", tlsListen)
		if err != nil {
			return fmt.Errorf("listen: %w; choose another -port", err)
		}
		tl = tls.NewListener(tl, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}})
		wg.Go(func() { _ = server.Serve(ctx, tl) })
	}
	err = server.Serve(ctx, l)
	wg.Wait()
	return err
}

// minimal is the policy of the comparison.
type minimal struct {
	pool    *http1.Pool
	clock   tandem.Clock
	keys    map[[32]byte]*subscription
	backend string
	count   [6]atomic.Int64 // answers by hundreds
	sent    atomic.Int64
	buckets [20]atomic.Int64 // answers by the time they took, in powers of two of microseconds
}

// subscription has a window of its own for the rate limit.
type subscription struct {
	name   string
	window atomic.Int64 // its second
	calls  atomic.Int64
}

const callsPerSecond = 100000

func newMinimal(pool *http1.Pool, clock tandem.Clock, backend string) *minimal {
	h := &minimal{pool: pool, clock: clock, keys: make(map[[32]byte]*subscription), backend: backend}
	for i := range keyCount {
		h.keys[sha256.Sum256([]byte(subscriptionKey(i)))] = &subscription{name: fmt.Sprintf("subscription-%d", i)}
	}
	return h
}

// ServeExchange implements http1.Handler.
func (h *minimal) ServeExchange(x *exchange.Exchange) {
	res := &x.Response
	// The key is looked up by its digest, so that no comparison takes longer the more of a key is right.
	s := h.keys[sha256.Sum256([]byte(x.Request.Header.Get("Ocp-Apim-Subscription-Key")))]
	if s == nil {
		h.refuse(res, 401)
		return
	}
	if second := x.Start.Unix(); s.window.Load() != second {
		s.window.Store(second)
		s.calls.Store(0)
	}
	if s.calls.Add(1) > callsPerSecond {
		h.refuse(res, 429)
		return
	}
	x.Request.Header.Set("X-Subscription", s.name)
	x.Request.Header.Del("Ocp-Apim-Subscription-Key")
	x.Request.URL.Host = h.backend
	if err := h.pool.Do(x.Context, &x.Request, res, http1.Options{Inform: x.Inform}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		h.refuse(res, 502)
		return
	}
	res.Header.Set("X-Gateway", "tandem")
}

func (h *minimal) refuse(res *exchange.Response, status int) {
	res.Status, res.Header, res.Body = status, res.Header[:0], exchange.Bytes([]byte("{}"))
}

// ExchangeDone implements http1.Handler.
func (h *minimal) ExchangeDone(x *exchange.Exchange, sent int64, _ error) {
	h.count[x.Response.Status/100].Add(1)
	h.sent.Add(sent)
	micros, bucket := h.clock.Now().Sub(x.Start).Microseconds(), 0
	for ; micros > 1 && bucket < len(h.buckets)-1; micros >>= 1 {
		bucket++
	}
	h.buckets[bucket].Add(1)
}
