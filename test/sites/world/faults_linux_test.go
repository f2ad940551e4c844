package world

import (
	"context"
	"sync"
	"testing"
	"time"

	"tandem/test/sites/lab"
)

// fault is something that happens to the primary's site while clients call and people write.
type fault struct {
	name         string
	break_, mend func(*testing.T, *World)
	moves        bool          // traffic shall go to the standby
	lasts        time.Duration // where it shall stay
}

// faults are in an order in which the milder come first: an outage is held against an endpoint for a while.
func faults() []fault {
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	heal := func(t *testing.T, w *World) { t.Helper(); must(t, w.Heal()) }
	return []fault{
		{name: "the link between the regions drops everything for 350 ms", lasts: 350 * time.Millisecond,
			break_: func(t *testing.T, w *World) { must(t, w.Cut(South, Central)) }, mend: heal},
		{name: "the primary's node hangs", moves: true,
			break_: func(t *testing.T, w *World) { must(t, w.nodes[Central].Pause()) },
			mend:   func(t *testing.T, w *World) { must(t, w.nodes[Central].Resume()) }},
		{name: "the primary's node is killed", moves: true,
			break_: func(t *testing.T, w *World) { w.nodes[Central].Kill() },
			mend:   func(t *testing.T, w *World) { must(t, w.nodes[Central].Start(t.Context(), nil)) }},
		{name: "the primary's site vanishes", moves: true,
			break_: func(t *testing.T, w *World) { must(t, w.Isolate(Central)) }, mend: heal},
	}
}

// built is a world with everything in it.
func built(t *testing.T) *World {
	t.Helper()
	lab.Long(t)
	l := lab.New(t, Sites()...)
	program, err := lab.Program(t.Context(), t.TempDir(), "tandem/cmd/tandem")
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(l, Options{Program: program})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestShortTimeoutAcrossADistance probes a gateway 80 ms away with a timeout that leaves room for its three round trips, but
// not twice. After a cut of half a second the gateway must come back into DNS.
func TestShortTimeoutAcrossADistance(t *testing.T) {
	w := built(t)
	named := func() string {
		ip, err := w.Named(t.Context(), Client, "tight")
		if err != nil {
			return err.Error()
		}
		return w.SiteOf(ip)
	}
	if err := w.Profile(t.Context(), "tight", gateways(400), Central, South); err != nil {
		t.Fatal(err)
	}
	until(t, w, "DNS names central", func() bool { return named() == Central })
	_ = w.Clock.Sleep(t.Context(), 15*time.Second) // the pace of the kept connection, one round trip, is learnt
	if err := w.Cut(South, Central); err != nil {
		t.Fatal(err)
	}
	_ = w.Clock.Sleep(t.Context(), 500*time.Millisecond)
	if err := w.Heal(); err != nil {
		t.Fatal(err)
	}
	_ = w.Clock.Sleep(t.Context(), 20*time.Second)
	if at := named(); at != Central {
		t.Errorf("20 s after a cut of half a second DNS names %s: a look on a new connection (240 ms) did not get the time that it takes", at)
	}
}

// TestFaultsOfThePrimary breaks the primary's site in several ways, with the control plane at the standby's site. It prints
// how long clients had no answer, and holds that no answer is wrong and no acknowledged write is lost (laws 1 and 2).
func TestFaultsOfThePrimary(t *testing.T) {
	w := built(t)
	wr := w.NewWriter(Central)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { wr.Run(ctx, 100*time.Millisecond) })
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) { f.run(t, w) })
	}
	cancel()
	work.Wait()
	values, err := w.Values(t.Context(), Central)
	if err != nil {
		t.Fatal(err)
	}
	if lost := Lost(wr.All(), values); len(lost) > 0 {
		t.Errorf("acknowledged writes are lost (law 1): %+v", lost)
	}
	fate := map[string]int{}
	for _, x := range wr.All() {
		if x.OK {
			x.Why = "acknowledged"
		}
		fate[x.Why]++
	}
	t.Logf("writes: %v", fate)
}

func (f fault) run(t *testing.T, w *World) {
	at := func(site string) {
		t.Helper()
		until(t, w, "DNS names "+site, func() bool {
			ip, err := w.Resolve(t.Context())
			return err == nil && w.SiteOf(ip) == site
		})
	}
	at(Central)
	ctx, cancel := context.WithCancel(t.Context())
	c := w.NewCaller()
	var work sync.WaitGroup
	work.Go(func() { c.Run(ctx, 50*time.Millisecond) })
	_ = w.Clock.Sleep(ctx, time.Second)
	broke := w.Clock.Now()
	f.break_(t, w)
	if f.moves {
		at(South)
		_ = w.Clock.Sleep(ctx, time.Second)
	} else {
		_ = w.Clock.Sleep(ctx, f.lasts)
	}
	f.mend(t, w)
	_ = w.Clock.Sleep(ctx, 3*time.Second)
	at(Central)
	cancel()
	work.Wait()
	var failed, elsewhere int
	var moved time.Duration
	for _, x := range c.All() {
		switch {
		case x.Wrong != "":
			t.Errorf("a wrong answer: %s", x.Wrong)
		case x.Failed != "":
			failed++
		case x.Site == South:
			if elsewhere++; elsewhere == 1 {
				moved = x.Ended.Sub(broke)
			}
		}
	}
	t.Logf("%d calls, %d failed; %d served by the standby, the first %s after the fault", len(c.All()), failed, elsewhere, moved.Round(time.Millisecond))
	if !f.moves && elsewhere > 0 {
		t.Error("traffic moved away from a primary that is well")
	}
}

// until waits for a condition with a minute's patience.
func until(t *testing.T, w *World, what string, ok func() bool) {
	t.Helper()
	for late := w.Clock.Now().Add(time.Minute); !ok(); {
		if w.Clock.Now().After(late) {
			t.Fatalf("%s: not within a minute", what)
		}
		_ = w.Clock.Sleep(t.Context(), 20*time.Millisecond)
	}
}
