package repository

import (
	"context"
	"sync/atomic"
	"time"

	"tandem/internal/vault"
)

// retain asks the store to refuse that a blob is changed or deleted before a time, where it can (object lock).
func (r *Repository) retain(ctx context.Context, blob string, until *time.Time) error {
	l, ok := r.Vault.(vault.Retainer)
	if !ok || until == nil {
		return nil
	}
	can, err := l.CanRetain(ctx)
	if err != nil || !can {
		return err
	}
	return l.Retain(ctx, blob, *until)
}

// lockChunks asks the store to keep the chunks of a snapshot, and tells until when it does; nil: the store cannot, or no
// minimum retention is set. Chunks are kept for twice the minimum, so that those that nightly snapshots share are
// asked for once in that time and not every night.
func (w *writer) lockChunks(ctx context.Context, rec Record, used []string, base *Record, shared map[string]bool) (*time.Time, error) {
	l, ok := w.Vault.(vault.Retainer)
	if !ok || rec.KeepUntil == nil {
		return nil, nil
	}
	can, err := l.CanRetain(ctx)
	if err != nil || !can {
		return nil, err
	}
	until := rec.KeepUntil.Add(w.Minimum())
	if base != nil && base.Locked != nil && !base.Locked.Before(*rec.KeepUntil) {
		until = *base.Locked // the shared ones are kept long enough; the new ones join them
	} else {
		shared = nil
	}
	var blobs []string
	for _, name := range used {
		if !shared[name] {
			blobs = append(blobs, chunkBlob(name))
		}
	}
	var done atomic.Int64
	err = w.each(ctx, len(blobs), 1, func(ctx context.Context, i int) error {
		defer func() { w.tell("lock chunks", int(done.Add(1)), len(blobs)) }()
		return l.Retain(ctx, blobs[i], until)
	})
	return &until, err
}
