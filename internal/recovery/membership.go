package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"tandem"
	"tandem/internal/failover"
)

// announceEvery is how often a membership that was acknowledged is told again: a site may have been restored from a backup.
const announceEvery = 30 * time.Second

// announcer tells one member its membership until it is acknowledged, and again from time to time.
type announcer struct {
	news chan Membership
}

func (r *runner) announce(ctx context.Context) *announcer {
	a := &announcer{news: make(chan Membership, 1)}
	r.live.Go(func() {
		var m Membership
		wait := announceEvery
		for {
			select {
			case <-ctx.Done():
				return
			case m = <-a.news:
			case <-r.c.Clock.After(wait):
			}
			if m.Group == "" {
				continue
			}
			wait = announceEvery
			if err := r.join(ctx, m); err != nil && !errors.Is(err, tandem.Precondition) {
				wait = retryEvery
			}
		}
	})
	return a
}

// join tells one membership. Precondition: the member knows a newer one.
func (r *runner) join(ctx context.Context, m Membership) error {
	site, err := r.c.Sites(m.Service)
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, commitTimeout)
	defer done()
	return site.Join(ctx, m)
}

func (a *announcer) tell(m Membership) {
	for {
		select {
		case a.news <- m:
			return
		case <-a.news: // an older one that was not told yet
		}
	}
}

// membership is what a member must know now.
func (r *runner) membership(s failover.Service, st failover.State) Membership {
	p := r.group.Properties
	m := Membership{Group: r.group.ID, Service: r.member(s), Index: s, Peer: r.member(s.Other()), Mode: p.Mode, Epoch: st.Epoch, Holder: st.Holder,
		Vault: p.Vault.Place(), Follow: !st.Apart, Lease: st.Config.Lease, Renew: ticks(p.Renew()), Objective: st.Config.Objective, Overlay: p.Overlay}
	if r.c.Node != nil {
		m.PeerNode = r.c.Node(m.Peer)
	}
	return m
}

// membershipText tells one state of both memberships from another.
func (r *runner) membershipText(st failover.State) string {
	raw, err := json.Marshal([2]Membership{r.membership(failover.First, st), r.membership(failover.Second, st)})
	if err != nil {
		return err.Error() // strings and numbers always encode
	}
	return string(raw)
}

// tell hands the newest membership to the announcers where it changed.
func (r *runner) tell() {
	if r.told == r.doc.Version {
		return
	}
	r.told = r.doc.Version
	for i, a := range r.members {
		if r.doc.State.Config.Unfenceable[i] {
			continue // it takes no part in leases
		}
		m := r.membership(failover.Service(i), r.doc.State)
		m.Version = r.doc.Version
		a.tell(m)
	}
}

// dismiss tells a former member, until it is acknowledged, that it is none.
func (r *runner) dismiss(g groupDoc, s failover.Service) {
	m := Membership{Group: g.ID, Service: g.Properties.Members()[s&1], Index: s, Epoch: r.doc.State.Epoch, Left: true, Version: r.doc.Version + 1}
	r.live.Go(func() { r.untilLeft(r.ctx, m) })
}

func (r *runner) untilLeft(ctx context.Context, m Membership) {
	for ctx.Err() == nil {
		err := r.join(ctx, m)
		if err == nil || errors.Is(err, tandem.NotFound) || errors.Is(err, tandem.Unsupported) {
			return
		}
		_ = r.c.Clock.Sleep(ctx, time.Second) // the loop looks at ctx
	}
}

// leave ends a group: its members are told, traffic is given back to the profile's own rules, and its documents are forgotten.
func (r *runner) leave() {
	if r.leaving {
		return
	}
	r.leaving = true
	members := [2]Membership{}
	for i := range members {
		members[i] = Membership{Group: r.group.ID, Service: r.member(failover.Service(i)), Index: failover.Service(i), Epoch: r.doc.State.Epoch, Left: true, Version: r.doc.Version + 1}
	}
	profile, unfenced := r.group.Properties.TrafficProfile, r.doc.State.Config.Unfenceable
	r.live.Go(func() {
		for i, m := range members {
			if !unfenced[i] {
				r.untilLeft(r.ctx, m)
			}
		}
		for r.ctx.Err() == nil {
			var err error
			if profile != "" && r.c.Traffic != nil {
				err = r.c.Traffic.Auto(r.ctx, profile)
			}
			if err = errors.Join(err, r.forget(r.ctx)); err == nil {
				return
			}
			_ = r.c.Clock.Sleep(r.ctx, time.Second) // the loop looks at ctx
		}
	})
}

// forget deletes the group's documents, the evidence aside: it outlives the group.
func (r *runner) forget(ctx context.Context) error {
	for _, prefix := range []string{factPrefix, runPrefix, conflictPrefix, decisionPrefix} {
		if err := deleteAll(ctx, r.c.Store, prefix+r.place+"/"); err != nil {
			return err
		}
	}
	_, err := r.c.Store.Commit(ctx, storeBatchDelete(statePrefix+r.place, groupPrefix+r.place))
	return err
}

func sameID(a, b string) bool { return strings.EqualFold(strings.Trim(a, "/"), strings.Trim(b, "/")) }
