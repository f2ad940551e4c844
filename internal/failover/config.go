package failover

import (
	"fmt"

	"tandem"
)

// Approval is how many different people must agree before roles move.
type Approval uint8

// The rules of approval.
const (
	Automatic Approval = iota
	OneHuman
	TwoHumans
)

// Config is what a recovery group asks of its decisions. All lengths are in ticks (milliseconds).
type Config struct {
	Home      Service // where the writes are in ordinary times; a failback leads there
	Witnesses uint8   // how many places watch, at most MaxWitnesses
	Quorum    uint8   // how many must agree, more than half

	Lease  Tick // how long a grant is good, from the sending of the question
	Margin Tick // by how much two clocks may drift apart during one lease; waited on top of it
	Fresh  Tick // a witness that has been silent for longer counts as silent

	FailAfter Tick // how long a primary must be down before roles move; traffic does not wait
	Steady    Tick // how long a service must be up before it is trusted again

	Objective Tick // RPO: the most that may be lost
	Refuse    bool // onLag: refuse. The primary stops acknowledging when the standby is further behind than Objective

	Approval    Approval
	HoldTraffic bool // the group says hold: traffic moves only when a person or a planned run moves it
	FailBack    bool // failback without being asked; the default is by hand
	Rejoin      bool // a former primary that is back is merged and made the standby without being asked

	Unfenceable [2]bool // services without leases (Azure): writes after the epoch are detected and reported (law 4)

	Retry    Tick  // how long until an unanswered task is sent again
	Attempts uint8 // how often a task is sent before a planned run is given up
	Reprove  Tick  // how long until refused gates are tried again

	HoldDown HoldDownConfig
}

// drift is the share by which a monotonic clock is trusted to be right: 1 part in 500, for two clocks together.
const drift = 500

// Validate checks a configuration. The error is Invalid and names the member.
func (c Config) Validate() error {
	bad := func(member, why, remedy string) error {
		return &tandem.Error{Op: "check recovery group", Subject: member, Kind: tandem.Invalid, Err: fmt.Errorf("%s", why), Remedy: remedy}
	}
	switch {
	case c.Home > Second:
		return bad("home", "there are two services", "name the first or the second")
	case c.Witnesses == 0 || c.Witnesses > MaxWitnesses:
		return bad("witnesses", fmt.Sprintf("%d witnesses", c.Witnesses), fmt.Sprintf("give 1 to %d, three for most groups", MaxWitnesses))
	case c.Quorum > c.Witnesses || int(c.Quorum)*2 <= int(c.Witnesses):
		return bad("quorum", fmt.Sprintf("%d of %d is no majority", c.Quorum, c.Witnesses), "let more than half agree")
	case c.Lease <= 0:
		return bad("lease", "a lease has a length", "give a few seconds")
	case c.Margin < c.Lease/drift+1:
		return bad("margin", fmt.Sprintf("%d ms do not cover the drift of two clocks during %d ms", c.Margin, c.Lease), fmt.Sprintf("give at least %d ms", c.Lease/drift+1))
	case c.Fresh <= 0 || c.Retry <= 0 || c.Reprove <= 0 || c.Attempts == 0:
		return bad("fresh, retry, reprove, attempts", "each must be above zero", "give a length to each")
	case c.FailAfter < 0 || c.Steady < 0 || c.Objective < 0:
		return bad("failAfter, steady, objective", "lengths of time are not negative", "give zero or more")
	case c.Approval > TwoHumans:
		return bad("approval", "there are three rules", "ask for none, one or two people")
	case c.HoldDown.Base < 0 || c.HoldDown.Most < c.HoldDown.Base || c.HoldDown.Quiet < 0:
		return bad("holdDown", "the longest hold-down is not below the first", "give base, most and quiet in rising order")
	}
	return nil
}
