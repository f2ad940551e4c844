package store

import (
	"context"
	"errors"
	"fmt"
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
		return s.get(ctx, h.Active, key, at)
	}
	h, err := s.cached(ctx)
	for err == nil {
		d, miss := s.get(ctx, h.Active, key, 0)
		if miss != nil && tandem.KindOf(miss) != tandem.NotFound {
			return Document{}, miss
		}
		var now Head
		if now, err = s.Head(ctx); err == nil && now.Active == h.Active {
			return d, miss
		}
		h = now // a swap came between: read from the new generation
	}
	return Document{}, err
}

func (s *Space) get(ctx context.Context, g tandem.Generation, key string, at tandem.Revision) (Document, error) {
	d, err := s.store.Get(ctx, s.documents(g)+key, at)
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
		if l, err = s.list(ctx, h.Active, prefix, o); err != nil {
			break
		}
		if o.At != 0 {
			return SpaceListing{l, h}, nil
		}
		var then Head
		if then, err = s.headAt(ctx, l.Revision); err == nil && then.Active == h.Active {
			return SpaceListing{l, then}, nil
		}
		h = then
	}
	return SpaceListing{}, err
}

func (s *Space) list(ctx context.Context, g tandem.Generation, prefix string, o ListOptions) (Listing, error) {
	base := s.documents(g)
	if o.After != "" {
		o.After = base + o.After
	}
	l, err := s.store.List(ctx, base+prefix, o)
	if err != nil {
		return Listing{}, s.relative(err)
	}
	for i := range l.Documents {
		l.Documents[i].Key = l.Documents[i].Key[len(base):]
	}
	return l, nil
}

// Commit applies the batch to the active generation, as one revision. Its conditions hold for the active generation: after
// a swap, documents have other revisions, and conditions on the old ones fail with Precondition. While the space is locked
// it fails with Locked. Where it returns Unavailable, the batch may have been applied or not. A batch has at most SpaceMaxOps operations; the space's prefix counts for MaxBytes.
func (s *Space) Commit(ctx context.Context, b Batch) (tandem.Revision, error) {
	if err := b.Check(); err != nil {
		return 0, err
	}
	if n := b.ops(); n > SpaceMaxOps {
		return 0, &tandem.Error{Op: "commit", Subject: fmt.Sprintf("a batch of %d operations", n), Kind: tandem.TooLarge,
			Remedy: fmt.Sprintf("split it into batches of at most %d puts, deletes and conditions", SpaceMaxOps)}
	}
	h, err := s.cached(ctx)
	for err == nil {
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
		o := ListOptions{At: at, Limit: firstPage}
		for {
			l, err := s.list(ctx, g, "", o)
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
			o.At, o.After = l.Revision, l.Documents[len(l.Documents)-1].Key
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
