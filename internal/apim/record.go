package apim

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"

	"tandem"
	"tandem/internal/store"
)

// Record is a service as it rests in the region's store, under services/{subscription}/{group}/{name}.
type Record struct {
	ID         string            `json:"id"`
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags,omitempty"`
	Sku        Sku               `json:"sku"`
	Identity   map[string]any    `json:"identity,omitempty"`
	Zones      []string          `json:"zones,omitempty"`
	Properties map[string]any    `json:"properties"`
	Created    string            `json:"created"` // RFC 3339
	State      string            `json:"state"`   // provisioningState
	Target     string            `json:"target"`  // targetProvisioningState
	// Deleted is when the service was soft-deleted, and Purge when it may go for good; empty while it lives.
	Deleted string `json:"deleted,omitempty"`
	Purge   string `json:"purge,omitempty"`
	// Space is the prefix of the service's documents; it outlives a soft delete.
	Space string `json:"space"`

	revision tandem.Revision
}

// Sku is a tier and its number of units.
type Sku struct {
	Name     string `json:"name"`
	Capacity int    `json:"capacity"`
}

const recordPrefix = "services/"

func recordKey(subscription, group, name string) string {
	return strings.ToLower(recordPrefix + subscription + "/" + group + "/" + name)
}

func (r *Record) id() tandem.ResourceID {
	id, _ := tandem.ParseResourceID(r.ID)
	return id
}

func (r *Record) key() string {
	id := r.id()
	return recordKey(id.Subscription, id.ResourceGroup, id.Name())
}

func (p *Provider) decodeRecord(d store.Document) (*Record, error) {
	var r Record
	dec := json.NewDecoder(bytes.NewReader(d.Value))
	dec.UseNumber()
	if err := dec.Decode(&r); err != nil {
		return nil, &tandem.Error{Op: "read service", Subject: d.Key, Kind: tandem.Corrupt, Err: err}
	}
	r.revision = d.Revision
	return &r, p.open(&r)
}

// services finds the services of this region.
type services struct {
	p      *Provider
	mu     sync.Mutex
	spaces map[string]*Service // by space prefix
}

func newServices(p *Provider) *services { return &services{p: p, spaces: map[string]*Service{}} }

// record reads a live service's record; NotFound where there is none or it is deleted.
func (p *Provider) record(ctx context.Context, subscription, group, name string) (*Record, error) {
	d, err := p.Store.Get(ctx, recordKey(subscription, group, name), 0)
	if err != nil {
		return nil, err
	}
	r, err := p.decodeRecord(d)
	if err != nil {
		return nil, err
	}
	if r.Deleted != "" {
		return nil, &tandem.Error{Op: "find service", Subject: name, Kind: tandem.NotFound}
	}
	return r, nil
}

// Records lists all services of the region, soft-deleted ones included.
func (p *Provider) Records(ctx context.Context) ([]*Record, error) {
	l, err := p.Store.List(ctx, recordPrefix, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []*Record
	for _, d := range l.Documents {
		r, err := p.decodeRecord(d)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// putRecord writes a record over the version that was read (revision 0: it must be new).
func (p *Provider) putRecord(ctx context.Context, r *Record) error {
	resting, err := p.sealed(r)
	if err != nil {
		return err
	}
	value, err := json.Marshal(resting)
	if err != nil {
		return err
	}
	rev, err := p.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: r.key(), Revision: r.revision}}, Put: []store.Write{{Key: r.key(), Value: value}}})
	if err == nil {
		r.revision = rev
	}
	return err
}

// Open gives the service of a record.
func (p *Provider) Open(ctx context.Context, r *Record) (*Service, error) {
	p.services.mu.Lock()
	defer p.services.mu.Unlock()
	if s := p.services.spaces[r.Space]; s != nil && s.ID.Key() == r.id().Key() {
		return s, nil
	}
	space, err := store.OpenSpace(ctx, p.Store, r.Space)
	if err != nil {
		return nil, err
	}
	s := &Service{ID: r.id(), Space: space, Table: p.table, Sealer: p.Sealer, Clock: p.Clock, policies: p.Policies, fetch: p.Fetch}
	p.services.spaces[r.Space] = s
	return s, nil
}

// Find gives a live service and its record.
func (p *Provider) Find(ctx context.Context, id tandem.ResourceID) (*Service, *Record, error) {
	if len(id.Names) == 0 {
		return nil, nil, &tandem.Error{Op: "find service", Subject: id.String(), Kind: tandem.NotFound}
	}
	r, err := p.record(ctx, id.Subscription, id.ResourceGroup, id.Names[0])
	if err != nil {
		return nil, nil, err
	}
	s, err := p.Open(ctx, r)
	return s, r, err
}

// SetState writes the provisioning state of a service: Updating while a service-level operation runs.
func (p *Provider) SetState(ctx context.Context, id tandem.ResourceID, state, target string) error {
	for try := 0; ; try++ {
		r, err := p.record(ctx, id.Subscription, id.ResourceGroup, id.Names[0])
		if err != nil {
			return err
		}
		r.State, r.Target = state, target
		if err = p.putRecord(ctx, r); tandem.KindOf(err) != tandem.Precondition || try == commitTries {
			return err
		}
	}
}
