package failover

import "tandem"

// State is all that is known and decided of one recovery group: one document, committed before anything is done about it.
// It is a plain value; Step never changes the one it is given.
//
// Invariants:
//  1. Epoch only grows. A grant is given only for Epoch, only to Holder, and only while Open.
//  2. Epoch grows only when the former holder's right is over: its Tenure is over by lease and margin, or it confirmed the
//     drop. Exceptions, both marked Unfenced: it is unfenceable, or two sites are lost and a person asked (law 4).
//  3. Epoch grows only when every gate passes or an override on record names the ones that do not, with a loss that covers
//     the bound; or after a drain and a final sync, with nothing to lose (law 5).
//  4. Open is false only in the steps Fence, Drain and Sync of a run.
//  5. While Apart, only a failover with an override gives Holder's other service the epoch.
//  6. At most one run is active. Its task's ID changes only with its step or round.
//  7. While Hold.Roles is on, no run that gives out an epoch begins without a person; while Hold.Traffic is on, Traffic changes not.
type State struct {
	Config Config
	Term   uint64 // whose clock the ticks of this state are read from

	Epoch   tandem.Epoch
	Holder  Service // the primary: who may accept management writes in Epoch
	Open    bool    // grants are given
	Tenure  Tenure
	Standby Position // how far the other service has followed the holder in Epoch
	InStep  bool     // the other service had everything when Epoch began
	Apart   bool     // the other service may have writes that the holder lacks, and lacks the holder's: merge first
	Orphans bool     // its writes are not yet kept aside
	Away    bool     // the last change of roles was a failover

	Panel  Panel
	Health [2]Trend

	Traffic  Service
	Hold     Hold
	HoldDown HoldDown
	Lost     bool // two sites are lost: Step runs on one site's copy

	Run  Run
	Runs uint32

	Watching [2]bool   // unfenceable services whose writes after the epoch are watched for
	Late     [2]uint64 // how many were seen
}

// Hold is a person's order to leave things as they are.
type Hold struct {
	Roles   bool
	Traffic bool
}

// New is the state of a group that has just been made: its home holds the first epoch and has the traffic.
func New(c Config, term uint64, now Tick) State {
	home := c.Home & 1
	s := State{Config: c, Term: term, Epoch: 1, Holder: home, Open: true, Traffic: home}
	for i := range s.Health {
		s.Health[i].Since = now
	}
	return s
}

// Loss bounds what would be lost if the holder never came back: the lag right now, with the right that is still out.
func (s State) Loss(now Tick) Bound { return rules{}.loss(s, now) }

// Outstanding are the tasks to be carried out, after a start or a take-over.
func (s State) Outstanding() []Action {
	var all []Action
	if a, ok := s.task(); ok {
		all = append(all, a)
	}
	for i, on := range s.Watching {
		if on {
			all = append(all, s.watch(Service(i)))
		}
	}
	return all
}

func (s State) watch(of Service) Action {
	return Action{ID: ActionID{Step: Watch}, Service: of, Epoch: s.Epoch}
}

// task is the task of the run's step.
func (s State) task() (Action, bool) {
	r := s.Run
	if !r.Active() || r.Step == Stopped {
		return Action{}, false
	}
	a := Action{ID: ActionID{r.Number, r.Round, r.Step}, Service: r.To, Epoch: s.Epoch}
	switch r.Step {
	case Fence, Drain:
		a.Service = s.Holder
	case Sync:
		a.Upto = r.Last
	}
	return a, true
}
