package failover

import "tandem"

// Kind is a kind of run.
type Kind uint8

// The kinds of run.
const (
	NoRun      Kind = iota
	Failover        // the holder is down: end its right, promote the other
	Switchover      // planned: drain, final sync, swap roles, nothing lost
	Failback        // back to Config.Home: merge what went apart, then as a switchover
	Rejoin          // make a former primary a standby again: keep its orphans, merge
	Drill           // restore into a scratch generation and prove it; no role and no traffic moves
	FullDrill       // a switchover as an exercise; always asks for a person
)

var kindWords = [...]string{"none", "failover", "switchover", "failback", "rejoin", "drill", "full drill"}

// String is the kind's word.
func (k Kind) String() string { return kindWords[int(k)%len(kindWords)] }

// StepKind is a step of a run; each has one task.
type StepKind uint8

// The steps.
const (
	Idle      StepKind = iota
	Prove              // try the gates of Service
	Stopped            // gates do not pass: wait for an override, or try again later
	Approve            // ask people; nothing to send back, Approved does it
	Fence              // tell Service to drop its right; the task's outcome or the lease's end ends the step
	Drain              // let Service finish its writes, drop its right and report its last revision
	Sync               // let Service apply everything up to Upto
	Promote            // tell Service that it holds Epoch; it asks for the right then
	Redirect           // point traffic to Service
	Keep               // keep Service's writes that were never replicated as a snapshot of their own
	Reconcile          // three-way merge: the last common revision, the holder, and Service
	Resolve            // a person decides conflicts; nothing to send back, Resolved does it
	Rehearse           // restore into a scratch generation of Service, in place of an older one, and try the gates there
	Tidy               // remove the scratch generation
	Watch              // report writes that unfenceable Service takes after its epoch; a standing task without an end
	Over               // the run has ended
)

var stepWords = [...]string{"idle", "prove", "stopped", "approve", "fence", "drain", "sync", "promote", "redirect", "keep", "reconcile", "resolve", "rehearse", "tidy", "watch", "over"}

// String is the step's word.
func (s StepKind) String() string { return stepWords[int(s)%len(stepWords)] }

// plan are the steps of a kind of run in their order.
func (k Kind) plan() []StepKind {
	switch k {
	case Failover:
		return []StepKind{Prove, Approve, Fence, Promote, Redirect}
	case Switchover, FullDrill:
		return []StepKind{Prove, Approve, Drain, Sync, Promote, Redirect}
	case Failback:
		return []StepKind{Keep, Reconcile, Prove, Approve, Drain, Sync, Promote, Redirect}
	case Rejoin:
		return []StepKind{Keep, Reconcile}
	case Drill:
		return []StepKind{Rehearse, Tidy}
	default:
		return nil
	}
}

// Run is what is going on. The zero Run is none.
type Run struct {
	Number uint32
	Kind   Kind
	Step   StepKind
	Round  uint16
	To     Service // the service it is about: who shall be promoted, merged, rehearsed
	By     string  // who asked; empty: the health of the services, or the configuration

	Since    Tick // the step began
	Tried    Tick // its task was sent last
	Attempts uint8

	Gates     Results
	Loss      Bound
	Approvers [2]string
	Override  Override
	Last      tandem.Revision // the drained holder's last revision
	Unfenced  bool            // two sites are lost, or the old holder cannot be fenced
}

// Override is what a person has decided to accept. By empty: there is none.
type Override struct {
	By    string
	Gates GateSet
	Loss  Bound
}

// Active is whether the run is still going on.
func (r Run) Active() bool { return r.Step != Idle && r.Step != Over }

// promotes is whether the run gives out an epoch, and has not yet.
func (r Run) promotes() bool {
	return r.Active() && (r.Kind == Failover || r.planned()) && r.Step != Promote && r.Step != Redirect
}

func (r Run) planned() bool { return r.Kind == Switchover || r.Kind == Failback || r.Kind == FullDrill }

// people are the different people who stand behind the run.
func (r Run) people() int {
	n := 0
	all := [...]string{r.By, r.Override.By, r.Approvers[0], r.Approvers[1]}
	for i, who := range all {
		fresh := who != ""
		for _, other := range all[:i] {
			fresh = fresh && other != who
		}
		if fresh {
			n++
		}
	}
	return n
}
