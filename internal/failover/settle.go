package failover

// settle draws the conclusions of the state after each event: health, traffic, the waits of the run, runs that begin by themselves.
func (m *machine) settle() {
	m.watchHealth()
	m.moveTraffic()
	m.minder()
	m.begins()
}

// watchHealth keeps the trends. Going up and down by quorum is on record: the measured RTO starts there.
func (m *machine) watchHealth() {
	for s := First; s <= Second; s++ {
		v := m.rules.verdict(m.Panel, m.Config, s, m.now)
		if v == m.Health[s].Verdict {
			continue
		}
		m.Health[s].set(v, m.now)
		switch v {
		case Down:
			m.record(Fact{Kind: SeenDown, Service: s})
		case Up:
			m.record(Fact{Kind: SeenUp, Service: s})
		}
	}
}

// moveTraffic puts on record what the quorum of DNS servers does by itself. While a run moves roles, the run moves traffic too,
// but away from a service that is down it goes at once.
func (m *machine) moveTraffic() {
	to := Direct(m.Config, m.Health, m.Traffic, m.Holder, m.State.Hold.Traffic && !m.rules.ignoreHold, m.now)
	if to != m.Traffic {
		m.Traffic = to
		m.record(Fact{Kind: Moved, Service: to, Note: "by health"})
	}
}

// minder ends the waits of the active run.
func (m *machine) minder() {
	if !m.Run.Active() {
		return
	}
	m.abandon()
	switch m.Run.Step {
	case Idle, Over:
		return
	case Stopped:
		if m.now-m.Run.Since >= m.Config.Reprove {
			m.again(Prove)
		}
		return
	case Approve:
		if m.agreed() && m.timely() {
			m.next()
			return
		}
	case Fence:
		if m.rightOver() {
			m.next()
			return
		}
	}
	m.retry()
}

// rightOver is whether the holder can surely not acknowledge any more (invariant 2).
func (m *machine) rightOver() bool {
	margin := max(m.Config.Margin, m.Tenure.Longest/drift+1) // the margin may have been set for a shorter lease
	if m.rules.noMargin {
		margin = 0
	}
	return m.rules.noLeaseWait || m.Tenure.Over(margin, m.now)
}

// abandon gives up a run whose reason has gone, as long as no epoch was given out.
func (m *machine) abandon() {
	r := m.Run
	switch {
	case !r.promotes():
	case r.Kind == Failover && r.By == "" && r.Override.By == "" && m.Health[m.Holder].Verdict == Up:
		m.giveUp("the primary is back")
	case !m.Lost && m.Health[r.To].Verdict == Down:
		m.giveUp("the standby is down")
	case r.planned() && m.Health[m.Holder].Verdict == Down:
		m.giveUp("the primary is down")
	}
}

// retry sends an unanswered task again. A planned run is given up after Config.Attempts; a promotion never is, and the
// fence need not be: the lease ends by itself.
func (m *machine) retry() {
	if m.now-m.Run.Tried < m.Config.Retry {
		return
	}
	m.Run.Tried = m.now
	switch m.Run.Step {
	case Approve, Resolve:
		return // people were told; the console shows it
	case Prove, Drain, Sync, Keep, Reconcile, Rehearse, Tidy:
		if m.Run.Attempts+1 >= m.Config.Attempts {
			m.exhausted("no answer")
			return
		}
		m.Run.Attempts++
	}
	m.emit()
}

// exhausted is what follows when a task cannot be done. A failover with gates that could not be tried stops there
// and asks; everything else is given up.
func (m *machine) exhausted(why string) {
	if m.Run.Kind == Failover && m.Run.Step == Prove {
		m.Run.Gates = Results{}
		m.judge()
		return
	}
	m.giveUp(why)
}

// begins starts runs that nobody has to ask for. Never on one site's copy, never under a hold, never within the hold-down.
func (m *machine) begins() {
	held := m.State.Hold.Roles && !m.rules.ignoreHold
	if m.Lost || held || !m.HoldDown.Over(m.now) {
		return
	}
	other, c := m.Holder.Other(), m.Config
	dead := m.Health[m.Holder].stood(Down, c.FailAfter, m.now) && m.Health[other].Verdict == Up
	if dead && !(m.Run.Active() && m.Run.Kind == Failover && m.Run.promotes()) {
		if m.Run.Active() {
			m.giveUp("a failover comes first")
		}
		m.begin(Failover, other, "")
		return
	}
	steady := m.Health[m.Holder].Verdict == Up && m.Health[other].stood(Up, c.Steady, m.now)
	if m.Run.Active() || !steady {
		return
	}
	switch {
	case c.FailBack && m.Away && m.Holder != c.Home:
		m.begin(Failback, other, "")
	case c.Rejoin && m.Apart:
		m.begin(Rejoin, other, "")
	}
}
