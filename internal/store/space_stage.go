package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"tandem"
)

// Stage is a verified generation beside the active one, ready to be swapped in.
type Stage struct {
	Staged
	space *Space
	owner string
}

// Stage writes the documents (relative keys, each once, in any order) as the next generation beside the active one, in
// batches; reads them back from the store; and compares number and SHA-256. Readers and watchers of the space see nothing
// of it. The owner must hold the lock; if the lock is broken meanwhile, staging fails with Locked and nothing more is
// written. A stage left by an operation before it is deleted first.
//
// An error that documents yields ends it, and is returned. After any error the active generation is as before.
func (s *Space) Stage(ctx context.Context, owner string, documents iter.Seq2[Write, error]) (*Stage, error) {
	h, err := s.changeHead(ctx, func(h *Head) (bool, error) {
		if err := s.holds("stage", *h, owner); err != nil {
			return false, err
		}
		h.abandon()
		h.Newest++
		h.Staged = &Staged{Generation: h.Newest}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.Sweep(ctx); err != nil {
		return nil, err
	}
	g := h.Staged.Generation
	t := &Stage{space: s, owner: owner, Staged: *h.Staged}
	if err := t.fill(ctx, h, documents); err != nil {
		if ctx.Err() == nil {
			err = errors.Join(err, s.discard(ctx, g))
		}
		return nil, err
	}
	return t, nil
}

// fill writes, verifies, and marks the stage as verified.
func (t *Stage) fill(ctx context.Context, h Head, documents iter.Seq2[Write, error]) error {
	w := stageWriter{stage: t, head: h, sums: map[string]Sum{}}
	for d, err := range documents {
		if err != nil {
			return err
		}
		if err := w.add(ctx, d); err != nil {
			return err
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	digest, err := w.verify(ctx)
	if err != nil {
		return err
	}
	h, err = t.space.changeHead(ctx, func(h *Head) (bool, error) {
		if err := t.holds("stage", *h); err != nil {
			return false, err
		}
		h.Staged = &Staged{Generation: t.Generation, Verified: true, Documents: len(w.sums), Digest: digest}
		return true, nil
	})
	if err == nil {
		t.Staged = *h.Staged
	}
	return err
}

// Resume finds the verified stage that the owner made before a restart; NotFound where there is none, then stage again.
func (s *Space) Resume(ctx context.Context, owner string) (*Stage, error) {
	h, err := s.Head(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.holds("resume stage", h, owner); err != nil {
		return nil, err
	}
	if h.Staged == nil || !h.Staged.Verified {
		return nil, &tandem.Error{Op: "resume stage", Subject: s.prefix, Kind: tandem.NotFound, Remedy: "stage the documents again"}
	}
	return &Stage{Staged: *h.Staged, space: s, owner: owner}, nil
}

// holds is nil while the stage's owner holds the lock and the stage is the space's.
func (t *Stage) holds(op string, h Head) error {
	if err := t.space.holds(op, h, t.owner); err != nil {
		return err
	}
	if h.Staged == nil || h.Staged.Generation != t.Generation {
		return &tandem.Error{Op: op, Subject: t.space.prefix, Kind: tandem.Precondition,
			Err: fmt.Errorf("generation %d is staged no more", t.Generation), Remedy: "stage the documents again"}
	}
	return nil
}

// Swap makes the staged generation the active one, in one commit, and keeps the old one for Rollback. The space stays
// locked, so that the new generation can be proved, and rolled back without the loss of a write; Unlock ends the operation.
// Swap may be repeated: once done, it gives the revision of the head and changes nothing.
func (t *Stage) Swap(ctx context.Context) (tandem.Revision, error) {
	h, err := t.space.changeHead(ctx, func(h *Head) (bool, error) {
		if err := t.space.holds("swap", *h, t.owner); err != nil {
			return false, err
		}
		if h.Active == t.Generation {
			return false, nil
		}
		if err := t.holds("swap", *h); err != nil {
			return false, err
		}
		h.Kept = append(h.Kept, h.Active)
		h.Active, h.Staged = t.Generation, nil
		return true, nil
	})
	return h.Revision, err
}

// Discard deletes the stage. After Swap it changes nothing.
func (t *Stage) Discard(ctx context.Context) error { return t.space.discard(ctx, t.Generation) }

func (s *Space) discard(ctx context.Context, g tandem.Generation) error {
	_, err := s.changeHead(ctx, func(h *Head) (bool, error) {
		if h.Staged == nil || h.Staged.Generation != g {
			return false, nil
		}
		h.abandon()
		return true, nil
	})
	if err != nil {
		return err
	}
	return s.Sweep(ctx)
}

// abandon gives up what is staged.
func (h *Head) abandon() {
	if h.Staged != nil {
		h.Dropping, h.Staged = append(h.Dropping, h.Staged.Generation), nil
	}
}

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

// Sweep goes on with deletions that were begun and cut off, and deletes what Unlock gave up. Stage, Discard and Drop do it
// too; a node does it at its start.
func (s *Space) Sweep(ctx context.Context) error {
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
		Delete: []string{s.headKey()},
	})
	return err
}
