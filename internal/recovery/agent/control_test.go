package agent

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
)

func (w *world) tick() failover.Tick { return tickOf(tandem.SystemClock{}.Boottime()) }

// step is what a controller does with an event; the caller holds the lock. What is to be done is queued.
func (w *world) step(e failover.Event) []failover.Action {
	next, actions := failover.Step(w.state, e, w.tick())
	w.state = next
	for _, a := range actions {
		switch a.Kind {
		case failover.Record:
			w.facts = append(w.facts, a.Fact)
		case failover.Do:
			w.todo = append(w.todo, a)
		}
	}
	return actions
}

// Renew implements recovery.Control.
func (w *world) Renew(_ context.Context, _ string, s failover.Service, r failover.Renewal) (failover.Grant, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return failover.Grant{}, &tandem.Error{Op: "renew", Kind: tandem.Unavailable, Err: errors.New("nobody leads")}
	}
	for _, a := range w.step(failover.Renewing{Service: s, Renewal: r}) {
		if a.Kind == failover.Answer {
			return a.Grant, nil
		}
	}
	return failover.Grant{}, &tandem.Error{Op: "renew", Kind: tandem.Precondition, Err: errors.New("no grant")}
}

// Replicated implements recovery.Control.
func (w *world) Replicated(_ context.Context, _ string, e failover.Replicated) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step(e)
	return nil
}

// Observed implements recovery.Control.
func (w *world) Observed(_ context.Context, _ string, e failover.Observed) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step(e)
	return nil
}

func (w *world) sees(first, second failover.Verdict) {
	_ = w.Observed(context.Background(), groupID, failover.Observed{Seen: [2]failover.Verdict{first, second}})
}

func (w *world) snapshot() failover.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// membership is what a member is told now.
func (w *world) membership(n failover.Service) recovery.Membership {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version++
	s := w.state
	return recovery.Membership{Group: groupID, Service: serviceID(n), Index: n, Peer: serviceID(n.Other()), PeerNode: w.places[n.Other()].server.URL, Mode: w.mode, Overlay: w.overlay,
		Epoch: s.Epoch, Holder: s.Holder, Vault: "vault", Follow: !s.Apart, Lease: s.Config.Lease, Renew: 50, Objective: s.Config.Objective, Version: w.version}
}

// tell brings both members their membership; one that is down gets it another time.
func (w *world) tell() {
	for _, p := range w.places {
		if p.handler.Load() != nil {
			m := w.membership(p.index)
			insist(w.t, func() error { return p.site().Join(w.t.Context(), m) })
		}
	}
}

// site is the place as a controller reaches it.
func (p *place) site() recovery.Site { return Client(p.server.URL, p.server.Client()) }

// insist tries again while the connection is what failed, as a controller does.
func insist(t testing.TB, try func() error) {
	t.Helper()
	for n := 0; ; n++ {
		err := try()
		if tandem.KindOf(err) != tandem.Unavailable || n == 1000 {
			must(t, err)
			return
		}
		_ = tandem.SystemClock{}.Sleep(t.Context(), 10*time.Millisecond)
	}
}

// task is what a controller makes of an action.
func task(a failover.Action) recovery.Task {
	return recovery.Task{Group: groupID, Service: serviceID(a.Service), ID: a.ID, Epoch: a.Epoch, Upto: a.Upto}
}

// drive carries out what the state asks for until the run is over, or waits for a person. twice says that every task
// is given twice, as by a leader that died in between; between is called after each.
func (w *world) drive(change func(*recovery.Task), between func(failover.Action)) {
	w.t.Helper()
	clock := tandem.SystemClock{}
	for end := clock.Now().Add(time.Minute); ; {
		w.mu.Lock()
		w.step(failover.Elapsed{})
		w.todo = nil
		todo := w.state.Outstanding()
		run, facts := w.state.Run, slices.Clone(w.facts)
		w.mu.Unlock()
		if !run.Active() || run.Step == failover.Resolve || run.Step == failover.Stopped {
			return
		}
		if clock.Now().After(end) {
			w.t.Fatalf("the run %s stays in %s: %v", run.Kind, run.Step, facts)
		}
		for _, a := range todo {
			w.carry(a, change, between)
		}
		_ = clock.Sleep(w.t.Context(), time.Millisecond)
	}
}

func (w *world) carry(a failover.Action, change func(*recovery.Task), between func(failover.Action)) {
	t := task(a)
	if change != nil {
		change(&t)
	}
	out := recovery.Outcome{}
	if a.ID.Step != failover.Approve && a.ID.Step != failover.Redirect {
		p := w.places[a.Service]
		if p.handler.Load() == nil {
			return // a node that is down brings nothing
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
		defer cancel()
		var err error
		if out, err = p.site().Do(ctx, t); err != nil {
			w.mu.Lock()
			w.step(failover.ActionFailed{ID: a.ID, Why: err.Error()})
			w.mu.Unlock()
			return
		}
	}
	if between != nil {
		between(a)
	}
	w.mu.Lock()
	before := w.state.Epoch
	w.step(failover.ActionDone{ID: a.ID, Outcome: out.Outcome})
	moved := before != w.state.Epoch || a.ID.Step == failover.Reconcile
	w.mu.Unlock()
	if moved {
		w.tell()
	}
}

// run asks for a run of a kind.
func (w *world) run(k failover.Kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step(failover.Requested{Kind: k, By: "ann"})
	if !w.state.Run.Active() {
		w.t.Fatalf("a %s does not begin: %v", k, w.facts)
	}
}
