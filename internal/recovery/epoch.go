package recovery

import (
	"context"
	"errors"

	"tandem"
	"tandem/internal/failover"
)

// firstEpoch is the epoch that a new group begins with: beyond all that its members have seen in groups before this one, since
// what was given out once is not given out again. Members are asked until they answer; one that never was in a group knows of
// none.
func (r *runner) firstEpoch(ctx context.Context) (tandem.Epoch, error) {
	first := tandem.Epoch(1)
	for i, service := range r.group.Properties.Members() {
		if r.group.Properties.Config().Unfenceable[i] {
			continue
		}
		site, err := r.c.Sites(service)
		if errors.Is(err, tandem.NotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		ctx, done := context.WithTimeout(ctx, commitTimeout)
		s, err := site.State(ctx, service)
		done()
		if err != nil && !errors.Is(err, tandem.NotFound) {
			return 0, &tandem.Error{Op: "begin recovery group", Subject: r.member(failover.Service(i)), Kind: tandem.KindOf(err), Err: err, Remedy: "see that the node of the service runs; it is asked again"}
		}
		first = max(first, s.Epoch+1)
	}
	return first, nil
}
