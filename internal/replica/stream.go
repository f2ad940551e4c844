package replica

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"time"

	"tandem"
	"tandem/internal/store"
)

// Continuous replication: a Source yields the history of the primary's space as entries in order, a Server sends them to a
// Follower in the other region, whose Applier writes each into the standby's space, and a JournalWriter puts them into the
// vault. What the standby holds is at every moment what the primary held at one revision.

// Position is how far in a primary's history somebody has come. Revisions of two sources do not compare; the epoch tells
// sources apart, since one service at most holds it (law 4). Whoever makes a source's store anew gives it a new epoch.
type Position struct {
	Epoch      tandem.Epoch
	Generation tandem.Generation // of the source
	Revision   tandem.Revision   // of the source: everything up to it is known; zero: nothing is
}

// EntryKind sorts entries.
type EntryKind uint8

// The kinds of entry.
const (
	EntryCommit EntryKind = 1 // one commit of the source
	EntryFull   EntryKind = 2 // all documents: a generation swap, a start, or what replaces forgotten history
	EntryBeat   EntryKind = 3 // nothing changed up to the revision
)

// Entry is one step of a source's history. Documents below replicationPrefix are in no entry.
type Entry struct {
	Kind     EntryKind
	Position // after the entry
	// After is the revision that the entry continues. A full entry with zero continues nothing: what was between is lost.
	After  tandem.Revision
	Newest tandem.Revision // the newest revision of the source's store when the entry was made
	// Time is the source's wall clock, for people and for restores to a time; no machine compares it with its own (law 11).
	Time time.Time
	// Age is a reading of the source's monotonic clock, which runs through suspension (tandem.Boottime), the one that its
	// lease is timed by. All that was committed before a beat's Age is in the entries up to it; of a commit's it says no more
	// than that the commit was made before it.
	Age time.Duration
	// Boot counts the starts of the source's process; readings of two boots do not compare. It is no part of the entry's
	// frames: a connection has one source, which tells it at the begin.
	Boot uint64
	// Mark is what the follower last said of its own clock before Age was read.
	Mark      time.Duration
	Changes   []store.Change                   // of EntryCommit
	Documents iter.Seq2[store.Document, error] // of EntryFull, in the order of keys; it may be read once, while yield runs
}

// replicationPrefix begins the keys of what replication itself keeps in a space: no part of the configuration.
const replicationPrefix = "replication/"

// StateKey is the document of a standby's space that says how far it has come.
const StateKey = replicationPrefix + "state"

// Internal tells whether a document of a space belongs to replication and not to the service's configuration. Captures,
// comparisons and gateways pass over it.
func Internal(key string) bool { return strings.HasPrefix(key, replicationPrefix) }

// State is what StateKey holds. It is written in the transaction of the changes it speaks of.
type State struct {
	Position
	Time  time.Time // the source's wall clock at the last applied entry
	Fence *Fence    // nil: none
}

// Fence ends a stream: entries of its epoch, or an older one, beyond the revision are refused.
type Fence struct {
	Epoch    tandem.Epoch    `json:"epoch"`
	Revision tandem.Revision `json:"revision"`
}

// fenced tells whether the fence keeps an entry out.
func (s State) fenced(e tandem.Epoch, r tandem.Revision) bool {
	return s.Fence != nil && e <= s.Fence.Epoch && r > s.Fence.Revision
}

// stateDocument has the form of all documents of a service's space, so that whoever decodes one decodes this.
type stateDocument struct {
	IDs        []string        `json:"ids"`
	Properties stateProperties `json:"properties"`
}

type stateProperties struct {
	Epoch      tandem.Epoch      `json:"epoch"`
	Generation tandem.Generation `json:"generation"`
	Revision   tandem.Revision   `json:"revision"`
	Time       time.Time         `json:"time"`
	Fence      *Fence            `json:"fence,omitempty"`
}

func (s State) write() (store.Write, error) {
	value, err := json.Marshal(stateDocument{[]string{"state"}, stateProperties{s.Epoch, s.Generation, s.Revision, s.Time.UTC(), s.Fence}})
	return store.Write{Key: StateKey, Value: value}, err
}

func decodeState(d store.Document) (State, error) {
	var doc stateDocument
	if err := json.Unmarshal(d.Value, &doc); err != nil || doc.Properties.Revision < 0 {
		return State{}, &tandem.Error{Op: "read replication state", Subject: d.Key, Kind: tandem.Corrupt, Err: err,
			Remedy: "delete the document: the standby is then compared with the primary anew"}
	}
	p := doc.Properties
	return State{Position{p.Epoch, p.Generation, p.Revision}, p.Time, p.Fence}, nil
}

// ReadState reads how far a standby's space has come; the zero State where it never followed anyone. The revision is that
// of the document, zero where it is absent.
func ReadState(ctx context.Context, space *store.Space) (State, tandem.Revision, error) {
	d, err := space.Get(ctx, StateKey, 0)
	if errors.Is(err, tandem.NotFound) {
		return State{}, 0, nil
	}
	if err != nil {
		return State{}, 0, err
	}
	s, err := decodeState(d)
	return s, d.Revision, err
}

// WriteState notes how far a standby is that was brought there by a restore and not by a stream. The error is Precondition
// where the space has seen a newer epoch or a fence keeps the position out.
func WriteState(ctx context.Context, space *store.Space, p Position, at time.Time) error {
	for {
		state, revision, err := ReadState(ctx, space)
		if err != nil {
			return err
		}
		h, err := space.Head(ctx)
		if err != nil {
			return err
		}
		if p.Epoch < max(h.Epoch, state.Epoch) || state.fenced(p.Epoch, p.Revision) {
			return &tandem.Error{Op: "note restore", Subject: StateKey, Kind: tandem.Precondition, Err: errors.New("its epoch is over"), Remedy: "restore a backup of the primary as it is now"}
		}
		if p.Epoch > h.Epoch {
			if err := space.SetEpoch(ctx, p.Epoch); err != nil {
				return err
			}
		}
		w, err := State{Position: p, Time: at, Fence: state.Fence}.write()
		if err != nil {
			return err
		}
		_, err = space.Commit(ctx, store.Batch{If: []store.Condition{{Key: StateKey, Revision: revision}}, Put: []store.Write{w}})
		if !errors.Is(err, tandem.Precondition) {
			return err
		}
	}
}
