package replica

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"

	"tandem"
	"tandem/internal/store"
)

// full makes the standby equal to all documents of the source. What differs little is one commit; what does not fit in one
// is written as a generation beside the active one and swapped in (law 3).
func (a *Applier) full(ctx context.Context, k *applied, e Entry) error {
	now, err := a.Space.Snapshot(ctx)
	if err != nil {
		return err
	}
	c := a.compare(ctx, now, e)
	defer c.stop()
	small, err := c.small()
	if err != nil {
		return err
	}
	if !small {
		return a.stage(ctx, k, e, c.generation, func() []string { return c.batch.Delete })
	}
	if len(c.batch.Delete) > 0 {
		if err := a.checkDeletes(ctx, e, c.batch.Delete); err != nil {
			return err
		}
	}
	for {
		err := a.write(ctx, k, e, c.batch)
		if !errors.Is(err, tandem.Locked) {
			return err
		}
		if err := a.wait(ctx); err != nil {
			return err
		}
	}
}

// comparison walks through what the source sends and what the standby has, both in the order of keys.
type comparison struct {
	a        *Applier
	ctx      context.Context
	snapshot store.SpaceSnapshot
	theirs   func() (store.Document, error, bool)
	ours     func() (store.Document, error, bool)
	stop     func()
	batch    store.Batch // what differs so far; once it is full, its deletions alone grow
	size     int
	next     *store.Write // of theirs, read and not yet compared
	own      *store.Document
	last     string // the last key of ours that was compared
}

func (a *Applier) compare(ctx context.Context, snapshot store.SpaceSnapshot, e Entry) *comparison {
	c := &comparison{a: a, ctx: ctx, snapshot: snapshot}
	var stopTheirs, stopOurs func()
	c.theirs, stopTheirs = iter.Pull2(e.Documents)
	c.ours, stopOurs = iter.Pull2(snapshot.Documents(ctx))
	c.stop = func() { stopTheirs(); stopOurs() }
	return c
}

// advance reads the next of both sides where it was used up.
func (c *comparison) advance() error {
	for c.next == nil {
		d, err, more := c.theirs()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if c.a.stays(d.Key) {
			continue
		}
		w, err := c.a.mapped(d)
		if err != nil {
			return err
		}
		c.next = &w
	}
	for c.own == nil {
		d, err, more := c.ours()
		if err != nil || !more {
			return err
		}
		if !c.a.stays(d.Key) {
			c.own = &d
		}
	}
	return nil
}

// small collects what differs while it fits in one commit, and tells whether all of it did.
func (c *comparison) small() (bool, error) {
	for {
		if err := c.advance(); err != nil {
			return false, err
		}
		switch {
		case c.next == nil && c.own == nil:
			return true, nil
		case c.next == nil || c.own != nil && c.own.Key < c.next.Key:
			c.batch.Delete = append(c.batch.Delete, c.own.Key)
			c.size += len(c.own.Key)
			c.last, c.own = c.own.Key, nil
		default:
			same := c.own != nil && c.own.Key == c.next.Key
			if !same || !bytes.Equal(c.own.Value, c.next.Value) {
				if c.size+len(c.next.Key)+len(c.next.Value) > maxBatch || len(c.batch.Put)+len(c.batch.Delete)+3 > store.SpaceMaxOps {
					return false, nil // it is not in the batch: the generation begins with it
				}
				c.batch.Put = append(c.batch.Put, *c.next)
				c.size += len(c.next.Key) + len(c.next.Value)
			}
			if c.next = nil; same {
				c.last, c.own = c.own.Key, nil
			}
		}
		if c.size > maxBatch || len(c.batch.Put)+len(c.batch.Delete)+2 > store.SpaceMaxOps {
			return false, nil
		}
	}
}

// generation gives all documents of the new generation, after small gave up: what was compared comes from the standby
// itself with what differs, the rest from the source.
func (c *comparison) generation(yield func(store.Write, error) bool) {
	changed := make(map[string]bool, len(c.batch.Delete)+len(c.batch.Put))
	for _, key := range c.batch.Delete {
		changed[key] = true
	}
	for _, w := range c.batch.Put {
		changed[w.Key] = true
		if !yield(w, nil) {
			return
		}
	}
	for d, err := range c.snapshot.Documents(c.ctx) {
		if err != nil {
			yield(store.Write{}, err)
			return
		}
		compared := !c.a.stays(d.Key) && d.Key <= c.last && !changed[d.Key]
		if (compared || c.a.stays(d.Key) && !Internal(d.Key)) && !yield(store.Write{Key: d.Key, Value: d.Value}, nil) {
			return
		}
	}
	for {
		if err := c.advance(); err != nil {
			yield(store.Write{}, err)
			return
		}
		if c.next == nil && c.own == nil {
			return
		}
		if c.next == nil || c.own != nil && c.own.Key < c.next.Key {
			c.batch.Delete = append(c.batch.Delete, c.own.Key)
			c.own = nil
			continue
		}
		if !yield(*c.next, nil) {
			return
		}
		if c.own != nil && c.own.Key == c.next.Key {
			c.own = nil
		}
		c.next = nil
	}
}

// stage writes documents and the state as a generation beside the active one and swaps it in. deletes tells, once the
// documents were read, what the standby loses.
func (a *Applier) stage(ctx context.Context, k *applied, e Entry, documents iter.Seq2[store.Write, error], deletes func() []string) error {
	next := State{Position: e.Position, Time: e.Time, Fence: k.state.Fence}
	owner := stageOwner + rand.Text()
	for {
		err := a.Space.Lock(ctx, owner, fmt.Sprintf("replication of revision %d", e.Revision))
		if err == nil {
			break
		}
		if !errors.Is(err, tandem.Locked) {
			return err
		}
		if err := a.wait(ctx); err != nil {
			return err
		}
	}
	err := a.staged(ctx, owner, k, next, documents, func() error { return a.checkDeletes(ctx, e, deletes()) })
	unlocked := a.Space.Unlock(context.WithoutCancel(ctx), owner)
	if err == nil && tandem.KindOf(unlocked) == tandem.Locked {
		unlocked = nil // another applier took it for dead after the swap
	}
	if err := errors.Join(err, unlocked); err != nil {
		return err
	}
	a.guard.applied(nil, deletes(), e.Time)
	a.known = nil // the state has another revision
	a.passed(e)
	return nil
}

// staged runs under the lock: nobody else commits to the space.
func (a *Applier) staged(ctx context.Context, owner string, k *applied, next State, documents iter.Seq2[store.Write, error], check func() error) error {
	_, revision, err := ReadState(ctx, a.Space)
	if err != nil {
		return err
	}
	if revision != k.revision {
		return &tandem.Error{Op: "stage", Subject: StateKey, Kind: tandem.Precondition, Err: errors.New("another applier came first"), Remedy: "ask the source again from the standby's position"}
	}
	before, err := a.Space.Head(ctx)
	if err != nil {
		return err
	}
	w, err := next.write()
	if err != nil {
		return err
	}
	stage, err := a.Space.Stage(ctx, owner, func(yield func(store.Write, error) bool) {
		for d, err := range documents {
			if !yield(d, err) || err != nil {
				return
			}
		}
		yield(w, nil)
	})
	if err != nil {
		return err
	}
	if err := check(); err != nil {
		return errors.Join(err, stage.Discard(ctx))
	}
	if _, err := stage.Swap(ctx); err != nil {
		return errors.Join(err, stage.Discard(ctx))
	}
	return dropOld(ctx, a.Space, before.Active)
}

// stageCommit applies a commit that has no room for the state beside it, or whose keys are longer in this space.
func (a *Applier) stageCommit(ctx context.Context, k *applied, e Entry, b store.Batch) error {
	changed := make(map[string]bool, len(b.Put)+len(b.Delete))
	for _, key := range b.Delete {
		changed[key] = true
	}
	for _, w := range b.Put {
		changed[w.Key] = true
	}
	now, err := a.Space.Snapshot(ctx)
	if err != nil {
		return err
	}
	return a.stage(ctx, k, e, func(yield func(store.Write, error) bool) {
		for _, w := range b.Put {
			if !yield(w, nil) {
				return
			}
		}
		for d, err := range now.Documents(ctx) {
			if err == nil && (changed[d.Key] || Internal(d.Key)) {
				continue
			}
			if !yield(store.Write{Key: d.Key, Value: d.Value}, err) || err != nil {
				return
			}
		}
	}, func() []string { return b.Delete })
}
