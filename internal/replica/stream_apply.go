package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/store"
)

// ApplierConfig describes an Applier.
type ApplierConfig struct {
	Space *store.Space // the standby's
	Clock tandem.Clock
	Guard Guard
	// Own tells which documents belong to the target's region: the stream neither writes nor deletes them. Nil: none.
	Own func(key string) bool
	// Map changes a document for the target's region; the same input gives the same output. Nil: as it is.
	Map func(store.Write) (store.Write, error)
	// Persist is how often the position is written while nothing changes; zero: 30 seconds. What is not written is sent
	// again after a restart.
	Persist time.Duration
}

// Applier writes entries into a standby's space, each with the position after it in one transaction, so that the space
// always equals the primary's at one revision. Several appliers, in several processes, may work on one space: what one has
// applied the others skip.
type Applier struct {
	ApplierConfig
	mu    sync.Mutex // held while an entry is applied
	known *applied   // nil: read it again
	guard guardState
	met   struct { // the lock of another applier that was waited for
		owner string
		since time.Time
	}

	holding sync.Mutex
	hold    *Hold
	freed   chan struct{} // closed by Release
	allowed *Hold
}

// applied is what the applier knows of the space.
type applied struct {
	state    State
	revision tandem.Revision // of the state's document; zero: absent
	at       Position        // with beats that were not written
	written  time.Time       // when the state was, or was read
}

const (
	defaultPersist = 30 * time.Second
	// stageOwner begins the names of those who lock a space to stage a generation of the stream, so that an applier which
	// comes after a crash knows the lock of the one before. Each time it goes on with an id of its own: an applier whose lock
	// another one broke finds the next one's there, and swaps nothing.
	stageOwner = "replication "
	lockPause  = 100 * time.Millisecond
	// lockPatience is how long a lock of another applier is taken for one at work. Breaking it too early costs work, never
	// a change.
	lockPatience = 2 * time.Second
)

// NewApplier makes an applier.
func NewApplier(c ApplierConfig) *Applier {
	if c.Persist <= 0 {
		c.Persist = defaultPersist
	}
	c.Guard = c.Guard.withDefaults()
	return &Applier{ApplierConfig: c, freed: make(chan struct{})}
}

// Position is how far the standby has come.
func (a *Applier) Position(ctx context.Context) (Position, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = nil // another applier may have gone on, or a person rolled the space back
	k, err := a.load(ctx)
	if err != nil {
		return Position{}, err
	}
	return k.at, nil
}

func (a *Applier) load(ctx context.Context) (*applied, error) {
	if a.known != nil {
		return a.known, nil
	}
	state, revision, err := ReadState(ctx, a.Space)
	if err != nil {
		return nil, err
	}
	a.known = &applied{state, revision, state.Position, a.Clock.Now()}
	a.guard.forget()
	return a.known, nil
}

// Apply applies one entry; one that is applied already is skipped. Errors: Precondition where the entry is of an older
// epoch, beyond the fence, or leaves a gap (then read the position and ask the source again); a *HeldError where the guard
// holds it; Corrupt, Unavailable. After any error the space is as it was, or has the entry.
func (a *Applier) Apply(ctx context.Context, e Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.apply(ctx, e)
	if err != nil {
		a.known = nil
	}
	return err
}

func (a *Applier) apply(ctx context.Context, e Entry) error {
	for {
		k, err := a.load(ctx)
		if err != nil {
			return err
		}
		if done, err := a.admit(ctx, k, e); done || err != nil {
			return err
		}
		switch e.Kind {
		case EntryBeat:
			err = a.beat(ctx, k, e)
		case EntryCommit:
			err = a.commit(ctx, k, e)
		case EntryFull:
			return a.full(ctx, k, e) // its documents are read once
		}
		switch tandem.KindOf(err) {
		case tandem.Precondition: // another applier came first, or a fence
			a.known = nil
			continue
		case tandem.Locked:
			if err := a.wait(ctx); err != nil {
				return err
			}
			continue
		}
		return err
	}
}

// admit tells whether the entry is the next one: done where it was applied before.
func (a *Applier) admit(ctx context.Context, k *applied, e Entry) (done bool, err error) {
	h, err := a.Space.Head(ctx)
	if err != nil {
		return false, err
	}
	if newest := max(h.Epoch, k.state.Epoch); e.Epoch < newest {
		return false, refused(e, fmt.Errorf("the epoch is %d", newest), "stop this stream: another service holds the newer epoch")
	}
	if k.state.fenced(e.Epoch, e.Revision) {
		return false, refused(e, fmt.Errorf("epoch %d is fenced after revision %d", k.state.Fence.Epoch, k.state.Fence.Revision), "stop this stream: the group has left the epoch")
	}
	if e.Epoch == k.at.Epoch && e.Revision <= k.at.Revision {
		return true, nil
	}
	if e.Kind != EntryFull && (k.at.Revision < e.After || k.at.Epoch != e.Epoch && k.at.Revision != e.After) {
		return false, refused(e, fmt.Errorf("it continues revision %d, and the standby is at %d", e.After, k.at.Revision), "ask the source again from the standby's position")
	}
	if e.Epoch > h.Epoch {
		return false, a.Space.SetEpoch(ctx, e.Epoch)
	}
	return false, nil
}

// refusal is why an entry is not applied.
type refusal struct {
	epoch    tandem.Epoch
	revision tandem.Revision
	why      string
}

func (r *refusal) Error() string { return r.why }

func refused(e Entry, why error, remedy string) error {
	return &tandem.Error{Op: "apply", Subject: fmt.Sprintf("epoch %d revision %d", e.Epoch, e.Revision), Kind: tandem.Precondition,
		Err: &refusal{e.Epoch, e.Revision, why.Error()}, Remedy: remedy}
}

// beat moves the position, and writes it now and then.
func (a *Applier) beat(ctx context.Context, k *applied, e Entry) error {
	if e.Epoch == k.state.Epoch && a.Clock.Now().Sub(k.written) < a.Persist {
		k.at = e.Position
		return nil
	}
	return a.write(ctx, k, e, store.Batch{})
}

// commit applies one commit of the source as one commit of the standby.
func (a *Applier) commit(ctx context.Context, k *applied, e Entry) error {
	b, err := a.batch(e.Changes)
	if err != nil {
		return err
	}
	if len(b.Delete) > 0 {
		if err := a.checkDeletes(ctx, e, b.Delete); err != nil {
			return err
		}
	}
	if size := batchSize(b); len(b.Put)+len(b.Delete)+2 > store.SpaceMaxOps || size > maxBatch {
		return a.stageCommit(ctx, k, e, b)
	}
	return a.write(ctx, k, e, b)
}

// maxBatch leaves room for the space's prefix at every key, and for the state.
const maxBatch = store.MaxBytes - 64<<10

func batchSize(b store.Batch) int {
	n := 0
	for _, w := range b.Put {
		n += len(w.Key) + len(w.Value)
	}
	for _, key := range b.Delete {
		n += len(key)
	}
	return n
}

// batch is what changes of the source change in the target.
func (a *Applier) batch(changes []store.Change) (store.Batch, error) {
	var b store.Batch
	for _, c := range changes {
		switch {
		case a.stays(c.Key):
		case c.Deleted:
			b.Delete = append(b.Delete, c.Key)
		default:
			w, err := a.mapped(c.Document)
			if err != nil {
				return b, err
			}
			b.Put = append(b.Put, w)
		}
	}
	return b, nil
}

// stays tells whether a key is none of the stream's business.
func (a *Applier) stays(key string) bool { return Internal(key) || a.Own != nil && a.Own(key) }

func (a *Applier) mapped(d store.Document) (store.Write, error) {
	w := store.Write{Key: d.Key, Value: d.Value}
	if a.Map == nil {
		return w, nil
	}
	return a.Map(w)
}

// write commits the batch with the state after the entry.
func (a *Applier) write(ctx context.Context, k *applied, e Entry, b store.Batch) error {
	next := State{Position: e.Position, Time: e.Time, Fence: k.state.Fence}
	w, err := next.write()
	if err != nil {
		return err
	}
	puts, deletes := b.Put, b.Delete
	b.If = []store.Condition{{Key: StateKey, Revision: k.revision}}
	b.Put = append(puts[:len(puts):len(puts)], w)
	r, err := a.Space.Commit(ctx, b)
	if err != nil {
		return err
	}
	a.guard.applied(puts, deletes, e.Time)
	a.known = &applied{next, r, e.Position, a.Clock.Now()}
	a.passed(e)
	return nil
}

// wait lets the operation that holds the space's lock end. A lock of an applier that stays is what a crash left: this
// applier holds none here.
func (a *Applier) wait(ctx context.Context) error {
	h, err := a.Space.Head(ctx)
	if err != nil {
		return err
	}
	switch now := a.Clock.Now(); {
	case h.Lock == nil || !strings.HasPrefix(h.Lock.Owner, stageOwner):
	case a.met.owner != h.Lock.Owner:
		a.met.owner, a.met.since = h.Lock.Owner, now
	case now.Sub(a.met.since) >= lockPatience:
		if err := a.Space.Unlock(ctx, h.Lock.Owner); err != nil && !errors.Is(err, tandem.Locked) {
			return err
		}
	}
	a.known = nil
	return a.Clock.Sleep(ctx, lockPause)
}

// SetFence makes the standby refuse, from its return on, entries of the epoch or older ones beyond the revision, whoever
// applies them; a revision before the standby's own refuses all further ones. Promotion fences the old epoch first and
// raises the space's epoch then. A fence of an older epoch than the one that stands changes nothing.
func SetFence(ctx context.Context, space *store.Space, f Fence) (State, error) {
	for {
		state, revision, err := ReadState(ctx, space)
		if err != nil {
			return State{}, err
		}
		if old := state.Fence; old != nil && (old.Epoch > f.Epoch || *old == f) {
			return state, nil
		}
		state.Fence = &f
		w, err := state.write()
		if err != nil {
			return State{}, err
		}
		_, err = space.Commit(ctx, store.Batch{If: []store.Condition{{Key: StateKey, Revision: revision}}, Put: []store.Write{w}})
		switch tandem.KindOf(err) {
		case "":
			return state, nil
		case tandem.Precondition: // an entry came between
		case tandem.Locked:
			h, err := space.Head(ctx)
			if err != nil {
				return State{}, err
			}
			if h.Lock == nil {
				continue
			}
			if !strings.HasPrefix(h.Lock.Owner, stageOwner) {
				return State{}, &tandem.Error{Op: "fence", Subject: StateKey, Kind: tandem.Locked, Err: fmt.Errorf("%s holds the space", h.Lock.Owner), Remedy: "end that operation, then fence again"}
			}
			if err := space.Unlock(ctx, h.Lock.Owner); err != nil && !errors.Is(err, tandem.Locked) {
				return State{}, err
			}
		default:
			return State{}, err
		}
	}
}
