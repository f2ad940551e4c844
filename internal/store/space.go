package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
)

// Space is the documents of one service: generations of them below a prefix of a store, one of which is active.
//
//	<prefix>/head                          the Head, as JSON
//	<prefix>/g/<generation, 16 digits>/<key>  the documents
//	<prefix>/redo/<batch>/<part>  large batches on their way (space_large.go)
//
// Every ordinary commit is conditional on the head. So a swap of the active generation is one small commit that no write
// can slip past, and a lock stops writers at the moment it is taken (law 3). Keys in and out are relative to the generation.
//
// Many Spaces, in many processes, may be open on one prefix. All methods may be called from many goroutines.
type Space struct {
	store  Store
	prefix string
	latest atomic.Pointer[Head] // the newest head seen; it may be old, and every use is checked against the store

	lastRedo  atomic.Pointer[knownRedo]
	finishing sync.Mutex // held while this process writes or copies a redo log
}

// Head says what a space serves and who works on it.
type Head struct {
	Active   tandem.Generation   `json:"active"`
	Newest   tandem.Generation   `json:"newest"`             // the highest number ever given; numbers are not used twice
	Kept     []tandem.Generation `json:"kept,omitempty"`     // whole older generations, the last active one at the end
	Staged   *Staged             `json:"staged,omitempty"`   // the one being made
	Dropping []tandem.Generation `json:"dropping,omitempty"` // being deleted
	Epoch    tandem.Epoch        `json:"epoch,omitempty"`    // the newest the space has seen (law 4)
	Lock     *Lock               `json:"lock,omitempty"`     // nil: not locked
	Redo     *Redo               `json:"redo,omitempty"`     // a large batch that is being copied; readers see it whole

	Revision tandem.Revision `json:"-"` // of the commit that wrote this head
}

// Lock is the right of one operation to change the generations; it keeps all writers out.
type Lock struct {
	Owner  string    `json:"owner"`  // the operation's id, never used by another operation
	Reason string    `json:"reason"` // for people: "restore of backup nightly-7"
	Since  time.Time `json:"since"`  // for people; nothing is decided by it (law 11)
}

// Staged is a generation that is written beside the active one.
type Staged struct {
	Generation tandem.Generation `json:"generation"`
	Verified   bool              `json:"verified"`            // all documents were written and read back the same
	Documents  int               `json:"documents,omitempty"` // how many, once verified
	Digest     string            `json:"digest,omitempty"`    // see Digest, once verified
}

// SpaceMaxOps is the number of operations that a batch to a space may have to be one commit of the store: the space adds one
// condition. Larger batches take longer, see Commit.
const SpaceMaxOps = MaxOps - 1

// OpenSpace opens the space below the prefix, a key of its own without a slash at the end. A space that is not there is
// made, with the empty generation 1.
func OpenSpace(ctx context.Context, s Store, prefix string) (*Space, error) {
	if err := CheckKey(prefix); err != nil {
		return nil, err
	}
	p := &Space{store: s, prefix: strings.TrimRight(prefix, "/")}
	for {
		_, err := p.Head(ctx)
		if tandem.KindOf(err) != tandem.NotFound {
			return p, err
		}
		first, err := json.Marshal(Head{Active: 1, Newest: 1})
		if err != nil {
			return nil, err
		}
		_, err = s.Commit(ctx, Batch{If: []Condition{{Key: p.headKey()}}, Put: []Write{{Key: p.headKey(), Value: first}}})
		if err != nil && tandem.KindOf(err) != tandem.Precondition { // another opened it first: read theirs
			return nil, err
		}
	}
}

func (s *Space) headKey() string { return s.prefix + "/head" }

func (s *Space) documents(g tandem.Generation) string { return fmt.Sprintf("%s/g/%016d/", s.prefix, g) }

// split takes a key of the store apart; g is zero for the head and for what is not the space's.
func (s *Space) split(full string) (g tandem.Generation, key string) {
	rest, ours := strings.CutPrefix(full, s.prefix+"/g/")
	digits, key, found := strings.Cut(rest, "/")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ours || !found || err != nil {
		return 0, ""
	}
	return tandem.Generation(n), key
}

// Head reads the head. Lock.Owner in it names the operation that holds the space; NotFound means that the space was removed.
func (s *Space) Head(ctx context.Context) (Head, error) {
	d, err := s.store.Get(ctx, s.headKey(), 0)
	if err != nil {
		return Head{}, err
	}
	h, err := s.decode(d)
	if err != nil {
		return Head{}, err
	}
	s.remember(h)
	return h, nil
}

func (s *Space) remember(h Head) {
	for {
		old := s.latest.Load()
		if old != nil && old.Revision >= h.Revision || s.latest.CompareAndSwap(old, &h) {
			return
		}
	}
}

func (s *Space) headAt(ctx context.Context, at tandem.Revision) (Head, error) {
	d, err := s.store.Get(ctx, s.headKey(), at)
	if err != nil {
		return Head{}, err
	}
	return s.decode(d)
}

func (h Head) encode() ([]byte, error) { return json.Marshal(h) }

func (s *Space) decode(d Document) (Head, error) {
	h := Head{Revision: d.Revision}
	if err := json.Unmarshal(d.Value, &h); err != nil || h.Active < 1 {
		return Head{}, &tandem.Error{Op: "read head of space", Subject: d.Key, Kind: tandem.Corrupt, Err: err,
			Remedy: "restore the service from a backup"}
	}
	return h, nil
}

// cached is the newest head seen, without asking the store if one was.
func (s *Space) cached(ctx context.Context) (Head, error) {
	if h := s.latest.Load(); h != nil {
		return *h, nil
	}
	return s.Head(ctx)
}

// changeHead applies change to a copy of the head and commits it, again and again while others change the head too.
// change returns false for "it is so already".
func (s *Space) changeHead(ctx context.Context, change func(h *Head) (bool, error)) (Head, error) {
	for {
		h, err := s.Head(ctx)
		if err != nil {
			return Head{}, err
		}
		if h.Redo != nil {
			if err := s.finish(ctx, h); err != nil {
				return Head{}, err
			}
			continue
		}
		h.Kept, h.Dropping = slices.Clone(h.Kept), slices.Clone(h.Dropping) // the cache's stay as they are
		if changed, err := change(&h); err != nil || !changed {
			return h, err
		}
		value, err := h.encode()
		if err != nil {
			return Head{}, err
		}
		r, err := s.store.Commit(ctx, Batch{
			If:  []Condition{{Key: s.headKey(), Revision: h.Revision}},
			Put: []Write{{Key: s.headKey(), Value: value}},
		})
		switch tandem.KindOf(err) {
		case "":
			h.Revision = r
			s.remember(h)
			return h, nil
		case tandem.Precondition: // read it anew
		default:
			return Head{}, err
		}
	}
}

// SetEpoch records the newest epoch of the service's recovery group. An older one than recorded is refused with
// Precondition: its holder was fenced off.
func (s *Space) SetEpoch(ctx context.Context, e tandem.Epoch) error {
	_, err := s.changeHead(ctx, func(h *Head) (bool, error) {
		if e < h.Epoch {
			return false, &tandem.Error{Op: "set epoch", Subject: s.prefix, Kind: tandem.Precondition,
				Err:    fmt.Errorf("epoch %d is older than %d", e, h.Epoch),
				Remedy: "learn the recovery group's current epoch; this holder was replaced"}
		}
		changed := e != h.Epoch
		h.Epoch = e
		return changed, nil
	})
	return err
}
