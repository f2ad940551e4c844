package failover

import (
	"fmt"

	"tandem"
)

// ActionID names a task for good: the same id is the same task, however often it is carried out. Round counts how often a
// run has come back to a step.
type ActionID struct {
	Run   uint32
	Round uint16
	Step  StepKind
}

// String writes run.round/step.
func (id ActionID) String() string { return fmt.Sprintf("%d.%d/%s", id.Run, id.Round, id.Step) }

// ActionKind sorts actions by who takes care of them.
type ActionKind uint8

// The kinds of action.
const (
	Do     ActionKind = iota // carry out the task of a step, at least once, and send back its outcome
	Answer                   // answer a Renewing with a Grant; may be lost
	Record                   // a Fact, to be committed together with the state
)

// Action is something for the caller to do after the state is committed.
type Action struct {
	Kind    ActionKind
	ID      ActionID     // Do
	Service Service      // whom it concerns: who is proven, drained, promoted, pointed to, granted
	Epoch   tandem.Epoch // the epoch it belongs to; a service that knows a newer one refuses
	Upto    tandem.Revision
	Grant   Grant // Answer
	Fact    Fact  // Record
}

// String is the action's line in a trace.
func (a Action) String() string {
	switch a.Kind {
	case Answer:
		limit := ""
		if a.Grant.Limit > 0 {
			limit = fmt.Sprintf(" limit %d", a.Grant.Limit)
		}
		return fmt.Sprintf("answer %s: epoch %d, %dms from %s (question %d)%s", a.Service, a.Epoch, a.Grant.Length, a.Grant.Renewal.Sent, a.Grant.Renewal.Seq, limit)
	case Record:
		return "record " + a.Fact.String()
	default:
		s := fmt.Sprintf("do %s %s, epoch %d", a.ID, a.Service, a.Epoch)
		if a.ID.Step == Sync {
			s += fmt.Sprintf(", up to revision %d", a.Upto)
		}
		return s
	}
}
