package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"tandem"
)

// backend answers 1 KiB. It can go away and come back at the same address.
type backend struct {
	address  string
	server   *http.Server
	away     atomic.Bool
	restarts atomic.Int64 // that are over
	err      error
}

func (b *backend) start() error {
	at := b.address
	if at == "" {
		at = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	b.address = l.Addr().String()
	body := make([]byte, 1024)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })}
	b.server = server
	go func() { _ = server.Serve(l) }() // ends when the server is closed
	return nil
}

func (b *backend) stop() { _ = b.server.Close() }

// goneFor is how long a restart takes.
const goneFor = 200 * time.Millisecond

// restart breaks all connections to the backend every so often, until ctx ends.
func (b *backend) restart(ctx context.Context, every time.Duration) {
	clock := tandem.SystemClock{}
	for clock.Sleep(ctx, every) == nil {
		b.away.Store(true)
		b.stop()
		_ = clock.Sleep(ctx, goneFor) // it comes back in any case
		if b.err = b.start(); b.err != nil {
			return
		}
		b.restarts.Add(1)
		b.away.Store(false)
	}
}
