package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var shareWindows = map[string]Window{
	"sliding":  {Limit: 1 << 40, Period: time.Minute},
	"fixed":    {Limit: 1 << 40, Period: time.Hour, Kind: Fixed, Start: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)},
	"first":    {Limit: 1 << 40, Period: time.Hour, Kind: Fixed},
	"calendar": {Limit: 1 << 40, Period: 24 * time.Hour, Kind: Calendar},
	"ever":     {Limit: 1 << 40, Kind: Fixed},
}

// What one gateway counted, another goes on from, whatever its clock says; twice and late make no difference.
func TestCountersTravel(t *testing.T) {
	for name, w := range shareWindows {
		t.Run(name, func(t *testing.T) {
			here, there := newClock(), newClock()
			there.now = here.now.Add(-17 * time.Second)
			a, b := NewMemoryCounters(here), NewMemoryCounters(there)
			a.Take("k", 40, w, false)
			early := a.Export(10)
			here.now, there.now = here.now.Add(2*time.Second), there.now.Add(2*time.Second)
			a.Take("k", 2, w, false)
			if n := len(early); n != 1 {
				t.Fatalf("%d counters", n)
			}
			late := a.Export(10)
			if again := a.Export(10); len(again) != 0 {
				t.Errorf("nothing changed, and %d counters come", len(again))
			}
			b.Import(late)
			b.Import(early)
			b.Import(late)
			if c := b.Take("k", 1, w, false); c.Used != 43 {
				t.Errorf("used %d, want 43", c.Used)
			}
			b.Import(late)
			if c := b.Take("k", 1, w, false); c.Used != 44 {
				t.Errorf("used %d, want 44", c.Used)
			}
			if c := b.Take("other", 1, w, false); c.Used != 1 {
				t.Errorf("another key has used %d", c.Used)
			}
		})
	}
}

func TestExportIsBounded(t *testing.T) {
	m := NewMemoryCounters(newClock())
	for i := range 300 {
		m.Take(string(rune(i)), 1, shareWindows["sliding"], false)
	}
	seen := map[[32]byte]bool{}
	for range 3 {
		for _, c := range m.Export(100) {
			seen[c.Key] = true
		}
	}
	if len(seen) != 300 || len(m.Export(100)) != 0 {
		t.Errorf("%d counters came", len(seen))
	}
}

// Quotas that are kept go on after a restart, until their period is over.
func TestQuotasOutliveARestart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := newClock()
		name := rapid.SampledFrom([]string{"fixed", "first", "calendar", "ever"}).Draw(t, "window")
		w := shareWindows[name]
		before, whole := NewMemoryCounters(clock), NewMemoryCounters(clock)
		var kept []KeptCounter
		restart := rapid.IntRange(1, 20).Draw(t, "restart")
		running := before
		for i := range 30 {
			clock.now = clock.now.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "gap")) * time.Second)
			n := rapid.Int64Range(1, 5).Draw(t, "n")
			running.Take("rate", 1, shareWindows["sliding"], false)
			if got, want := running.Take("k", n, w, false), whole.Take("k", n, w, false); got != want {
				t.Fatalf("%s: call %d, restart at %d: %+v, without a restart %+v", name, i, restart, got, want)
			}
			kept = append(kept, running.Changed()...)
			if i == restart {
				running = NewMemoryCounters(clock)
				running.Restore(kept)
				if len(kept) != restart+1 {
					t.Fatalf("%d of %d changes were kept, or a rate was", len(kept), restart+1)
				}
			}
		}
	})
}
