package agent

import (
	"context"
	"errors"
	"maps"
	"strings"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/replica"
	"tandem/internal/store"
)

// scratchPrefix is the scratch space of a rehearsal: a generation of its own beside the service's, so that neither the
// stream nor a promotion has to wait for it.
func (m *member) scratchPrefix() string {
	return "recovery/scratch/" + strings.Trim(keyOf(m.id.String()), "/")
}

// rehearse restores the service into a scratch generation, from the vault's journal where the group keeps one and else from
// the standby itself, has the gateway compile it dry, and tries the gates with it. Nothing that serves changes.
func (m *member) rehearse(ctx context.Context, t recovery.Task) (recovery.Outcome, error) {
	p := &proof{}
	docs, err := m.restored(ctx, p)
	if err != nil {
		return recovery.Outcome{}, err
	}
	prefix := m.scratchPrefix()
	err = fill(ctx, m.a.Store, prefix, "rehearsal", func(yield func(store.Write, error) bool) {
		for key, d := range docs {
			if !yield(store.Write{Key: key, Value: d.Value}, nil) {
				return
			}
		}
	})
	if err != nil {
		return recovery.Outcome{}, err
	}
	space, err := store.OpenSpace(ctx, m.a.Store, prefix)
	if err != nil {
		return recovery.Outcome{}, err
	}
	snap, err := space.Snapshot(ctx)
	if err != nil {
		return recovery.Outcome{}, err
	}
	list, err := m.a.Gateways.Prepare(ctx, m.id, snap.Documents(ctx))
	if err != nil {
		p.add(failover.GenerationGate, failover.Fail, "the gateway does not compile the scratch generation: %v", err)
	} else {
		p.problems(list)
		p.add(failover.GenerationGate, failover.Pass, "the gateway compiles the scratch generation of %d documents", len(docs))
	}
	p.keys(m.a.Sealer, docs)
	m.proveGateway(ctx, p, t.TrafficName)
	return p.outcome(), nil
}

// restored gives the documents that a rehearsal restores.
func (m *member) restored(ctx context.Context, p *proof) (map[string]store.Document, error) {
	service, err := m.service(ctx)
	if err != nil {
		return nil, err
	}
	now := m.membership()
	source, err := tandem.ParseResourceID(now.Peer)
	if err != nil {
		return nil, err
	}
	if holds(now) {
		source = m.id
	}
	j, err := m.openJournal(ctx, now, source)
	if err == nil {
		var c replica.Contents
		if c, err = j.At(ctx, replica.Point{Epoch: now.Epoch, Time: m.a.Clock.Now()}, nil); err == nil {
			docs := make(map[string]store.Document, len(c.Documents))
			for key, value := range c.Documents {
				docs[key] = store.Document{Key: key, Value: value}
			}
			if docs, err = m.own(ctx, now, source.Key() == m.id.Key(), docs); err != nil {
				return nil, err
			}
			p.add(failover.GenerationGate, failover.Pass, "the vault's journal gives revision %d, from %d segments", c.Revision, c.Segments)
			return docs, nil
		}
	}
	if tandem.KindOf(err) != tandem.NotFound || now.Vault != "" && now.Mode == recovery.Continuous {
		p.add(failover.GenerationGate, failover.Fail, "the vault's journal cannot be restored: %v", err)
	}
	c, err := read(ctx, service.Space)
	if err != nil {
		return nil, err
	}
	return maps.Clone(c.Documents), nil
}

// own gives documents of the journal in the terms of this service's region.
func (m *member) own(ctx context.Context, now recovery.Membership, mine bool, docs map[string]store.Document) (map[string]store.Document, error) {
	terms, err := m.terms(now)
	if err != nil || terms == nil || mine {
		return docs, err
	}
	service, err := m.service(ctx)
	if err != nil {
		return nil, err
	}
	c, err := read(ctx, service.Space)
	if err != nil {
		return nil, err
	}
	return translate(terms, now.Index.Other(), docs, c.Documents)
}

// tidy removes the scratch generation, and what was put aside for a merge that has ended.
func (m *member) tidy(ctx context.Context) (recovery.Outcome, error) {
	err := discard(ctx, m.a.Store, m.scratchPrefix())
	if now := m.membership(); holds(now) || now.Follow {
		err = errors.Join(err, discard(ctx, m.a.Store, m.basePrefix()))
	}
	return recovery.Outcome{}, err
}
