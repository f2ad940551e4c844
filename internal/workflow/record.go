package workflow

import (
	"fmt"
	"strings"
	"time"

	"tandem/internal/workflow/value"
)

// Status of a run or an action, as the service names it.
type Status string

// The statuses that runs and actions take here.
const (
	Waiting   Status = "Waiting"
	Running   Status = "Running"
	Succeeded Status = "Succeeded"
	Failed    Status = "Failed"
	Skipped   Status = "Skipped"
	TimedOut  Status = "TimedOut"
	Cancelled Status = "Cancelled"
)

// Finished tells whether nothing comes after the status.
func (s Status) Finished() bool { return s != Waiting && s != Running && s != "" }

// Codes that actions and runs end with, beside HTTP's.
const (
	codeOK              = "OK"
	codeFailed          = "ActionFailed"
	codeSkipped         = "ActionSkipped"
	codeTimedOut        = "ActionTimedOut"
	codeCancelled       = "ActionCancelled"
	codeBadRequest      = "BadRequest"
	codeTemplate        = "InvalidTemplate"
	codeConditionFailed = "ActionConditionFailed"
	codeBranch          = "ActionBranchingConditionNotSatisfied"
	codeTerminated      = "Terminated"
	codeNoResponse      = "NoResponse"
	codeUnauthorized    = "Unauthorized"
)

// Fault is the error of an action or a run.
type Fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func fault(code, format string, args ...any) *Fault {
	return &Fault{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Attempt is one try of an action that was repeated, or one that a crash cut short.
type Attempt struct {
	Start time.Time `json:"startTime"`
	End   time.Time `json:"endTime"`
	Code  string    `json:"code"`
	Error *Fault    `json:"error,omitempty"`
}

// codeInterrupted marks an attempt that was under way when the engine stopped: whether it had its effect is not known.
const codeInterrupted = "Interrupted"

// Record is the journal's entry for one action, or for one repetition of it.
type Record struct {
	Seq      int64      `json:"seq"` // order of the journal's last writes
	Action   string     `json:"action"`
	Indexes  []int      `json:"indexes,omitempty"` // of the iterations of the loops around it, outermost first
	Status   Status     `json:"status"`
	Code     string     `json:"code,omitempty"`
	Error    *Fault     `json:"error,omitempty"`
	Start    time.Time  `json:"start"`
	End      *time.Time `json:"end,omitempty"`
	Tracking string     `json:"tracking"`
	Attempts []Attempt  `json:"attempts,omitempty"`
	Count    int        `json:"count,omitempty"` // iterations of a loop

	Inputs   any `json:"inputs,omitempty"`
	Outputs  any `json:"outputs,omitempty"`
	Tracked  any `json:"tracked,omitempty"`
	Progress any `json:"progress,omitempty"` // what the action needs to go on after a crash

	Variable string `json:"variable,omitempty"` // the variable that it wrote, and what it is now
	Value    any    `json:"value,omitempty"`
}

// key names a record within its run: the action, then the indexes.
func recordKey(action string, indexes []int) string {
	var b strings.Builder
	b.WriteString(action)
	for _, i := range indexes {
		fmt.Fprintf(&b, "/%06d", i)
	}
	return b.String()
}

func (r *Record) key() string { return recordKey(r.Action, r.Indexes) }

// repetition is the name of a repetition in the management API: "000001-000002".
func (r *Record) repetition() string { return repetitionName(r.Indexes) }

func repetitionName(indexes []int) string {
	out := make([]string, len(indexes))
	for i, n := range indexes {
		out[i] = fmt.Sprintf("%06d", n)
	}
	return strings.Join(out, "-")
}

// object is the record as expressions see it through actions(), action() and result().
func (r *Record) object() *value.Object {
	o := value.New("name", r.Action, "startTime", timestamp(r.Start))
	if r.End != nil {
		o.Set("endTime", timestamp(*r.End))
	}
	o.Set("trackingId", r.Tracking)
	if r.Inputs != nil {
		o.Set("inputs", r.Inputs)
	}
	if r.Outputs != nil {
		o.Set("outputs", r.Outputs)
	}
	o.Set("code", r.Code)
	o.Set("status", string(r.Status))
	if r.Error != nil {
		o.Set("error", value.New("code", r.Error.Code, "message", r.Error.Message))
	}
	if r.Tracked != nil {
		o.Set("trackedProperties", r.Tracked)
	}
	return o
}

// timestamp writes a time as the service does.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }
