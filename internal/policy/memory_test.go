package policy

import (
	"bytes"
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// However calls come, no whole window of the sliding limit lets more than twice the limit through, and no period of a
// fixed one more than the limit.
func TestCountersHoldTheirLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := newClock()
		m := NewMemoryCounters(clock)
		limit := rapid.Int64Range(1, 20).Draw(t, "limit")
		period := time.Duration(rapid.IntRange(1, 60).Draw(t, "period")) * time.Second
		fixed := rapid.Bool().Draw(t, "fixed")
		w := Window{Limit: limit, Period: period}
		if fixed {
			w.Kind, w.Start = Fixed, clock.now.Add(-time.Hour)
		}
		var passed []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			clock.now = clock.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "gap")) * time.Millisecond)
			c := m.Take("k", 1, w, false)
			if c.Allowed {
				passed = append(passed, clock.now)
			} else if c.After <= 0 || c.After > period {
				t.Fatalf("told to wait %v in a period of %v", c.After, period)
			}
			n := int64(0)
			for _, p := range passed {
				inside := clock.now.Sub(p) < period
				if fixed {
					inside = p.Sub(w.Start)/period == clock.now.Sub(w.Start)/period
				}
				if inside {
					n++
				}
			}
			most := limit
			if !fixed {
				most = 2 * limit
			}
			if n > most {
				t.Fatalf("%d calls in one window of %d", n, limit)
			}
		}
	})
}

func TestCalendar(t *testing.T) {
	now := time.Date(2026, 3, 4, 15, 30, 0, 0, time.UTC) // a Wednesday
	for period, want := range map[string][2]string{"Hourly": {"2026-03-04 15", "2026-03-04 16"}, "Daily": {"2026-03-04 00", "2026-03-05 00"}, "Weekly": {"2026-03-01 00", "2026-03-08 00"},
		"Monthly": {"2026-03-01 00", "2026-04-01 00"}, "Yearly": {"2026-01-01 00", "2027-01-01 00"}} {
		start, end := calendar(quotaPeriods[period], now)
		if start.Format("2006-01-02 15") != want[0] || end.Format("2006-01-02 15") != want[1] {
			t.Errorf("%s: %v to %v", period, start, end)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Second: "00:00:01", 1500 * time.Millisecond: "00:00:02", 26*time.Hour + time.Minute: "1.02:01:00"} {
		if got := span(d); got != want {
			t.Errorf("%v gave %s, want %s", d, got, want)
		}
	}
}

func TestGates(t *testing.T) {
	m := NewMemoryCounters(newClock())
	leave, ok := m.Enter("k", 1)
	if !ok {
		t.Fatal("the first may not enter")
	}
	if _, ok := m.Enter("k", 1); ok {
		t.Fatal("a second entered")
	}
	leave()
	if _, ok := m.Enter("k", 1); !ok {
		t.Fatal("the place was not given back")
	}
}

func TestMemoryCacheIsBounded(t *testing.T) {
	clock, ctx := newClock(), context.Background()
	c := NewMemoryCache(clock, 10_000)
	value := bytes.Repeat([]byte("x"), 1000)
	for i := range 100 {
		if err := c.Set(ctx, string(rune('a'+i)), value, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	c.c.CleanUp()
	n := 0
	for i := range 100 {
		if _, ok, _ := c.Get(ctx, string(rune('a'+i))); ok {
			n++
		}
	}
	if n > 10 || n == 0 {
		t.Errorf("%d values of 1000 bytes are held in 10000", n)
	}
	if err := c.Set(ctx, "k", []byte("v"), time.Second); err != nil {
		t.Fatal(err)
	}
	clock.now = clock.now.Add(time.Second)
	if _, ok, _ := c.Get(ctx, "k"); ok {
		t.Error("a value outlived its time")
	}
}

func TestVectors(t *testing.T) {
	clock, ctx := newClock(), context.Background()
	m := NewMemoryVectors(clock, 4)
	for i := range 10 {
		if err := m.Store(ctx, "p", []float32{1, float32(i)}, []byte{byte(i)}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if m.count > 4 {
		t.Errorf("%d entries are held", m.count)
	}
	if v, ok, _ := m.Nearest(ctx, "p", []float32{1, 9}, 0.01); !ok || v[0] != 9 {
		t.Errorf("nearest is %v %v", v, ok)
	}
	if _, ok, _ := m.Nearest(ctx, "other", []float32{1, 9}, 1); ok {
		t.Error("another partition answered")
	}
	clock.now = clock.now.Add(time.Hour)
	if _, ok, _ := m.Nearest(ctx, "p", []float32{1, 9}, 0.01); ok {
		t.Error("an entry outlived its time")
	}
}
