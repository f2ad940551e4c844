package agent

import (
	"context"
	"errors"
	"reflect"

	"tandem"
	"tandem/internal/recovery"
)

// Join implements recovery.Site. What is older than what is known changes nothing. A service that leaves is kept on record
// as left, so that an old message which comes late does not bring it back.
func (a *Agent) Join(ctx context.Context, next recovery.Membership) error {
	if next.Service == "" || next.Group == "" || next.Index > 1 || next.Holder > 1 {
		return &tandem.Error{Op: "join recovery group", Subject: next.Group, Kind: tandem.Invalid, Err: errors.New("the membership names no group, no service or no place in it"), Remedy: "send a whole membership"}
	}
	a.joining.Lock()
	defer a.joining.Unlock()
	m := a.member(next.Service)
	if m != nil {
		old := m.membership()
		switch {
		case old.Left && next.Epoch <= old.Epoch && next.Version <= old.Version:
			return nil // a group that is made anew begins with a new epoch
		case old.Left:
		case old.Group == next.Group && (next.Version < old.Version || next.Epoch < old.Epoch):
			return nil
		}
		if old.Group != next.Group && !old.Left {
			return &tandem.Error{Op: "join recovery group", Subject: next.Service, Kind: tandem.Exists, Err: errors.New("it is a member of " + old.Group), Remedy: "delete that group first, or choose another service"}
		}
		if reflect.DeepEqual(old, next) {
			return nil
		}
	}
	if next.Left && m == nil {
		return nil
	}
	if m == nil {
		var err error
		if m, err = a.newMember(next); err != nil {
			return err
		}
		if _, err := m.service(ctx); err != nil {
			return err
		}
	}
	// What takes a right away holds from here on, whatever happens to the record; what gives one waits for it.
	m.restrict(next)
	if err := saveMembership(ctx, a.Store, next); err != nil {
		return err
	}
	return a.change(m, next)
}

// change makes the member what the membership says. The caller holds joining.
func (a *Agent) change(m *member, next recovery.Membership) error {
	m.stop()
	m.set(next)
	a.server.End(next.Service)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.members[keyOf(next.Service)] = m
	if a.begun && a.life.Err() == nil {
		m.play(a.life)
	}
	return nil
}

// restrict takes effect before a new membership is on record: a service that is the holder no more acknowledges nothing.
func (m *member) restrict(next recovery.Membership) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.now.Left && (next.Holder != next.Index || next.Epoch != m.now.Epoch) {
		m.lease = m.lease.Drop()
	}
}
