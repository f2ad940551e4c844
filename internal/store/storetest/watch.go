package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tandem"
	"tandem/internal/store"
)

var errEnough = errors.New("seen enough")

// watch collects n events as "revision: key=value -key", or fails the test.
func watch(t *testing.T, s store.Store, prefix string, after tandem.Revision, n int) []string {
	t.Helper()
	var events []string
	err := s.Watch(t.Context(), prefix, after, func(e store.Event) error {
		events = append(events, showEvent(e))
		if len(events) == n {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("watch ended with %v after %v", err, events)
	}
	return events
}

func showEvent(e store.Event) string {
	text := fmt.Sprintf("%d:", e.Revision)
	for _, c := range e.Changes {
		if c.Deleted {
			text += " -" + c.Key
		} else {
			text += fmt.Sprintf(" %s=%s", c.Key, c.Value)
		}
		if c.Revision != e.Revision || c.Deleted && c.Value != nil {
			text += fmt.Sprintf(" (wrong: %+v)", c)
		}
	}
	return text
}

func wantEvents(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got events\n%s\nwant\n%s", g, w)
	}
}

func testWatchPast(t *testing.T, s store.Store) {
	r0 := put(t, s, "a/0", "0")
	r1 := put(t, s, "a/2", "x", "b/1", "y", "a/1", "z")
	put(t, s, "b/2", "not ours")
	r3 := commit(t, s, store.Batch{Put: []store.Write{{Key: "a/3", Value: []byte("n")}}, Delete: []string{"a/2", "b/1", "a/none"}})
	wantEvents(t, watch(t, s, "a/", r0, 2),
		fmt.Sprintf("%d: a/1=z a/2=x", r1),
		fmt.Sprintf("%d: -a/2 a/3=n", r3))
	wantEvents(t, watch(t, s, "", r1, 2),
		fmt.Sprintf("%d: b/2=not ours", r1+1),
		fmt.Sprintf("%d: -a/2 a/3=n -b/1", r3))
	wantEvents(t, watch(t, s, "a/", 0, 1), fmt.Sprintf("%d: a/0=0", r0))
}

// testWatchLive writes while watchers of several starting points look on: each sees all after its own, once, in order.
func testWatchLive(t *testing.T, s store.Store) {
	const commits = 200
	r0 := put(t, s, "w/0", "0")
	type result struct {
		after tandem.Revision
		seen  []tandem.Revision
		err   error
	}
	results := make(chan result)
	start := func(after tandem.Revision) {
		go func() {
			r := result{after: after}
			r.err = s.Watch(t.Context(), "w/", after, func(e store.Event) error {
				r.seen = append(r.seen, e.Revision)
				if len(e.Changes) != 2 {
					return fmt.Errorf("revision %d has %d changes, want 2", e.Revision, len(e.Changes))
				}
				if e.Revision == r0+commits {
					return errEnough
				}
				return nil
			})
			results <- r
		}()
	}
	watchers := 0
	for i := range commits {
		if i%50 == 0 {
			start(r0 + tandem.Revision(i))
			watchers++
		}
		put(t, s, "w/1", fmt.Sprint(i), "w/2", fmt.Sprint(i), "other", "")
	}
	for range watchers {
		r := <-results
		if !errors.Is(r.err, errEnough) {
			t.Fatal(r.err)
		}
		for i, seen := range r.seen {
			if want := r.after + 1 + tandem.Revision(i); seen != want {
				t.Fatalf("the watch after %d: event %d is of revision %d, want %d", r.after, i, seen, want)
			}
		}
	}
}

func testWatchEnds(t *testing.T, s store.Store) {
	r := put(t, s, "a", "1")
	own := errors.New("own")
	if err := s.Watch(t.Context(), "a", r-1, func(store.Event) error { return own }); !errors.Is(err, own) {
		t.Errorf("yield's error: got %v", err)
	}
	reason := errors.New("reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	seen := 0
	err := s.Watch(ctx, "a", r-1, func(store.Event) error {
		seen++
		cancel(reason)
		return nil
	})
	if !errors.Is(err, reason) || seen != 1 {
		t.Errorf("a context that ends: got %v after %d events, want its cause after 1", err, seen)
	}
}

func testCompaction(t *testing.T, s store.Store) {
	ctx := t.Context()
	r1 := put(t, s, "a", "1", "gone", "1")
	r2 := put(t, s, "a", "2")
	r3 := commit(t, s, store.Batch{Delete: []string{"gone"}})
	r4 := put(t, s, "a", "4")
	for range 2 { // the second time it is done already
		if err := s.Compact(ctx, r3); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, "compact the future", s.Compact(ctx, r4+1000), tandem.Invalid)
	wantKind(t, "compact a negative revision", s.Compact(ctx, -1), tandem.Invalid)
	_, err := s.Get(ctx, "a", r2)
	wantKind(t, "get before", err, tandem.Compacted)
	_, err = s.List(ctx, "", store.ListOptions{At: r1})
	wantKind(t, "list before", err, tandem.Compacted)
	wantKind(t, "watch before", s.Watch(ctx, "", r1, func(e store.Event) error {
		return fmt.Errorf("got event %v", e)
	}), tandem.Compacted)
	want := fmt.Sprintf("a=2@%d(%d)", r2, r1)
	if got := show(list(t, s, "", store.ListOptions{At: r3}).Documents); got != want {
		t.Errorf("list at the compaction: got %s, want %s", got, want)
	}
	wantEvents(t, watch(t, s, "", r2, 2), fmt.Sprintf("%d: -gone", r3), fmt.Sprintf("%d: a=4", r4))
	want = fmt.Sprintf("a=4@%d(%d)", r4, r1)
	if got := show(list(t, s, "", store.ListOptions{}).Documents); got != want {
		t.Errorf("list now: got %s, want %s", got, want)
	}
}
