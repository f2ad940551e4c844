package store_test

import (
	"errors"
	"testing"

	"tandem"
	"tandem/internal/store"
)

// TestSpaceBeat: a beat reaches watchers in order, also through a lock, and is no document.
func TestSpaceBeat(t *testing.T) {
	onBoth(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		p := openSpace(t, s)
		put(t, p, "a", "1")
		must(t, p.Lock(ctx, "op", "restore"))
		beat, err := p.Beat(ctx)
		must(t, err)
		done := errors.New("done")
		var before []string
		err = p.Watch(ctx, 0, func(e store.SpaceEvent) error {
			for _, c := range e.Changes {
				before = append(before, c.Key)
			}
			if e.Revision < beat {
				return nil
			}
			if e.Revision != beat || len(e.Changes) != 0 || e.Swapped || e.Head.Lock == nil {
				t.Errorf("the beat arrives as %+v", e)
			}
			return done
		})
		if !errors.Is(err, done) || len(before) != 1 {
			t.Errorf("before the beat came %q, %v", before, err)
		}
		if got := content(t, p, 0); got != "a=1" {
			t.Errorf("the documents are %s", got)
		}
		must(t, p.Remove(ctx, "op"))
		if l, err := s.List(ctx, "", store.ListOptions{}); err != nil || len(l.Documents) != 0 {
			t.Errorf("removal left %d documents, %v", len(l.Documents), err)
		}
		_, err = p.Beat(ctx)
		wantKind(t, "beat of a removed space", err, tandem.NotFound)
	})
}
