package failover

import (
	"fmt"
	"strings"

	"tandem"
)

// FactKind sorts what goes on record.
type FactKind uint8

// The facts. Evidence and measures are made of them.
const (
	Began          FactKind = iota // a run began
	Ended                          // it ended as it should
	GaveUp                         // it ended before its aim; Note says why
	Refused                        // gates do not pass; an override must quote Gates and Loss
	Overrode                       // a person went on, seeing Gates and Loss
	Agreed                         // a person approved
	Closed                         // no more grants for Epoch; Loss is the bound
	Given                          // Service got Epoch
	Moved                          // traffic goes to Service
	SeenDown                       // a quorum sees Service down
	SeenUp                         // a quorum sees Service up
	Rehearsed                      // a drill's gates
	KeptOrphans                    // Count writes of Service were kept aside
	MergedFact                     // Service follows the holder again
	ConflictsFound                 // Count conflicts wait for a person
	WroteLate                      // an unfenceable service took Count writes after its epoch
	HoldChanged                    // a hold was put on or taken off
	Turned                         // a person's wish was not followed; Note says why
	ActionTrouble                  // an action failed; Note says why
	QuorumLost                     // decisions are made on one site's copy
	QuorumBack
)

var factWords = [...]string{"began", "ended", "gave up", "refused", "overrode", "agreed", "closed", "gave", "moved", "seen down", "seen up", "rehearsed",
	"kept orphans", "merged", "conflicts", "wrote late", "hold", "turned down", "trouble", "quorum lost", "quorum back"}

// Fact is one line of a group's history. At is on the clock of the leader of Term.
type Fact struct {
	Kind     FactKind
	Run      uint32
	Of       Kind
	Service  Service
	Epoch    tandem.Epoch
	By       string
	Gates    GateSet
	Loss     Bound
	Unfenced bool
	Count    uint64
	Note     string
	Term     uint64
	At       Tick
}

// String is the fact's line in a trace.
func (f Fact) String() string {
	var b strings.Builder
	b.WriteString(factWords[int(f.Kind)%len(factWords)])
	if f.Run > 0 {
		fmt.Fprintf(&b, " run %d (%s)", f.Run, f.Of)
	}
	fmt.Fprintf(&b, " %s epoch %d", f.Service, f.Epoch)
	switch f.Kind {
	case Refused, Overrode:
		fmt.Fprintf(&b, " gates %s loss %s", f.Gates, f.Loss)
	case Closed:
		fmt.Fprintf(&b, " loss %s", f.Loss)
	case Rehearsed:
		fmt.Fprintf(&b, " unmet %s", f.Gates)
	case KeptOrphans, ConflictsFound, WroteLate:
		fmt.Fprintf(&b, " count %d", f.Count)
	}
	if f.Unfenced {
		b.WriteString(" unfenced")
	}
	if f.By != "" {
		b.WriteString(" by " + f.By)
	}
	if f.Note != "" {
		b.WriteString(": " + f.Note)
	}
	return b.String()
}
