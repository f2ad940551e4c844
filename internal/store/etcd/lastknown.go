package etcd

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"tandem"
	"tandem/internal/store"
)

// quorumPatience is how long a read waits for the quorum before this member's own copy answers.
const quorumPatience = 3 * time.Second

// lastKnown reads from this member's own copy while there is no quorum.
type lastKnown struct{ *Store }

// LastKnown is the same store, whose reads go on when the quorum is lost: they answer what this member knew last, which may
// be old. While there is a quorum they are as fresh as the store's own. Writes need the quorum always, and their conditions
// refuse what was decided on an old read.
func (s *Store) LastKnown() store.Store { return lastKnown{s} }

// Get implements store.Store.
func (l lastKnown) Get(ctx context.Context, key string, at tandem.Revision) (d store.Document, err error) {
	err = l.read(ctx, func(ctx context.Context, how ...clientv3.OpOption) (err error) {
		d, err = l.get(ctx, key, at, how...)
		return err
	})
	return d, err
}

// List implements store.Store.
func (l lastKnown) List(ctx context.Context, prefix string, o store.ListOptions) (page store.Listing, err error) {
	err = l.read(ctx, func(ctx context.Context, how ...clientv3.OpOption) (err error) {
		page, err = l.list(ctx, prefix, o, how...)
		return err
	})
	return page, err
}

// Revision implements store.Store.
func (l lastKnown) Revision(ctx context.Context) (r tandem.Revision, err error) {
	err = l.read(ctx, func(ctx context.Context, how ...clientv3.OpOption) (err error) {
		r, err = l.revision(ctx, how...)
		return err
	})
	return r, err
}

// read asks the quorum, and where that does not answer in time this member alone.
func (l lastKnown) read(ctx context.Context, do func(context.Context, ...clientv3.OpOption) error) error {
	if l.HasLeader() {
		bounded, cancel := context.WithTimeout(ctx, quorumPatience)
		err := do(bounded)
		cancel()
		if !errors.Is(err, tandem.Unavailable) || ctx.Err() != nil || l.life.Err() != nil {
			return err
		}
	}
	return do(ctx, clientv3.WithSerializable())
}
