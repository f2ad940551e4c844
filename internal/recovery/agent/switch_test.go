package agent

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
)

// begin makes the group and waits until the standby follows.
func begin(t *testing.T, w *world) (west, east *place) {
	t.Helper()
	w.sees(failover.Up, failover.Up)
	w.tell()
	west, east = w.places[0], w.places[1]
	west.mustPut("first", "1")
	await(t, "the standby has it", func() bool { return east.values()["first"] == "1" })
	await(t, "the lag is known", func() bool { return w.snapshot().Loss(w.tick()).Known })
	return west, east
}

func TestWritesNeedTheRight(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := newWorld(t)
	defer closeEarly(w)
	west, east := begin(t, w)
	for _, c := range []struct{ method, path, body string }{
		{"PUT", "namedValues/x", `{"properties":{"displayName":"x","value":"1"}}`},
		{"DELETE", "namedValues/first", ""},
		{"PATCH", "namedValues/first", `{"properties":{"value":"2"}}`},
		{"POST", "subscriptions/master/regeneratePrimaryKey", ""},
	} {
		if code, body := east.call(c.method, c.path, c.body); code != http.StatusConflict || !strings.Contains(body, "NotPrimary") || !strings.Contains(body, serviceID(0)) {
			t.Errorf("%s %s at the standby: %d %s", c.method, c.path, code, body)
		}
	}
	if code, _ := east.call("GET", "namedValues/first", ""); code != http.StatusOK {
		t.Errorf("a read at the standby: %d", code)
	}
	if code, body := east.call("POST", "namedValues/first/listValue", ""); code != http.StatusOK {
		t.Errorf("a secret read at the standby: %d %s", code, body)
	}
	// A pause longer than the lease, with nobody to ask: the right is over, whatever the process believes.
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	west.clock.ahead.Add(int64(2 * duration(w.config.Lease)))
	if code, body := west.call("PUT", "namedValues/x", `{"properties":{"displayName":"x","value":"1"}}`); code != http.StatusServiceUnavailable || !strings.Contains(body, "PrimaryNotConfirmed") {
		t.Errorf("a write after the pause: %d %s", code, body)
	}
	w.mu.Lock()
	w.dead = false
	w.mu.Unlock()
	west.mustPut("x", "1")
	// A restart has no right, and knows that it needs one although nobody tells it.
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	west.restart()
	if west.put("y", "1") {
		t.Error("a holder that restarted acknowledged without asking")
	}
	w.mu.Lock()
	w.dead = false
	w.mu.Unlock()
	west.mustPut("y", "1")
}

// TestPauseBeforeAcknowledging: the right ends between the commit and the answer. The write stays, unacknowledged.
func TestPauseBeforeAcknowledging(t *testing.T) {
	w := newWorld(t)
	west, _ := begin(t, w)
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	end, err := west.agent.Begin(serviceID(0))
	must(t, err)
	west.clock.ahead.Add(int64(2 * duration(w.config.Lease)))
	if err := end(); err == nil || !strings.Contains(err.Error(), "PrimaryNotConfirmed") {
		t.Errorf("after the pause: %v", err)
	}
}

// TestSwitchover: writers go on through a change of roles, and not one acknowledged write is lost.
func TestSwitchover(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := newWorld(t)
	defer closeEarly(w)
	begin(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[string]string{}
	for n := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name, value := fmt.Sprintf("w%d-%d", n, i%20), fmt.Sprint(i)
				for _, p := range w.places {
					if p.put(name, value) {
						mu.Lock()
						acknowledged[name] = value
						mu.Unlock()
						break
					}
				}
				_ = tandem.SystemClock{}.Sleep(ctx, 5*time.Millisecond)
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(acknowledged) }
	await(t, "writes are acknowledged", func() bool { return count() > 20 })
	for round := range 3 {
		w.run(failover.Switchover)
		w.drive(nil, nil)
		s := w.snapshot()
		if s.Holder != failover.Service((round+1)%2) || s.Epoch != tandem.Epoch(round+2) || s.Apart {
			t.Fatalf("after switchover %d: holder %s, epoch %d: %v", round, s.Holder, s.Epoch, w.facts)
		}
		holder := w.places[s.Holder]
		await(t, "the new holder takes writes", func() bool { return holder.put("round", fmt.Sprint(round)) })
	}
	cancel()
	writers.Wait()
	holder, other := w.places[w.snapshot().Holder], w.places[w.snapshot().Holder.Other()]
	got := holder.values()
	for name, value := range acknowledged {
		if got[name] != value {
			t.Errorf("%s was acknowledged as %s, and is %q", name, value, got[name])
		}
	}
	await(t, "the standby equals the holder", func() bool { return other.text() == holder.text() })
}

// closeEarly stops a world's nodes before goroutines are counted.
func closeEarly(w *world) {
	for _, p := range w.places {
		p.server.CloseClientConnections()
		p.stop()
		p.server.Client().CloseIdleConnections()
		p.stop = func() {}
		p.server.Close()
	}
}

// TestFailover: the primary dies, roles move, the primary comes back and is refused, its orphans are kept, the merge brings
// them over, and both are one again. crash says after which step the acting node is killed and asked again.
func TestFailover(t *testing.T) {
	for _, crash := range []failover.StepKind{failover.Idle, failover.Prove, failover.Fence, failover.Promote, failover.Keep, failover.Reconcile} {
		t.Run("crash after "+crash.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *failover.Config) { c.Lease, c.Margin = 500, 10 })
			west, east := begin(t, w)
			crashed := func(a failover.Action) {
				if a.ID.Step != crash {
					return
				}
				p := w.places[a.Service]
				p.restart()
				var again recovery.Outcome
				insist(t, func() (err error) {
					again, err = p.site().Do(t.Context(), task(a))
					return err
				})
				if len(again.Conflicts) > 0 {
					t.Errorf("again: %+v", again)
				}
			}
			// The primary is cut off from everything: its writes become orphans.
			west.handler.Store(nil)
			west.server.CloseClientConnections()
			orphan(t, west, "orphan", "only here")
			orphan(t, west, "first", "changed here")
			w.sees(failover.Down, failover.Up)
			await(t, "a failover begins", func() bool {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.step(failover.Elapsed{})
				return w.state.Run.Kind == failover.Failover
			})
			w.drive(nil, crashed)
			if s := w.snapshot(); s.Holder != failover.Second || !s.Apart {
				t.Fatalf("after the failover: %+v", w.facts)
			}
			east.mustPut("after", "2")
			// It comes back with the membership it had.
			west.kill()
			west.start()
			if west.put("late", "3") {
				t.Error("the former primary acknowledged a write")
			}
			w.tell()
			if code, body := west.call("PUT", "namedValues/late", `{"properties":{"displayName":"late","value":"1"}}`); code != http.StatusConflict || !strings.Contains(body, "NotPrimary") {
				t.Errorf("a write at the former primary: %d %s", code, body)
			}
			w.sees(failover.Up, failover.Up)
			w.run(failover.Rejoin)
			kept := 0
			w.drive(nil, func(a failover.Action) {
				if a.ID.Step == failover.Keep {
					for info, err := range w.vault.List(t.Context(), "orphans/") {
						must(t, err)
						if info.Size > 0 {
							kept++
						}
					}
				}
				crashed(a)
			})
			if kept != 1 {
				t.Errorf("%d snapshots of orphans are in the vault", kept)
			}
			await(t, "both are one", func() bool { return west.text() == east.text() })
			want := map[string]string{"first": "changed here", "orphan": "only here", "after": "2"}
			for name, value := range want {
				if got := east.values()[name]; got != value {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
			// And back home, with nothing lost.
			w.run(failover.Failback)
			w.drive(nil, nil)
			if s := w.snapshot(); s.Holder != failover.First || s.Apart {
				t.Fatalf("after the failback: %v", w.facts)
			}
			west.mustPut("home", "4")
			await(t, "both are one at home", func() bool { return west.text() == east.text() && len(east.values()) == 4 })
		})
	}
}

// orphan writes at a place whose right may be over: the write is committed, whatever the answer.
func orphan(t *testing.T, p *place, name, value string) {
	t.Helper()
	ctx := Internal(t.Context())
	r, err := http.NewRequestWithContext(ctx, "PUT", "https://management.test"+serviceID(p.index)+"/namedValues/"+name+"?api-version=2024-05-01",
		strings.NewReader(fmt.Sprintf(`{"properties":{"displayName":%q,"value":%q}}`, name, value)))
	must(t, err)
	r.Header.Set("Authorization", "Bearer x")
	rec := httptest.NewRecorder()
	p.arm.ServeHTTP(rec, r)
	if rec.Code/100 != 2 {
		t.Fatalf("the orphan %s: %d %s", name, rec.Code, rec.Body)
	}
}
