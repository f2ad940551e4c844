package identity

import (
	"tandem"
	"tandem/internal/arm"
)

// AccessConfig says how tokens are verified.
type AccessConfig struct {
	Clock tandem.Clock
	// Audiences are the resources that tokens must be for, without regard to a slash at the end; nil: DefaultAudiences.
	Audiences []string
}

func (c AccessConfig) init(a *Access) {
	a.clock, a.audiences = c.Clock, c.Audiences
	if a.audiences == nil {
		a.audiences = DefaultAudiences()
	}
}

// Replica is an authoriser that works from a copy of a Directory (law 8).
type Replica struct{ Access }

var _ arm.Authoriser = (*Replica)(nil)

// NewReplica makes a replica of a snapshot.
func NewReplica(c AccessConfig, s Snapshot) (*Replica, error) {
	r := &Replica{}
	c.init(&r.Access)
	return r, r.Update(s)
}

// Update takes a newer snapshot; an older one than the replica has is left out. On an error the replica keeps what it has.
func (r *Replica) Update(s Snapshot) error {
	v, err := newView(s)
	if err != nil {
		return err
	}
	for {
		old := r.current.Load()
		if old != nil && old.Revision > s.Revision {
			return nil
		}
		if r.current.CompareAndSwap(old, v) {
			return nil
		}
	}
}

// Snapshot is what the replica works from, to be kept on disk.
func (r *Replica) Snapshot() Snapshot { return r.current.Load().Snapshot }
