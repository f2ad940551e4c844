package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tandem"
	"tandem/test/sites/lab"
	"tandem/test/sites/relay"
	"tandem/test/sites/world"
)

// bench is a vantage point, its endpoints, and one observer of each name.
type bench struct {
	world  *world.World
	clock  tandem.Clock
	trials []trial
	pages  map[string]*page

	mu    sync.Mutex
	truth map[string]float64 // how often an endpoint fails now, by site: 0 to 1
}

// row is what one trial came to in one phase.
type row struct {
	Phase, Trial, What string
	Probes, Failed     int           // by the endpoint's own count
	Questions          int           // that were answered
	Moves, Wrong       int           // of the DNS answer
	Elsewhere          time.Duration // how long DNS did not name the first endpoint
	Lasted             time.Duration
	Notes              []string // each move
}

func siteNames() []string {
	names := []string{watcher, well, world.Client}
	for _, t := range trials() {
		names = append(names, t.name)
	}
	return names
}

// newBench starts the vantage point and the endpoints' pages; they end with ctx.
func newBench(ctx context.Context, l *lab.Lab, program string) (*bench, func() error, error) {
	w, err := world.Open(l, world.Options{Program: program, Members: []string{watcher}})
	if err != nil {
		return nil, nil, err
	}
	// Between this vantage point and everything else lie 20 ms each way.
	if err := l.SetDelays(20*time.Millisecond, 5*time.Millisecond); err != nil {
		return nil, nil, err
	}
	b := &bench{world: w, clock: l.Clock, trials: trials(), pages: map[string]*page{}, truth: map[string]float64{}}
	var ends []func() error
	end := func() error {
		var errs []error
		for _, f := range ends {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	for i, name := range append([]string{well}, names(b.trials)...) {
		b.pages[name] = &page{clock: l.Clock, seed: rand.New(rand.NewPCG(11, uint64(i)))}
		stop, err := b.pages[name].serve(ctx, l, name)
		if err != nil {
			return nil, nil, errors.Join(err, end())
		}
		ends = append(ends, stop)
	}
	if err := w.Start(ctx); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	if err := w.Group(ctx); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	for _, t := range b.trials {
		if err := w.Profile(ctx, t.name, world.Monitor{Protocol: "HTTP", Port: 80, Path: "/", Every: interval, Within: timeout, Tolerated: tolerated}, t.name, well); err != nil {
			return nil, nil, errors.Join(err, end())
		}
	}
	return b, end, b.ready(ctx)
}

func names(ts []trial) (out []string) {
	for _, t := range ts {
		out = append(out, t.name)
	}
	return out
}

// patience bounds the wait for an ordinary state.
const patience = 2 * time.Minute

// ready waits until every name leads to its first endpoint.
func (b *bench) ready(ctx context.Context) error {
	late := b.clock.Now().Add(patience)
	for _, t := range b.trials {
		for {
			ip, err := b.world.Named(ctx, world.Client, t.name)
			if err == nil && b.world.SiteOf(ip) == t.name {
				break
			}
			if b.clock.Now().After(late) {
				return fmt.Errorf("%s: DNS names %s and not its first endpoint after %s: %w", t.name, ip, patience, err)
			}
			if err := b.clock.Sleep(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgiven is how long all endpoints are well before a phase: more than the successes in a row that forgive failures.
const forgiven = 20 * interval * time.Millisecond

// settle waits until every name leads to its first endpoint and no failure of the phase before counts any more.
func (b *bench) settle(ctx context.Context) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	return b.clock.Sleep(ctx, forgiven)
}

// sick switches the trials' own troubles on or off.
func (b *bench) sick(on bool) error {
	for _, t := range b.trials {
		p := b.pages[t.name]
		p.mu.Lock()
		p.fails, p.slow, p.asked, p.bad = 0, 0, 0, 0
		loss := 0.0
		if on {
			p.fails, p.slow, loss = t.fails, t.slow, t.loss
		}
		p.mu.Unlock()
		b.tell(t.name, max(t.fails, t.loss)*map[bool]float64{true: 1}[on])
		if err := b.world.SetLoss(watcher, t.name, loss); err != nil {
			return err
		}
	}
	return nil
}

// tell notes the truth about an endpoint.
func (b *bench) tell(site string, fails float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.truth[site] = fails
}

func (b *bench) fails(site string) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.truth[site]
}

// vanish cuts an endpoint off from everybody, or brings it back. It counts as failing from before the cut until after it.
func (b *bench) vanish(site string, on bool) error {
	if on {
		b.tell(site, 1)
	}
	var errs []error
	for _, s := range b.world.Sites() {
		if s.Name != site {
			for _, way := range [][2]string{{site, s.Name}, {s.Name, site}} {
				errs = append(errs, b.world.Change(way[0], way[1], func(s *relay.Settings) { s.Cut = on }))
			}
		}
	}
	if !on {
		b.tell(site, 0)
	}
	return errors.Join(errs...)
}
