package store

import (
	"context"
	"slices"
	"strings"

	"tandem"
)

// SpaceEvent is one commit as a watcher of a space sees it.
type SpaceEvent struct {
	Revision tandem.Revision
	Head     Head // as of this revision
	// Swapped: another generation is active. Changes is empty: list the space at Revision.
	Swapped bool
	// Changes of the active generation, with relative keys. Both Swapped false and Changes empty tell of a new Head,
	// for example of a lock, or of a Beat.
	Changes []Change
}

// Watch calls yield for every commit after the revision that touches the active generation or the head, in order, each
// once. What is staged or deleted beside the active generation is not seen. After revision zero it begins with the swap to
// the first generation. It ends as Store.Watch does, with Compacted where events are missing, and with NotFound
// where the space is removed.
func (s *Space) Watch(ctx context.Context, after tandem.Revision, yield func(SpaceEvent) error) error {
	var head Head
	if after > 0 {
		var err error
		if head, err = s.headAt(ctx, after); err != nil && tandem.KindOf(err) != tandem.NotFound {
			return err
		}
	}
	return s.store.Watch(ctx, s.prefix+"/", after, func(e Event) error {
		out := SpaceEvent{Revision: e.Revision}
		news, decided := false, false // decided: this commit decides a large batch; the ones after it only copy it
		for _, c := range e.Changes {
			if c.Key == s.headKey() {
				if c.Deleted {
					return &tandem.Error{Op: "watch", Subject: s.prefix, Kind: tandem.NotFound, Remedy: "the space was removed"}
				}
				next, err := s.decode(c.Document)
				if err != nil {
					return err
				}
				out.Swapped = next.Active != head.Active
				if next.Redo != nil && (head.Redo == nil || head.Redo.Batch != next.Redo.Batch) {
					log, err := s.redo(ctx, next, e.Revision)
					if err != nil {
						return err
					}
					out.Changes = append(out.Changes, log.changes(e.Revision)...)
					decided = true
				}
				if next.Redo == nil && head.Redo != nil {
					s.lastRedo.Store(nil)
				}
				head, news = next, true
				continue
			}
			if c.Key == s.beatKey() {
				news = true
				continue
			}
			if g, key := s.split(c.Key); g != 0 && g == head.Active && (head.Redo == nil || decided) {
				c.Key = key
				out.Changes = append(out.Changes, c)
				news = true
			}
		}
		if !news {
			return nil
		}
		if decided {
			slices.SortFunc(out.Changes, func(a, b Change) int { return strings.Compare(a.Key, b.Key) })
		}
		out.Head = head
		return yield(out)
	})
}
