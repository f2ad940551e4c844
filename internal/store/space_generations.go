package store

import (
	"context"
	"fmt"
	"slices"

	"tandem"
)

// Rollback makes a kept generation the active one again, in one commit, and keeps the one it replaces. The owner must hold
// the lock. Writes that the replaced generation took stay in it and are served no more: whoever rolls back after Unlock
// decides to give them up.
func (s *Space) Rollback(ctx context.Context, owner string, to tandem.Generation) (tandem.Revision, error) {
	h, err := s.changeHead(ctx, func(h *Head) (bool, error) {
		if err := s.holds("roll back", *h, owner); err != nil {
			return false, err
		}
		if h.Active == to {
			return false, nil
		}
		i := slices.Index(h.Kept, to)
		if i < 0 {
			return false, s.notKept("roll back", *h, to)
		}
		h.Kept = append(slices.Delete(h.Kept, i, i+1), h.Active)
		h.Active = to
		return true, nil
	})
	return h.Revision, err
}

func (s *Space) notKept(op string, h Head, g tandem.Generation) error {
	return &tandem.Error{Op: op, Subject: fmt.Sprintf("%s generation %d", s.prefix, g), Kind: tandem.NotFound,
		Err: fmt.Errorf("generation %d is active, kept are %v", h.Active, h.Kept), Remedy: "choose a kept generation"}
}

// Drop deletes a kept generation: it cannot be rolled back to from the first moment on, and its documents go in batches.
func (s *Space) Drop(ctx context.Context, g tandem.Generation) error {
	_, err := s.changeHead(ctx, func(h *Head) (bool, error) {
		if slices.Contains(h.Dropping, g) {
			return false, nil
		}
		i := slices.Index(h.Kept, g)
		if i < 0 {
			return false, s.notKept("drop", *h, g)
		}
		h.Kept = slices.Delete(h.Kept, i, i+1)
		h.Dropping = append(h.Dropping, g)
		return true, nil
	})
	if err != nil {
		return err
	}
	return s.Sweep(ctx)
}

// Sweep goes on with deletions and large batches that were begun and cut off, and deletes what Unlock gave up. Stage, Discard
// and Drop do it too; a node does it at its start.
func (s *Space) Sweep(ctx context.Context) error {
	if err := s.sweepRedo(ctx); err != nil {
		return err
	}
	h, err := s.Head(ctx)
	if err != nil {
		return err
	}
	for _, g := range h.Dropping {
		if err := s.sweep(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// sweep deletes one generation. Nobody adds to it meanwhile: every write is conditional on a head that allows it.
func (s *Space) sweep(ctx context.Context, g tandem.Generation) error {
	var b Batch
	flush := func() error {
		_, err := s.store.Commit(ctx, b)
		b.Delete = b.Delete[:0]
		return err
	}
	size := 0
	for d, err := range s.Documents(ctx, g, 0) {
		if err != nil {
			return err
		}
		key := s.documents(g) + d.Key
		if size += len(key); len(b.Delete) == MaxOps || size > MaxBytes {
			if err := flush(); err != nil {
				return err
			}
			size = len(key)
		}
		b.Delete = append(b.Delete, key)
	}
	if err := flush(); err != nil {
		return err
	}
	_, err := s.changeHead(ctx, func(h *Head) (bool, error) {
		i := slices.Index(h.Dropping, g)
		if i < 0 {
			return false, nil
		}
		h.Dropping = slices.Delete(h.Dropping, i, i+1)
		return true, nil
	})
	return err
}

// Remove deletes the whole space, so that OpenSpace would make it anew. The owner must hold the lock. Readers see all
// documents go at once. If it is cut off, it can be repeated by the same owner.
func (s *Space) Remove(ctx context.Context, owner string) error {
	empty, err := s.Stage(ctx, owner, func(func(Write, error) bool) {})
	if err != nil {
		return err
	}
	if _, err := empty.Swap(ctx); err != nil {
		return err
	}
	h, err := s.Head(ctx)
	if err != nil {
		return err
	}
	for _, g := range h.Kept {
		if err := s.Drop(ctx, g); err != nil {
			return err
		}
	}
	if h, err = s.Head(ctx); err != nil {
		return err
	}
	if err := s.holds("remove", h, owner); err != nil {
		return err
	}
	_, err = s.store.Commit(ctx, Batch{
		If:     []Condition{{Key: s.headKey(), Revision: h.Revision}},
		Delete: []string{s.headKey(), s.beatKey()},
	})
	return err
}
