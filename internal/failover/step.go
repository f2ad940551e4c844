package failover

// Step decides: the state that follows an event at now, and what is to be done about it. It is pure, never panics, and
// takes any event at any time: what does not fit is dropped or put on record.
func Step(state State, event Event, now Tick) (State, []Action) {
	return rules{}.step(state, event, now)
}

func (r rules) step(s State, e Event, now Tick) (State, []Action) {
	m := machine{State: s, now: now, rules: r}
	m.take(e)
	m.settle()
	return m.State, m.out
}

// machine is one call of Step.
type machine struct {
	State
	now   Tick
	rules rules
	out   []Action
}

func (m *machine) take(e Event) {
	switch e := e.(type) {
	case TookOver:
		m.takeOver(e.Term)
	case Configured:
		m.configure(e.Config)
	case Observed:
		m.Panel = m.Panel.Heard(m.Config, e.Witness, e.Seen, e.Sick, m.now)
	case Renewing:
		m.renew(e)
	case Replicated:
		m.replicated(e)
	case Requested:
		m.request(e)
	case Approved:
		m.approve(e)
	case Overridden:
		m.override(e)
	case Resolved:
		if m.Run.Number == e.Run && m.Run.Step == Resolve && e.By != "" {
			m.record(Fact{Kind: Agreed, Service: m.Run.To, By: e.By, Note: "conflicts decided"})
			m.again(Reconcile)
		}
	case Cancelled:
		m.cancel(e)
	case HoldSet:
		m.State.Hold = e.Hold
		m.record(Fact{Kind: HoldChanged, Service: m.Holder, By: e.By, Note: e.Hold.String()})
	case SitesLost:
		m.sites(e.Back)
	case LateWrites:
		if i := e.Service & 1; m.Watching[i] && e.Count > m.Late[i] {
			m.Late[i] = e.Count
			m.record(Fact{Kind: WroteLate, Service: i, Count: e.Count})
		}
	case ActionDone:
		m.done(e)
	case ActionFailed:
		m.failed(e)
	}
}

func (m *machine) configure(c Config) {
	if err := c.Validate(); err != nil {
		m.record(Fact{Kind: Turned, Service: m.Holder, Note: err.Error()})
		return
	}
	m.Config = c
}

// takeOver starts every wait anew: the ticks in the state are of a clock that this leader cannot read (law 11).
func (m *machine) takeOver(term uint64) {
	if term <= m.Term {
		return
	}
	m.Term = term
	if !m.rules.foreignTicks {
		m.Tenure = m.Tenure.takenOver(m.now)
	}
	m.Panel = Panel{} // witnesses report again; until then nothing is clear
	for i := range m.Health {
		m.Health[i] = Trend{Inconclusive, m.now}
	}
	m.HoldDown = m.HoldDown.restart(m.Config.HoldDown, m.now)
	m.Run.Since, m.Run.Tried = m.now, m.now
	if m.rules.newIDs && m.Run.Active() {
		m.Run.Round++
	}
	m.out = append(m.out, m.Outstanding()...)
}

// renew answers a service that asks for the right (invariant 1). What is refused stays without an answer.
func (m *machine) renew(e Renewing) {
	fits := e.Service == m.Holder && e.Renewal.Epoch == m.Epoch || m.rules.staleEpoch
	open := m.Open || m.rules.openWhileFencing
	if !fits || !open || e.Renewal.Sent.Boot == 0 || m.Config.Unfenceable[e.Service&1] {
		return
	}
	g := Grant{Renewal: e.Renewal, Length: m.Config.Lease}
	if m.Config.Refuse && !m.Apart {
		g.Limit = m.Config.Objective
	}
	m.Tenure = m.Tenure.granted(g, m.now)
	m.out = append(m.out, Action{Kind: Answer, Service: e.Service, Epoch: e.Renewal.Epoch, Grant: g})
}

// replicated notes how far the standby is. Reports come late and in any order; the furthest counts.
func (m *machine) replicated(e Replicated) {
	if e.Epoch != m.Epoch || m.Apart || e.Source.Boot == 0 {
		return
	}
	if !m.Standby.Known || m.Standby.Source.before(e.Source) {
		m.Standby = Position{true, e.Source, max(e.Revision, m.Standby.Revision)}
	}
}

func (m *machine) sites(back bool) {
	if m.Lost != back {
		return // known already
	}
	m.Lost = !back
	kind := QuorumLost
	if back {
		kind = QuorumBack
	}
	m.record(Fact{Kind: kind, Service: m.Holder})
}

// record puts a fact on record; run, epoch and time are filled in.
func (m *machine) record(f Fact) {
	f.Term, f.At, f.Epoch = m.Term, m.now, m.Epoch
	if m.Run.Active() && f.Kind != SeenDown && f.Kind != SeenUp && f.Kind != HoldChanged {
		f.Run, f.Of, f.Unfenced = m.Run.Number, m.Run.Kind, m.Run.Unfenced
	}
	m.out = append(m.out, Action{Kind: Record, Service: f.Service, Epoch: f.Epoch, Fact: f})
}
