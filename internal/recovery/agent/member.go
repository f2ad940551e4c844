package agent

import (
	"context"
	"sync"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/replica"
)

// member is one service of the node that belongs to a group.
type member struct {
	a  *Agent
	id tandem.ResourceID

	mu       sync.Mutex
	now      recovery.Membership
	lease    failover.Lease
	trouble  string        // why the last question for the right brought none
	draining int           // drains that run: no write begins meanwhile
	writes   int           // writes under way
	idle     chan struct{} // closed when writes falls to zero; nil: nobody waits
	source   *replica.Source
	follower *replica.Follower
	applier  *replica.Applier
	journal  *replica.JournalWriter

	// what plays the member's role
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func (a *Agent) newMember(m recovery.Membership) (*member, error) {
	id, err := tandem.ParseResourceID(m.Service)
	if err != nil {
		return nil, err
	}
	return &member{a: a, id: id, now: m, lease: failover.NewLease(a.boot)}, nil
}

func (m *member) membership() recovery.Membership {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *member) set(next recovery.Membership) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = next
}

// holds is whether the membership says that the service is the one that may write.
func holds(m recovery.Membership) bool { return !m.Left && m.Holder == m.Index }

// service opens the service; the region may have lost it.
func (m *member) service(ctx context.Context) (*apim.Service, error) {
	s, _, err := m.a.APIM.Find(ctx, m.id)
	return s, err
}

// play begins what the membership asks for.
func (m *member) play(life context.Context) {
	ctx, cancel := context.WithCancel(life)
	m.cancel = cancel
	now := m.membership()
	switch {
	case now.Left:
	case holds(now):
		m.running.Go(func() { m.hold(ctx, now) })
	case now.Mode == recovery.Continuous && now.Follow:
		m.running.Go(func() { m.follow(ctx, now) })
	}
}

// stop ends what play began.
func (m *member) stop() {
	if m.cancel != nil {
		m.cancel()
		m.running.Wait()
		m.cancel = nil
	}
}

// state tells how the member is.
func (m *member) state(ctx context.Context) (recovery.SiteState, error) {
	stamp := failover.Stamp{Boot: m.a.boot, At: m.a.tick()} // before the documents are looked at: they have all up to it
	service, err := m.service(ctx)
	if err != nil {
		return recovery.SiteState{}, err
	}
	snap, err := service.Space.Snapshot(ctx)
	if err != nil {
		return recovery.SiteState{}, err
	}
	followed, _, err := replica.ReadState(ctx, service.Space)
	if err != nil {
		return recovery.SiteState{}, err
	}
	out := recovery.SiteState{Service: m.id.String(), Epoch: snap.Head.Epoch, Generation: snap.Head.Active, Revision: snap.Revision, Stamp: stamp,
		FollowsEpoch: followed.Epoch, FollowsRevision: followed.Revision}
	if d, err := m.a.Gateways.Detail(ctx, m.id); err == nil && d.FullDetail != nil { // a gateway that has not started serves nothing
		out.Served = tandem.Revision(d.Revision)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.a.tick()
	out.Writes = holds(m.now) && m.draining == 0 && m.lease.MayAcknowledge(now)
	if m.follower != nil {
		lag := m.follower.Lag()
		out.Attached, out.LagMillis = lag.Attached, millis(lag)
		if lag.Known || lag.Newest > 0 {
			out.LagCommits = &lag.Commits
		}
		if lag.Applied > out.FollowsRevision {
			out.FollowsRevision = lag.Applied
		}
	}
	if m.applier != nil {
		if h := m.applier.Held(); h != nil {
			out.Held = (&replica.HeldError{Hold: *h}).Error()
		}
	}
	if m.journal != nil {
		out.JournalMillis = millis(m.journal.Lag())
	}
	return out, nil
}

// millis is the bound of a lag; nil where it is not known.
func millis(l replica.Lag) *int64 {
	if !l.Known {
		return nil
	}
	n := l.Bound.Milliseconds()
	return &n
}

// Release lets pass what the guard against mass deletion holds, as SiteState.Held told it. The error is Precondition where
// something else is held by now.
func (a *Agent) Release(_ context.Context, service, held string) error {
	m, err := a.known(service)
	if err != nil {
		return err
	}
	m.mu.Lock()
	applier := m.applier
	m.mu.Unlock()
	if applier != nil {
		if h := applier.Held(); h != nil && (&replica.HeldError{Hold: *h}).Error() == held {
			return applier.Release(*h)
		}
	}
	return &tandem.Error{Op: "release replication", Subject: service, Kind: tandem.Precondition, Remedy: "look at what is held now, and decide anew"}
}
