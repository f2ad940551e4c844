package http1

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
)

// Server serves HTTP on listeners.
type Server struct {
	config  Config
	buffers *buffers
}

// NewServer makes a server.
func NewServer(config Config) *Server {
	config.Limits = config.Limits.withDefaults()
	config.Timeouts = config.Timeouts.withDefaults()
	if config.Refused == nil {
		config.Refused = func(int) {}
	}
	if config.Report == nil {
		config.Report = func(error) {}
	}
	return &Server{config: config, buffers: newBuffers()}
}

// serving is one listener's run.
type serving struct {
	*Server
	warden   *warden
	h2       *h2Front
	draining atomic.Bool
	slots    chan struct{} // nil where connections are not limited
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[*serverConn]struct{}
}

// Serve serves l until ctx ends: then it closes l, lets the requests under way finish for as long as Timeouts.Drain
// says, closes what is left, and returns once all its goroutines have. The error is nil then; else it says why l failed.
// A listener of crypto/tls serves TLS, and HTTP/2 where its configuration offers "h2"; plain listeners take HTTP/2 with
// prior knowledge.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	run := &serving{Server: s, warden: newWarden(s.config.Clock), conns: make(map[*serverConn]struct{})}
	run.h2 = newH2Front(run)
	if n := s.config.Limits.Connections; n > 0 {
		run.slots = make(chan struct{}, n)
	}
	var helpers sync.WaitGroup
	wardenCtx, stopWarden := context.WithCancel(context.Background())
	helpers.Go(func() { run.warden.run(wardenCtx) })
	acceptCtx, stopAccepting := context.WithCancel(ctx)
	helpers.Go(func() {
		<-acceptCtx.Done()
		l.Close()
	})
	err := run.accept(acceptCtx, l)
	stopAccepting()
	run.drain()
	stopWarden()
	helpers.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return &tandem.Error{Op: "accept connections on", Subject: l.Addr().String(), Kind: tandem.Unavailable, Err: err,
		Remedy: "check that nothing else closes the listener and that the process may open more files"}
}

// accept takes connections until the listener is closed or fails for good.
func (run *serving) accept(ctx context.Context, l net.Listener) error {
	pause := time.Duration(0)
	for {
		if run.slots != nil {
			select {
			case run.slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			run.start(nc)
			continue
		}
		run.release()
		var passing interface{ Temporary() bool }
		if ctx.Err() != nil || !errors.As(err, &passing) || !passing.Temporary() {
			return err
		}
		// Out of file descriptors, mostly: it passes when connections close.
		run.config.Report(err)
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		if run.config.Clock.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

func (run *serving) release() {
	if run.slots != nil {
		<-run.slots
	}
}

// start serves one connection on a goroutine of its own.
func (run *serving) start(nc net.Conn) {
	c := newServerConn(run, nc)
	run.mu.Lock()
	run.conns[c] = struct{}{}
	run.mu.Unlock()
	run.warden.add(c)
	run.wg.Go(func() {
		defer func() {
			run.warden.remove(c)
			run.mu.Lock()
			delete(run.conns, c)
			run.mu.Unlock()
			run.release()
		}()
		c.serve()
	})
}

// drain lets connections finish, and closes those that do not in time.
func (run *serving) drain() {
	run.draining.Store(true)
	run.each((*serverConn).drain)
	run.h2.drain()
	finished := make(chan struct{})
	go func() {
		run.wg.Wait()
		close(finished)
	}()
	if d := run.config.Timeouts.Drain; d > 0 {
		select {
		case <-finished:
		case <-run.config.Clock.After(d):
		}
	}
	run.each(func(c *serverConn) { c.abort(errStopping) })
	<-finished
}

func (run *serving) each(do func(*serverConn)) {
	run.mu.Lock()
	defer run.mu.Unlock()
	for c := range run.conns {
		do(c)
	}
}
