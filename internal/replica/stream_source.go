package replica

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"tandem"
	"tandem/internal/store"
)

// SourceConfig describes a Source.
type SourceConfig struct {
	Space     *store.Space
	Clock     tandem.Clock
	Heartbeat time.Duration // how often a follower is told that it has everything; zero: half a second
	Boot      uint64        // of the process: see Entry.Boot; zero: the readings are for measures only
}

// Source yields the history of a service's space. Any number may follow it.
type Source struct {
	SourceConfig
}

const defaultHeartbeat = 500 * time.Millisecond

// NewSource makes a source.
func NewSource(c SourceConfig) *Source {
	if c.Heartbeat <= 0 {
		c.Heartbeat = defaultHeartbeat
	}
	return &Source{c}
}

// slowYield is how long a follower may keep an entry before the store's watch is begun anew: engines queue the events of a
// slow watcher without bound.
const slowYield = 2 * time.Second

// Follow calls yield for every entry after the position, in order, until ctx ends or yield returns an error; it returns that
// error. It begins with an EntryFull where the position is none of this source's history that the store still knows: the
// zero position, another epoch, a compacted or future revision. A swap of the generation is one EntryFull. mark, which may
// be nil, is called when a beat begins; its result is the beat's Mark.
func (s *Source) Follow(ctx context.Context, after Position, mark func() time.Duration, yield func(Entry) error) error {
	ctx, cancel := context.WithCancel(ctx)
	f := &following{Source: s, at: after, mark: mark, yield: yield}
	var beats sync.WaitGroup
	beats.Go(func() { f.beat(ctx) })
	defer beats.Wait()
	defer cancel()
	known, err := s.knows(ctx, after)
	for err == nil {
		if !known {
			if err = f.start(ctx); err != nil {
				break
			}
		}
		known = true
		err = s.Space.Watch(ctx, f.at.Revision, func(e store.SpaceEvent) error { return f.event(ctx, e) })
		switch {
		case errors.Is(err, errRewatch):
			err = nil
		case f.failed == nil && tandem.KindOf(err) == tandem.Compacted:
			known, err = false, nil
		}
	}
	return err
}

var errRewatch = errors.New("the watch begins anew")

// knows tells whether the store still has the history after the position.
func (s *Source) knows(ctx context.Context, p Position) (bool, error) {
	if p.Revision == 0 {
		return false, nil
	}
	now, err := s.Space.Snapshot(ctx)
	if err != nil || p.Revision > now.Revision || p.Epoch != now.Head.Epoch {
		return false, err
	}
	then, err := s.Space.List(ctx, replicationPrefix, store.ListOptions{At: p.Revision, Limit: 1})
	switch tandem.KindOf(err) {
	case "":
		return then.Head.Active == p.Generation, nil
	case tandem.Compacted, tandem.NotFound:
		return false, nil
	}
	return false, err
}

// following is one call of Follow.
type following struct {
	*Source
	at     Position
	mark   func() time.Duration
	yield  func(Entry) error
	failed error // what yield returned

	mu     sync.Mutex
	beaten beatMark // on its way through the watch; revision zero: none is
	newest tandem.Revision
}

type beatMark struct {
	revision tandem.Revision
	time     time.Time
	age      time.Duration
	mark     time.Duration
}

// give yields an entry that ends at the position.
func (f *following) give(e Entry, to Position) error {
	began := f.Clock.Now()
	if e.Time.IsZero() {
		e.Time, e.Age = began, tandem.Boottime(f.Clock)
	}
	e.Position, e.Boot = to, f.Boot
	f.mu.Lock()
	f.newest = max(f.newest, to.Revision)
	e.Newest = f.newest
	f.mu.Unlock()
	if f.failed = f.yield(e); f.failed != nil {
		return f.failed
	}
	f.mu.Lock()
	f.at = to
	f.mu.Unlock()
	if f.Clock.Now().Sub(began) > slowYield {
		return errRewatch
	}
	return nil
}

// start gives everything as of now.
func (f *following) start(ctx context.Context) error {
	now, err := f.Space.Snapshot(ctx)
	if err != nil {
		return err
	}
	err = f.give(Entry{Kind: EntryFull, Documents: public(now.Documents(ctx))}, Position{now.Head.Epoch, now.Head.Active, now.Revision})
	if errors.Is(err, errRewatch) {
		return nil
	}
	return err
}

func (f *following) event(ctx context.Context, e store.SpaceEvent) error {
	to := Position{e.Head.Epoch, e.Head.Active, e.Revision}
	if e.Swapped || changesSize(e.Changes) > maxFrame/2 { // a commit that no frame holds is told as its outcome
		return f.give(Entry{Kind: EntryFull, After: f.at.Revision, Documents: public(f.Space.Documents(ctx, e.Head.Active, e.Revision))}, to)
	}
	changes := slices.DeleteFunc(e.Changes, func(c store.Change) bool { return Internal(c.Key) })
	if len(changes) > 0 {
		return f.give(Entry{Kind: EntryCommit, After: f.at.Revision, Changes: changes}, to)
	}
	f.mu.Lock()
	b := f.beaten
	if b.revision != 0 && b.revision <= e.Revision {
		f.beaten = beatMark{}
	}
	f.mu.Unlock()
	if b.revision != e.Revision {
		return nil
	}
	return f.give(Entry{Kind: EntryBeat, After: f.at.Revision, Time: b.time, Age: b.age, Mark: b.mark}, to)
}

// beat commits beats to the space, one at a time through the watch, until ctx ends.
func (f *following) beat(ctx context.Context) {
	for ctx.Err() == nil {
		f.beatOnce(ctx)
		if f.Clock.Sleep(ctx, f.Heartbeat) != nil {
			return
		}
	}
}

// beatOnce commits a beat, unless one is on its way. Where the store does not take it, the follower's bound on its lag
// grows until the next one, as it should.
func (f *following) beatOnce(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.beaten.revision > f.at.Revision {
		if now, err := f.Space.Snapshot(ctx); err == nil {
			f.newest = max(f.newest, now.Revision)
		}
		return
	}
	b := beatMark{time: f.Clock.Now(), age: tandem.Boottime(f.Clock)}
	if f.mark != nil {
		b.mark = f.mark()
	}
	var err error
	if b.revision, err = f.Space.Beat(ctx); err == nil {
		f.beaten = b
		f.newest = max(f.newest, b.revision)
	}
}

// public leaves out what is no configuration.
func public(documents iter.Seq2[store.Document, error]) iter.Seq2[store.Document, error] {
	return func(yield func(store.Document, error) bool) {
		for d, err := range documents {
			if err == nil && Internal(d.Key) {
				continue
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// changesSize is how many bytes of keys and values the changes have.
func changesSize(changes []store.Change) (n int) {
	for _, c := range changes {
		n += len(c.Key) + len(c.Value)
	}
	return n
}
