package gateway

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"tandem"
)

// BackendStatus is whether a backend can be connected to, and whether its circuit breaker lets requests through.
type BackendStatus struct {
	Name      string `json:"name"` // of a named backend, or "api " and the API's name
	Address   string `json:"address"`
	Reachable bool   `json:"reachable"`
	Tripped   bool   `json:"tripped,omitempty"`
	Problem   string `json:"problem,omitempty"`
}

// reach connects to backends when an authorised probe asks, and remembers for a while what it found.
type reach struct {
	clock tandem.Clock
	mu    sync.Mutex
	at    time.Time
	gen   *generation
	found []BackendStatus
}

// Bounds of a look at backends.
const (
	reachFresh   = 5 * time.Second
	reachWithin  = time.Second
	reachAtOnce  = 8
	mostBackends = 200 // beyond, the rest is not looked at
)

// look gives the state of the backends that a generation names. Probes that ask at the same time share one look.
func (c *reach) look(ctx context.Context, gen *generation) []BackendStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if c.gen == gen && now.Sub(c.at) < reachFresh {
		return c.found
	}
	list, addresses := gen.addresses(now)
	problems := map[string]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, reachAtOnce)
	for address := range addresses {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, reachWithin)
			defer cancel()
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			why := ""
			if err != nil {
				why = err.Error()
			} else {
				_ = conn.Close() // nothing was sent
			}
			mu.Lock()
			problems[address] = why
			mu.Unlock()
		})
	}
	wg.Wait()
	for i := range list {
		if list[i].Problem == "" {
			list[i].Problem = problems[list[i].Address]
			list[i].Reachable = list[i].Problem == ""
		}
	}
	c.gen, c.at, c.found = gen, now, list
	return list
}

// addresses lists the backends of a generation and what is to be connected to.
func (g *generation) addresses(now time.Time) (list []BackendStatus, addresses map[string]bool) {
	addresses = map[string]bool{}
	add := func(s BackendStatus, e *endpoint) {
		if len(list) == mostBackends {
			return
		}
		if e != nil && e.to.host != "" {
			s.Address = e.to.host
			if _, _, err := net.SplitHostPort(s.Address); err != nil {
				s.Address = net.JoinHostPort(s.Address, map[string]string{"http": "80", "https": "443"}[e.to.scheme])
			}
			if e.to.proxy.URL != "" {
				s.Problem = "it is behind a proxy and was not looked at"
			} else {
				addresses[s.Address] = true
			}
		}
		list = append(list, s)
	}
	for _, id := range slices.Sorted(maps.Keys(g.shared.backends.byID)) {
		k := g.shared.backends.byID[id]
		if k.info.Pool {
			continue
		}
		_, open := k.breaker.Open(now)
		add(BackendStatus{Name: k.info.ID, Tripped: open, Problem: k.broken}, k.endpoint)
	}
	for _, name := range slices.Sorted(maps.Keys(g.apis)) {
		if a := g.apis[name]; a.service.Host != "" {
			add(BackendStatus{Name: "api " + a.info.ID}, a.endpoint)
		}
	}
	return list, addresses
}
