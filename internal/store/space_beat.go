package store

import (
	"context"
	"errors"

	"tandem"
)

// beatKey is beside the generations: no reader of documents sees it, and no swap changes it.
func (s *Space) beatKey() string { return s.prefix + "/beat" }

// Beat commits something that is no document, so that a watcher of the space is told a revision with an event that has no
// changes: when that event arrives, everything that was committed before Beat was called has arrived. It works while the
// space is locked. NotFound: the space was removed.
func (s *Space) Beat(ctx context.Context) (tandem.Revision, error) {
	r, err := s.store.Commit(ctx, Batch{
		If:  []Condition{{Key: s.headKey(), Revision: Any}},
		Put: []Write{{Key: s.beatKey(), Value: []byte("{}")}},
	})
	if tandem.KindOf(err) == tandem.Precondition {
		return 0, &tandem.Error{Op: "beat", Subject: s.prefix, Kind: tandem.NotFound, Err: errors.New("the space was removed"), Remedy: "open the space anew"}
	}
	return r, err
}
