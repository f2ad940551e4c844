package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/store"
)

// Keys in the shared store. A group's place is "subscription/resource group/name" in lower case.
const (
	groupPrefix    = "recovery/groups/"    // + place: groupDoc
	statePrefix    = "recovery/state/"     // + place: stateDoc
	factPrefix     = "recovery/facts/"     // + place/number: Entry
	runPrefix      = "recovery/runs/"      // + place/id: Record
	conflictPrefix = "recovery/conflicts/" // + place/id/number: failover.Conflict
	decisionPrefix = "recovery/decisions/" // + place/id: decisions
	evidencePrefix = "recovery/evidence/"  // + place/number: a sealed report
)

// groupDoc is a group as it is stored: secrets in it are sealed.
type groupDoc struct {
	Group
	Created  time.Time `json:"created"`
	Changed  time.Time `json:"changed"`
	Deleting bool      `json:"deleting,omitempty"` // the members are being told to leave
}

// stateDoc is what is decided of a group, with what must change together with it.
type stateDoc struct {
	State failover.State `json:"state"`
	// Facts counts the entries of the history.
	Facts uint64 `json:"facts"`
	// Version and Told are of the membership that the members shall know.
	Version uint64 `json:"version"`
	Told    string `json:"told"`
	// Jobs counts the runs that are not the core's: backups and syncs. Fired are the scheduled moments that are taken, by
	// the name of their schedule.
	Jobs  uint32               `json:"jobs"`
	Fired map[string]time.Time `json:"fired,omitempty"`
	// Epochs says when the newest epoch was given out, for people.
	Since time.Time `json:"since,omitzero"`
}

// Entry is one line of a group's history: a fact with the wall time of the leader, for people.
type Entry struct {
	Number uint64        `json:"number"`
	Time   time.Time     `json:"time"`
	Text   string        `json:"text"`
	Fact   failover.Fact `json:"fact"`
}

// place is where a group's documents lie.
func place(id string) (string, error) {
	r, err := tandem.ParseResourceID(id)
	if err != nil {
		return "", err
	}
	if !strings.EqualFold(r.Type(), Namespace+"/"+TypeName) {
		return "", &tandem.Error{Op: "find recovery group", Subject: id, Kind: tandem.Invalid, Remedy: "give the id of a " + Namespace + "/" + TypeName}
	}
	return strings.ToLower(r.Subscription + "/" + r.ResourceGroup + "/" + r.Name()), nil
}

func numbered(prefix, place string, n uint64) string {
	return fmt.Sprintf("%s%s/%016d", prefix, place, n)
}

// read gets a document as JSON. A revision of zero: it is not there.
func read[T any](ctx context.Context, s store.Store, key string) (T, tandem.Revision, error) {
	var v T
	d, err := s.Get(ctx, key, 0)
	if errors.Is(err, tandem.NotFound) {
		return v, 0, nil
	}
	if err != nil {
		return v, 0, err
	}
	return v, d.Revision, decode(d, &v)
}

func decode(d store.Document, into any) error {
	if err := json.Unmarshal(d.Value, into); err != nil {
		return &tandem.Error{Op: "read recovery document", Subject: d.Key, Kind: tandem.Corrupt, Err: err, Remedy: "restore the shared store from a backup"}
	}
	return nil
}

func write(key string, v any) (store.Write, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return store.Write{}, &tandem.Error{Op: "write recovery document", Subject: key, Kind: tandem.Invalid, Err: err}
	}
	return store.Write{Key: key, Value: raw}, nil
}

// readAll lists documents below a prefix in the order of their keys.
func readAll[T any](ctx context.Context, s store.Store, prefix string, o store.ListOptions) ([]T, error) {
	list, err := s.List(ctx, prefix, o)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(list.Documents))
	for _, d := range list.Documents {
		var v T
		if err := decode(d, &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func storeBatchDelete(keys ...string) store.Batch { return store.Batch{Delete: keys} }

// deleteAll deletes all documents below a prefix.
func deleteAll(ctx context.Context, s store.Store, prefix string) error {
	for {
		list, err := s.List(ctx, prefix, store.ListOptions{Limit: store.MaxOps})
		if err != nil || len(list.Documents) == 0 {
			return err
		}
		var b store.Batch
		for _, d := range list.Documents {
			b.Delete = append(b.Delete, d.Key)
		}
		if _, err := s.Commit(ctx, b); err != nil {
			return err
		}
	}
}
