package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"tandem"
)

// A batch that is larger than one commit of the store goes through a redo log:
//
//	<prefix>/redo/<batch>/<part, 4 digits>  the writes of the batch, encoded
//
// First its parts are written, which no reader looks at. Then one commit, with the conditions of the batch, makes the head
// name them: with it the batch is decided, and readers lay its parts over the documents. Last the parts are copied to the
// documents, and the head forgets them. No other write comes between, since every write is conditional on the head. Whoever
// meets a head with a redo log, after a crash for instance, finishes it; doing so twice does no harm.

// Redo names the parts of a decided batch that are being copied to the documents.
type Redo struct {
	Batch string `json:"batch"`
	Parts int    `json:"parts"`
}

// MaxLargeBytes bounds the keys and values of one batch to a space.
const MaxLargeBytes = 96 * partBytes

const (
	// partBytes bounds one part. The rest of MaxBytes is for keys and the lengths in front of them.
	partBytes = MaxBytes - 64<<10
	// decideOps are the operations of the deciding commit beside the batch's conditions and its parts.
	decideOps = 4
)

func (s *Space) redoPrefix(batch string) string { return s.prefix + "/redo/" + batch }

func (s *Space) partKey(batch string, n int) string {
	return fmt.Sprintf("%s/%04d", s.redoPrefix(batch), n)
}

// fits tells whether a batch is one commit of the store.
func (s *Space) fits(b Batch) bool {
	return b.ops() <= SpaceMaxOps && b.bytes()+len(s.headKey())+b.ops()*len(s.documents(1)) <= MaxBytes
}

// commitLarge decides a batch by one commit and copies it to the documents.
func (s *Space) commitLarge(ctx context.Context, b Batch) (tandem.Revision, error) {
	parts, err := s.parts(b)
	if err != nil {
		return 0, err
	}
	for {
		h, err := s.settled(ctx)
		if err != nil {
			return 0, err
		}
		r, err := s.decide(ctx, b, parts, h)
		var failed *tandem.Error
		if err != nil && errors.As(err, &failed) && failed.Kind == tandem.Precondition && (failed.Subject == s.headKey() || s.isPart(failed.Subject)) {
			continue // the head changed, or a sweep took the parts for a crash's
		}
		return r, err
	}
}

// settled gives the newest head, after what another left behind is finished; Locked where the space is.
func (s *Space) settled(ctx context.Context) (Head, error) {
	for {
		h, err := s.Head(ctx)
		switch {
		case err != nil:
			return h, err
		case h.Lock != nil:
			return h, s.locked("commit", h)
		case h.Redo == nil:
			return h, nil
		}
		if err := s.finish(ctx, h); err != nil {
			return h, err
		}
	}
}

// parts encodes all of a batch but its first put, which the deciding commit writes.
func (s *Space) parts(b Batch) ([][]byte, error) {
	if n := b.bytes(); n > MaxLargeBytes {
		return nil, &tandem.Error{Op: "commit", Subject: fmt.Sprintf("a batch of %d bytes", n), Kind: tandem.TooLarge,
			Remedy: fmt.Sprintf("a batch to a space has at most %d bytes of keys and values", MaxLargeBytes)}
	}
	for _, w := range b.Put {
		if n := len(w.Key) + len(w.Value); n > partBytes {
			return nil, &tandem.Error{Op: "commit", Subject: w.Key, Kind: tandem.TooLarge, Err: fmt.Errorf("it has %d bytes", n),
				Remedy: fmt.Sprintf("a document and its key have at most %d bytes", partBytes)}
		}
	}
	var parts [][]byte
	var part []byte
	add := func(w redoWrite) {
		if len(part) > 0 && len(part)+len(w.key)+len(w.value) > partBytes {
			parts, part = append(parts, part), nil
		}
		part = w.append(part)
	}
	for i, w := range b.Put {
		if i > 0 {
			add(redoWrite{key: w.Key, value: w.Value})
		}
	}
	for _, key := range b.Delete {
		add(redoWrite{key: key, deleted: true})
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	if n := len(b.If) + len(parts) + decideOps; n > MaxOps {
		return nil, &tandem.Error{Op: "commit", Subject: fmt.Sprintf("a batch with %d conditions in %d parts", len(b.If), len(parts)), Kind: tandem.TooLarge,
			Remedy: "split the batch"}
	}
	return parts, nil
}

// decide writes the parts and makes the head name them, then copies them.
func (s *Space) decide(ctx context.Context, b Batch, parts [][]byte, h Head) (tandem.Revision, error) {
	s.finishing.Lock()
	defer s.finishing.Unlock()
	batch := rand.Text()
	first := Batch{If: b.If}
	if len(b.Put) > 0 {
		first.Put = b.Put[:1]
	}
	decision := s.guarded(first, h)
	for i, part := range parts {
		key := s.partKey(batch, i)
		_, err := s.store.Commit(ctx, Batch{If: []Condition{{Key: s.headKey(), Revision: h.Revision}}, Put: []Write{{Key: key, Value: part}}})
		if err != nil {
			s.forget(context.WithoutCancel(ctx), batch, len(parts))
			return 0, err
		}
		decision.If = append(decision.If, Condition{Key: key, Revision: Any})
	}
	next := h
	next.Redo = &Redo{Batch: batch, Parts: len(parts)}
	value, err := next.encode()
	if err != nil {
		return 0, err
	}
	decision.Put = append(decision.Put, Write{Key: s.headKey(), Value: value})
	if next.Revision, err = s.store.Commit(ctx, decision); err != nil {
		if tandem.KindOf(err) == tandem.Precondition { // else it may have been decided
			s.forget(context.WithoutCancel(ctx), batch, len(parts))
		}
		return 0, s.relative(err)
	}
	s.remember(next)
	// The batch is committed, whatever becomes of the copy: readers see it, and the next writer or start finishes it.
	_ = s.copyRedo(context.WithoutCancel(ctx), next)
	return next.Revision, nil
}

// finish copies what a head's redo log still has to copy, unless another does it here at this moment.
func (s *Space) finish(ctx context.Context, h Head) error {
	s.finishing.Lock()
	defer s.finishing.Unlock()
	now, err := s.Head(ctx)
	if err != nil || now.Redo == nil || now.Revision != h.Revision {
		return err
	}
	return s.copyRedo(ctx, now)
}

// copyRedo writes the parts to the documents and clears the head. It is done when another process was faster.
func (s *Space) copyRedo(ctx context.Context, h Head) error {
	log, err := s.redo(ctx, h, 0)
	if tandem.KindOf(err) == tandem.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	base, guard := s.documents(h.Active), []Condition{{Key: s.headKey(), Revision: h.Revision}}
	b, size := Batch{If: guard}, 0
	flush := func() error {
		_, err := s.store.Commit(ctx, b)
		b, size = Batch{If: guard}, 0
		return err
	}
	for _, w := range log {
		n := len(base) + len(w.key) + len(w.value)
		if b.ops() == MaxOps || size+n > partBytes && size > 0 {
			if err = flush(); err != nil {
				break
			}
		}
		if size += n; w.deleted {
			b.Delete = append(b.Delete, base+w.key)
		} else {
			b.Put = append(b.Put, Write{Key: base + w.key, Value: w.value})
		}
	}
	if err == nil && b.ops() > 1 {
		err = flush()
	}
	if err == nil {
		b, next := Batch{If: guard}, h
		next.Redo = nil
		var value []byte
		if value, err = next.encode(); err == nil {
			b.Put = []Write{{Key: s.headKey(), Value: value}}
			for i := range h.Redo.Parts {
				b.Delete = append(b.Delete, s.partKey(h.Redo.Batch, i))
			}
			if next.Revision, err = s.store.Commit(ctx, b); err == nil {
				s.remember(next)
				s.lastRedo.Store(nil)
			}
		}
	}
	if tandem.KindOf(err) == tandem.Precondition {
		return nil
	}
	return err
}

// forget deletes the parts of a batch that was not decided. What stays is a sweep's to delete.
func (s *Space) forget(ctx context.Context, batch string, parts int) {
	var b Batch
	for i := range parts {
		b.Delete = append(b.Delete, s.partKey(batch, i))
	}
	_, _ = s.store.Commit(ctx, b)
}

// sweepRedo finishes the head's redo log and deletes parts that no head names. Parts that another is writing at this moment
// may be among them: it finds out when it decides, and writes them again.
func (s *Space) sweepRedo(ctx context.Context) error {
	h, err := s.Head(ctx)
	if err == nil && h.Redo != nil {
		err = s.finish(ctx, h)
	}
	if err != nil {
		return err
	}
	for {
		s.finishing.Lock() // this process's own parts are left alone
		l, err := s.store.List(ctx, s.prefix+"/redo/", ListOptions{Limit: 8})
		if err == nil && len(l.Documents) > 0 {
			b := Batch{If: []Condition{{Key: s.headKey(), Revision: h.Revision}}}
			for _, d := range l.Documents {
				b.Delete = append(b.Delete, d.Key)
			}
			if h, err = s.Head(ctx); err == nil && h.Redo == nil {
				b.If[0].Revision = h.Revision
				_, err = s.store.Commit(ctx, b)
			}
		}
		s.finishing.Unlock()
		switch {
		case tandem.KindOf(err) == tandem.Precondition || err == nil && h.Redo != nil:
			return nil // the space is at work: what is left is for the next sweep
		case err != nil:
			return err
		case len(l.Documents) == 0:
			return nil
		}
	}
}
