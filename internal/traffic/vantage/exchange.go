package vantage

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"tandem"
	"tandem/internal/traffic/health"
)

// Peer is another place.
type Peer struct {
	Name string // as its certificate says
	URL  string // of its internal listener, without a path: "https://192.0.2.7:8444"
}

// Config is what an Exchange needs.
type Config struct {
	Name  string // of this place, as the others' Peer.Name
	Peers []Peer
	// Client reaches the others and proves who this is and who they are. It should speak HTTP/1.1: there a message that
	// hangs takes no other with it.
	Client *http.Client
	// Identify gives the name of the place that a request comes from, from its certificate.
	Identify func(*http.Request) (string, error)
	Clock    tandem.Clock
	Log      *slog.Logger
	// Beat is the time between messages when nothing changes; 0 means half a second.
	Beat time.Duration
}

// DefaultBeat is the time between messages when nothing changes.
const DefaultBeat = 500 * time.Millisecond

// atOnce is how many messages to one place may be under way: a change does not wait for the answer to the last one.
const atOnce = 4

// Exchange tells the other places this one's verdicts and keeps theirs. It is a health.Peers and an http.Handler.
type Exchange struct {
	config Config
	boot   string
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	news   chan string
	stir   chan struct{}

	mu      sync.Mutex
	own     map[string]*ours
	version uint64
	peers   map[string]*peer
	pending map[string]bool // endpoints with news that were not yet given on; "" for contact alone
}

// ours is a verdict of this place; at is when its status began.
type ours struct {
	said
	at time.Time
}

var (
	_ health.Peers = (*Exchange)(nil)
	_ http.Handler = (*Exchange)(nil)
)

// New makes an exchange and begins to tell. End it with Close.
func New(c Config) (*Exchange, error) {
	if c.Name == "" || c.Client == nil || c.Identify == nil || c.Clock == nil || c.Log == nil {
		return nil, &tandem.Error{Op: "make exchange of verdicts", Subject: c.Name, Kind: tandem.Invalid, Err: errors.New("a part is missing"), Remedy: "set Name, Client, Identify, Clock and Log"}
	}
	if c.Beat == 0 {
		c.Beat = DefaultBeat
	}
	x := &Exchange{config: c, boot: rand.Text(), news: make(chan string), stir: make(chan struct{}, 1), own: map[string]*ours{}, peers: map[string]*peer{}, pending: map[string]bool{}}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	x.work.Go(x.give)
	x.SetPeers(c.Peers)
	return x, nil
}

// Close ends the exchange and waits for its messages under way.
func (x *Exchange) Close() error {
	x.cancel()
	x.work.Wait()
	return nil
}

// SetPeers makes peers all other places. Those that stay are gone on with; this place itself is passed over.
func (x *Exchange) SetPeers(peers []Peer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	present := map[string]bool{}
	for _, p := range peers {
		if p.Name == x.config.Name || x.ctx.Err() != nil {
			continue
		}
		present[p.Name] = true
		if old := x.peers[p.Name]; old != nil {
			old.URL = p.URL
			continue
		}
		ctx, stop := context.WithCancel(x.ctx)
		added := &peer{Peer: p, wake: make(chan struct{}, 1), stop: stop, verdicts: map[string]kept{}}
		added.wake <- struct{}{}
		x.peers[p.Name] = added
		x.work.Go(func() { x.send(ctx, added) })
	}
	for name, p := range x.peers {
		if !present[name] {
			p.stop()
			delete(x.peers, name)
			for endpoint := range p.verdicts {
				x.pending[endpoint] = true
			}
		}
	}
	x.hint()
}

// Tell implements health.Peers.
func (x *Exchange) Tell(v health.Verdict) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.version++
	now := x.config.Clock.Now()
	x.own[v.Endpoint] = &ours{said{Endpoint: v.Endpoint, Status: v.Status, Suspect: v.Suspect, Failing: v.Failing, Version: x.version}, now.Add(-v.Held)}
	for _, p := range x.peers {
		p.rouse()
	}
}

// rouse has a message sent now.
func (p *peer) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Heard implements health.Peers.
func (x *Exchange) Heard(endpoint string) []health.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.config.Clock.Now()
	var out []health.Verdict
	for _, p := range x.peers {
		if v, ok := p.verdict(endpoint, now); ok {
			out = append(out, v)
		}
	}
	return out
}

// Contact implements health.Peers.
func (x *Exchange) Contact() (others int, last time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.peers {
		if p.confirmed.After(last) {
			last = p.confirmed
		}
	}
	return len(x.peers), last
}

// News implements health.Peers.
func (x *Exchange) News() <-chan string { return x.news }

// Ages tells how old, at most, what each other place says is, by name; a place that was never heard is absent.
func (x *Exchange) Ages() map[string]time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	now, out := x.config.Clock.Now(), map[string]time.Duration{}
	for name, p := range x.peers {
		if !p.confirmed.IsZero() {
			out[name] = now.Sub(p.confirmed)
		}
	}
	return out
}

// give passes news on, each endpoint once however often it was heard of meanwhile.
func (x *Exchange) give() {
	defer close(x.news)
	for {
		select {
		case <-x.ctx.Done():
			return
		case <-x.stir:
		}
		x.mu.Lock()
		pending := x.pending
		x.pending = map[string]bool{}
		x.mu.Unlock()
		for endpoint := range pending {
			select {
			case x.news <- endpoint:
			case <-x.ctx.Done():
				return
			}
		}
	}
}

// hint has pending news given on. Called with the lock held or not.
func (x *Exchange) hint() {
	select {
	case x.stir <- struct{}{}:
	default:
	}
}

// prune forgets endpoints that are no longer watched once all know it. Called with the lock held.
func (x *Exchange) prune() {
	least := x.version
	for _, p := range x.peers {
		least = min(least, p.acked)
	}
	for endpoint, o := range x.own {
		if o.Status == "" && o.Version <= least {
			delete(x.own, endpoint)
		}
	}
}
