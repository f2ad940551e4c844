package failover

import (
	"fmt"
	"math/bits"
)

// judgeStep holds the invariants that are about one step of the core, on the ghost's truth.
func (w *world) judgeStep(before State, e Event) {
	s, g := w.s, &w.ghost
	switch {
	case s.Epoch < before.Epoch:
		g.fail("the epoch went back")
	case s.Epoch > before.Epoch:
		w.judgeEpoch(before)
	}
	if s.Runs > before.Runs && s.Run.By == "" && s.Hold.Roles && s.Run.Kind != Drill {
		g.fail("law 5: a run began by itself under a hold")
	}
	if !s.Open && s.Run.Step != Fence && s.Run.Step != Drain && s.Run.Step != Sync {
		g.fail("the right is closed outside of a run's waits")
	}
	if s.Traffic != before.Traffic && s.Run.Step != Redirect {
		if s.Hold.Traffic {
			g.fail("law 5: traffic moved by health under a hold")
		}
		agree := 0
		for _, v := range g.views {
			if before.Traffic == First && (v == Down || s.Holder == Second) || before.Traffic == Second && v == Up {
				agree++
			}
		}
		if agree < 2 {
			g.fail(fmt.Sprintf("traffic moved and only %d witnesses saw a reason", agree))
		}
	}
}

// judgeEpoch is laws 4 and 5 at the moment at which an epoch is given out.
func (w *world) judgeEpoch(before State) {
	g, old, run := &w.ghost, before.Holder, w.s.Run
	loss := g.loss(old)
	need := int(before.Config.Approval)
	if got := bits.OnesCount8(g.agreed | w.asked()); got < need {
		g.fail(fmt.Sprintf("roles moved with %d of %d people", got, need))
	}
	unmet := g.gates
	if run.planned() {
		if !loss.Known || loss.Most > 0 {
			g.fail("a planned change of roles lost writes: " + loss.String())
		}
		if g.apart[w.s.Holder] {
			g.fail("law 5: roles went back to a service whose history was not merged")
		}
	} else if !(Bound{true, before.Config.Objective}).Covers(loss) {
		unmet |= 1 << LagGate
		if g.accepted.By != "" && !g.accepted.Loss.Covers(loss) {
			g.fail("law 5: more was lost than the person saw: " + loss.String())
		}
	}
	if unmet != 0 && (g.accepted.By == "" || unmet&^g.accepted.Gates != 0) {
		g.fail("law 5: promoted with gates unmet: " + unmet.String())
	}
	if unmet != 0 && !g.onRecord {
		g.fail("law 5: an override is not on record")
	}
	if !run.planned() {
		g.apart[old] = true
	}
	g.applied, g.acked[w.s.Holder] = Stamp{}, Stamp{}
}

// asked are the people who stand behind the run by having asked or overridden.
func (w *world) asked() uint8 {
	var set uint8
	for _, who := range []string{w.s.Run.By, w.ghost.accepted.By} {
		if who != "" {
			set |= 1 << (who[0] - 'a')
		}
	}
	return set
}

// loss is what was truly acknowledged and not replicated.
func (g *ghost) loss(old Service) Bound {
	acked := g.acked[old]
	switch {
	case acked.Boot == 0 || acked.Boot < g.applied.Boot:
		return Bound{Known: true}
	case acked.Boot > g.applied.Boot:
		return Bound{}
	default:
		return Bound{true, max(0, acked.At-g.applied.At)}
	}
}

// promoting holds that an epoch is given out by one action, under one id, to one service.
func (w *world) promoting(a Action) {
	g := &w.ghost
	if int(a.Epoch) >= len(g.promoted) {
		return
	}
	if have := g.promoted[a.Epoch]; have != (ActionID{}) && have != a.ID {
		g.fail(fmt.Sprintf("epoch %d is given out twice, by %s and %s", a.Epoch, have, a.ID))
	}
	g.promoted[a.Epoch] = a.ID
}

// judge holds the invariants that are about every state, and lets whoever may acknowledge do so.
func (w *world) judge() {
	a, b := w.may(First), w.may(Second)
	if a && b {
		w.ghost.fail("law 4: two services may acknowledge writes")
	}
	for i := First; i <= Second; i++ {
		if !w.may(i) {
			continue
		}
		if i != w.s.Holder || w.svc[i].lease.Epoch != w.s.Epoch {
			w.ghost.fail(fmt.Sprintf("law 4: %s may acknowledge in epoch %d, which %s holds", i, w.s.Epoch, w.s.Holder))
		}
		w.ghost.acked[i] = Stamp{w.svc[i].lease.Boot, w.clock(i)}
	}
}

func (g *ghost) fail(what string) {
	if g.broken == "" {
		g.broken = what
	}
}
