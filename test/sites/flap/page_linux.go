package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"tandem"
	"tandem/test/sites/lab"
)

// page is the status page of an endpoint, as sick as it is told to be.
type page struct {
	clock tandem.Clock
	mu    sync.Mutex
	// fails is the share of probes that are answered 503; slow how long an answer takes, evenly spread over [slow/2, slow).
	fails float64
	slow  time.Duration
	seed  *rand.Rand
	asked int
	bad   int
}

// serve answers at a site's port 80 until ctx ends.
func (p *page) serve(ctx context.Context, l *lab.Lab, site string) (wait func() error, err error) {
	listener, err := l.Site(site).Listen(net.JoinHostPort(l.Site(site).Addr.String(), "80"))
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: p, BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	return func() error {
		stop()
		err := s.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

// ServeHTTP implements http.Handler.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked++
	bad := p.fails > 0 && p.seed.Float64() < p.fails
	if bad {
		p.bad++
	}
	wait := time.Duration(0)
	if p.slow > 0 {
		wait = p.slow/2 + time.Duration(p.seed.Int64N(int64(p.slow/2)))
	}
	p.mu.Unlock()
	if wait > 0 && p.clock.Sleep(r.Context(), wait) != nil {
		return
	}
	if bad {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// counts gives how many probes were answered, and how many of them 503.
func (p *page) counts() (asked, bad int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.bad
}
