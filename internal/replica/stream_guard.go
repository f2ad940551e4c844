package replica

import (
	"context"
	"fmt"
	"time"

	"tandem"
	"tandem/internal/store"
)

// Guard bounds how much the stream may delete before a person is asked: more than Share of the standby's documents, and
// more than Minimum, within Within by the source's clock.
type Guard struct {
	Share   float64       // zero: a quarter; 1 or more: no guard
	Minimum int           // documents; zero: 20
	Within  time.Duration // zero: ten minutes
}

func (g Guard) withDefaults() Guard {
	if g.Share <= 0 {
		g.Share = 0.25
	}
	if g.Minimum <= 0 {
		g.Minimum = 20
	}
	if g.Within <= 0 {
		g.Within = 10 * time.Minute
	}
	return g
}

// Hold is what waits for a person.
type Hold struct {
	Position           // of the entry that is held
	Time     time.Time // the source's wall clock at it
	Deletes  int       // documents that would be gone, with those deleted shortly before
	Of       int       // documents that the standby has
}

// HeldError says that the guard holds an entry, and with it all that follow, until Release.
type HeldError struct{ Hold }

// Error implements error.
func (e *HeldError) Error() string {
	return fmt.Sprintf("hold replication at epoch %d revision %d: it deletes %d of %d documents; see whether that is meant, then release it, or fence the stream before it and restore the primary",
		e.Epoch, e.Revision, e.Deletes, e.Of)
}

// Is makes errors.Is(err, tandem.Denied) true.
func (e *HeldError) Is(target error) bool { return target == tandem.Denied }

// guardState is what was deleted lately, and what there is.
type guardState struct {
	keys    map[string]struct{}  // nil: not read
	deleted map[string]time.Time // by the source's clock
}

// forget drops what may be wrong after another writer.
func (g *guardState) forget() { g.keys = nil }

// applied notes what was written.
func (g *guardState) applied(puts []store.Write, deletes []string, at time.Time) {
	for _, w := range puts {
		delete(g.deleted, w.Key)
		if g.keys != nil {
			g.keys[w.Key] = struct{}{}
		}
	}
	for _, key := range deletes {
		if _, had := g.keys[key]; had {
			delete(g.keys, key)
			if g.deleted == nil {
				g.deleted = map[string]time.Time{}
			}
			g.deleted[key] = at
		}
	}
}

// checkDeletes holds the entry where its deletions, with those of the time before, are too many.
func (a *Applier) checkDeletes(ctx context.Context, e Entry, keys []string) error {
	g := &a.guard
	if a.Guard.Share >= 1 {
		return nil
	}
	if g.keys == nil {
		now, err := a.Space.Snapshot(ctx)
		if err != nil {
			return err
		}
		all := map[string]struct{}{}
		for d, err := range now.Documents(ctx) {
			if err != nil {
				return err
			}
			if !a.stays(d.Key) {
				all[d.Key] = struct{}{}
			}
		}
		g.keys = all
	}
	for key, at := range g.deleted {
		if _, back := g.keys[key]; back || e.Time.Sub(at) > a.Guard.Within {
			delete(g.deleted, key)
		}
	}
	deletes := len(g.deleted)
	for _, key := range keys {
		if _, has := g.keys[key]; has {
			deletes++
		}
	}
	of := len(g.keys) + len(g.deleted)
	if deletes <= a.Guard.Minimum || float64(deletes) <= a.Guard.Share*float64(of) {
		return nil
	}
	a.holding.Lock()
	defer a.holding.Unlock()
	// A full entry that is sent again after the release is of a later revision.
	if h := a.allowed; h != nil && h.Epoch == e.Epoch && (h.Revision >= e.Revision || e.Kind == EntryFull && deletes <= h.Deletes) {
		return nil
	}
	a.hold = &Hold{Position: e.Position, Time: e.Time, Deletes: deletes, Of: of}
	return &HeldError{*a.hold}
}

// Held is what waits for a person; nil: nothing does.
func (a *Applier) Held() *Hold {
	a.holding.Lock()
	defer a.holding.Unlock()
	return a.hold
}

// Release lets pass what the person saw. It fails with Precondition where something else is held by now.
func (a *Applier) Release(seen Hold) error {
	a.holding.Lock()
	defer a.holding.Unlock()
	if a.hold == nil || a.hold.Epoch != seen.Epoch || a.hold.Deletes > seen.Deletes {
		return &tandem.Error{Op: "release replication", Subject: fmt.Sprintf("epoch %d revision %d", seen.Epoch, seen.Revision), Kind: tandem.Precondition,
			Err: fmt.Errorf("this is not what is held"), Remedy: "look at what is held now, and decide anew"}
	}
	a.allowed, a.hold = a.hold, nil
	close(a.freed)
	a.freed = make(chan struct{})
	return nil
}

// released is closed at the next Release.
func (a *Applier) released() <-chan struct{} {
	a.holding.Lock()
	defer a.holding.Unlock()
	return a.freed
}

// passed forgets what was held and allowed up to the entry; what was deleted with a person's consent is not counted again.
func (a *Applier) passed(e Entry) {
	a.holding.Lock()
	defer a.holding.Unlock()
	a.hold = nil
	if a.allowed != nil && (e.Kind == EntryFull || e.Revision >= a.allowed.Revision) {
		a.allowed = nil
		clear(a.guard.deleted)
	}
}
