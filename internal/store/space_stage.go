package store

import (
	"context"
	"errors"
	"fmt"
	"iter"

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
