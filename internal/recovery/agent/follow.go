package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/replica"
)

// reportEvery bounds how often the controller is told how far the standby is.
const reportEvery = 100 * time.Millisecond

// source finds the source of a service's stream for the server: the holder's, while it is one.
func (a *Agent) source(_ context.Context, service string) (*replica.Source, error) {
	m, err := a.known(service)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.source == nil {
		return nil, &tandem.Error{Op: "serve stream", Subject: service, Kind: tandem.Unavailable, Err: errors.New("the service is not the primary of its group"), Remedy: "follow the primary"}
	}
	return m.source, nil
}

// follow plays the standby until ctx ends.
func (m *member) follow(ctx context.Context, now recovery.Membership) {
	if m.quiet(ctx) != nil { // writes of the time when it was the primary
		return
	}
	if err := discard(ctx, m.a.Store, m.basePrefix()); err != nil { // the members are one again
		m.a.Log.Info("what was put aside for a merge is not removed yet", "service", m.id.String(), "error", err)
	}
	reports := &reports{changed: make(chan struct{}, 1)}
	var all sync.WaitGroup
	all.Go(func() { m.report(ctx, now, reports) })
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		err := m.followOnce(ctx, now, reports)
		if ctx.Err() != nil {
			break
		}
		m.a.Log.Warn("a standby does not follow its primary", "service", m.id.String(), "primary", now.Peer, "error", err)
		_ = m.a.Clock.Sleep(ctx, pause) // ended by ctx, which the loop looks at
	}
	all.Wait()
	m.mu.Lock()
	m.follower, m.applier = nil, nil
	m.mu.Unlock()
}

func (m *member) followOnce(ctx context.Context, now recovery.Membership, r *reports) error {
	service, err := m.service(ctx)
	if err != nil {
		return err
	}
	terms, err := m.terms(now)
	if err != nil {
		return err
	}
	applier := replica.NewApplier(replica.ApplierConfig{Space: service.Space, Clock: m.a.Clock, Map: terms.Map(ctx, service.Space, now.Index == failover.First)})
	follower := replica.NewFollower(replica.FollowerConfig{Address: now.PeerNode + replica.StreamPath, Service: now.Peer, Name: now.Service,
		Client: m.a.Client, Applier: applier, Clock: m.a.Clock, Log: m.a.Log, Heartbeat: m.a.Heartbeat, Applied: r.applied})
	m.mu.Lock()
	m.follower, m.applier = follower, applier
	m.mu.Unlock()
	return follower.Run(ctx)
}

// reports is what is to be told to the controller.
type reports struct {
	changed chan struct{}
	mu      sync.Mutex
	last    failover.Replicated
}

// applied notes an entry. Only a beat's reading of the primary's clock bounds what came before it.
func (r *reports) applied(e replica.Entry) {
	r.mu.Lock()
	if r.last.Epoch != e.Epoch {
		r.last = failover.Replicated{Epoch: e.Epoch}
	}
	r.last.Revision = e.Revision
	if e.Kind == replica.EntryBeat && e.Boot > 0 {
		r.last.Source = failover.Stamp{Boot: e.Boot, At: tickOf(e.Age)}
	}
	known := r.last.Source.Boot > 0
	r.mu.Unlock()
	if !known {
		return
	}
	select {
	case r.changed <- struct{}{}:
	default: // it is told with what is to be told already
	}
}

// report tells the controller until ctx ends. A report that is lost is made good by the next: the furthest counts.
func (m *member) report(ctx context.Context, now recovery.Membership, r *reports) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.changed:
		}
		r.mu.Lock()
		e := r.last
		r.mu.Unlock()
		told, cancel := context.WithTimeout(ctx, 5*time.Second)
		if err := m.a.Control.Replicated(told, now.Group, e); err != nil && ctx.Err() == nil {
			m.a.Log.Info("the group's controller is not told how far the standby is", "service", m.id.String(), "error", err)
		}
		cancel()
		if m.a.Clock.Sleep(ctx, reportEvery) != nil {
			return
		}
	}
}
