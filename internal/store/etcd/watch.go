package etcd

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"tandem"
	"tandem/internal/store"
)

// rewatchPause is how long a watch that was cut waits before it asks again.
const rewatchPause = 100 * time.Millisecond

// Watch implements store.Store.
func (s *Store) Watch(ctx context.Context, prefix string, after tandem.Revision, yield func(store.Event) error) error {
	outer := ctx
	ctx, done, err := s.begin(ctx, "watch", prefix)
	defer done()
	if outer.Err() != nil {
		return context.Cause(outer)
	} else if err != nil {
		return err
	}
	for {
		next, err := s.watchOnce(ctx, prefix, after, yield)
		if err != nil {
			return err
		}
		after = next
		if ctx.Err() == nil {
			_ = s.clock.Sleep(ctx, rewatchPause) // its error is ctx's, handled below
		}
		switch {
		case s.life.Err() != nil:
			return s.failed(ctx, "watch", prefix, nil)
		case ctx.Err() != nil:
			return context.Cause(outer)
		}
	}
}

// watchOnce yields events until the watch is cut, and returns the revision up to which all were yielded.
func (s *Store) watchOnce(ctx context.Context, prefix string, after tandem.Revision, yield func(store.Event) error) (tandem.Revision, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, end := s.prefix+prefix, clientv3.GetPrefixRangeEnd(s.prefix+prefix)
	if from == "" {
		from, end = "\x00", "\x00"
	}
	// A member that lost its cluster would be silent for ever: it shall cut the watch instead.
	responses := s.client.Watch(clientv3.WithRequireLeader(ctx), from, clientv3.WithRange(end), clientv3.WithRev(int64(after)+1))
	for r := range responses {
		if r.CompactRevision != 0 {
			return after, &tandem.Error{Op: "watch", Subject: prefix, Kind: tandem.Compacted, Remedy: "list again and watch from there"}
		}
		if r.Err() != nil {
			return after, nil
		}
		for _, event := range s.events(r.Events) {
			if ctx.Err() != nil {
				return after, nil
			}
			if err := yield(event); err != nil {
				return after, err
			}
			after = event.Revision
		}
	}
	return after, nil
}

// events puts the changes of one commit together. etcd never spreads a commit over two responses, but may put several
// commits in one.
func (s *Store) events(changes []*clientv3.Event) []store.Event {
	var events []store.Event
	for _, c := range changes {
		revision := tandem.Revision(c.Kv.ModRevision)
		if n := len(events); n == 0 || events[n-1].Revision != revision {
			events = append(events, store.Event{Revision: revision})
		}
		last := &events[len(events)-1]
		change := store.Change{Document: s.document(c.Kv), Deleted: c.Type == mvccpb.Event_DELETE}
		last.Changes = append(last.Changes, change)
	}
	for _, e := range events {
		slices.SortFunc(e.Changes, func(a, b store.Change) int { return strings.Compare(a.Key, b.Key) })
	}
	return events
}
