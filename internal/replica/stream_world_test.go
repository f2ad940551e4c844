package replica

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem"
	"tandem/internal/keys"
	"tandem/internal/store"
)

// openSpace makes a space of its own in a store.
func openSpace(t testing.TB, s store.Store, prefix string) *store.Space {
	t.Helper()
	p, err := store.OpenSpace(t.Context(), s, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// flat reads a space's configuration at one revision as one text, and the state that stands beside it.
func flat(ctx context.Context, p *store.Space) (string, State, error) {
	now, err := p.Snapshot(ctx)
	if err != nil {
		return "", State{}, err
	}
	var b strings.Builder
	var state State
	for d, err := range now.Documents(ctx) {
		if err != nil {
			return "", State{}, err
		}
		if d.Key == StateKey {
			if state, err = decodeState(d); err != nil {
				return "", State{}, err
			}
		}
		if !Internal(d.Key) {
			fmt.Fprintf(&b, "%s=%s\n", d.Key, d.Value)
		}
	}
	return b.String(), state, nil
}

// chronicle is what a primary held after each of its commits.
type chronicle struct {
	mu   sync.Mutex
	held map[tandem.Revision]string
}

// at is what was held at the revision; the last commit up to it counts.
func (c *chronicle) at(r tandem.Revision) (string, tandem.Revision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	best := tandem.Revision(0)
	for k := range c.held {
		if k <= r && k > best {
			best = k
		}
	}
	return c.held[best], best
}

// primary is a service that changes at random. It knows what it holds without asking the store.
type primary struct {
	t     testing.TB
	space *store.Space
	store store.Store
	rnd   *rand.Rand
	docs  map[string]string
	chronicle
	last tandem.Revision
	n    int
}

func newPrimary(t testing.TB, s store.Store, seed uint64) *primary {
	return &primary{t: t, store: s, space: openSpace(t, s, "apim/primary"), rnd: rand.New(rand.NewPCG(seed, 1)),
		docs: map[string]string{}, chronicle: chronicle{held: map[tandem.Revision]string{}}}
}

func (p *primary) text() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p.docs)) {
		fmt.Fprintf(&b, "%s=%s\n", k, p.docs[k])
	}
	return b.String()
}

// change commits one random step. The chronicle is locked around the commit: a standby cannot have what it lacks.
func (p *primary) change(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	var r tandem.Revision
	var err error
	next := maps.Clone(p.docs)
	switch p.rnd.IntN(20) {
	case 0:
		r, err = p.swap(ctx, next)
	case 1:
		if r, err = p.space.Beat(ctx); err == nil { // another one's beat
			err = p.store.Compact(ctx, r)
		}
	case 2: // as large as a commit gets
		var b store.Batch
		for i := range store.SpaceMaxOps {
			p.put(&b, next, fmt.Sprintf("bulk/%03d", i))
		}
		r, err = p.space.Commit(ctx, b)
	default:
		var b store.Batch
		used := map[string]bool{}
		for range 1 + p.rnd.IntN(4) {
			key := fmt.Sprintf("apis/%02d", p.rnd.IntN(40))
			if used[key] {
				continue
			}
			used[key] = true
			if _, has := next[key]; has && p.rnd.IntN(3) == 0 {
				b.Delete = append(b.Delete, key)
				delete(next, key)
				continue
			}
			p.put(&b, next, key)
		}
		r, err = p.space.Commit(ctx, b)
	}
	if err != nil {
		return err
	}
	p.docs, p.last = next, r
	p.held[r] = p.text()
	return nil
}

func (p *primary) put(b *store.Batch, next map[string]string, key string) {
	next[key] = fmt.Sprintf("%d:%s", p.n, strings.Repeat("x", p.rnd.IntN(300)))
	b.Put = append(b.Put, store.Write{Key: key, Value: []byte(next[key])})
}

func (p *primary) swap(ctx context.Context, next map[string]string) (tandem.Revision, error) {
	for key := range next {
		if p.rnd.IntN(4) == 0 {
			delete(next, key)
		}
	}
	for range p.rnd.IntN(300) {
		next[fmt.Sprintf("products/%03d", p.rnd.IntN(500))] = fmt.Sprint(p.n)
	}
	if err := p.space.Lock(ctx, "restore", "test"); err != nil {
		return 0, err
	}
	stage, err := p.space.Stage(ctx, "restore", func(yield func(store.Write, error) bool) {
		for k, v := range next {
			if !yield(store.Write{Key: k, Value: []byte(v)}, nil) {
				return
			}
		}
	})
	if err != nil {
		return 0, err
	}
	r, err := stage.Swap(ctx)
	return r, errors.Join(err, p.space.Unlock(ctx, "restore"))
}

// site serves a source's stream and can be restarted.
type site struct {
	server *Server
	http   *httptest.Server
}

func newSite(t testing.TB, source *Source, config *tls.Config) *site {
	t.Helper()
	s := &site{server: NewServer(ServerConfig{Clock: tandem.SystemClock{}, Patience: time.Second, Source: func(_ context.Context, service string) (*Source, error) {
		if service != "primary" {
			return nil, &tandem.Error{Op: "find service", Subject: service, Kind: tandem.NotFound}
		}
		return source, nil
	}})}
	s.http = httptest.NewUnstartedServer(s.server)
	if config != nil {
		s.http.TLS, s.http.EnableHTTP2 = config, true
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	return s
}

func (s *site) close() {
	s.server.Close()
	s.http.CloseClientConnections()
	s.http.Close()
}

// mutual is the two ends' settings of mutual TLS under one authority.
func mutual(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	ca, err := keys.OpenCA(t.TempDir(), tandem.SystemClock{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(keys.Leaf{Name: "node", Hosts: []string{"127.0.0.1"}, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	certs := []tls.Certificate{leaf}
	return &tls.Config{Certificates: certs, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13},
		&tls.Config{Certificates: certs, RootCAs: ca.Pool(), MinVersion: tls.VersionTLS13}
}

// relay carries TCP to an address, late, and does to it what networks do.
type relay struct {
	listener net.Listener
	delay    time.Duration
	running  sync.WaitGroup

	mu     sync.Mutex
	target string
	rnd    *rand.Rand
	harm   bool
	conns  map[net.Conn]bool
}

func newRelay(t testing.TB, target string, delay time.Duration, seed uint64) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, delay: delay, target: target, rnd: rand.New(rand.NewPCG(seed, 2)), conns: map[net.Conn]bool{}}
	r.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.running.Go(func() { r.carry(c) })
		}
	})
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *relay) cut() {
	r.set(func() {
		for c := range r.conns {
			_ = c.Close()
		}
	})
}

func (r *relay) close() {
	_ = r.listener.Close()
	r.cut()
	r.running.Wait()
}

func (r *relay) carry(in net.Conn) {
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	out, err := net.Dial("tcp", target)
	if err != nil {
		_ = in.Close()
		return
	}
	r.set(func() { r.conns[in], r.conns[out] = true, true })
	var both sync.WaitGroup
	both.Go(func() { r.pump(in, out) })
	both.Go(func() { r.pump(out, in) })
	both.Wait()
	r.set(func() { delete(r.conns, in); delete(r.conns, out) })
}

type parcel struct {
	due  time.Time
	data []byte
}

// pump moves bytes one way, each after the delay, harmed now and then.
func (r *relay) pump(from, to net.Conn) {
	queue := make(chan parcel, 64)
	var writer sync.WaitGroup
	writer.Go(func() {
		for p := range queue {
			_ = tandem.SystemClock{}.Sleep(context.Background(), p.due.Sub(tandem.SystemClock{}.Now()))
			if _, err := to.Write(p.data); err != nil {
				_ = from.Close()
			}
		}
		_ = to.Close()
	})
	for {
		b := make([]byte, 8<<10)
		n, err := from.Read(b)
		if n > 0 {
			data, broken := r.hurt(b[:n])
			queue <- parcel{tandem.SystemClock{}.Now().Add(r.delay), data}
			if broken {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = from.Close()
	close(queue)
	writer.Wait()
}

// hurt drops bytes, turns bits or cuts the connection, at random places.
func (r *relay) hurt(b []byte) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.harm {
		return b, false
	}
	switch i := r.rnd.IntN(len(b)); r.rnd.IntN(40) {
	case 0:
		return b[:i], true
	case 1:
		return slices.Delete(b, i, i+1+r.rnd.IntN(len(b)-i)), false
	case 2:
		b[i] ^= 1 << r.rnd.IntN(8)
	}
	return b, false
}

// follow runs a follower until stop is called.
func follow(t testing.TB, address string, client *tls.Config, a *Applier) (f *Follower, stop func() error) {
	t.Helper()
	scheme := "http://"
	if client != nil {
		scheme = "https://"
	}
	transport := &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: client != nil}
	f = NewFollower(FollowerConfig{Address: scheme + address + StreamPath, Service: "primary", Name: "standby", Client: &http.Client{Transport: transport},
		Applier: a, Clock: tandem.SystemClock{}, Heartbeat: 50 * time.Millisecond, Patience: time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		result <- f.Run(ctx)
		transport.CloseIdleConnections()
	}()
	return f, func() error { cancel(); return <-result }
}

// await polls until the condition holds.
func await(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	clock := tandem.SystemClock{}
	for end := clock.Now().Add(within); !ok(); {
		if clock.Now().After(end) {
			t.Fatalf("%s: not within %s", what, within)
		}
		_ = clock.Sleep(t.Context(), 5*time.Millisecond)
	}
}
