package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/replica"
)

// fence drops the right. It is asked for again, and whoever leads gives none while the epoch closes.
func (m *member) fence(context.Context) (recovery.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lease = m.lease.Drop()
	return recovery.Outcome{}, nil
}

// drain refuses new writes, lets those under way finish and be acknowledged, drops the right, and tells the revision after
// the last one. The refusal ends with it: without the right nothing is taken anyway, and a run that is given up gives it back.
func (m *member) drain(ctx context.Context) (recovery.Outcome, error) {
	m.mu.Lock()
	m.draining++
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.draining--
		m.mu.Unlock()
	}()
	if err := m.quiet(ctx); err != nil {
		return recovery.Outcome{}, err
	}
	if _, err := m.fence(ctx); err != nil {
		return recovery.Outcome{}, err
	}
	service, err := m.service(ctx)
	if err != nil {
		return recovery.Outcome{}, err
	}
	last, err := service.Space.Beat(ctx)
	return recovery.Outcome{Outcome: failover.Outcome{Revision: last}}, err
}

// syncPause is how often a sync looks whether the standby is there.
const syncPause = 20 * time.Millisecond

// sync waits until the standby has applied everything up to the task's revision.
func (m *member) sync(ctx context.Context, t recovery.Task) (recovery.Outcome, error) {
	for {
		at, err := m.applied(ctx, t.Epoch)
		if err != nil {
			return recovery.Outcome{}, err
		}
		if at >= t.Upto {
			return recovery.Outcome{Outcome: failover.Outcome{Revision: at}}, nil
		}
		if m.a.Clock.Sleep(ctx, syncPause) != nil {
			return recovery.Outcome{}, &tandem.Error{Op: "sync", Subject: m.id.String(), Kind: tandem.Unavailable,
				Err: fmt.Errorf("it has revision %d of %d", at, t.Upto), Remedy: "see whether the stream runs"}
		}
	}
}

// applied is how far the standby is in the history of the epoch. Beats that are not on its disk count: all commits before
// them are.
func (m *member) applied(ctx context.Context, epoch tandem.Epoch) (tandem.Revision, error) {
	m.mu.Lock()
	follower := m.follower
	m.mu.Unlock()
	service, err := m.service(ctx)
	if err != nil {
		return 0, err
	}
	s, _, err := replica.ReadState(ctx, service.Space)
	if err != nil || s.Epoch != epoch {
		return 0, err
	}
	if follower != nil {
		return max(s.Revision, follower.Lag().Applied), nil
	}
	return s.Revision, nil
}

// promote ends the history that was followed and begins the task's epoch. The right comes with a grant, which is asked for
// from here on.
func (m *member) promote(ctx context.Context, t recovery.Task) (recovery.Outcome, error) {
	service, err := m.service(ctx)
	if err != nil {
		return recovery.Outcome{}, err
	}
	// A fence before the standby's own position would refuse the same as one at it: what it has is not taken back.
	if err := enter(ctx, service.Space, t.Epoch, t.Last); err != nil {
		return recovery.Outcome{}, err
	}
	m.a.joining.Lock()
	defer m.a.joining.Unlock()
	now := m.membership()
	switch {
	case t.Epoch < now.Epoch:
		return recovery.Outcome{}, &tandem.Error{Op: "promote", Subject: t.Service, Kind: tandem.Precondition, Err: fmt.Errorf("epoch %d has begun", now.Epoch), Remedy: "read the group's state anew"}
	case t.Epoch == now.Epoch && holds(now): // the membership came first
		return recovery.Outcome{}, nil
	case t.Epoch == now.Epoch:
		return recovery.Outcome{}, &tandem.Error{Op: "promote", Subject: t.Service, Kind: tandem.Precondition, Err: errors.New("the other member holds this epoch"), Remedy: "read the group's state anew"}
	}
	now.Epoch, now.Holder = t.Epoch, now.Index
	if err := saveMembership(ctx, m.a.Store, now); err != nil {
		return recovery.Outcome{}, err
	}
	return recovery.Outcome{}, m.a.change(m, now)
}
