package replica

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/etcd"
	"tandem/internal/store/storetest"
)

// TestStreamHeals: through a network that delays, cuts, drops and turns bytes, with restarts on both sides and two followers
// at once, the standby is at every moment what the primary was at the revision that the standby names (the prefix
// property), and in the end it is the primary.
func TestStreamHeals(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		t.Run(fmt.Sprint("memory ", seed), func(t *testing.T) {
			heal(t, seed, storetest.Memory(), storetest.Memory(), 3*time.Millisecond, 150)
		})
	}
	t.Run("etcd", func(t *testing.T) {
		if testing.Short() {
			t.Skip("it takes two engines")
		}
		open := func() store.Store {
			s, err := etcd.Open(t.Context(), etcd.Config{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		heal(t, 9, open(), open(), 80*time.Millisecond, 60)
	})
}

func heal(t *testing.T, seed uint64, source, target store.Store, delay time.Duration, steps int) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, clock := t.Context(), tandem.SystemClock{}
	rnd := rand.New(rand.NewPCG(seed, 3))
	p := newPrimary(t, source, seed)
	standby := openSpace(t, target, "apim/a-standby-with-a-longer-name")
	src := NewSource(SourceConfig{Space: p.space, Clock: clock, Heartbeat: 30 * time.Millisecond})
	s := newSite(t, src, nil)
	defer func() { s.close() }()
	r := newRelay(t, s.http.Listener.Addr().String(), delay, seed)
	defer r.close()
	r.set(func() { r.harm = true })
	var stops [2]func() error
	begin := func(i int) {
		a := NewApplier(ApplierConfig{Space: standby, Clock: clock, Guard: Guard{Share: 1}, Persist: time.Second})
		_, stops[i] = follow(t, r.address(), nil, a)
	}
	begin(0)
	begin(1)
	defer func() {
		for _, stop := range stops {
			if err := stop(); !isCanceled(err) {
				t.Errorf("a follower ended with %v", err)
			}
		}
	}()

	watched, looks := watchPrefix(t, p, standby)
	for range steps {
		if err := p.change(ctx); err != nil {
			t.Fatal(err)
		}
		switch i := rnd.IntN(2); rnd.IntN(25) {
		case 0:
			r.cut()
		case 1: // the standby's process restarts
			_ = stops[i]()
			begin(i)
		case 2: // the primary's
			s.close()
			s = newSite(t, src, nil)
			r.set(func() { r.target = s.http.Listener.Addr().String() })
		}
		_ = clock.Sleep(ctx, time.Duration(rnd.IntN(20))*time.Millisecond)
	}
	r.set(func() { r.harm = false })
	await(t, 60*time.Second, "the standby equals the primary after the network healed", func() bool {
		text, state, err := flat(ctx, standby)
		if err != nil {
			t.Fatal(err)
		}
		return text == p.text() && state.Revision >= p.last
	})
	watched()
	t.Logf("%d steps; the standby was looked at %d times", steps, looks())
}

// watchPrefix compares every revision of the standby with the primary's history until stop is called.
func watchPrefix(t *testing.T, p *primary, standby *store.Space) (stop func(), looks func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	done := make(chan struct{})
	var last Position
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			text, state, err := flat(ctx, standby)
			if err != nil || state.Revision == 0 {
				_ = tandem.SystemClock{}.Sleep(ctx, time.Millisecond)
				continue
			}
			if want, r := p.at(state.Revision); text != want {
				t.Errorf("the standby names revision %d and has\n%s\nthe primary had since %d\n%s", state.Revision, text, r, want)
				return
			}
			if state.Revision < last.Revision {
				t.Errorf("the standby went back from %d to %d", last.Revision, state.Revision)
			}
			last = state.Position
			n++
		}
	}()
	return func() { cancel(); <-done }, func() int { return n }
}

func isCanceled(err error) bool { return err == context.Canceled }
