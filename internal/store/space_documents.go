package store

import (
	"context"
	"errors"
	"iter"
	"slices"

	"tandem"
)

// Get reads one document of the generation that is active at the revision; zero is now.
func (s *Space) Get(ctx context.Context, key string, at tandem.Revision) (Document, error) {
	if err := CheckKey(key); err != nil {
		return Document{}, err
	}
	if at != 0 {
		h, err := s.headAt(ctx, at)
		if err != nil {
			return Document{}, err
		}
		return s.get(ctx, h, key, at)
	}
	h, err := s.cached(ctx)
	for err == nil {
		d, miss := s.get(ctx, h, key, 0)
		if miss != nil && tandem.KindOf(miss) != tandem.NotFound {
			return Document{}, miss
		}
		var now Head
		if now, err = s.Head(ctx); err == nil && now.Revision == h.Revision {
			return d, miss
		}
		h = now // a swap or a large batch came between: read again
	}
	return Document{}, err
}

func (s *Space) get(ctx context.Context, h Head, key string, at tandem.Revision) (Document, error) {
	if h.Redo != nil {
		log, err := s.redo(ctx, h, at)
		if err != nil {
			return Document{}, err
		}
		if w, found := log.find(key); found && w.deleted {
			return Document{}, &tandem.Error{Op: "get", Subject: key, Kind: tandem.NotFound}
		} else if found {
			return w.document(h.Revision), nil
		}
	}
	d, err := s.store.Get(ctx, s.documents(h.Active)+key, at)
	d.Key = key
	return d, s.relative(err)
}

// SpaceListing is a Listing of relative keys, with the head at the same revision.
type SpaceListing struct {
	Listing
	Head Head
}

// List reads the documents of the active generation whose keys have the prefix, and the head, at one revision.
func (s *Space) List(ctx context.Context, prefix string, o ListOptions) (SpaceListing, error) {
	var h Head
	var err error
	if o.At == 0 {
		h, err = s.cached(ctx)
	} else {
		h, err = s.headAt(ctx, o.At)
	}
	for err == nil {
		var l Listing
		if l, err = s.list(ctx, h, h.Active, prefix, o); err != nil && (h.Redo == nil || o.At != 0 || tandem.KindOf(err) != tandem.NotFound) {
			break
		}
		if err != nil { // the redo log was finished meanwhile
			h, err = s.Head(ctx)
			continue
		}
		if o.At != 0 {
			return SpaceListing{l, h}, nil
		}
		var then Head
		then, err = s.headAt(ctx, l.Revision)
		if err == nil && then.Active == h.Active && (then.Revision == h.Revision || then.Redo == nil && h.Redo == nil) {
			return SpaceListing{l, then}, nil
		}
		h = then
	}
	return SpaceListing{}, err
}

// list reads documents of a generation, with the redo log of the head where there is one and the generation is the active.
func (s *Space) list(ctx context.Context, h Head, g tandem.Generation, prefix string, o ListOptions) (Listing, error) {
	base, own := s.documents(g), o
	var log redoLog
	if h.Redo != nil && g == h.Active {
		var err error
		if log, err = s.redo(ctx, h, o.At); err != nil {
			return Listing{}, err
		}
		own.Limit = 0
	}
	if own.After != "" {
		own.After = base + own.After
	}
	l, err := s.store.List(ctx, base+prefix, own)
	if err != nil {
		return Listing{}, s.relative(err)
	}
	for i := range l.Documents {
		l.Documents[i].Key = l.Documents[i].Key[len(base):]
	}
	if log != nil {
		l.Documents, l.Total = log.over(l.Documents, prefix, o, h.Revision)
		l.More = l.Total > len(l.Documents)
	}
	return l, nil
}

// Commit applies the batch to the active generation, as one revision. Its conditions hold for the active generation: after
// a swap, documents have other revisions, and conditions on the old ones fail with Precondition. While the space is locked
// it fails with Locked. Where it returns Unavailable, the batch may have been applied or not.
//
// A batch larger than one commit of the store (SpaceMaxOps, MaxBytes) is atomic too, up to MaxLargeBytes: readers, snapshots
// and watchers see all of it from the revision that is returned on. It takes other writers' turn until it is copied. Its
// first Put has the revision that is returned; the others' own revisions, which conditions are about, grow until then.
func (s *Space) Commit(ctx context.Context, b Batch) (tandem.Revision, error) {
	if err := b.checkForm(); err != nil {
		return 0, err
	}
	if !s.fits(b) {
		return s.commitLarge(ctx, b)
	}
	h, err := s.cached(ctx)
	for err == nil {
		if h.Redo != nil {
			if err = s.finish(ctx, h); err == nil {
				h, err = s.Head(ctx)
			}
			continue
		}
		if h.Lock != nil {
			if h, err = s.Head(ctx); err != nil {
				break
			}
			if h.Lock != nil { // still
				return 0, s.locked("commit", h)
			}
		}
		var r tandem.Revision
		if r, err = s.store.Commit(ctx, s.guarded(b, h)); err == nil {
			return r, nil
		}
		var failed *tandem.Error
		if !errors.As(err, &failed) || failed.Kind != tandem.Precondition || failed.Subject != s.headKey() {
			break
		}
		h, err = s.Head(ctx)
	}
	return 0, s.relative(err)
}

// guarded is the batch with full keys, conditional on the head.
func (s *Space) guarded(b Batch, h Head) Batch {
	base := s.documents(h.Active)
	out := Batch{
		If:     make([]Condition, 0, len(b.If)+1),
		Put:    slices.Clone(b.Put),
		Delete: slices.Clone(b.Delete),
	}
	// The head comes first, so that it is named when it is among what failed.
	out.If = append(out.If, Condition{Key: s.headKey(), Revision: h.Revision})
	for _, c := range b.If {
		out.If = append(out.If, Condition{Key: base + c.Key, Revision: c.Revision})
	}
	for i := range out.Put {
		out.Put[i].Key = base + out.Put[i].Key
	}
	for i := range out.Delete {
		out.Delete[i] = base + out.Delete[i]
	}
	return out
}

// relative makes the subject of a store's error the key that the caller knows.
func (s *Space) relative(err error) error {
	var e *tandem.Error
	if !errors.As(err, &e) {
		return err
	}
	g, key := s.split(e.Subject)
	if g == 0 {
		return err
	}
	mine := *e
	mine.Subject = key
	return &mine
}

// Pages of a whole generation begin with firstPage documents and double while they hold less than pageBytes. Few large
// pages matter: etcd walks its index from the page's first key to the last key of all, to say whether more follow.
const (
	firstPage = 512
	pageBytes = 2 << 20
)

// Documents gives all documents of a generation at a revision, in the order of their keys, read in pages; zero is now, and
// the same revision for all pages. It ends after the first error; Compacted means that the revision was forgotten meanwhile.
func (s *Space) Documents(ctx context.Context, g tandem.Generation, at tandem.Revision) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		var err error
		if at == 0 {
			at, err = s.store.Revision(ctx)
		}
		var h Head
		if err == nil {
			h, err = s.headAt(ctx, at)
		}
		if err != nil {
			yield(Document{}, err)
			return
		}
		o := ListOptions{At: at, Limit: firstPage}
		for {
			l, err := s.list(ctx, h, g, "", o)
			if err != nil {
				yield(Document{}, err)
				return
			}
			size := 0
			for _, d := range l.Documents {
				if !yield(d, nil) {
					return
				}
				size += len(d.Value)
			}
			if !l.More {
				return
			}
			o.After = l.Documents[len(l.Documents)-1].Key
			if size < pageBytes {
				o.Limit *= 2
			}
		}
	}
}

// SpaceSnapshot is a space at one revision.
type SpaceSnapshot struct {
	Head     Head
	Revision tandem.Revision
	space    *Space
}

// Snapshot fixes the newest revision for reading, as a backup needs it. It copies nothing: it is readable until the store
// forgets the revision (Compact).
func (s *Space) Snapshot(ctx context.Context) (SpaceSnapshot, error) {
	r, err := s.store.Revision(ctx)
	if err != nil {
		return SpaceSnapshot{}, err
	}
	h, err := s.headAt(ctx, r)
	return SpaceSnapshot{Head: h, Revision: r, space: s}, err
}

// Documents gives the documents of the generation that was active, as Space.Documents does.
func (n SpaceSnapshot) Documents(ctx context.Context) iter.Seq2[Document, error] {
	return n.space.Documents(ctx, n.Head.Active, n.Revision)
}
