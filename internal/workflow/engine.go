package workflow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/workflow/recurrence"
)

// Engine fires recurrences and carries out runs. Any number of processes may have one; that which called Run last is the
// one whose writes count, so it should be called by a leader.
type Engine struct {
	c      Config
	caller *caller
}

// New makes an engine. It does nothing until Run.
func New(c Config) (*Engine, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	return &Engine{c: c, caller: newCaller(c.Hosts, c.Tokens, c.Clock, c.RequestTimeout, c.PollInterval)}, nil
}

// executor is one Run of an engine. Its fields belong to the goroutine that loops.
type executor struct {
	*Engine
	fence store.Condition
	flows map[string]*flow   // by place
	runs  map[string]*active // by id: all that have not ended
	ended chan ended
	all   sync.WaitGroup
}

// flow is a workflow as the executor knows it.
type flow struct {
	doc      workflowDoc
	revision tandem.Revision
	loaded   *loaded // nil where it cannot be loaded
	timers   []*timer
}

// timer is the next slot of a recurrence.
type timer struct {
	trigger *Trigger
	slot    recurrence.Slot
	late    bool
}

// active is a run that has not ended.
type active struct {
	doc     runDoc
	started bool
	cancel  context.CancelCauseFunc // nil until it is started
}

type ended struct {
	run string
	err error // the run did not end: the engine must
}

// errFenced ends an engine that another one replaced.
func errFenced(err error) error {
	return &tandem.Error{Op: "run workflows", Kind: tandem.Precondition, Err: err, Remedy: "another engine took over; start again when this process leads"}
}

// Run executes workflows until ctx ends. It first takes up the runs that an engine before it left. It returns ctx's error,
// an error of kind tandem.Precondition when another engine took over, or what the store reported.
func (e *Engine) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	x := &executor{Engine: e, flows: map[string]*flow{}, runs: map[string]*active{}, ended: make(chan ended)}
	defer e.caller.close()
	defer x.all.Wait()
	defer stop()
	rev, err := e.c.commit(ctx, store.Condition{}, store.Batch{Put: []store.Write{write(engineKey, map[string]string{"engine": newGUID()})}})
	if err != nil {
		return &tandem.Error{Op: "take over the workflows", Err: err, Remedy: "check the store"}
	}
	x.fence = store.Condition{Key: engineKey, Revision: rev}
	from, err := x.begin(ctx)
	if err != nil {
		return err
	}
	events := make(chan store.Event)
	watched := make(chan error, 1)
	x.all.Go(func() {
		watched <- e.c.Store.Watch(ctx, controlPrefix, from, func(ev store.Event) error {
			select {
			case events <- ev:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	x.all.Go(func() { x.sweep(ctx) })
	for {
		var due <-chan time.Time
		if t, ok := x.nextDue(); ok {
			due = e.c.Clock.After(max(0, t.Sub(e.c.Clock.Now())))
		}
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err = <-watched:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &tandem.Error{Op: "watch the workflows", Err: err, Remedy: "start the engine again"}
		case ev := <-events:
			err = x.apply(ctx, ev)
		case end := <-x.ended:
			err = end.err
			delete(x.runs, end.run)
			if err == nil {
				err = x.admit(ctx)
			}
		case <-due:
			err = x.fireDue(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// begin reads what there is; the revision is where to watch on from.
func (x *executor) begin(ctx context.Context) (tandem.Revision, error) {
	var at tandem.Revision
	for _, prefix := range []string{"logic/workflow/", "logic/run/"} {
		for after := ""; ; {
			l, err := x.c.Store.List(ctx, prefix, store.ListOptions{At: at, After: after, Limit: 500})
			if err != nil {
				return 0, &tandem.Error{Op: "read the workflows", Err: err, Remedy: "check the store"}
			}
			at = l.Revision
			for _, d := range l.Documents {
				after = d.Key
				if err := x.change(ctx, store.Change{Document: d}); err != nil {
					return 0, err
				}
			}
			if !l.More {
				break
			}
		}
	}
	// Another engine that came between the fence and this reading would not be seen by the watch.
	if d, err := x.c.Store.Get(ctx, engineKey, at); err != nil || d.Revision != x.fence.Revision {
		return 0, errFenced(err)
	}
	return at, x.admit(ctx)
}

func (x *executor) apply(ctx context.Context, ev store.Event) error {
	for _, c := range ev.Changes {
		if c.Key == engineKey && ev.Revision > x.fence.Revision {
			return errFenced(nil)
		}
		if err := x.change(ctx, c); err != nil {
			return err
		}
	}
	return x.admit(ctx)
}

// change takes in one changed document.
func (x *executor) change(ctx context.Context, c store.Change) error {
	parts := strings.Split(c.Key, "/")
	switch {
	case len(parts) == 5 && parts[1] == "workflow":
		return x.reload(ctx, strings.Join(parts[2:], "/"), c)
	case len(parts) == 6 && parts[1] == "run":
		if c.Deleted || x.runs[parts[5]] != nil {
			return nil
		}
		var doc runDoc
		if err := json.Unmarshal(c.Value, &doc); err != nil {
			x.c.Log.Error("a run cannot be read and is left alone", "key", c.Key, "error", err)
			return nil
		}
		if doc.Status.Finished() {
			return nil
		}
		// The event may be older than the end of the run, which this engine carried out: what counts is the document now.
		now, _, found, err := get[runDoc](ctx, x.c.Store, c.Key)
		if err != nil {
			return err
		}
		if found && !now.Status.Finished() {
			x.runs[doc.ID] = &active{doc: now}
		}
	case len(parts) == 7 && parts[1] == "run" && parts[6] == "cancel" && !c.Deleted:
		a := x.runs[parts[5]]
		if a == nil {
			return nil
		}
		if a.cancel != nil {
			a.cancel(errCancelRun)
			return nil
		}
		delete(x.runs, a.doc.ID)
		return x.endRun(ctx, a.doc, outcome{status: Cancelled, code: codeCancelled})
	}
	return nil
}

// reload takes in a workflow that was saved, enabled, disabled or deleted.
func (x *executor) reload(ctx context.Context, place string, c store.Change) error {
	if c.Deleted {
		delete(x.flows, place)
		for _, a := range x.runs {
			if a.doc.Place == place && a.cancel != nil {
				a.cancel(errCancelRun)
			}
		}
		return nil
	}
	f := &flow{revision: c.Revision}
	if err := json.Unmarshal(c.Value, &f.doc); err != nil {
		x.c.Log.Error("a workflow cannot be read and does not run", "workflow", place, "error", err)
		return nil
	}
	x.flows[place] = f
	l, err := x.c.load(ctx, place, f.doc.Version)
	if err != nil {
		x.c.Log.Error("a workflow cannot be loaded and does not run", "workflow", place, "error", err)
		return nil
	}
	f.loaded = l
	if !f.doc.Enabled {
		return nil
	}
	for _, t := range l.def.Triggers {
		if t.Recurrence == nil {
			continue
		}
		state, _, _, err := get[triggerDoc](ctx, x.c.Store, triggerKey(place, t.Name))
		if err != nil {
			return err
		}
		if next := x.plan(f, t, state); next != nil {
			f.timers = append(f.timers, next)
		}
	}
	return nil
}

// plan works out the next slot of a recurrence. Slots that passed unseen are not made up for, except the last one where
// that was only just missed.
func (x *executor) plan(f *flow, t *Trigger, state triggerDoc) *timer {
	now := x.c.Clock.Now()
	enabled := f.doc.EnabledAt
	var slot recurrence.Slot
	var ok bool
	if state.Anchor.Equal(enabled) {
		slot, ok = t.Recurrence.Next(enabled, state.Slot)
	} else {
		slot, ok = t.Recurrence.First(enabled)
	}
	if ok && slot.Key == state.Key && state.Anchor.Equal(enabled) {
		slot, ok = t.Recurrence.Next(enabled, slot.Time)
	}
	if !ok {
		return nil
	}
	late := false
	if oldest := now.Add(-x.c.CatchUp); slot.Time.Before(oldest) {
		if slot, ok = t.Recurrence.Next(enabled, oldest); !ok {
			return nil
		}
	}
	for slot.Time.Before(now) {
		next, more := t.Recurrence.Next(enabled, slot.Time)
		if !more || next.Time.After(now) {
			break
		}
		slot, late = next, true
	}
	return &timer{trigger: t, slot: slot, late: late}
}

func (x *executor) nextDue() (time.Time, bool) {
	var first time.Time
	found := false
	for _, f := range x.flows {
		for _, t := range f.timers {
			if !found || t.slot.Time.Before(first) {
				first, found = t.slot.Time, true
			}
		}
	}
	return first, found
}

// fireDue fires all recurrences whose time has come.
func (x *executor) fireDue(ctx context.Context) error {
	now := x.c.Clock.Now()
	for place, f := range x.flows {
		var left []*timer
		for _, t := range f.timers {
			if t.slot.Time.After(now) {
				left = append(left, t)
				continue
			}
			if err := x.fire(ctx, place, f, t); err != nil {
				return err
			}
			if next, ok := t.trigger.Recurrence.Next(f.doc.EnabledAt, t.slot.Time); ok {
				left = append(left, &timer{trigger: t.trigger, slot: next})
			}
		}
		f.timers = left
	}
	return x.admit(ctx)
}

// fire decides on one slot: the run, or why there is none, is committed together with the slot, so that no slot fires
// twice, not after a crash either.
func (x *executor) fire(ctx context.Context, place string, f *flow, t *timer) error {
	now := x.c.Clock.Now().UTC()
	scheduled := t.slot.Time.UTC()
	doc := runDoc{ID: runID(now), Place: place, Version: f.doc.Version, Trigger: t.trigger.Name, Kind: t.trigger.Kind, Status: Running,
		Start: now, Scheduled: &scheduled}
	doc.Tracking = doc.ID
	why := x.refused(place, f, t.trigger, doc)
	b := store.Batch{
		If:  []store.Condition{{Key: workflowKey(place), Revision: f.revision}},
		Put: []store.Write{write(triggerKey(place, t.trigger.Name), triggerDoc{Anchor: f.doc.EnabledAt, Slot: t.slot.Time, Key: t.slot.Key, Fired: now})},
	}
	if why != "" {
		b.Put = append(b.Put, write(historyPrefix(place, t.trigger.Name)+doc.ID, historyDoc{ID: doc.ID, Time: now, Code: codeSkipped, Reason: why}))
	} else {
		b.Put = append(b.Put, write(runKey(place, doc.ID), doc))
	}
	_, err := x.c.commit(ctx, x.fence, b)
	if errors.Is(err, tandem.Precondition) {
		var e *tandem.Error
		if errors.As(err, &e) && e.Subject != engineKey {
			return nil // the workflow was changed meanwhile; that change is on its way here
		}
		return errFenced(err)
	}
	if err != nil {
		return &tandem.Error{Op: "fire trigger", Subject: place + " " + t.trigger.Name, Err: err, Remedy: "check the store"}
	}
	if why == "" {
		x.runs[doc.ID] = &active{doc: doc}
	}
	return nil
}

// refused tells why a trigger may not start a run now; empty: it may.
func (x *executor) refused(place string, f *flow, t *Trigger, doc runDoc) string {
	env := (&runner{def: f.loaded.def, parameters: f.loaded.parameters, info: infoOf(f.doc, doc.ID), trigger: triggerObject(doc, nil),
		clock: x.c.Clock, guid: newGUID, rand: drawn}).env(&scope{})
	for _, c := range t.conditions {
		if v, err := c.Eval(env); err != nil {
			return "a condition of the trigger cannot be evaluated: " + err.Error()
		} else if v != true {
			return "a condition of the trigger is not met"
		}
	}
	if l := limitOf(t); l.runs > 0 {
		if n := x.count(place, t.Name, nil); n >= l.runs+l.waiting {
			return "as many runs as the trigger allows are under way"
		}
	}
	return ""
}

type concurrency struct{ runs, waiting int }

func limitOf(t *Trigger) concurrency {
	if t.single {
		return concurrency{runs: 1}
	}
	return concurrency{t.runs, t.waiting}
}

// count counts the runs of a trigger that have not ended and satisfy a condition.
func (x *executor) count(place, trigger string, that func(*active) bool) int {
	n := 0
	for _, a := range x.runs {
		if a.doc.Place == place && strings.EqualFold(a.doc.Trigger, trigger) && (that == nil || that(a)) {
			n++
		}
	}
	return n
}

// admit starts the runs whose turn it is, the oldest first.
func (x *executor) admit(ctx context.Context) error {
	var waiting []*active
	for _, a := range x.runs {
		if !a.started {
			waiting = append(waiting, a)
		}
	}
	slices.SortFunc(waiting, func(a, b *active) int {
		return cmp.Or(a.doc.Start.Compare(b.doc.Start), strings.Compare(b.doc.ID, a.doc.ID))
	})
	for _, a := range waiting {
		if f := x.flows[a.doc.Place]; f != nil && f.loaded != nil {
			if t := f.loaded.def.trigger(a.doc.Trigger); t != nil {
				l := limitOf(t)
				if l.runs > 0 && x.count(a.doc.Place, a.doc.Trigger, func(a *active) bool { return a.started }) >= l.runs {
					if a.doc.Status != Waiting {
						a.doc.Status = Waiting
						if err := x.saveRun(ctx, a.doc); err != nil {
							return err
						}
					}
					continue
				}
			}
		}
		if a.doc.Status == Waiting {
			now := x.c.Clock.Now().UTC()
			a.doc.Status, a.doc.WaitEnd = Running, &now
			if err := x.saveRun(ctx, a.doc); err != nil {
				return err
			}
		}
		x.start(ctx, a)
	}
	return nil
}

func (x *executor) saveRun(ctx context.Context, doc runDoc, deletes ...string) error {
	_, err := x.c.commit(ctx, x.fence, store.Batch{Put: []store.Write{write(runKey(doc.Place, doc.ID), doc)}, Delete: deletes})
	if errors.Is(err, tandem.Precondition) {
		return errFenced(err)
	}
	if err != nil {
		return &tandem.Error{Op: "save run", Subject: doc.ID, Err: err, Remedy: "check the store"}
	}
	return nil
}
