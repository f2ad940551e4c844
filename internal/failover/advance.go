package failover

import "slices"

// unfencedLeap is by how much an unfenced promotion on one site's copy outruns the epochs that the lost sites may give out.
const unfencedLeap = 1000

// begin starts a run.
func (m *machine) begin(kind Kind, to Service, by string) {
	m.Runs++
	m.Run = Run{Number: m.Runs, Kind: kind, Step: Approve, To: to, By: by}
	m.Run.Unfenced = kind == Failover && (m.Lost || m.Config.Unfenceable[m.Holder])
	m.record(Fact{Kind: Began, Service: to, By: by})
	m.enter(kind.plan()[0])
}

// next goes to the step after the current one.
func (m *machine) next() {
	plan := m.Run.Kind.plan()
	at := slices.Index(plan, m.Run.Step)
	if m.Run.Step == Stopped {
		at = slices.Index(plan, Prove)
	}
	if at+1 < len(plan) {
		m.enter(plan[at+1])
		return
	}
	m.record(Fact{Kind: Ended, Service: m.Run.To})
	m.Run.Step = Over
}

// again goes back to a step; its task is a new one.
func (m *machine) again(step StepKind) {
	m.Run.Round++
	m.enter(step)
}

// enter begins a step, or goes past it where there is nothing to do.
func (m *machine) enter(step StepKind) {
	m.Run.Step, m.Run.Since, m.Run.Tried, m.Run.Attempts = step, m.now, m.now, 0
	switch step {
	case Keep:
		if !m.Orphans {
			m.next()
			return
		}
	case Reconcile:
		if !m.Apart || m.rules.noMerge {
			m.next()
			return
		}
	case Approve:
		if m.agreed() && m.timely() {
			m.next()
			return
		}
	case Drain:
		m.Open = false
	case Sync:
		if m.rules.noFinalSync {
			m.InStep = true
			m.next()
			return
		}
	case Fence:
		if !m.close() {
			return
		}
	case Promote:
		m.give()
	case Redirect:
		if m.State.Hold.Traffic && !m.rules.ignoreHold {
			m.record(Fact{Kind: Turned, Service: m.Traffic, Note: "traffic is on hold and stays"})
			m.next()
			return
		}
		if m.Traffic != m.Run.To {
			m.Traffic = m.Run.To
			m.record(Fact{Kind: Moved, Service: m.Run.To, Note: "by the run"})
		}
	}
	m.emit()
}

// emit sends the task of the current step.
func (m *machine) emit() {
	if a, ok := m.task(); ok {
		m.out = append(m.out, a)
	}
}

// close stops granting. From here the bound on the loss is final, so the lag gate is judged in the same step; a gate that does
// not pass leaves the right as it was.
func (m *machine) close() bool {
	m.Run.Loss = m.rules.loss(m.State, m.now)
	if m.refused(true) != 0 {
		m.stop(true)
		return false
	}
	m.Open = false
	m.record(Fact{Kind: Closed, Service: m.Holder, Loss: m.Run.Loss})
	if m.Config.Unfenceable[m.Holder] {
		m.Watching[m.Holder] = true
		m.out = append(m.out, m.watch(m.Holder))
	}
	if m.rightOver() {
		m.next()
		return false
	}
	return true
}

// give hands the next epoch to the run's service (invariants 1 to 3). The right itself comes with a grant, when it asks.
func (m *machine) give() {
	planned := m.Run.planned()
	m.Epoch++
	if m.Lost {
		m.Epoch += unfencedLeap - 1
	}
	m.Away = !planned
	m.Orphans = m.Orphans || !planned
	m.Apart = m.Apart || !planned
	if planned && m.Config.Unfenceable[m.Holder] {
		m.Watching[m.Holder] = true
		m.out = append(m.out, m.watch(m.Holder))
	}
	m.Holder = m.Run.To
	m.Watching[m.Holder] = false
	m.InStep = planned
	m.Tenure, m.Standby, m.Open = Tenure{}, Position{}, true
	m.HoldDown = m.HoldDown.Moved(m.Config.HoldDown, m.now)
	m.record(Fact{Kind: Given, Service: m.Holder, Loss: m.Run.Loss})
}

// giveUp ends a run before its aim. The holder's right is open again.
func (m *machine) giveUp(why string) {
	m.record(Fact{Kind: GaveUp, Service: m.Run.To, Note: why})
	m.Run.Step = Over
	m.Open, m.Watching[m.Holder] = true, false
}

// timely is whether a failover that nobody asked for still has its reason.
func (m *machine) timely() bool {
	r := m.Run
	return r.Kind != Failover || r.By != "" || r.Override.By != "" || m.Health[m.Holder].Verdict == Down
}

// agreed is whether enough different people stand behind the run.
func (m *machine) agreed() bool {
	need := int(m.Config.Approval)
	if m.Run.Unfenced && m.Lost || m.Run.Kind == FullDrill {
		need = max(need, 1)
	}
	got := m.Run.people()
	if m.rules.sameApprover && m.Run.Approvers[0] != "" {
		got++
	}
	return got >= need
}
