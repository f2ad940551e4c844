package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func commitEntry(after, to tandem.Revision, changes ...store.Change) Entry {
	return Entry{Kind: EntryCommit, Position: Position{Generation: 1, Revision: to}, After: after, Time: noon.Add(time.Duration(to) * time.Second), Changes: changes}
}

func fullEntry(to tandem.Revision, docs ...store.Document) Entry {
	return Entry{Kind: EntryFull, Position: Position{Generation: 1, Revision: to}, Time: noon.Add(time.Duration(to) * time.Second), Documents: func(yield func(store.Document, error) bool) {
		for _, d := range docs {
			if !yield(d, nil) {
				return
			}
		}
	}}
}

func doc(key, value string) store.Document {
	return store.Document{Key: key, Value: []byte(value)}
}

func change(key, value string) store.Change { return store.Change{Document: doc(key, value)} }

func deletion(key string) store.Change {
	return store.Change{Document: store.Document{Key: key}, Deleted: true}
}

func numbered(n int, value string) []store.Document {
	var docs []store.Document
	for i := range n {
		docs = append(docs, doc(fmt.Sprintf("apis/%04d", i), value))
	}
	return docs
}

func newStandby(t testing.TB, c ApplierConfig) (*store.Space, *Applier) {
	t.Helper()
	c.Space, c.Clock = openSpace(t, storetest.Memory(), "apim/standby"), tandem.SystemClock{}
	return c.Space, NewApplier(c)
}

func apply(t testing.TB, a *Applier, entries ...Entry) {
	t.Helper()
	for _, e := range entries {
		if err := a.Apply(t.Context(), e); err != nil {
			t.Fatalf("revision %d: %v", e.Revision, err)
		}
	}
}

func wantText(t testing.TB, p *store.Space, want string) {
	t.Helper()
	got, _, err := flat(t.Context(), p)
	if err != nil || got != want {
		t.Fatalf("the standby has\n%s%v\nwant\n%s", got, err, want)
	}
}

// TestApplyOnce: what comes twice, late or from two appliers is applied once; a gap is refused.
func TestApplyOnce(t *testing.T) {
	ctx := t.Context()
	space, a := newStandby(t, ApplierConfig{})
	b := NewApplier(ApplierConfig{Space: space, Clock: tandem.SystemClock{}})
	first, second, third := fullEntry(5, doc("a", "1")), commitEntry(5, 7, change("a", "2")), commitEntry(7, 9, change("b", "1"), deletion("a"))
	apply(t, a, first, second)
	apply(t, b, fullEntry(5, doc("a", "1")), second, third)
	apply(t, a, second, third)
	wantText(t, space, "b=1\n")
	if err := a.Apply(ctx, commitEntry(11, 12, change("c", "1"))); tandem.KindOf(err) != tandem.Precondition {
		t.Errorf("a gap: %v", err)
	}
	at, err := NewApplier(ApplierConfig{Space: space, Clock: tandem.SystemClock{}}).Position(ctx)
	if err != nil || at.Revision != 9 {
		t.Errorf("after a restart the position is %+v, %v", at, err)
	}
	h, err := space.Head(ctx)
	if err != nil || h.Active != 1 {
		t.Errorf("small differences made generation %d, %v", h.Active, err)
	}
}

// TestApplyEpochs (law 4): older epochs are refused, newer ones recorded, and a fence ends an epoch at its revision, for an
// applier that was at work as well.
func TestApplyEpochs(t *testing.T) {
	ctx := t.Context()
	space, a := newStandby(t, ApplierConfig{})
	at := func(e Entry, epoch tandem.Epoch) Entry { e.Epoch = epoch; return e }
	apply(t, a, at(fullEntry(5, doc("a", "1")), 3), at(commitEntry(5, 6, change("a", "2")), 3))
	if h, err := space.Head(ctx); err != nil || h.Epoch != 3 {
		t.Errorf("the space's epoch is %d, %v", h.Epoch, err)
	}
	if err := a.Apply(ctx, at(fullEntry(9, doc("a", "old")), 2)); tandem.KindOf(err) != tandem.Precondition {
		t.Errorf("an older epoch: %v", err)
	}
	if _, err := SetFence(ctx, space, Fence{Epoch: 3, Revision: 7}); err != nil {
		t.Fatal(err)
	}
	apply(t, a, at(commitEntry(6, 7, change("a", "3")), 3))
	err := a.Apply(ctx, at(commitEntry(7, 8, change("a", "4")), 3))
	if tandem.KindOf(err) != tandem.Precondition || !strings.Contains(err.Error(), "fenced") {
		t.Errorf("beyond the fence: %v", err)
	}
	wantText(t, space, "a=3\n")
	if state, err := SetFence(ctx, space, Fence{Epoch: 2, Revision: 1}); err != nil || state.Fence.Epoch != 3 {
		t.Errorf("an older fence replaced the newer: %+v, %v", state.Fence, err)
	}
	apply(t, a, at(fullEntry(4, doc("a", "5")), 4)) // the next primary, with revisions of its own
	wantText(t, space, "a=5\n")
	if err := space.SetEpoch(ctx, 9); err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(ctx, at(commitEntry(4, 5, change("a", "6")), 4)); tandem.KindOf(err) != tandem.Precondition {
		t.Errorf("after the promotion: %v", err)
	}
}

// TestFenceBreaksStage: a fence does not wait for a generation that the stream stages, and nothing of it is served.
func TestFenceBreaksStage(t *testing.T) {
	ctx := t.Context()
	space, a := newStandby(t, ApplierConfig{})
	apply(t, a, fullEntry(2, doc("a", "1")))
	big := fullEntry(5)
	docs := numbered(400, "new")
	big.Documents = func(yield func(store.Document, error) bool) {
		for i, d := range docs {
			if i == 300 {
				if _, err := SetFence(ctx, space, Fence{Revision: 2}); err != nil {
					t.Error(err)
				}
			}
			if !yield(d, nil) {
				return
			}
		}
	}
	if err := a.Apply(ctx, big); err == nil {
		t.Error("the entry passed the fence")
	}
	wantText(t, space, "a=1\n")
	if h, err := space.Head(ctx); err != nil || h.Lock != nil || h.Staged != nil {
		t.Errorf("the head is left as %+v, %v", h, err)
	}
	if err := a.Apply(ctx, fullEntry(6, docs...)); tandem.KindOf(err) != tandem.Precondition {
		t.Errorf("beyond the fence: %v", err)
	}
}

// TestGuardHolds: mass deletion, at once or bit by bit, waits for a person.
func TestGuardHolds(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries func() []Entry
		again   func() Entry
		left    int
	}{
		{"one commit", func() []Entry {
			var all []store.Change
			for i := range 40 {
				all = append(all, deletion(fmt.Sprintf("apis/%04d", i)))
			}
			return []Entry{commitEntry(5, 6, all...)}
		}, nil, 60},
		{"bit by bit", func() []Entry {
			var all []Entry
			for i := range 26 {
				all = append(all, commitEntry(tandem.Revision(5+i), tandem.Revision(6+i), deletion(fmt.Sprintf("apis/%04d", i))))
			}
			return all
		}, nil, 74},
		{"small full", func() []Entry { return []Entry{fullEntry(9, numbered(60, "1")...)} }, func() Entry { return fullEntry(12, numbered(60, "1")...) }, 60},
		{"staged full", func() []Entry { return []Entry{fullEntry(9, doc("zz", "9"))} }, func() Entry { return fullEntry(10, doc("zz", "9")) }, 1},
		{"staged full with much that is new", func() []Entry { return []Entry{fullEntry(9, renamed(200)...)} }, func() Entry { return fullEntry(11, renamed(200)...) }, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			space, a := newStandby(t, ApplierConfig{})
			apply(t, a, fullEntry(5, numbered(100, "1")...))
			entries := c.entries()
			apply(t, a, entries[:len(entries)-1]...)
			before, _, err := flat(t.Context(), space)
			if err != nil {
				t.Fatal(err)
			}
			last := entries[len(entries)-1]
			err = a.Apply(t.Context(), last)
			var held *HeldError
			if !errors.As(err, &held) || a.Held() == nil || held.Deletes <= 25 {
				t.Fatalf("it was not held: %v", err)
			}
			wantText(t, space, before)
			if err := a.Release(Hold{Position: held.Position, Deletes: 1}); tandem.KindOf(err) != tandem.Precondition {
				t.Errorf("a release of something else: %v", err)
			}
			if err := a.Release(held.Hold); err != nil {
				t.Fatal(err)
			}
			if last.Kind == EntryFull {
				last = c.again()
			}
			apply(t, a, last)
			got, _, err := flat(t.Context(), space)
			if n := strings.Count(got, "\n"); err != nil || n != c.left {
				t.Errorf("%d documents are left, %v, want %d", n, err, c.left)
			}
			if a.Held() != nil {
				t.Error("something is still held")
			}
		})
	}
}

func renamed(n int) []store.Document {
	docs := numbered(n, "1")
	for i := range docs {
		docs[i].Key = "x" + docs[i].Key
	}
	return docs
}

// TestApplyFull: whatever the standby had, after a full entry it has what the primary has, and what is its own.
func TestApplyFull(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		space, a := newStandby(t, ApplierConfig{Guard: Guard{Share: 1}, Own: func(key string) bool { return strings.HasPrefix(key, "own/") }})
		contents := rapid.MapOfN(rapid.StringMatching(`(apis|own|z)/[0-9]{1,3}`), rapid.StringMatching(`[a-z]{0,3}`), 0, 260)
		var have, want map[string]string
		put := func(revision tandem.Revision, m map[string]string) {
			var docs []store.Document
			for _, k := range slices.Sorted(maps.Keys(m)) {
				docs = append(docs, doc(k, m[k]))
			}
			if err := a.Apply(context.Background(), fullEntry(revision, docs...)); err != nil {
				rt.Fatal(err)
			}
		}
		// The standby's own documents are written past the stream.
		own := rapid.MapOfN(rapid.StringMatching(`own/[0-9]{1,2}`), rapid.StringMatching(`[A-Z]`), 0, 5).Draw(rt, "own")
		for k, v := range own {
			if _, err := space.Commit(context.Background(), store.Batch{Put: []store.Write{{Key: k, Value: []byte(v)}}}); err != nil {
				rt.Fatal(err)
			}
		}
		have, want = contents.Draw(rt, "have"), contents.Draw(rt, "want")
		put(3, have)
		put(8, want)
		expect := map[string]string{}
		for k, v := range want {
			if !strings.HasPrefix(k, "own/") {
				expect[k] = v
			}
		}
		for k, v := range own {
			expect[k] = v
		}
		got := map[string]string{}
		l, err := space.List(context.Background(), "", store.ListOptions{})
		if err != nil {
			rt.Fatal(err)
		}
		for _, d := range l.Documents {
			if !Internal(d.Key) {
				got[d.Key] = string(d.Value)
			}
		}
		if diff := cmp.Diff(expect, got); diff != "" {
			rt.Fatal(diff)
		}
		if h := l.Head; h.Lock != nil || h.Staged != nil {
			rt.Fatalf("the head is left as %+v", h)
		}
	})
}

// TestApplyAfterCrash: the lock that a dead applier left while it staged does not stop the next one.
func TestApplyAfterCrash(t *testing.T) {
	space, a := newStandby(t, ApplierConfig{})
	apply(t, a, fullEntry(2, doc("a", "1")))
	if err := space.Lock(t.Context(), stageOwner+"of the dead", "a crash"); err != nil {
		t.Fatal(err)
	}
	apply(t, a, commitEntry(2, 3, change("a", "2")))
	wantText(t, space, "a=2\n")
}
