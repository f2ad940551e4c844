package node

import (
	"cmp"
	"context"
	"slices"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/traffic"
	"tandem/internal/traffic/health"
)

// groupWitness is what this control member sees of the members of recovery groups, by the probes of their traffic profiles, for
// the controller that counts votes.
type groupWitness struct {
	n        *Node
	provider *traffic.Provider
	named    map[string]endpointNames // by profile and member
}

type endpointNames struct {
	name string
	at   time.Time
}

const (
	// witnessEvery is how often a witness speaks while nothing changes.
	witnessEvery = 400 * time.Millisecond
	// namesFresh is how long it takes an endpoint's name for granted.
	namesFresh = 5 * time.Second
)

// run tells what is seen, at once when it changes, until ctx ends.
func (w *groupWitness) run(ctx context.Context) {
	signal, end := w.n.traffic.Subscribe()
	defer end()
	var groups []recovery.Group
	for ctx.Err() == nil {
		if now, err := recovery.Groups(ctx, w.n.shared); err == nil { // while it does not answer, those known last
			groups = now
		}
		for _, g := range groups {
			w.tell(ctx, g)
		}
		select {
		case <-ctx.Done():
		case <-signal:
		case <-w.n.Clock.After(witnessEvery):
		}
	}
}

// tell reports one group. What is lost is made good by the next report.
func (w *groupWitness) tell(ctx context.Context, g recovery.Group) {
	if g.Properties.TrafficProfile == "" {
		return
	}
	at, ok := w.n.witnessNumber(int(g.Properties.Config().Witnesses))
	if !ok {
		return
	}
	e := failover.Observed{Witness: at, Sick: w.n.traffic.Sick()}
	for i, member := range g.Properties.Members() {
		e.Seen[i] = w.look(ctx, g.Properties.TrafficProfile, member)
	}
	ctx, cancel := context.WithTimeout(ctx, controlWithin)
	defer cancel()
	if err := (controlRoute{w.n}).Observed(ctx, g.ID, e); err != nil {
		w.n.Log.Debug("a witness is not heard", "group", g.ID, "error", err)
	}
}

// look is this place's own verdict about a member.
func (w *groupWitness) look(ctx context.Context, profile, member string) failover.Verdict {
	id, err := tandem.ParseResourceID(profile)
	if err != nil {
		return failover.Inconclusive
	}
	for _, s := range w.n.traffic.Sights(id, w.endpoint(ctx, id, member)) {
		switch {
		case s.Vantage != "" || s.Sick:
		case s.Seen == health.Up:
			return failover.Up
		case s.Seen == health.Down:
			return failover.Down
		}
	}
	return failover.Inconclusive
}

// endpoint is the name of the endpoint that leads to a member; the last known while the profile cannot be read.
func (w *groupWitness) endpoint(ctx context.Context, profile tandem.ResourceID, member string) string {
	key, now := profile.Key()+" "+member, w.n.Clock.Now()
	known, ok := w.named[key]
	if ok && now.Sub(known.at) < namesFresh {
		return known.name
	}
	id, err := tandem.ParseResourceID(member)
	if err != nil {
		return ""
	}
	name, err := w.provider.EndpointOf(ctx, profile, id)
	if err != nil && tandem.KindOf(err) != tandem.NotFound {
		name = known.name
	}
	w.named[key] = endpointNames{name, now}
	return name
}

// witnessNumber is this node's place among the witnesses of a group: control members by their names, as many as the group asks
// for. A single home is the only one.
func (n *Node) witnessNumber(of int) (int, bool) {
	if n.Control == nil {
		return 0, true
	}
	all := slices.Clone(n.Control.Peers)
	slices.SortFunc(all, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	at := slices.IndexFunc(all, func(m Member) bool { return m.Name == n.Control.Name })
	return at, at >= 0 && at < of
}
