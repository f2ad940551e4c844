package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"tandem"
	"tandem/internal/store"
)

// TestLaw3SpaceRace has writers commit, operations lock, stage, swap, roll back and drop, and readers and a watcher look on,
// all at once. No acknowledged write may be lost, no reader may see a mix of generations, and who follows the watch must
// end with what the store has.
func TestLaw3SpaceRace(t *testing.T) {
	onBoth(t, func(t *testing.T, s store.Store) {
		const writers, rounds = 4, 12
		first := openSpace(t, s)
		put(t, first, "mark/a", "0", "mark/b", "0")

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var workers, lookers sync.WaitGroup
		finished := errors.New("finished")
		acknowledged := make([]int, writers)
		progress := make([]chan struct{}, writers) // one token when a writer got on
		for w := range writers {
			p := openSpace(t, s)
			progress[w] = make(chan struct{}, 1)
			workers.Go(func() {
				defer close(progress[w])
				for n := 1; ctx.Err() == nil; n++ {
					_, err := p.Commit(ctx, store.Batch{Put: writes(fmt.Sprintf("writer/%d", w), fmt.Sprint(n))})
					switch {
					case err == nil:
						acknowledged[w] = n
						select {
						case progress[w] <- struct{}{}:
						default:
						}
					case tandem.KindOf(err) == tandem.Locked:
					case ctx.Err() == nil:
						t.Errorf("writer %d: %v", w, err)
						return
					}
				}
			})
		}
		lookers.Go(func() {
			p := openSpace(t, s)
			for ctx.Err() == nil {
				l, err := p.List(ctx, "mark/", store.ListOptions{})
				if ctx.Err() != nil {
					return
				}
				if err != nil || len(l.Documents) != 2 || string(l.Documents[0].Value) != string(l.Documents[1].Value) {
					t.Errorf("a reader saw a mix: %s, %v", show(l.Documents), err)
					return
				}
			}
		})
		followed := map[string]string{}
		follow := make(chan error, 1)
		last := make(chan tandem.Revision, 1)
		go func() {
			p := openSpace(t, s)
			end := tandem.Revision(-1)
			follow <- p.Watch(t.Context(), 0, func(e store.SpaceEvent) error {
				if e.Swapped {
					l, err := p.List(t.Context(), "", store.ListOptions{At: e.Revision})
					if err != nil {
						return err
					}
					clear(followed)
					for _, d := range l.Documents {
						followed[d.Key] = string(d.Value)
					}
				}
				for _, c := range e.Changes {
					if c.Deleted {
						delete(followed, c.Key)
					} else {
						followed[c.Key] = string(c.Value)
					}
				}
				select {
				case end = <-last:
				default:
				}
				if e.Revision == end {
					return finished
				}
				return nil
			})
		}()

		for round := 1; round <= rounds; round++ {
			for w := range progress {
				<-progress[w]
			}
			must(t, restore(ctx, first, fmt.Sprint("op-", round), fmt.Sprint(round), round%3 == 0))
		}
		stop()
		workers.Wait()
		lookers.Wait()
		end, err := s.Revision(t.Context())
		must(t, err)
		last <- end + 1
		if r := put(t, first, "end", "1"); r != end+1 {
			t.Fatalf("the last commit has revision %d, want %d", r, end+1)
		}
		if err := <-follow; !errors.Is(err, finished) {
			t.Fatal(err)
		}
		l, err := first.List(t.Context(), "", store.ListOptions{})
		must(t, err)
		stored := map[string]string{}
		for _, d := range l.Documents {
			stored[d.Key] = string(d.Value)
		}
		if !maps.Equal(stored, followed) {
			t.Errorf("the watcher has %v, the store %v", followed, stored)
		}
		for w, n := range acknowledged {
			if got := stored[fmt.Sprintf("writer/%d", w)]; got != fmt.Sprint(n) || n == 0 {
				t.Errorf("writer %d: %d was acknowledged, the store has %s", w, n, got)
			}
		}
	})
}

// restore stages a copy of the space with other marks and swaps to it; undo then rolls back. It drops what is left over.
func restore(ctx context.Context, p *store.Space, owner, mark string, undo bool) error {
	if err := p.Lock(ctx, owner, "a restore under load"); err != nil {
		return err
	}
	snapshot, err := p.Snapshot(ctx)
	if err != nil {
		return err
	}
	stage, err := p.Stage(ctx, owner, func(yield func(store.Write, error) bool) {
		for d, err := range snapshot.Documents(ctx) {
			if d.Key == "mark/a" || d.Key == "mark/b" {
				d.Value = []byte(mark)
			}
			if !yield(store.Write{Key: d.Key, Value: d.Value}, err) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	if _, err := stage.Swap(ctx); err != nil {
		return err
	}
	if undo {
		if _, err := p.Rollback(ctx, owner, snapshot.Head.Active); err != nil {
			return err
		}
	}
	if err := p.Unlock(ctx, owner); err != nil {
		return err
	}
	h, err := p.Head(ctx)
	if err != nil {
		return err
	}
	for _, g := range h.Kept {
		if err := p.Drop(ctx, g); err != nil {
			return err
		}
	}
	return nil
}
