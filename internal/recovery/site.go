package recovery

import (
	"context"

	"tandem"
	"tandem/internal/failover"
)

// Mode is how a standby follows its primary.
type Mode string

// The modes.
const (
	Native     Mode = "native"     // backup, wait, restore, verify, by schedule
	Continuous Mode = "continuous" // every commit streams to the standby and to the vault's journal
	Logical    Mode = "logical"    // capture, plan, apply by schedule, over the management API
)

// Membership tells a node all it must know of a group that one of its services belongs to. The controller sends it after
// every change of it; the agent keeps it in the region's own store, since a holder that restarts without any control plane must
// still know that it needs a lease.
type Membership struct {
	Group    string           `json:"group"`   // the ARM id of the recovery group
	Service  string           `json:"service"` // the ARM id of the member
	Index    failover.Service `json:"index"`
	Peer     string           `json:"peer"`     // the ARM id of the other member
	PeerNode string           `json:"peerNode"` // the other node's internal address: "https://10.1.0.4:7443"
	Mode     Mode             `json:"mode"`
	Epoch    tandem.Epoch     `json:"epoch"`  // the newest given out; an older message than what the agent knows changes nothing
	Holder   failover.Service `json:"holder"` // who may write in Epoch
	Vault    string           `json:"vault"`  // the blob container's ARM id, where the journal goes; empty: no journal
	// Follow is whether the standby shall follow the holder's stream: false while the two are apart.
	Follow bool `json:"follow"`
	// Lease, Margin and Objective are failover.Config's, in milliseconds; Renew is how often the holder asks.
	Lease     failover.Tick `json:"lease"`
	Renew     failover.Tick `json:"renew"`
	Objective failover.Tick `json:"objective"`
	// Overlay is what differs in the region of the group's second member.
	Overlay []OverlayRule `json:"overlay,omitempty"`
	// Version orders messages about one group: a lower one than the newest seen is dropped.
	Version uint64 `json:"version"`
	// Left says that the service is no member any more: it may be written as any other service.
	Left bool `json:"left,omitempty"`
}

// Task is what a controller asks of a site. ID makes it one of its kind: the same task again changes nothing and gives the
// same outcome. A site that knows a newer epoch than Epoch refuses with Precondition.
type Task struct {
	Group   string            `json:"group"`
	Service string            `json:"service"` // the ARM id of the member that acts
	ID      failover.ActionID `json:"id"`
	Epoch   tandem.Epoch      `json:"epoch"`
	Upto    tandem.Revision   `json:"upto,omitempty"` // Sync
	// Fence is with Promote where the former history ends; nil: after what the standby has.
	Last *tandem.Revision `json:"last,omitempty"`
	// Rule and Decisions are with Reconcile: how conflicts are decided, by rule and, by key, by a person.
	Rule      failover.Rule            `json:"rule,omitempty"`
	Decisions map[string]failover.Side `json:"decisions,omitempty"`
	// TrafficName is what certificates must be valid for, with Prove and Rehearse.
	TrafficName string `json:"trafficName,omitempty"`
}

// Finding is one check of a gate, for evidence and for people: what was tried, and what came out.
type Finding struct {
	Gate   failover.Gate   `json:"gate"`
	Result failover.Result `json:"result"`
	What   string          `json:"what"` // "12 keys of 12 open", "backend orders-api answers"
}

// Outcome is what a site brings back.
type Outcome struct {
	failover.Outcome
	Findings  []Finding           `json:"findings,omitempty"`
	Conflicts []failover.Conflict `json:"conflictList,omitempty"` // Reconcile; secrets in it are masked
	Kept      string              `json:"kept,omitempty"`         // Keep: the name of the snapshot that has the orphans
}

// Site carries out tasks at the node of a member. Errors: Precondition where the epoch is over; Unavailable where the node
// does not answer, which may be tried again; others are final.
type Site interface {
	// Join brings a membership.
	Join(ctx context.Context, m Membership) error
	// State tells how the member is, at once.
	State(ctx context.Context, service string) (SiteState, error)
	// Do carries out one task of a step: Prove, Fence, Drain, Sync, Promote, Keep, Reconcile, Rehearse, Tidy.
	Do(ctx context.Context, t Task) (Outcome, error)
}

// SiteState is how a member is, by its own node.
type SiteState struct {
	Service    string            `json:"service"`
	Epoch      tandem.Epoch      `json:"epoch"`
	Generation tandem.Generation `json:"generation"`
	Revision   tandem.Revision   `json:"revision"` // the newest of its own history
	Served     tandem.Revision   `json:"served"`   // what its gateway serves
	Writes     bool              `json:"writes"`   // it holds a lease that is good now
	// Stamp is the member's own clock when it answered: what a backup that begins now will have at least (law 11).
	Stamp failover.Stamp `json:"stamp,omitzero"`
	// Of the standby: the holder's revision and epoch it has applied, and its lag by its own clock.
	FollowsEpoch    tandem.Epoch    `json:"followsEpoch,omitempty"`
	FollowsRevision tandem.Revision `json:"followsRevision,omitempty"`
	LagMillis       *int64          `json:"lagMillis,omitempty"` // nil: not known
	LagCommits      *int64          `json:"lagCommits,omitempty"`
	Attached        bool            `json:"attached,omitempty"`
	// Journal is how far the vault's journal is behind, at the holder.
	JournalMillis *int64 `json:"journalMillis,omitempty"`
	// Held is what the guard against mass deletion holds back, in words; empty: nothing.
	Held string `json:"held,omitempty"`
}

// Control is the leading controller, as agents see it.
type Control interface {
	// Renew asks for the right to acknowledge. Unavailable: nobody leads, or not here; Precondition: the epoch is over.
	Renew(ctx context.Context, group string, s failover.Service, r failover.Renewal) (failover.Grant, error)
	// Replicated reports how far the standby has come, as often as it changes, at most every 100 ms,
	// and at least every second: a new leader knows only what was committed with the last renewal.
	Replicated(ctx context.Context, group string, e failover.Replicated) error
	// Observed reports what a witness sees.
	Observed(ctx context.Context, group string, e failover.Observed) error
}

// Traffic is the traffic end of a group: a Traffic Manager profile here, or one elsewhere.
type Traffic interface {
	// Direct makes the profile send clients to the endpoint of the member, until Release or another Direct. It returns
	// once the servers that can be reached answer so.
	Direct(ctx context.Context, profile, member string) error
	// Auto gives the decision back to the profile's own health rules.
	Auto(ctx context.Context, profile string) error
}

// Releaser is a Site whose guard against mass deletion a person can answer.
type Releaser interface {
	// Release lets pass what SiteState.Held tells, word by word. Precondition where something else is held by now.
	Release(ctx context.Context, service, held string) error
}
