package failover

import (
	"fmt"
	"strings"
)

// String writes the state on one line, for traces and logs. It holds no secret.
func (s State) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "epoch %d %s", s.Epoch, s.Holder)
	if !s.Open {
		b.WriteString(" closed")
	}
	if s.Tenure.Given {
		fmt.Fprintf(&b, " right to %s (here %d)", s.Tenure.End, s.Tenure.Ends)
	}
	if s.Standby.Known {
		fmt.Fprintf(&b, " standby at %s", s.Standby.Source)
	}
	for _, flag := range []struct {
		on   bool
		word string
	}{{s.InStep, "in step"}, {s.Apart, "apart"}, {s.Orphans, "orphans"}, {s.Away, "away"}, {s.Lost, "sites lost"}, {s.Watching != [2]bool{}, "watching"}} {
		if flag.on {
			b.WriteString(" " + flag.word)
		}
	}
	fmt.Fprintf(&b, "; health %s/%s; traffic %s", s.Health[First].Verdict, s.Health[Second].Verdict, s.Traffic)
	if s.Hold != (Hold{}) {
		b.WriteString("; hold " + s.Hold.String())
	}
	if s.Run.Number > 0 {
		fmt.Fprintf(&b, "; run %d %s to %s: %s", s.Run.Number, s.Run.Kind, s.Run.To, s.Run.Step)
	}
	return b.String()
}
