package workflow

import (
	"context"
	"errors"
	"strings"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/workflow/value"
)

// start carries a run out in a goroutine of its own, which ends with the run or with ctx.
func (x *executor) start(ctx context.Context, a *active) {
	a.started = true
	runCtx, cancel := context.WithCancelCause(ctx)
	a.cancel = cancel
	doc := a.doc
	x.all.Go(func() {
		defer cancel(nil)
		err := x.carryOut(runCtx, ctx, doc)
		select {
		case x.ended <- ended{run: doc.ID, err: err}:
		case <-ctx.Done():
		}
	})
}

// carryOut runs a run from where its journal stands to its end. The error is nil also when the run merely stopped with ctx.
func (x *executor) carryOut(ctx, engine context.Context, doc runDoc) error {
	r, err := x.prepare(engine, doc)
	var out outcome
	if err == nil {
		if _, _, asked, _ := get[struct{}](engine, x.c.Store, cancelKey(doc.Place, doc.ID)); asked {
			out = outcome{status: Cancelled, code: codeCancelled}
		} else {
			out, err = r.run(ctx, engine)
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, tandem.Precondition):
		return errFenced(err)
	case engine.Err() != nil:
		return nil // stopped: the next engine goes on
	default:
		x.c.Log.Error("a run cannot go on and is ended", "run", doc.ID, "workflow", doc.Place, "error", err)
		out = fail("InternalError", "The run cannot go on: %v", err)
	}
	if err := x.endRun(engine, doc, out); engine.Err() == nil {
		return err
	}
	return nil
}

// endRun writes a run's end.
func (x *executor) endRun(ctx context.Context, doc runDoc, out outcome) error {
	now := x.c.Clock.Now().UTC()
	doc.Status, doc.Code, doc.Error, doc.End = out.status, out.code, out.fault, &now
	if out.outputs != nil {
		sealed, err := x.c.seal(runKey(doc.Place, doc.ID), out.outputs)
		if err != nil {
			return err
		}
		if len(sealed) > store.MaxBytes/2 {
			doc.Status, doc.Code, doc.Error = Failed, "RunOutputsTooLarge", fault("RunOutputsTooLarge", "The outputs of the run are too large to keep; give fewer.")
		} else {
			doc.Outputs = sealed
		}
	}
	return x.saveRun(ctx, doc, cancelKey(doc.Place, doc.ID))
}

// prepare makes the runner of a run.
func (x *executor) prepare(ctx context.Context, doc runDoc) (*runner, error) {
	w, _, found, err := get[workflowDoc](ctx, x.c.Store, workflowKey(doc.Place))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &tandem.Error{Op: "carry out run", Subject: doc.ID, Kind: tandem.NotFound, Remedy: "its workflow was deleted"}
	}
	l, err := x.c.load(ctx, doc.Place, doc.Version)
	if err != nil {
		return nil, err
	}
	fired, err := x.c.open(runKey(doc.Place, doc.ID), doc.Fired)
	if err != nil {
		return nil, err
	}
	records, err := x.c.readJournal(ctx, doc.ID)
	if err != nil {
		return nil, err
	}
	r := &runner{
		def: l.def, parameters: l.parameters, info: infoOf(w, doc.ID), trigger: triggerObject(doc, fired),
		journal: &storeJournal{c: &x.c, fence: x.fence, place: doc.Place, run: doc.ID},
		caller:  x.caller, clock: x.c.Clock, guid: newGUID, rand: drawn,
		callback: func() (string, error) {
			u, err := x.c.callback(w, doc.Trigger, l.def)
			return u.Value, err
		},
	}
	r.load(records)
	return r, nil
}

// infoOf is what workflow() gives.
func infoOf(w workflowDoc, run string) *value.Object {
	tags := value.New()
	for _, k := range sortedTags(w.Tags) {
		tags.Set(k, w.Tags[k])
	}
	return value.New("id", w.ID, "name", w.Name, "type", "Microsoft.Logic/workflows", "location", w.Location, "tags", tags,
		"run", value.New("id", w.ID+"/runs/"+run, "name", run, "type", "Microsoft.Logic/workflows/runs"))
}

// triggerObject is what trigger() gives.
func triggerObject(doc runDoc, outputs any) *value.Object {
	o := value.New("name", doc.Trigger)
	if outputs != nil {
		o.Set("outputs", outputs)
	}
	o.Set("startTime", timestamp(doc.Start))
	o.Set("endTime", timestamp(doc.Start))
	if doc.Scheduled != nil {
		o.Set("scheduledTime", timestamp(*doc.Scheduled))
	}
	o.Set("trackingId", doc.Tracking)
	o.Set("clientTrackingId", doc.Tracking)
	o.Set("originHistoryName", doc.ID)
	o.Set("code", codeOK)
	o.Set("status", string(Succeeded))
	return o
}

// sweepEvery is how often old runs are looked for.
const sweepEvery = time.Hour

// sweep deletes runs that are older than the retention, beyond what is kept of a workflow, or of a deleted one.
func (x *executor) sweep(ctx context.Context) {
	for {
		if err := x.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			x.c.Log.Error("old runs cannot be deleted now", "error", err)
		}
		if x.c.Clock.Sleep(ctx, sweepEvery) != nil {
			return
		}
	}
}

func (x *executor) sweepOnce(ctx context.Context) error {
	places := map[string]bool{}
	for after := ""; ; {
		l, err := x.c.Store.List(ctx, "logic/run/", store.ListOptions{After: after, Limit: 1})
		if err != nil {
			return err
		}
		if len(l.Documents) == 0 {
			break
		}
		parts := strings.Split(l.Documents[0].Key, "/")
		if len(parts) < 6 {
			break
		}
		place := strings.Join(parts[2:5], "/")
		places[place] = true
		after = runPrefix(place) + "\xff" // on to the next workflow
	}
	oldest := x.c.Clock.Now().Add(-x.c.Retention)
	for place := range places {
		_, _, exists, err := get[workflowDoc](ctx, x.c.Store, workflowKey(place))
		if err != nil {
			return err
		}
		runs, _, err := x.c.runs(ctx, place, store.ListOptions{})
		if err != nil {
			return err
		}
		kept := 0
		for _, r := range runs { // the newest first
			if !r.Status.Finished() {
				continue
			}
			if kept++; exists && kept <= x.c.KeepRuns && r.End.After(oldest) {
				continue
			}
			if err := x.forget(ctx, r); err != nil {
				return err
			}
		}
	}
	return x.sweepRest(ctx, oldest)
}

// forget deletes a run: its journal first, so that a crash leaves nothing that is not found again.
func (x *executor) forget(ctx context.Context, r runDoc) error {
	for {
		l, err := x.c.Store.List(ctx, journalPrefix+r.ID+"/", store.ListOptions{Limit: store.MaxOps - 8})
		if err != nil {
			return err
		}
		var b store.Batch
		for _, d := range l.Documents {
			b.Delete = append(b.Delete, d.Key)
		}
		if !l.More {
			b.Delete = append(b.Delete, runKey(r.Place, r.ID), answerKey(r.Place, r.ID), cancelKey(r.Place, r.ID))
		}
		if _, err := x.c.commit(ctx, x.fence, b); err != nil || !l.More {
			return err
		}
	}
}
