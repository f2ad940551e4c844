package failover

// done takes the outcome of a task. Outcomes of other tasks than the current one are late or doubled and mean nothing.
func (m *machine) done(e ActionDone) {
	task, ok := m.task()
	if !ok || task.ID != e.ID && !m.rules.anyOutcome {
		return
	}
	switch m.Run.Step {
	case Prove:
		m.Run.Gates = e.Outcome.Gates
		m.judge()
	case Approve, Resolve:
		// People answer these.
	case Drain:
		m.Run.Last = e.Outcome.Revision
		m.next()
	case Sync:
		if e.Outcome.Revision < m.Run.Last {
			m.trouble("the standby has not applied the last revision yet")
			return
		}
		m.InStep = true
		m.Run.Loss = Bound{Known: true}
		m.next()
	case Keep:
		m.Orphans = false
		m.record(Fact{Kind: KeptOrphans, Service: m.Run.To, Count: uint64(e.Outcome.Orphans)})
		m.next()
	case Reconcile:
		if e.Outcome.Conflicts > 0 {
			m.record(Fact{Kind: ConflictsFound, Service: m.Run.To, Count: uint64(e.Outcome.Conflicts)})
			m.enter(Resolve)
			return
		}
		m.Apart, m.InStep, m.Standby = false, false, Position{}
		m.record(Fact{Kind: MergedFact, Service: m.Run.To})
		m.next()
	case Rehearse:
		m.Run.Gates = e.Outcome.Gates
		m.Run.Gates[LagGate] = lagResult(m.rules.loss(m.State, m.now), m.Config.Objective)
		m.record(Fact{Kind: Rehearsed, Service: m.Run.To, Gates: m.rules.unmet(m.Run.Gates)})
		m.next()
	default: // Fence, Promote, Redirect, Tidy
		m.next()
	}
}

// failed takes a bad outcome. Trying again is the business of time; Final ends what can be ended.
func (m *machine) failed(e ActionFailed) {
	task, ok := m.task()
	if !ok || task.ID != e.ID {
		return
	}
	m.trouble(e.Why)
	switch m.Run.Step {
	case Prove, Drain, Sync, Keep, Reconcile, Rehearse, Tidy:
		if e.Final {
			m.exhausted(e.Why)
		}
	}
}

func (m *machine) trouble(why string) {
	m.record(Fact{Kind: ActionTrouble, Service: m.Run.To, Note: m.Run.Step.String() + ": " + why})
}

// judge looks at the gates after they were tried.
func (m *machine) judge() {
	failover := m.Run.Kind == Failover
	if failover {
		m.Run.Loss = m.rules.loss(m.State, m.now)
	}
	if m.refused(failover) != 0 {
		m.stop(failover)
		return
	}
	m.next()
}

// refused are the gates that neither pass nor are overridden. A planned run has its lag judged by the final sync.
func (m *machine) refused(withLag bool) GateSet {
	m.Run.Gates[LagGate] = Pass
	if withLag {
		m.Run.Gates[LagGate] = lagResult(m.Run.Loss, m.Config.Objective)
	}
	unmet := m.rules.unmet(m.Run.Gates)
	o := m.Run.Override
	if o.By == "" {
		return unmet
	}
	if unmet.Has(LagGate) && !o.Loss.Covers(m.Run.Loss) && !m.rules.blankOverride {
		o.Gates &^= 1 << LagGate
	}
	return unmet &^ o.Gates
}

// stop waits at the gates for an override, or until they are tried again.
func (m *machine) stop(withLag bool) {
	gates := m.refused(withLag)
	m.Run.Step, m.Run.Since = Stopped, m.now
	m.record(Fact{Kind: Refused, Service: m.Run.To, Gates: gates, Loss: m.Run.Loss,
		Note: "override run with these gates and this loss, or mend what fails"})
}

func lagResult(loss Bound, objective Tick) Result {
	switch {
	case !loss.Known:
		return Unproven
	case loss.Most <= objective:
		return Pass
	default:
		return Fail
	}
}
