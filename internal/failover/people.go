package failover

// request begins a run that a person asks for, or says why not.
func (m *machine) request(e Requested) {
	other := m.Holder.Other()
	if why := m.hindrance(e, other); why != "" {
		m.record(Fact{Kind: Turned, Service: other, By: e.By, Note: e.Kind.String() + ": " + why})
		return
	}
	if m.Run.Active() {
		m.giveUp("a person asked for a failover")
	}
	m.begin(e.Kind, other, e.By)
}

// hindrance is why a run cannot begin now, with the remedy, or empty.
func (m *machine) hindrance(e Requested, other Service) string {
	planned := e.Kind == Switchover || e.Kind == FullDrill
	switch {
	case e.By == "":
		return "nobody is named; say who asks"
	case e.Kind.plan() == nil:
		return "there is no such run"
	case m.Run.Active() && (e.Kind != Failover || !m.yields()):
		return "another run is active; wait for it or cancel it"
	case e.Kind == Failover:
		return ""
	case m.Lost:
		return "two sites are lost; only a failover is possible"
	case planned && m.Apart && !m.rules.noMerge:
		return "the services went apart; run rejoin or failback first"
	case e.Kind == Rejoin && !m.Apart:
		return "the services did not go apart"
	case e.Kind == Failback && m.Holder == m.Config.Home:
		return "the home service holds the epoch already"
	case m.Health[other].Verdict == Down:
		return "the standby is down; mend it first"
	case m.Health[m.Holder].Verdict == Down && e.Kind != Drill:
		return "the primary is down; run failover"
	}
	return ""
}

// yields is whether the active run makes room for a failover that a person asks for.
func (m *machine) yields() bool {
	return m.Run.Kind == Drill || m.Run.Kind == Rejoin || m.Run.planned() && m.Run.promotes()
}

func (m *machine) approve(e Approved) {
	r := &m.Run
	if !r.promotes() || e.Run != r.Number || e.By == "" {
		return
	}
	before := r.people()
	i := 0
	if r.Approvers[0] != "" {
		i = 1
	}
	if r.Approvers[i] != "" {
		return
	}
	r.Approvers[i] = e.By
	if r.people() == before && !m.rules.sameApprover {
		r.Approvers[i] = "" // the same person again
		return
	}
	m.record(Fact{Kind: Agreed, Service: r.To, By: e.By})
}

// override takes a person's decision to go on. It must quote what is shown now: every gate that does not pass, and a loss no
// smaller than the bound.
func (m *machine) override(e Overridden) {
	r := &m.Run
	if e.Run != r.Number || r.Step != Stopped {
		m.record(Fact{Kind: Turned, Service: m.Holder.Other(), By: e.By, Note: "override: no run waits at its gates"})
		return
	}
	failover := r.Kind == Failover
	if failover {
		r.Loss = m.rules.loss(m.State, m.now)
	}
	was := r.Override
	r.Override = Override{e.By, e.Gates, e.Loss}
	if left := m.refused(failover); e.By == "" || left != 0 {
		r.Override = was
		m.record(Fact{Kind: Turned, Service: r.To, By: e.By, Gates: left, Loss: r.Loss,
			Note: "override: it does not cover what is refused now; look again"})
		return
	}
	if !m.rules.silentOverride {
		m.record(Fact{Kind: Overrode, Service: r.To, By: e.By, Gates: e.Gates, Loss: e.Loss})
	}
	m.next()
}

// cancel gives the run up where that is possible, and holds roles so that it does not begin anew.
func (m *machine) cancel(e Cancelled) {
	r := m.Run
	if e.Run != r.Number || !r.Active() || e.By == "" {
		return
	}
	if r.Step == Promote || r.Step == Redirect {
		m.record(Fact{Kind: Turned, Service: r.To, By: e.By, Note: "cancel: the epoch is given out; the run goes on"})
		return
	}
	m.record(Fact{Kind: HoldChanged, Service: m.Holder, By: e.By, Note: "roles, by cancelling"})
	m.State.Hold.Roles = true
	m.giveUp("cancelled by " + e.By)
}

// String names the holds.
func (h Hold) String() string {
	switch {
	case h.Roles && h.Traffic:
		return "roles and traffic"
	case h.Roles:
		return "roles"
	case h.Traffic:
		return "traffic"
	default:
		return "none"
	}
}
