package agent

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/replica"
	"tandem/internal/store"
)

// contents are the documents of a service at one revision of its own store; replication's own are not among them.
type contents struct {
	Epoch    tandem.Epoch
	Revision tandem.Revision
	Follows  replica.Position // what the service followed last
	// Parted is the revision of the service's own store at which it stopped following: what it held there is what the
	// two members had in common. Zero: it never followed.
	Parted    tandem.Revision
	Documents map[string]store.Document
}

// read reads a service's documents as they are now.
func read(ctx context.Context, space *store.Space) (*contents, error) {
	snap, err := space.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return readAt(ctx, space, snap.Revision)
}

// readAt reads them at a revision; Compacted where the store has forgotten it.
func readAt(ctx context.Context, space *store.Space, at tandem.Revision) (*contents, error) {
	l, err := space.List(ctx, replica.StateKey, store.ListOptions{At: at, Limit: 1})
	if err != nil {
		return nil, err
	}
	out := &contents{Epoch: l.Head.Epoch, Revision: at, Documents: map[string]store.Document{}}
	for d, err := range space.Documents(ctx, l.Head.Active, at) {
		if err != nil {
			return nil, err
		}
		if !replica.Internal(d.Key) {
			out.Documents[d.Key] = d
		}
	}
	state, parted, err := replica.ReadState(ctx, space)
	if err == nil && state.Revision > 0 {
		out.Follows, out.Parted = state.Position, parted
	}
	return out, err
}

func (c *contents) keys() []string { return slices.Sorted(maps.Keys(c.Documents)) }

// basePrefix is where a former primary keeps what the members had in common until they are one again.
func (m *member) basePrefix() string {
	return "recovery/base/" + strings.Trim(keyOf(m.id.String()), "/")
}

// common is the revision of this service's own store up to which the holder has the same history; zero: none is known.
func common(ours, theirs *contents) tandem.Revision {
	if ours.Follows.Revision > 0 && ours.Follows.Epoch == theirs.Epoch {
		return ours.Follows.Revision // the holder followed this one and was promoted
	}
	return theirs.Parted // this one was promoted itself and never followed the holder since
}

// errNoBase says that what the members had in common is not to be found any more.
var errNoBase = errors.New("the last common revision is forgotten")

// base finds what this member and the holder had last in common: as it was put aside, from this service's own history, or
// from the vault's journal. The error is errNoBase where all of them have forgotten it.
func (m *member) base(ctx context.Context, space *store.Space, ours, theirs *contents) (map[string]store.Document, error) {
	at := common(ours, theirs)
	if at == 0 {
		return nil, errNoBase
	}
	if kept, err := m.kept(ctx, at); err != nil || kept != nil {
		return kept, err
	}
	c, err := readAt(ctx, space, at)
	if err == nil {
		return c.Documents, nil
	}
	if kind := tandem.KindOf(err); kind != tandem.Compacted && kind != tandem.NotFound {
		return nil, err
	}
	j, err := m.openJournal(ctx, m.membership(), m.id)
	if tandem.KindOf(err) == tandem.NotFound {
		return nil, errNoBase
	}
	if err != nil {
		return nil, err
	}
	past, err := j.At(ctx, replica.Point{Epoch: theirs.Epoch, Revision: at}, nil)
	switch tandem.KindOf(err) {
	case "":
	case tandem.NotFound, tandem.Corrupt:
		return nil, errNoBase
	default:
		return nil, err
	}
	out := make(map[string]store.Document, len(past.Documents))
	for key, value := range past.Documents {
		out[key] = store.Document{Key: key, Value: value}
	}
	return out, nil
}

// baseMark is the document that says of which revision a base that was put aside is.
const baseMark = replica.StateKey

// kept reads the base that was put aside; nil where there is none of that revision.
func (m *member) kept(ctx context.Context, at tandem.Revision) (map[string]store.Document, error) {
	if there, err := exists(ctx, m.a.Store, m.basePrefix()); !there || err != nil {
		return nil, err
	}
	space, err := store.OpenSpace(ctx, m.a.Store, m.basePrefix())
	if err != nil {
		return nil, err
	}
	mark, err := space.Get(ctx, baseMark, 0)
	if tandem.KindOf(err) == tandem.NotFound || err == nil && string(mark.Value) != revisionText(at) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return documents(ctx, space)
}

// documents reads the documents of a space that is no service's.
func documents(ctx context.Context, space *store.Space) (map[string]store.Document, error) {
	snap, err := space.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]store.Document{}
	for d, err := range snap.Documents(ctx) {
		if err != nil {
			return nil, err
		}
		if !replica.Internal(d.Key) {
			out[d.Key] = d
		}
	}
	return out, nil
}

// putAside keeps the base until the members are one again, since the store forgets its history with time.
func (m *member) putAside(ctx context.Context, at tandem.Revision, base map[string]store.Document) error {
	return fill(ctx, m.a.Store, m.basePrefix(), "keep of what the members had in common", func(yield func(store.Write, error) bool) {
		for key, d := range base {
			if !yield(store.Write{Key: key, Value: d.Value}, nil) {
				return
			}
		}
		yield(store.Write{Key: baseMark, Value: []byte(revisionText(at))}, nil)
	})
}

// fill makes a space of its own hold exactly the documents, whatever it held.
func fill(ctx context.Context, s store.Store, prefix, why string, documents func(func(store.Write, error) bool)) error {
	space, err := store.OpenSpace(ctx, s, prefix)
	if err != nil {
		return err
	}
	if err := own(ctx, space, why); err != nil {
		return err
	}
	stage, err := space.Stage(ctx, why, documents)
	if err != nil {
		return errors.Join(err, space.Unlock(context.WithoutCancel(ctx), why))
	}
	if _, err = stage.Swap(ctx); err == nil {
		var h store.Head
		if h, err = space.Head(ctx); err == nil {
			for _, g := range h.Kept {
				err = errors.Join(err, space.Drop(ctx, g))
			}
		}
	}
	return errors.Join(err, space.Unlock(context.WithoutCancel(ctx), why))
}

// own takes the lock of a space that only this member uses: one that is held is what a crash left.
func own(ctx context.Context, space *store.Space, owner string) error {
	h, err := space.Head(ctx)
	if err != nil {
		return err
	}
	if h.Lock != nil {
		if err := space.Unlock(ctx, h.Lock.Owner); err != nil {
			return err
		}
	}
	return space.Lock(ctx, owner, owner)
}

// exists tells whether there is a space; opening it would make it.
func exists(ctx context.Context, s store.Store, prefix string) (bool, error) {
	l, err := s.List(ctx, prefix+"/", store.ListOptions{Limit: 1})
	return len(l.Documents) > 0, err
}

// discard removes a space of its own, if it is there.
func discard(ctx context.Context, s store.Store, prefix string) error {
	if there, err := exists(ctx, s, prefix); !there || err != nil {
		return err
	}
	space, err := store.OpenSpace(ctx, s, prefix)
	if err != nil {
		return err
	}
	const owner = "removal"
	if err := own(ctx, space, owner); err != nil {
		return err
	}
	return space.Remove(ctx, owner)
}

// differ counts the documents that are not the same in both.
func differ(a, b map[string]store.Document, same func(a, b store.Document) bool) int {
	n := 0
	for key, d := range a {
		if other, ok := b[key]; !ok || !same(d, other) {
			n++
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			n++
		}
	}
	return n
}
