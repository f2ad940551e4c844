package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tandem"
	"tandem/internal/exchange"
)

// pipes is a listener and a dialer over net.Pipe, so that a test decides what time it is.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-p.conns:
		return nc, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// timed is a server in a bubble of its own time.
type timed struct {
	*pipes
	stop func()
}

func newTimed(h Handler, change func(*Config)) *timed {
	config := Config{Handler: h, Clock: tandem.SystemClock{}}
	if change != nil {
		change(&config)
	}
	p := newPipes()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := NewServer(config).Serve(ctx, p); err != nil {
			panic(err)
		}
	}()
	return &timed{p, func() {
		cancel()
		<-done
	}}
}

func hello(x *exchange.Exchange) {
	x.Response.Status = 200
	x.Response.Body = exchange.Bytes([]byte("hello"))
}

// since runs do and tells how long it took.
func since(do func()) time.Duration {
	start := tandemNow()
	do()
	return tandemNow().Sub(start)
}

func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got < want || got > want+2*wardenPeriod {
		t.Errorf("%s after %v, want %v", what, got, want)
	}
}

func TestClientTimeouts(t *testing.T) {
	tests := []struct {
		name, send string
		drip       string // sent byte by byte, one each second
		want       string // the status line's status, "" for none
		after      time.Duration
	}{
		{"idle", "", "", "", 120 * time.Second},
		{"head", "GET / HTTP/1.1\r\nHo", "", "408", 15 * time.Second},
		{"dripping head", "GET / HTTP/1.1\r\nX: ", strings.Repeat("x", 100), "408", 15 * time.Second},
		{"body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", "", "408", 60 * time.Second},
		{"dripping body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", strings.Repeat("x", 100), "408", 11 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTimed(handlerFunc(func(x *exchange.Exchange) {
					hello(x)
					if _, err := x.Request.Body.Bytes(1 << 20); err != nil {
						var r *Refusal
						if !errors.As(err, &r) {
							t.Errorf("the body gave %v", err)
						}
						x.Response.Status = r.Status
					}
				}), nil)
				defer s.stop()
				nc, _ := s.dial(t.Context(), "", "")
				defer nc.Close()
				var got []byte
				var wg sync.WaitGroup
				took := since(func() {
					wg.Go(func() {
						io.WriteString(nc, tt.send)
						for i := range tt.drip {
							tandem.SystemClock{}.Sleep(context.Background(), time.Second)
							if _, err := io.WriteString(nc, tt.drip[i:i+1]); err != nil {
								return
							}
						}
					})
					got, _ = io.ReadAll(nc)
				})
				wg.Wait()
				near(t, "the end", took, tt.after)
				if status := strings.TrimPrefix(string(got), "HTTP/1.1 "); tt.want == "" && len(got) > 0 || !strings.HasPrefix(status, tt.want) {
					t.Errorf("got %q, want status %q", got, tt.want)
				}
			})
		})
	}
}

// A client that takes no bytes loses its connection, and the exchange ends.
func TestWriteStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error, 1)
		s := newTimed(stalled{done}, nil)
		defer s.stop()
		nc, _ := s.dial(t.Context(), "", "")
		defer nc.Close()
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		near(t, "the stall", since(func() {
			if err := <-done; !errors.Is(err, tandem.Closed) {
				t.Errorf("got %v", err)
			}
		}), 60*time.Second)
	})
}

type stalled struct{ done chan error }

func (s stalled) ServeExchange(x *exchange.Exchange) {
	x.Response.Status = 200
	x.Response.Body = exchange.Bytes(make([]byte, 1<<20))
}
func (s stalled) ExchangeDone(_ *exchange.Exchange, _ int64, err error) { s.done <- err }

// Stopping ends idle connections at once, lets requests finish, and cuts what takes too long.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan *exchange.Exchange, 2)
		s := newTimed(handlerFunc(func(x *exchange.Exchange) {
			hello(x)
			begun <- x
			if x.Request.URL.Path == "/slow" {
				tandem.SystemClock{}.Sleep(context.Background(), 10*time.Second)
			} else {
				<-x.Context.Done()
			}
		}), nil)
		idle, _ := s.dial(t.Context(), "", "")
		slow, _ := s.dial(t.Context(), "", "")
		stuck, _ := s.dial(t.Context(), "", "")
		io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
		io.WriteString(stuck, "GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
		<-begun
		<-begun
		var wg sync.WaitGroup
		wg.Go(func() {
			near(t, "the end of the idle one", since(func() { io.ReadAll(idle) }), 0)
		})
		wg.Go(func() {
			var got []byte
			near(t, "the slow answer", since(func() { got, _ = io.ReadAll(slow) }), 10*time.Second)
			if !strings.Contains(string(got), "Connection: close\r\n") || !strings.HasSuffix(string(got), "hello") {
				t.Errorf("got %q", got)
			}
		})
		wg.Go(func() { io.ReadAll(stuck) })
		near(t, "stopping", since(s.stop), 30*time.Second)
		wg.Wait()
	})
}

// The watch sees the client go, within its time.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan error)
		begun := make(chan struct{})
		s := newTimed(handlerFunc(func(x *exchange.Exchange) {
			close(begun)
			<-x.Context.Done()
			gone <- context.Cause(x.Context)
			hello(x)
		}), nil)
		defer s.stop()
		nc, _ := s.dial(t.Context(), "", "")
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		<-begun
		nc.Close()
		near(t, "the end of the context", since(func() {
			if err := <-gone; err != ErrClientGone {
				t.Errorf("got %v", err)
			}
		}), 100*time.Millisecond)
	})
}

func TestBackendTimeouts(t *testing.T) {
	get := exchange.Request{Method: "GET", URL: exchange.URL{Host: "a", Path: "/"}}
	tests := []struct {
		name   string
		answer string // "-": nothing is accepted
		change func(*Backend)
		reason Reason
		after  time.Duration
	}{
		{"dial", "-", nil, ReasonTimeout, 10 * time.Second},
		{"response", "", nil, ReasonTimeout, 300 * time.Second},
		{"half a head", "HTTP/1.1 200 OK\r\nX", func(b *Backend) { b.Timeouts.Response = time.Second }, ReasonTimeout, time.Second},
		{"body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", func(b *Backend) { b.Timeouts.Read = 2 * time.Second }, ReasonTimeout, 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				defer p.Close()
				client := NewClient(tandem.SystemClock{})
				b := Backend{Address: "b:80", Dial: p.dial}
				if tt.change != nil {
					tt.change(&b)
				}
				pool := client.Pool(b)
				if tt.answer != "-" {
					go func() {
						nc, _ := p.Accept()
						readHeadLines(bufio.NewReader(nc))
						io.WriteString(nc, tt.answer)
						io.Copy(io.Discard, nc)
					}()
				}
				var res exchange.Response
				var err error
				near(t, "the failure", since(func() {
					if err = pool.Do(t.Context(), &get, &res, Options{}); err == nil {
						_, err = res.Body.Bytes(100)
					}
				}), tt.after)
				if ReasonOf(err) != tt.reason {
					t.Errorf("got %v, want reason %s", err, tt.reason)
				}
				pool.Close()
				client.Close()
			})
		})
	}
}

// Idle connections are reaped; a pool at its limit makes calls wait.
func TestPoolLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		defer p.Close()
		closed := make(chan struct{}, 10)
		release := make(chan struct{})
		go func() {
			for {
				nc, err := p.Accept()
				if err != nil {
					return
				}
				go func() {
					br := bufio.NewReader(nc)
					for {
						if _, ok := readHeadLines(br); !ok {
							closed <- struct{}{}
							return
						}
						<-release
						io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				}()
			}
		}()
		client := NewClient(tandem.SystemClock{})
		pool := client.Pool(Backend{Address: "b:80", Dial: p.dial, MaxConns: 1})
		call := func() error {
			var res exchange.Response
			req := exchange.Request{Method: "GET", URL: exchange.URL{Host: "a", Path: "/"}}
			err := pool.Do(t.Context(), &req, &res, Options{})
			if err == nil {
				_, err = res.Body.Bytes(100)
			}
			return err
		}
		results := make(chan error, 2)
		go func() { results <- call() }()
		synctest.Wait()
		near(t, "the call without a place", since(func() {
			if err := call(); ReasonOf(err) != ReasonBusy {
				t.Errorf("got %v", err)
			}
		}), 10*time.Second)
		go func() { results <- call() }()
		synctest.Wait()
		release <- struct{}{}
		release <- struct{}{}
		for range 2 {
			if err := <-results; err != nil {
				t.Errorf("got %v", err)
			}
		}
		near(t, "reaping", since(func() { <-closed }), 60*time.Second)
		synctest.Wait()
		if pool.open != 0 || len(pool.idle) != 0 {
			t.Errorf("%d open, %d idle after all were reaped", pool.open, len(pool.idle))
		}
		pool.Close()
		client.Close()
	})
}
