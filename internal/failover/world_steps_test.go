package failover

import "tandem"

// scene is one exploration: where it starts, what people may do, and how many faults there are.
type scene struct {
	name    string
	config  Config
	budget  budget
	horizon int8
	people  []func(w *world) Event // each happens at most once, at any time; nil: not now
	prepare func(w *world)
}

// label says what led to a world: which service, witness or person by n, which task by id.
type label struct {
	what string
	n    int
	id   ActionID
}

// successors calls visit with every world that can follow w.
// next is where each of them is made, one after the other.
func (sc *scene) successors(w, next *world, r rules, visit func(l label, next *world)) {
	sc.time(w, next, visit)
	sc.core(w, next, r, visit)
	sc.serviceSteps(w, next, visit)
	sc.replicate(w, next, r, visit)
	for i := range w.n {
		*next = *w
		next.deliver(r, w.net[i], visit)
	}
}

// time passes, with clocks that drift.
func (sc *scene) time(w, next *world, visit func(label, *world)) {
	if w.t >= sc.horizon {
		return
	}
	*next = *w
	next.t++
	visit(label{what: "time"}, next)
	if w.budget.drifts == 0 {
		return
	}
	for i := range w.svc {
		if w.svc[i].epoch == 0 {
			continue
		}
		*next = *w
		next.t++
		next.svc[i].slow++
		next.budget.drifts--
		visit(label{what: "time, slow service"}, next)
	}
	*next = *w
	next.t++
	next.off++
	next.budget.drifts--
	visit(label{what: "time, fast leader"}, next)
}

// core steps: time is noticed, another member takes over, witnesses report, people act.
func (sc *scene) core(w, next *world, r rules, visit func(label, *world)) {
	*next = *w
	next.feed(r, Elapsed{})
	visit(label{what: "elapsed"}, next)
	if w.budget.takeovers > 0 {
		for _, by := range []int8{5, -5} {
			*next = *w
			next.off += by
			next.budget.takeovers--
			next.feed(r, TookOver{w.s.Term + 1})
			visit(label{what: "take-over"}, next)
		}
	}
	if w.budget.looks > 0 {
		for i := range 3 {
			for _, v := range []Verdict{Up, Down} {
				*next = *w
				if next.ghost.views[i] == v {
					continue
				}
				next.budget.looks--
				next.ghost.views[i] = v
				next.feed(r, Observed{Witness: i, Seen: [2]Verdict{v, Up}})
				visit(label{what: [...]string{"", "witness sees up", "witness sees down"}[v], n: i}, next)
			}
		}
	}
	for i, event := range sc.people {
		if w.people&(1<<i) != 0 {
			continue
		}
		if e := event(w); e != nil {
			*next = *w
			next.people |= 1 << i
			next.person(e)
			next.feed(r, e)
			visit(label{what: "person", n: i}, next)
		}
	}
}

// person notes the truth about what people did.
func (w *world) person(e Event) {
	switch e := e.(type) {
	case Approved:
		w.ghost.agreed |= 1 << (e.By[0] - 'a')
	case Overridden:
		w.ghost.accepted = Override{e.By, e.Gates, e.Loss}
	}
}

// serviceSteps: services ask for the right, restart, and replicate.
func (sc *scene) serviceSteps(w, next *world, visit func(label, *world)) {
	for i := First; i <= Second; i++ {
		if w.svc[i].epoch > 0 && w.budget.asks > 0 {
			*next = *w
			next.budget.asks--
			var q Renewal
			next.svc[i].lease, q = w.svc[i].lease.Ask(w.svc[i].epoch, w.clock(i))
			if next.send(about(question, i, q, 0)) {
				visit(label{what: "asks", n: int(i)}, next)
			}
		}
		if w.budget.restarts > 0 && w.svc[i].epoch > 0 {
			*next = *w
			next.budget.restarts--
			next.svc[i].lease = NewLease(w.svc[i].lease.Boot + 1)
			visit(label{what: "restarts", n: int(i)}, next)
		}
	}
}

// replicate lets the standby apply the holder's history up to this moment and say so.
func (sc *scene) replicate(w, next *world, r rules, visit func(label, *world)) {
	h := w.s.Holder
	if w.budget.replications == 0 || w.svc[h].epoch != w.s.Epoch || w.ghost.apart[h.Other()] {
		return
	}
	*next = *w
	next.budget.replications--
	next.ghost.applied = Stamp{w.svc[h].lease.Boot, w.clock(h)}
	next.feed(r, Replicated{w.s.Epoch, next.ghost.applied, 0})
	visit(label{what: "replicate"}, next)
}

// deliver hands a message over. It stays in the network.
func (w *world) deliver(r rules, m message, visit func(label, *world)) {
	switch m.kind {
	case question:
		w.feed(r, Renewing{m.svc, m.renewal()})
		visit(label{what: "question delivered"}, w)
	case answer:
		svc := &w.svc[m.svc]
		svc.lease = r.granted(svc.lease, Grant{Renewal: m.renewal(), Length: Tick(m.length)}, w.clock(m.svc))
		visit(label{what: "answer delivered"}, w)
	case task:
		w.perform(r, m, visit)
	case outcome:
		o := Outcome{Revision: tandem.Revision(m.rev)}
		if m.id.Step == Prove {
			o.Gates = Results{Pass, Pass, Pass, Pass, Pass}
			if !m.good {
				o.Gates[KeysGate] = Fail
				o.Gates[BackendGate] = Unproven
			}
			if w.s.Run.Step == Prove && w.s.Run.Number == m.id.Run && w.s.Run.Round == m.id.Round {
				w.ghost.gates = r0.unmet(o.Gates)
			}
		}
		w.feed(r, ActionDone{m.id, o})
		visit(label{what: "outcome", id: m.id}, w)
	}
}

var r0 = rules{} // the protocol

// perform carries out a task; twice is as once.
func (w *world) perform(r rules, m message, visit func(label, *world)) {
	done := message{kind: outcome, svc: m.svc, id: m.id, good: true}
	svc := &w.svc[m.svc]
	switch m.id.Step {
	case Fence, Drain:
		if svc.epoch > tandem.Epoch(m.epoch) {
			return // the service knows a newer epoch
		}
		svc.lease = r.drop(svc.lease)
		done.rev = 100 // the model's revision: all that was acknowledged until the drain, see Sync
	case Sync:
		if w.s.Epoch != tandem.Epoch(m.epoch) {
			return
		}
		w.ghost.applied = w.ghost.acked[m.svc.Other()]
		done.rev = m.rev
	case Promote:
		svc.epoch = max(svc.epoch, tandem.Epoch(m.epoch))
	case Reconcile:
		if w.s.Epoch != tandem.Epoch(m.epoch) {
			return
		}
		w.ghost.apart[m.svc] = false
		w.ghost.applied = w.ghost.acked[m.svc.Other()]
	case Prove:
		if w.budget.badGates > 0 {
			bad := *w
			bad.budget.badGates--
			failed := done
			failed.good = false
			if bad.send(failed) {
				visit(label{what: "gates fail"}, &bad)
			}
		}
	}
	if w.send(done) {
		visit(label{what: "performed", id: m.id}, w)
	}
}
