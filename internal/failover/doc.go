// Package failover decides for one recovery group who may accept management writes, where traffic goes, and what must
// be done next. It is a pure core: no clock, no network, no goroutine. Package recovery feeds it and carries out what
// it decides.
//
// # Protocol
//
// The state of a group is one document in the etcd that spans the group's three sites. Whoever leads there does, for
// every event and one event at a time:
//
//	next, actions := failover.Step(state, event, now)
//	// 1. commit next, and the facts among the actions, in one transaction that fails when the document changed meanwhile;
//	// 2. only then carry out the other actions;
//	// 3. feed their outcome back as ActionDone or ActionFailed.
//
// A commit that fails means that another member decided first: drop next and actions, read the document, go on from
// there. An action may be carried out more than once and by more than one member, so each has an ID and is idempotent:
// doing it again with the same ID changes nothing. What is still to be done follows from the state alone
// (State.Outstanding); a member that takes over sends TookOver first and is told again.
//
// now is a reading of the leader's own monotonic clock. Readings of two machines never compare (law 11), so TookOver
// starts every wait anew from the new leader's clock. Elapsed must come regularly (every 100 ms): it is how time passes.
//
// # Who may write
//
// The right to acknowledge a management write is a lease. The holder asks for it (Renewing) and notes on its own
// monotonic clock when it sent the question. The answer (a Grant, given after the commit) is good until that moment of
// SENDING plus the lease's length, never counted from its receipt. The holder looks at its Lease again after each commit and
// before each acknowledgement; without the right it answers 503 and keeps the write as an orphan.
//
// The leader notes the lease from the moment it handled the question, which is never before the sending. So once it stops
// granting, and the noted end plus the drift margin has passed on its own clock, the holder has stopped too. Only then is
// the next epoch given out (law 4). The holder may also say that it has dropped its right, which ends the wait at once.
// Grants are the only source of the right: an action that is late, doubled or replayed by a leader of the past gives none.
//
// # How much may be lost
//
// Commits and heartbeats of the holder carry its own clock (Stamp). What the holder acknowledged lies before the end of
// its lease, what the standby has lies before the stamp it applied last; both stamps are of one clock, and their
// difference bounds the loss. Where the bound is not known the lag gate is inconclusive and the promotion is refused,
// until a person overrides it with the loss in view (law 5).
//
// # Where traffic goes
//
// Traffic moves on health, by a quorum of witnesses, unless a hold says no (law 5). Every DNS server asks Direct with
// the verdicts it has heard itself and does not wait for a commit; Step comes to the same answer and puts it on record.
//
// # Runs
//
// Everything else is a run: a failover, switchover, failback, rejoin or drill, one at a time, each a sequence of steps
// (Kind.plan). A step has one task for the outside; its outcome leads to the next step. Up to Promote a run can be given up
// and the holder's right is open again; from Promote on there is no way back but another run.
//
// # When two sites are lost
//
// The group's etcd has no quorum, and the lost sites may be alive and in agreement with each other. The last state
// is served. Its member sends TookOver and SitesLost to Step on its own copy; a person may promote from the surviving site's copy of the document: the run is marked unfenced and its epoch
// leaps ahead, so that it outranks what the lost sites gave out meanwhile.
package failover
