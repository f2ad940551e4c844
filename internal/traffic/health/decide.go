package health

import (
	"fmt"
	"slices"
	"time"
)

// Status is what an endpoint is taken to be.
type Status string

// The statuses that measuring gives. Azure's further ones (Disabled, Stopped, Inactive, Unmonitored) follow from settings.
const (
	Checking Status = "CheckingEndpoint" // no verdict yet; served in DNS, as Azure does
	Online   Status = "Online"
	Degraded Status = "Degraded"
)

// Rules are the thresholds of one endpoint.
type Rules struct {
	// Strikes is how many failures in a row make an endpoint Degraded: Azure's tolerated number plus one.
	Strikes int
	// Recover is how many successes in a row bring it back, at least 1.
	Recover int
	// Budget is how many failures in all are borne before SteadyRun successes in a row forgive them: an endpoint that fails
	// every third time never trips Strikes. 0 switches it off.
	Budget int
	// SteadyRun is how many successes in a row forgive failures, and bring back an endpoint that went over its budget.
	SteadyRun int
	// HoldDown is how long an endpoint stays out at least when it goes down again before it stood for FlapWindow. It doubles
	// with each further time, up to HoldDownMax, and it takes a steady run to come back, which doubles from
	// the third time on, up to eightfold. The
	// first time is free: a clean outage ends when it ends. 0 switches both off.
	HoldDown, HoldDownMax, FlapWindow time.Duration
	// Manual keeps an endpoint that was online before, and recovered, out until Readmit.
	Manual bool
	// Recheck is the gap before a failure is looked at again on a fresh connection; 0 waits for the next interval.
	Recheck time.Duration
	// Interval is the time between probes.
	Interval time.Duration
}

// State is what is known of one endpoint. The zero value is not valid: start with Fresh.
//
// Invariants: Successes and Failures are never both above zero; Awaiting implies Degraded; HeldUntil is zero unless the
// endpoint is Degraded.
type State struct {
	Status    Status      `json:"status"`
	Since     time.Time   `json:"since"`     // of the status
	Successes int         `json:"successes"` // in a row
	Failures  int         `json:"failures"`  // in a row
	Spent     int         `json:"spent"`     // of the budget
	Unsteady  bool        `json:"unsteady"`  // went down over its budget, or again: comes back after a steady run only
	Proven    bool        `json:"proven"`    // was online once; what never was has nothing to fail back from
	HeldUntil time.Time   `json:"heldUntil,omitzero"`
	Downs     []time.Time `json:"downs,omitempty"` // moves to Degraded since it last stood for the flap window
	Awaiting  bool        `json:"awaiting"`        // recovered, kept out until Readmit
	Why       string      `json:"why"`             // the last change, or the last failure's reason
}

// Fresh is the state of an endpoint nobody has looked at.
func Fresh(now time.Time) State { return State{Status: Checking, Since: now} }

// within takes times out of a restored state that no rule can have set: the wall clock was changed between two runs.
func (s State) within(r Rules, now time.Time) State {
	if most := now.Add(max(r.HoldDown, r.HoldDownMax)); s.HeldUntil.After(most) {
		s.HeldUntil = most
	}
	downs := s.Downs[:0:0]
	for _, t := range s.Downs {
		if !t.After(now) {
			downs = append(downs, t)
		}
	}
	s.Downs = downs
	if s.Since.After(now) {
		s.Since = now
	}
	return s
}

// EventKind says what happened.
type EventKind uint8

// The kinds of event.
const (
	Success EventKind = iota // a probe was answered as expected
	Failure                  // it was not
	Abstain                  // the prober suspects itself: nothing is learnt
	Readmit                  // a person lets a recovered endpoint back
)

// Event is one thing that happened to an endpoint.
type Event struct {
	Kind   EventKind
	Reason string // of a failure
}

// Decision is what follows.
type Decision struct {
	Next    time.Duration // until the next probe; 0: at the interval
	Changed bool          // the status, or Awaiting, is another one
	Why     string        // of a change
}

// Step is the whole of the decision: pure, so that scenarios in text can hold it.
func Step(r Rules, s State, e Event, now time.Time) (State, Decision) {
	switch e.Kind {
	case Success:
		return stepSuccess(r, s, now)
	case Failure:
		return stepFailure(r, s, e, now)
	case Readmit:
		if !s.Awaiting {
			return s, Decision{}
		}
		return online(s, now, "let back by hand")
	}
	return s, Decision{}
}

func stepSuccess(r Rules, s State, now time.Time) (State, Decision) {
	s.Failures, s.Successes = 0, s.Successes+1
	if s.Successes >= r.SteadyRun {
		s.Spent = 0
	}
	if s.Status == Online {
		return s, Decision{}
	}
	need := max(r.Recover, 1)
	if s.Status == Checking {
		need = 1 // nothing speaks against it
	}
	if s.Unsteady { // the more often it fell, the longer it must stand
		need = max(need, r.SteadyRun<<min(max(len(s.Downs)-2, 0), 3))
	}
	switch {
	case s.Successes < need && s.Unsteady: // steadiness shows over intervals, not in a burst
		return s, Decision{}
	case s.Successes < need:
		return s, Decision{Next: r.again(s.Successes)}
	case now.Before(s.HeldUntil):
		return s, Decision{Next: min(s.HeldUntil.Sub(now), r.Interval)}
	case s.Awaiting:
		return s, Decision{}
	case s.Status == Degraded && r.Manual && s.Proven:
		s.Awaiting, s.Why = true, fmt.Sprintf("answers again (%s in a row); kept out until it is let back", count(s.Successes, "success"))
		return s, Decision{Changed: true, Why: s.Why}
	}
	return online(s, now, count(s.Successes, "success")+" in a row")
}

func online(s State, now time.Time, why string) (State, Decision) {
	s.Status, s.Since, s.Why = Online, now, why
	s.Spent, s.Unsteady, s.Awaiting, s.Proven, s.HeldUntil = 0, false, false, true, time.Time{}
	return s, Decision{Changed: true, Why: why}
}

func stepFailure(r Rules, s State, e Event, now time.Time) (State, Decision) {
	s.Successes, s.Failures, s.Spent = 0, s.Failures+1, s.Spent+1
	if s.Status == Degraded {
		changed := s.Awaiting
		s.Awaiting, s.Why = false, e.Reason
		if changed {
			return s, Decision{Changed: true, Why: "failed again while it was kept out: " + e.Reason}
		}
		return s, Decision{}
	}
	over := r.Budget > 0 && s.Spent >= r.Budget
	if s.Failures < r.Strikes && !over {
		return s, Decision{Next: r.again(s.Failures)}
	}
	why := fmt.Sprintf("%s in a row, the last: %s", count(s.Failures, "failure"), e.Reason)
	if s.Failures < r.Strikes {
		s.Unsteady = true
		why = fmt.Sprintf("%s without %d successes in a row between, the last: %s", count(s.Spent, "failure"), r.SteadyRun, e.Reason)
	}
	stood := now.Sub(s.Since)
	s.Status, s.Since, s.Why = Degraded, now, why
	if !s.Proven {
		return s, Decision{Changed: true, Why: why}
	}
	recent := slices.Clone(s.Downs[max(0, len(s.Downs)-15):])
	if stood >= r.FlapWindow { // it stood long enough to be trusted anew
		recent = nil
	}
	if n := len(recent); n > 0 && r.HoldDown > 0 {
		s.Unsteady = true
		hold := r.HoldDown << min(n-1, 20)
		s.HeldUntil = now.Add(min(hold, r.HoldDownMax))
	}
	s.Downs = append(recent, now)
	return s, Decision{Changed: true, Why: why}
}

// again is the gap before the nth look at a change: the first three at Recheck, then doubling, never beyond the interval.
func (r Rules) again(n int) time.Duration {
	if r.Recheck <= 0 {
		return 0
	}
	gap := r.Recheck
	if n > 3 {
		gap <<= min(n-3, 16)
	}
	return min(gap, r.Interval)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what[len(what)-1] == 's' {
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
