package failover

import "tandem"

// Event is something that happened. Its time is the now that is given to Step with it.
type Event interface{ event() }

type (
	// Elapsed says only that time has passed.
	Elapsed struct{}

	// TookOver says that another member leads. Term is the number of its leadership, ever growing; from here on now is a
	// reading of its clock.
	TookOver struct{ Term uint64 }

	// Configured brings a configuration, valid by Config.Validate.
	Configured struct{ Config Config }

	// Observed is the report of one witness about both services. Sick: it suspects itself.
	Observed struct {
		Witness int
		Seen    [2]Verdict
		Sick    bool
	}

	// Renewing is a service's question for the right to acknowledge.
	Renewing struct {
		Service Service
		Renewal Renewal
	}

	// Replicated says that the standby has applied the holder's commits and heartbeats up to a position. For an
	// unfenceable holder the stamp is the leader's: Boot is the term, At when the capture began.
	Replicated struct {
		Epoch    tandem.Epoch // of the history that was followed
		Source   Stamp
		Revision tandem.Revision
	}

	// Requested is a person's wish for a run.
	Requested struct {
		Kind Kind
		By   string
	}

	// Approved is a person's consent to a run.
	Approved struct {
		Run uint32
		By  string
	}

	// Overridden is a person's decision to go on although gates do not pass. Gates and Loss are what the person was
	// shown; the override covers no gate and no loss beyond.
	Overridden struct {
		Run   uint32
		By    string
		Gates GateSet
		Loss  Bound
	}

	// Resolved says that a person has decided the conflicts of a merge.
	Resolved struct {
		Run uint32
		By  string
	}

	// Cancelled is a person's wish to give a run up. It also puts a hold on roles, so that the same run does not begin anew.
	Cancelled struct {
		Run uint32
		By  string
	}

	// HoldSet puts holds on or takes them off.
	HoldSet struct {
		Hold Hold
		By   string
	}

	// SitesLost says that the group's etcd has lost its quorum and that Step runs on one site's copy; with Back, that the
	// group is whole again and the document with the highest epoch was kept.
	SitesLost struct{ Back bool }

	// LateWrites says that an unfenceable service took writes after its epoch (law 4). Count is the total so far.
	LateWrites struct {
		Service Service
		Count   uint64
	}

	// ActionDone is the good outcome of an action.
	ActionDone struct {
		ID      ActionID
		Outcome Outcome
	}

	// ActionFailed is its bad outcome. Final: trying again is of no use.
	ActionFailed struct {
		ID    ActionID
		Why   string
		Final bool
	}
)

// Outcome is what an action brought back; each kind of action fills in its own.
type Outcome struct {
	Gates     Results         // Prove, Rehearse: all but the lag
	Revision  tandem.Revision // Drain: the last revision that was acknowledged. Sync: the revision applied
	Conflicts uint32          // Reconcile: conflicts that no rule decides
	Orphans   uint32          // Keep: how many writes were kept aside
}

func (Elapsed) event()      {}
func (TookOver) event()     {}
func (Configured) event()   {}
func (Observed) event()     {}
func (Renewing) event()     {}
func (Replicated) event()   {}
func (Requested) event()    {}
func (Approved) event()     {}
func (Overridden) event()   {}
func (Resolved) event()     {}
func (Cancelled) event()    {}
func (HoldSet) event()      {}
func (SitesLost) event()    {}
func (LateWrites) event()   {}
func (ActionDone) event()   {}
func (ActionFailed) event() {}
