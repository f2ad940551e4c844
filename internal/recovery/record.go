package recovery

import (
	"context"
	"slices"
	"strings"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/store"
)

// Status is where a run or a step stands.
type Status string

// The states of a run and of a step.
const (
	Running   Status = "Running"
	Waiting   Status = "Waiting" // for a person
	Succeeded Status = "Succeeded"
	Failed    Status = "Failed"
	Cancelled Status = "Cancelled"
)

// Record is the history of one run. It holds no secret.
type Record struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"` // failover, switchover, failback, rejoin, drill, full drill, backup, sync
	Status    Status            `json:"status"`
	By        string            `json:"by,omitempty"` // empty: the health of the services, or a schedule
	To        string            `json:"to,omitempty"` // the member it is about
	Reason    string            `json:"reason,omitempty"`
	Started   time.Time         `json:"started"`
	Ended     time.Time         `json:"ended,omitzero"`
	Millis    int64             `json:"durationMillis,omitempty"` // by the clock of one leader
	Epoch     tandem.Epoch      `json:"epoch,omitempty"`          // that it gave out
	Loss      string            `json:"loss,omitempty"`
	Unfenced  bool              `json:"unfenced,omitempty"`
	Approvers []string          `json:"approvers,omitempty"`
	Override  string            `json:"override,omitempty"` // who, and what was accepted
	Kept      string            `json:"kept,omitempty"`     // the snapshot that has the orphaned writes
	Orphans   uint32            `json:"orphans,omitempty"`
	Conflicts int               `json:"conflicts,omitempty"`
	Backup    string            `json:"backup,omitempty"` // of a backup or sync: its name in the vault
	Stamp     failover.Stamp    `json:"stamp,omitzero"`   // of a sync: the source's clock before it was read
	Steps     []StepRecord      `json:"steps"`
	Evidence  uint64            `json:"evidence,omitempty"` // number of the sealed report
	Moments   []failover.Moment `json:"moments,omitempty"`  // of the timeline, on clocks that compare
	began     failover.Tick
	term      uint64
}

// StepRecord is one step of a run.
type StepRecord struct {
	Name     string        `json:"name"`
	Round    uint16        `json:"round,omitempty"`
	Service  string        `json:"service,omitempty"`
	Status   Status        `json:"status"`
	Started  time.Time     `json:"started"`
	Ended    time.Time     `json:"ended,omitzero"`
	Attempts int           `json:"attempts"`
	Inputs   any           `json:"inputs,omitempty"`
	Outputs  any           `json:"outputs,omitempty"`
	Findings []FindingText `json:"findings,omitempty"`
	Errors   []string      `json:"errors,omitempty"`
}

// FindingText is a Finding in words.
type FindingText struct {
	Gate   string `json:"gate"`
	Result string `json:"result"`
	What   string `json:"what"`
}

func resultText(r failover.Result) string { return [...]string{"unproven", "pass", "fail"}[int(r)%3] }

func findingTexts(all []Finding) []FindingText {
	var out []FindingText
	for _, f := range all {
		out = append(out, FindingText{f.Gate.String(), resultText(f.Result), f.What})
	}
	return out
}

// maxErrors bounds the errors that a step keeps.
const maxErrors = 10

func (r *Record) clone() *Record {
	c := *r
	c.Steps = slices.Clone(r.Steps)
	return &c
}

// open is the step under way; nil: none.
func (r *Record) open() *StepRecord {
	if r == nil || len(r.Steps) == 0 || !r.Steps[len(r.Steps)-1].Ended.IsZero() {
		return nil
	}
	return &r.Steps[len(r.Steps)-1]
}

func (r *Record) closeStep(s Status, now time.Time) {
	if step := r.open(); step != nil {
		step.Status, step.Ended = s, now
	}
}

// history puts the facts of a decision and the run's record into its commit.
func (r *runner) history(b *batch, q question, before failover.State, actions []failover.Action) {
	for _, a := range actions {
		if a.Kind == failover.Record {
			b.doc.Facts++
			b.entries = append(b.entries, Entry{Number: b.doc.Facts, Time: b.now, Text: a.Fact.String(), Fact: a.Fact})
		}
	}
	var rec *Record
	if r.record != nil && before.Run.Active() {
		rec = r.record.clone()
		outcome(rec, q, before, b.now)
	}
	for _, e := range b.entries {
		switch f := e.Fact; {
		case f.Kind == failover.Began:
			if rec != nil {
				b.putRecord(r.place, rec)
			}
			rec = &Record{ID: coreRunID(f.Run), Kind: f.Of.String(), Status: Running, By: f.By, To: r.member(f.Service), Started: b.now, Unfenced: f.Unfenced, began: f.At, term: f.Term}
		case rec != nil && (f.Run > 0 || f.Kind == failover.GaveUp || f.Kind == failover.Ended):
			rec.fact(f, b.now)
			if f.Kind == failover.Given && before.Standby.Known && before.Tenure.Given {
				clock := r.member(before.Holder)
				rec.Moments = append(rec.Moments, failover.Moment{Mark: failover.Applied, Clock: clock, At: before.Standby.Source}, failover.Moment{Mark: failover.RightEnds, Clock: clock, At: before.Tenure.End})
			}
		}
	}
	if rec == nil {
		return
	}
	rec.advance(r, b.doc.State, b.now)
	b.record = rec
}

func (b *batch) putRecord(place string, rec *Record) {
	_ = b.put(runPrefix+place+"/"+rec.ID, rec) // a record is of plain values
}

// outcome notes what came back from the open step.
func outcome(rec *Record, q question, before failover.State, now time.Time) {
	step := rec.open()
	if step == nil || q.over == nil || q.over.Step != before.Run.Step || q.over.Round != before.Run.Round || q.over.Run != before.Run.Number {
		return
	}
	switch e := q.event.(type) {
	case failover.ActionDone:
		step.Outputs = map[string]any{"revision": e.Outcome.Revision, "conflicts": e.Outcome.Conflicts, "orphans": e.Outcome.Orphans}
		if q.detail != nil {
			step.Findings = findingTexts(q.detail.Findings)
			if q.detail.Kept != "" {
				rec.Kept, rec.Orphans = q.detail.Kept, e.Outcome.Orphans
			}
			rec.Conflicts = max(rec.Conflicts, len(q.detail.Conflicts))
		}
	case failover.ActionFailed:
		if len(step.Errors) < maxErrors {
			step.Errors = append(slices.Clone(step.Errors), e.Why)
		}
	}
}

// fact notes what a fact says of the run.
func (r *Record) fact(f failover.Fact, now time.Time) {
	switch f.Kind {
	case failover.Ended:
		r.Status, r.Ended = Succeeded, now
	case failover.GaveUp:
		r.Status, r.Ended, r.Reason = Failed, now, f.Note
		if strings.HasPrefix(f.Note, "cancelled") {
			r.Status = Cancelled
		}
	case failover.Agreed:
		if f.By != "" {
			r.Approvers = append(slices.Clone(r.Approvers), f.By)
		}
	case failover.Overrode:
		r.Override = f.By + " accepted " + f.Gates.String() + ", loss " + f.Loss.String()
	case failover.Refused:
		r.Reason, r.Loss = "gates do not pass: "+f.Gates.String(), f.Loss.String()
	case failover.Closed:
		r.Loss = f.Loss.String()
	case failover.Given:
		r.Epoch, r.Loss, r.Reason = f.Epoch, f.Loss.String(), ""
	}
	if !r.Ended.IsZero() {
		if f.Term == r.term {
			r.Millis = int64(f.At - r.began)
		}
		s := Succeeded
		if r.Status != Succeeded {
			s = r.Status
		}
		r.closeStep(s, now)
	}
}

// advance closes the step that is over and opens the one that is on.
func (r *Record) advance(run *runner, st failover.State, now time.Time) {
	if !r.Ended.IsZero() || !st.Run.Active() {
		return
	}
	name := st.Run.Step.String()
	if step := r.open(); step != nil && step.Name == name && step.Round == st.Run.Round {
		return
	}
	r.closeStep(Succeeded, now)
	r.Status = Running
	status := Running
	switch st.Run.Step {
	case failover.Stopped, failover.Approve, failover.Resolve:
		status, r.Status = Waiting, Waiting
	}
	service := st.Run.To
	if st.Run.Step == failover.Fence || st.Run.Step == failover.Drain {
		service = st.Holder
	}
	s := StepRecord{Name: name, Round: st.Run.Round, Service: run.member(service), Status: status, Started: now, Attempts: 1, Inputs: map[string]any{"epoch": st.Epoch}}
	if st.Run.Step == failover.Sync {
		s.Inputs = map[string]any{"epoch": st.Epoch, "upto": st.Run.Last}
	}
	r.Steps = append(slices.Clone(r.Steps), s)
}

// loadRecord reads the record of the core's newest run.
func (r *runner) loadRecord(ctx context.Context) error {
	r.record = nil
	if r.doc.State.Runs == 0 {
		return nil
	}
	rec, revision, err := read[Record](ctx, r.c.Store, runPrefix+r.place+"/"+coreRunID(r.doc.State.Runs))
	if err == nil && revision != 0 {
		r.record = &rec
	}
	return err
}

// keepConflicts writes the conflicts of a merge beside the run, before its outcome is told, and drops those of an earlier try.
func (r *runner) keepConflicts(ctx context.Context, run string, all []failover.Conflict) error {
	at := r.place + "/" + run
	if err := deleteAll(ctx, r.c.Store, conflictPrefix+at+"/"); err != nil {
		return err
	}
	for i, c := range all {
		w, err := write(numbered(conflictPrefix, at, uint64(i+1)), c)
		if err != nil {
			return err
		}
		if _, err := r.c.Store.Commit(ctx, store.Batch{Put: []store.Write{w}}); err != nil {
			return err
		}
	}
	return nil
}
