package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"tandem"
	"tandem/internal/recovery"
	"tandem/internal/replica"
	"tandem/internal/store"
)

// firstPause and lastPause bound the waits between tries of what must be done and cannot be yet.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// hold plays the holder until ctx ends: it asks for the right and, in continuous mode, writes the journal and sends counters.
func (m *member) hold(ctx context.Context, now recovery.Membership) {
	space, err := m.take(ctx, now)
	if err != nil {
		return // ctx ended
	}
	source := replica.NewSource(replica.SourceConfig{Space: space, Clock: m.a.Clock, Heartbeat: m.a.Heartbeat, Boot: m.a.boot})
	m.mu.Lock()
	m.source = source
	m.mu.Unlock()
	var all sync.WaitGroup
	all.Go(func() { m.renew(ctx, now) })
	if now.Mode == recovery.Continuous {
		if now.Vault != "" {
			all.Go(func() { m.write(ctx, now, source) })
		}
		if m.a.Counters != nil && now.PeerNode != "" {
			all.Go(func() { m.count(ctx, now) })
		}
	}
	all.Wait()
	m.mu.Lock()
	m.source, m.journal = nil, nil
	m.mu.Unlock()
}

// take makes the service's space one of the epoch before the right to write is asked for: the stream of the epoch before is
// fenced, so that nothing of it comes in any more. It tries until ctx ends.
func (m *member) take(ctx context.Context, now recovery.Membership) (*store.Space, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		service, err := m.service(ctx)
		if err == nil {
			if err = enter(ctx, service.Space, now.Epoch, nil); err == nil {
				return service.Space, nil
			}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		m.a.Log.Warn("a service cannot enter its epoch; it takes no writes", "service", m.id.String(), "epoch", now.Epoch, "error", err)
		if err := m.a.Clock.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// enter ends the history that the space followed, at last or at what it has, and begins the epoch. It may be repeated. The
// error is Precondition where the space has seen a newer epoch.
func enter(ctx context.Context, space *store.Space, epoch tandem.Epoch, last *tandem.Revision) error {
	h, err := space.Head(ctx)
	if err != nil || h.Epoch == epoch {
		return err
	}
	if h.Epoch < epoch {
		followed, _, err := replica.ReadState(ctx, space)
		if err != nil {
			return err
		}
		if followed.Revision > 0 && followed.Epoch < epoch {
			fence := replica.Fence{Epoch: epoch - 1, Revision: followed.Revision}
			if last != nil {
				fence.Revision = *last
			}
			if _, err := replica.SetFence(ctx, space, fence); err != nil {
				return err
			}
		}
	}
	return space.SetEpoch(ctx, epoch)
}

// journalPrefix is where a service's journal lies in the vault.
func journalPrefix(id tandem.ResourceID) string { return "journal/" + id.Name() }

// write keeps the vault's journal until ctx ends.
func (m *member) write(ctx context.Context, now recovery.Membership, source *replica.Source) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		err := m.writeOnce(ctx, now, source)
		if ctx.Err() != nil {
			return
		}
		m.a.Log.Warn("the vault's journal is not written", "service", m.id.String(), "vault", now.Vault, "error", err)
		_ = m.a.Clock.Sleep(ctx, pause) // ended by ctx, which the loop looks at
	}
}

func (m *member) writeOnce(ctx context.Context, now recovery.Membership, source *replica.Source) error {
	j, err := m.openJournal(ctx, now, m.id)
	if err != nil {
		return err
	}
	w := replica.NewJournalWriter(replica.JournalWriterConfig{Journal: j, Source: source, Clock: m.a.Clock, Log: m.a.Log})
	m.mu.Lock()
	m.journal = w
	m.mu.Unlock()
	return w.Run(ctx)
}

// openJournal opens the journal of a member of the group.
func (m *member) openJournal(ctx context.Context, now recovery.Membership, id tandem.ResourceID) (*replica.Journal, error) {
	if m.a.Vault == nil || now.Vault == "" {
		return nil, &tandem.Error{Op: "open journal", Subject: id.String(), Kind: tandem.NotFound, Err: errors.New("the group has no vault"), Remedy: "name a container in the group"}
	}
	v, err := m.a.Vault(ctx, now.Vault)
	if err != nil {
		return nil, err
	}
	return &replica.Journal{Vault: v, Prefix: journalPrefix(id), Service: id.String(), Sealer: m.a.Sealer, Recipients: m.a.Recipients, Identities: m.a.Identities}, nil
}

// count sends what the gateways count to the standby's region until ctx ends.
func (m *member) count(ctx context.Context, now recovery.Membership) {
	counters, err := m.a.Counters(ctx, now.Service)
	if err != nil {
		m.a.Log.Warn("the gateways' counters do not replicate", "service", m.id.String(), "error", err)
		return
	}
	s := replica.CounterSender{Address: now.PeerNode + replica.CountersPath, Service: now.Peer, Client: m.a.Client, Counters: counters, Clock: m.a.Clock}
	_ = s.Run(ctx, nil) // its end is ctx's; what is lost goes with the next change
}
