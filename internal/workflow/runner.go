package workflow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tandem"
	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// journal is where a runner writes what it did, before it goes on. A write that returned is durable.
type journal interface {
	// write keeps records, each replacing the one of the same key.
	write(ctx context.Context, records ...*Record) error
	// respond keeps the answer that the trigger's caller waits for; false where one was given before.
	respond(ctx context.Context, r *Answer) (bool, error)
}

// Answer is what a Response action sends to who called the Request trigger.
type Answer struct {
	Status  int
	Headers *value.Object
	Body    any
}

// Reasons for a run's context to end. Any other reason means that the engine stops and the run goes on elsewhere.
var (
	errCancelRun = errors.New("the run was cancelled")
	errTimeout   = errors.New("the action took longer than its limit")
)

// terminated is the reason when a Terminate action ends the run.
type terminated struct {
	status Status
	fault  *Fault
}

func (*terminated) Error() string { return "a Terminate action ended the run" }

// runner carries out one run.
type runner struct {
	def        *Definition
	parameters map[string]any
	info       *value.Object // what workflow() gives
	trigger    *value.Object // what trigger() gives
	callback   func() (string, error)
	journal    journal
	caller     *caller
	clock      tandem.Clock
	guid       func() string
	rand       func(n int64) int64

	parent context.Context // ends when the engine stops; writes to the journal go by it
	cancel context.CancelCauseFunc

	mu        sync.Mutex
	seq       int64
	records   map[string]*Record
	variables map[string]any
	write     sync.Mutex // held while a variable is read, changed and journalled
	broken    error      // the journal failed; nothing may go on
}

// outcome is how an action, a block or a run ended.
type outcome struct {
	status  Status
	code    string
	fault   *Fault
	outputs any
}

func ok(outputs any) outcome { return outcome{status: Succeeded, code: codeOK, outputs: outputs} }

func fail(code, format string, args ...any) outcome {
	return outcome{status: Failed, code: code, fault: fault(code, format, args...)}
}

// load takes over what the journal holds of the run.
func (r *runner) load(records []*Record) {
	r.records, r.variables = map[string]*Record{}, map[string]any{}
	byVariable := map[string]int64{}
	for _, rec := range records {
		r.records[rec.key()] = rec
		r.seq = max(r.seq, rec.Seq)
		if rec.Variable != "" && rec.Seq >= byVariable[rec.Variable] {
			byVariable[rec.Variable] = rec.Seq
			r.variables[rec.Variable] = rec.Value
		}
	}
}

// run carries the run out, from where its journal stands. An error means that it did not end and can be taken up again.
// ctx is the run's; parent ends when the engine stops.
func (r *runner) run(ctx, parent context.Context) (outcome, error) {
	r.parent = parent
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	for _, rec := range r.records { // a crash may have come between a Terminate and the end of the run
		if rec.Code == codeTerminated {
			r.cancel(termination(rec))
		}
	}
	out := r.block(ctx, r.def.top, nil)
	r.mu.Lock()
	broken := r.broken
	r.mu.Unlock()
	if broken != nil {
		return outcome{}, broken
	}
	cause := context.Cause(ctx)
	var t *terminated
	switch {
	case errors.As(cause, &t):
		out = outcome{status: t.status, code: codeTerminated, fault: t.fault}
	case errors.Is(cause, errCancelRun):
		out = outcome{status: Cancelled, code: codeCancelled}
	case cause != nil:
		return outcome{}, cause
	}
	if r.def.outputs != nil && out.status == Succeeded {
		v, err := r.def.outputs.Eval(r.env(&scope{}))
		if err != nil {
			return fail(codeTemplate, "the workflow's outputs cannot be evaluated: %v", err), nil
		}
		out.outputs = v
	}
	return out, nil
}

// stop breaks the run off: the journal cannot be written.
func (r *runner) stop(err error) {
	r.mu.Lock()
	if r.broken == nil {
		r.broken = err
	}
	r.mu.Unlock()
	r.cancel(err)
}

// save journals records and makes them visible to expressions. It returns an error when the run must break off.
func (r *runner) save(records ...*Record) error {
	r.mu.Lock()
	for _, rec := range records {
		r.seq++
		rec.Seq = r.seq
	}
	broken := r.broken
	r.mu.Unlock()
	if broken != nil {
		return broken
	}
	if err := r.journal.write(r.parent, records...); err != nil {
		err = &tandem.Error{Op: "write the journal of action", Subject: records[0].Action, Err: err, Remedy: "the run goes on from its journal when the engine takes it up again"}
		r.stop(err)
		return err
	}
	r.mu.Lock()
	for _, rec := range records {
		r.records[rec.key()] = rec
		if rec.Variable != "" {
			r.variables[rec.Variable] = rec.Value
		}
	}
	r.mu.Unlock()
	return nil
}

func (r *runner) record(a *action, indexes []int) *Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records[recordKey(a.name, indexes)]
}

// ending tells whether what is around an action is ending: the engine, the run, or a loop that is out of time.
func (r *runner) ending(ctx context.Context) bool { return ctx.Err() != nil }

// abandoned tells whether nothing more may be journalled because the run goes on elsewhere.
func (r *runner) abandoned(ctx context.Context) bool {
	cause := context.Cause(ctx)
	var t *terminated
	return cause != nil && !errors.As(cause, &t) && !errors.Is(cause, errCancelRun) && !errors.Is(cause, errTimeout)
}

// block carries out a list of actions. Each starts as soon as all that it runs after have ended; independent ones run at
// the same time, in goroutines that end before block returns.
func (r *runner) block(ctx context.Context, b *block, indexes []int) outcome {
	done := map[*action]Status{}
	started := map[*action]bool{}
	results := make(chan *action, len(b.actions))
	var mu sync.Mutex
	running := 0
	run := func(a *action) {
		s := r.execute(ctx, a, indexes, done, &mu)
		mu.Lock()
		done[a] = s
		mu.Unlock()
		results <- a
	}
	for {
		var ready []*action
		mu.Lock()
		for _, a := range b.actions {
			if !started[a] && satisfied(a, done) {
				started[a] = true
				ready = append(ready, a)
			}
		}
		mu.Unlock()
		if running == 0 && len(ready) == 0 {
			break
		}
		running += len(ready)
		if running == 1 && len(ready) == 1 {
			run(ready[0]) // the usual chain needs no goroutine
		} else {
			for _, a := range ready {
				go run(a)
			}
		}
		<-results
		running--
	}
	return summary(b, done)
}

// satisfied tells whether all that an action runs after have ended, in whatever way.
func satisfied(a *action, done map[*action]Status) bool {
	for _, d := range a.after {
		if _, ended := done[d.on]; !ended {
			return false
		}
	}
	return true
}

// summary is how a block ended: by its last actions, and where one of these was skipped, by what it ran after.
func summary(b *block, done map[*action]Status) outcome {
	followed := map[*action]bool{}
	for _, a := range b.actions {
		for _, d := range a.after {
			followed[d.on] = true
		}
	}
	var worst Status
	var visit func(a *action)
	seen := map[*action]bool{}
	visit = func(a *action) {
		if seen[a] {
			return
		}
		seen[a] = true
		switch done[a] {
		case Skipped:
			for _, d := range a.after {
				visit(d.on)
			}
		case Failed, TimedOut:
			worst = Failed
		case Cancelled, "":
			if worst == "" {
				worst = Cancelled
			}
		}
	}
	for _, a := range b.actions {
		if !followed[a] {
			visit(a)
		}
	}
	switch worst {
	case Failed:
		return fail(codeFailed, "An action failed. No dependent actions succeeded.")
	case Cancelled:
		return outcome{status: Cancelled, code: codeCancelled}
	}
	return ok(nil)
}

// execute carries out one action, or one repetition of it, unless the journal says that it ended.
func (r *runner) execute(ctx context.Context, a *action, indexes []int, done map[*action]Status, mu *sync.Mutex) Status {
	rec := r.record(a, indexes)
	if rec != nil && rec.Status.Finished() {
		return rec.Status
	}
	if r.abandoned(ctx) {
		return ""
	}
	if r.ending(ctx) {
		return r.skip(a, indexes, codeSkipped, "the run ended before the action")
	}
	mu.Lock()
	unmet, was := unmetDependency(a, done)
	mu.Unlock()
	if unmet != nil {
		return r.skip(a, indexes, codeConditionFailed, fmt.Sprintf("The execution of template action '%s' skipped: the 'runAfter' condition for action '%s' is not satisfied. Expected status values '%s' and actual value '%s'.",
			a.name, unmet.on.name, joinStatuses(unmet.statuses), was))
	}
	x := &exec{r: r, a: a, scope: scope{a: a, indexes: indexes}}
	if rec == nil {
		x.rec = Record{Action: a.name, Indexes: indexes, Status: Running, Start: r.clock.Now().UTC(), Tracking: r.guid()}
	} else {
		x.rec = *rec
		if !a.spec.instant() && len(a.blocks) == 0 {
			what := "the engine stopped while the action was under way; whether it had its effect is not known"
			if rec.Progress != nil {
				what = "the engine stopped while the action waited for its end; it goes on waiting"
			}
			x.rec.Attempts = append(x.rec.Attempts, Attempt{Start: rec.Start, End: r.clock.Now().UTC(), Code: codeInterrupted, Error: fault(codeInterrupted, "%s", what)})
		}
	}
	if rec == nil && !a.spec.instant() {
		if err := x.checkpoint(); err != nil {
			return ""
		}
	}
	return x.finish(ctx, x.carryOut(ctx))
}

func unmetDependency(a *action, done map[*action]Status) (*dependency, Status) {
	for i, d := range a.after {
		if !contains(d.statuses, done[d.on]) {
			return &a.after[i], done[d.on]
		}
	}
	return nil, ""
}

func contains(list []Status, s Status) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func joinStatuses(list []Status) string {
	out := ""
	for i, s := range list {
		if i > 0 {
			out += ", "
		}
		out += string(s)
	}
	return out
}

// skip records an action and all in it as skipped.
func (r *runner) skip(a *action, indexes []int, code, message string) Status {
	var records []*Record
	var add func(a *action, code, message string)
	now := r.clock.Now().UTC()
	add = func(a *action, code, message string) {
		records = append(records, &Record{Action: a.name, Indexes: indexes, Status: Skipped, Code: codeSkipped, Error: fault(code, "%s", message), Start: now, End: &now, Tracking: r.guid()})
		if a.kind == "Foreach" || a.kind == "Until" {
			return // it has no iterations
		}
		for _, b := range a.blocks {
			for _, inner := range b.actions {
				add(inner, codeBranch, fmt.Sprintf("The scope '%s' of the action was skipped.", a.name))
			}
		}
	}
	add(a, code, message)
	if err := r.save(records...); err != nil {
		return ""
	}
	return Skipped
}

// exec is one action being carried out.
type exec struct {
	r *runner
	a *action
	scope
	rec   Record
	saved bool // the action journalled its end itself
}

// checkpoint journals how far the action is.
func (x *exec) checkpoint() error {
	rec := x.rec
	return x.r.save(&rec)
}

// carryOut runs the action within its limit of time.
func (x *exec) carryOut(ctx context.Context) outcome {
	outer := ctx
	if d := x.a.limit.timeout; d > 0 && x.a.kind != "Until" {
		limited, cancel := withTimeout(ctx, x.r.clock, x.rec.Start.Add(d).Sub(x.r.clock.Now()))
		defer cancel()
		ctx = limited
	}
	out := x.a.spec.run(ctx, x)
	if outer.Err() == nil && errors.Is(context.Cause(ctx), errTimeout) && out.status != Succeeded {
		return outcome{status: TimedOut, code: codeTimedOut, outputs: out.outputs, fault: fault(codeTimedOut, "The action took longer than its limit of %s.", x.a.limit.timeout)}
	}
	return out
}

// withTimeout ends a context after d on the given clock. The returned function frees the timer's goroutine and waits for it.
func withTimeout(ctx context.Context, clock tandem.Clock, d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if clock.Sleep(ctx, d) == nil {
			cancel(errTimeout)
		}
	}()
	return ctx, func() { cancel(nil); <-ended }
}

// finish journals how the action ended.
func (x *exec) finish(ctx context.Context, out outcome) Status {
	r := x.r
	if r.abandoned(ctx) {
		return ""
	}
	if r.ending(ctx) && out.status != Succeeded && x.a.kind != "Terminate" {
		out = outcome{status: Cancelled, code: codeCancelled, outputs: out.outputs, fault: fault(codeCancelled, "The run ended while the action was under way.")}
	}
	if x.saved {
		return out.status
	}
	x.end(out)
	if size := len(value.Encode(x.rec.Outputs)) + len(value.Encode(x.rec.Inputs)); size > MaxRecordBytes {
		x.rec.Inputs, x.rec.Outputs = nil, nil
		x.rec.Status, x.rec.Code = Failed, "ActionResultTooLarge"
		x.rec.Error = fault(x.rec.Code, "The inputs and outputs of the action have %d bytes together; %d is the most.", size, MaxRecordBytes)
	}
	rec := x.rec
	if err := r.save(&rec); err != nil {
		return ""
	}
	return rec.Status
}

// end writes the action's end into its record.
func (x *exec) end(out outcome) {
	now := x.r.clock.Now().UTC()
	x.rec.Status, x.rec.Code, x.rec.Error, x.rec.End = out.status, out.code, out.fault, &now
	if out.outputs != nil {
		x.rec.Outputs = out.outputs
	}
	x.rec.Progress = nil
	if x.a.tracked == nil {
		return
	}
	x.scope.current = x.rec.object()
	if v, err := x.a.tracked.Eval(x.r.env(&x.scope)); err == nil {
		x.rec.Tracked = v
	} else {
		x.rec.Tracked = value.New("error", err.Error())
	}
}

// MaxRecordBytes is how many bytes the inputs and outputs of one action may have together, as JSON.
const MaxRecordBytes = 16 << 20

// inputs evaluates the action's inputs and keeps them in its record.
func (x *exec) inputs() (any, *outcome) {
	v, err := x.a.inputs.Eval(x.r.env(&x.scope))
	if err != nil {
		out := fail(codeTemplate, "Unable to process template language expressions in action '%s': %v", x.a.name, err)
		return nil, &out
	}
	x.rec.Inputs = v
	return v, nil
}

// eval evaluates one more expression of the action.
func (x *exec) eval(n *expr.Node) (any, *outcome) {
	v, err := n.Eval(x.r.env(&x.scope))
	if err != nil {
		out := fail(codeTemplate, "Unable to process template language expressions in action '%s': %v", x.a.name, err)
		return nil, &out
	}
	return v, nil
}
