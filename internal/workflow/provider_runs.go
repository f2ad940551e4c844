package workflow

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/workflow/value"
)

// pastRun is a run with its journal and what it must not show.
type pastRun struct {
	w       workflowDoc
	doc     runDoc
	def     *Definition
	records map[string]*Record
	fired   any
	mask    *masker
	key     []byte // signs addresses of content
}

// past reads a run with its journal.
func (p *Provider) past(ctx context.Context, w workflowDoc, place, run string) (*pastRun, error) {
	doc, _, found, err := get[runDoc](ctx, p.c.Store, runKey(place, run))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, arm.Errorf(http.StatusNotFound, "WorkflowRunNotFound", "The workflow '%s' run '%s' could not be found.", w.Name, run)
	}
	l, err := p.c.load(ctx, place, doc.Version)
	if err != nil {
		return nil, err
	}
	list, err := p.c.readJournal(ctx, run)
	if err != nil {
		return nil, err
	}
	out := &pastRun{w: w, doc: doc, def: l.def, records: map[string]*Record{}, mask: newMasker(l.def, l.parameters)}
	if out.fired, err = p.c.open(runKey(place, run), doc.Fired); err != nil {
		return nil, err
	}
	if out.key, err = p.c.flowSecret(w); err != nil {
		return nil, err
	}
	out.mask.learnValue(out.fired)
	if t := l.def.trigger(doc.Trigger); t != nil && t.secureOut {
		out.mask.leaves(out.fired)
	}
	for _, rec := range list {
		out.records[rec.key()] = rec
		out.mask.learn(l.def, rec)
	}
	return out, nil
}

// asked reads the run that a request names.
func (p *Provider) asked(ctx context.Context, r *arm.Request) (*pastRun, error) {
	w, _, err := p.workflow(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.past(ctx, w, placeOf(r), r.Params["run"])
}

func faultObject(f *Fault) *value.Object { return value.New("code", f.Code, "message", f.Message) }

// link is where inputs or outputs can be read.
func (p *Provider) link(run *pastRun, path, which string, v any) *value.Object {
	full := "/runs/" + run.doc.ID + path + "/contents/" + which
	return value.New("uri", p.c.contentURL(run.w, run.key, full), "contentSize", int64(len(value.Encode(run.mask.value(v)))))
}

func (p *Provider) runObject(run *pastRun) (*value.Object, error) {
	d := run.doc
	correlation := value.New("clientTrackingId", d.Tracking)
	trigger := value.New("name", d.Trigger, "startTime", timestamp(d.Start), "endTime", timestamp(d.Start))
	if d.Scheduled != nil {
		trigger.Set("scheduledTime", timestamp(*d.Scheduled))
	}
	trigger.Set("originHistoryName", d.ID)
	trigger.Set("correlation", correlation)
	trigger.Set("code", codeOK)
	trigger.Set("status", string(Succeeded))
	if run.fired != nil {
		if t := run.def.trigger(d.Trigger); t == nil || !t.secureOut {
			trigger.Set("outputsLink", p.link(run, "", "TriggerOutputs", run.fired))
		}
	}
	props := value.New("startTime", timestamp(d.Start))
	if d.WaitEnd != nil {
		props.Set("waitEndTime", timestamp(*d.WaitEnd))
	}
	if d.End != nil {
		props.Set("endTime", timestamp(*d.End))
	}
	props.Set("status", string(d.Status))
	if d.Code != "" {
		props.Set("code", d.Code)
	}
	if d.Error != nil {
		props.Set("error", faultObject(run.mask.fault(d.Error)))
	}
	props.Set("correlation", correlation)
	props.Set("workflow", value.New("id", run.w.ID+"/versions/"+d.Version, "name", d.Version, "type", "Microsoft.Logic/workflows/versions"))
	props.Set("trigger", trigger)
	outputs := value.New()
	v, err := p.c.open(runKey(d.Place, d.ID), d.Outputs)
	if err != nil {
		return nil, err
	}
	o, _ := v.(*value.Object)
	o.Walk(func(name string, v any) {
		shown := run.mask.value(value.New(name, v)).(*value.Object)
		s, _ := shown.Get(name)
		outputs.Set(name, value.New("type", value.Type(v), "value", s))
	})
	props.Set("outputs", outputs)
	return value.New("properties", props, "id", run.w.ID+"/runs/"+d.ID, "name", d.ID, "type", "Microsoft.Logic/workflows/runs"), nil
}

// defaultPage is how many runs a page of history has.
const defaultPage = 30

func (p *Provider) listRuns(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, _, err := p.workflow(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.runPage(ctx, r, w, func(doc runDoc) (*value.Object, bool, error) {
		run := &pastRun{w: w, doc: doc, mask: newMasker(&Definition{}, nil)}
		run.key, err = p.c.flowSecret(w)
		if err != nil {
			return nil, false, err
		}
		if l, err := p.c.load(ctx, doc.Place, doc.Version); err == nil {
			run.def, run.mask = l.def, newMasker(l.def, l.parameters)
		} else {
			run.def = &Definition{}
		}
		if doc.Error != nil || doc.Outputs != "" {
			full, err := p.past(ctx, w, doc.Place, doc.ID) // what to mask is known from its journal only
			if err != nil {
				return nil, false, err
			}
			run = full
		}
		o, err := p.runObject(run)
		return o, true, err
	})
}

// runPage answers one page of things made of runs, the newest first. Filters: status eq 'X', startTime ge and le.
func (p *Provider) runPage(ctx context.Context, r *arm.Request, _ workflowDoc, show func(runDoc) (*value.Object, bool, error)) (*arm.Response, error) {
	pg, err := r.Page()
	if err != nil {
		return nil, err
	}
	keep, err := runFilter(r.Query["$filter"])
	if err != nil {
		return nil, err
	}
	top := defaultPage
	if pg.Top > 0 {
		top = min(pg.Top, 250)
	}
	out := arm.List[any]{Value: []any{}}
	after := ""
	if pg.Mark != "" {
		after = runKey(placeOf(r), pg.Mark) + "/\xff" // behind what lies below the run
	}
	for {
		runs, more, err := p.c.runs(ctx, placeOf(r), store.ListOptions{After: after, Limit: 100})
		if err != nil {
			return nil, err
		}
		for _, doc := range runs {
			if !keep(doc) {
				continue
			}
			o, wanted, err := show(doc)
			if err != nil {
				return nil, err
			}
			if !wanted {
				continue
			}
			if len(out.Value) == top {
				last := out.Value[top-1].(*value.Object).String("name")
				out.NextLink = r.NextLink(last)
				return &arm.Response{Status: http.StatusOK, Body: out}, nil
			}
			out.Value = append(out.Value, o)
		}
		if !more || len(runs) == 0 {
			return &arm.Response{Status: http.StatusOK, Body: out}, nil
		}
		after = runKey(placeOf(r), runs[len(runs)-1].ID) + "/\xff"
	}
}

// runFilter reads a $filter on runs: comparisons joined by "and".
func runFilter(text string) (func(runDoc) bool, error) {
	var tests []func(runDoc) bool
	for _, part := range strings.Split(text, " and ") {
		f := strings.Fields(part)
		if len(f) == 0 {
			continue
		}
		bad := arm.Errorf(http.StatusBadRequest, "InvalidFilter", "The filter '%s' is not supported; use status eq 'Failed', startTime ge 2026-01-01T00:00:00Z, startTime le …, joined by and.", part)
		if len(f) != 3 {
			return nil, bad
		}
		v := strings.Trim(f[2], "'")
		switch strings.ToLower(f[0] + " " + f[1]) {
		case "status eq":
			tests = append(tests, func(d runDoc) bool { return strings.EqualFold(string(d.Status), v) })
		case "status ne":
			tests = append(tests, func(d runDoc) bool { return !strings.EqualFold(string(d.Status), v) })
		case "starttime ge":
			tests = append(tests, func(d runDoc) bool { return timestamp(d.Start) >= v })
		case "starttime gt":
			tests = append(tests, func(d runDoc) bool { return timestamp(d.Start) > v })
		case "starttime le":
			tests = append(tests, func(d runDoc) bool { return timestamp(d.Start) <= v })
		case "starttime lt":
			tests = append(tests, func(d runDoc) bool { return timestamp(d.Start) < v })
		default:
			return nil, bad
		}
	}
	return func(d runDoc) bool {
		for _, t := range tests {
			if !t(d) {
				return false
			}
		}
		return true
	}, nil
}

func (p *Provider) showRun(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	run, err := p.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	o, err := p.runObject(run)
	return &arm.Response{Status: http.StatusOK, Body: o}, err
}

func (p *Provider) cancel(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, _, err := p.workflow(ctx, r)
	if err != nil {
		return nil, err
	}
	place := placeOf(r)
	key := runKey(place, r.Params["run"])
	doc, rev, found, err := get[runDoc](ctx, p.c.Store, key)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, arm.Errorf(http.StatusNotFound, "WorkflowRunNotFound", "The workflow '%s' run '%s' could not be found.", w.Name, r.Params["run"])
	}
	if doc.Status.Finished() {
		return nil, arm.Errorf(http.StatusBadRequest, "WorkflowRunCancelNotAllowed", "The workflow run '%s' has ended with the status '%s' and cannot be cancelled.", doc.ID, doc.Status)
	}
	b := store.Batch{If: []store.Condition{{Key: key, Revision: rev}}, Put: []store.Write{{Key: cancelKey(place, doc.ID), Value: []byte("{}")}}}
	if _, err := p.c.Store.Commit(ctx, b); err != nil {
		if errors.Is(err, tandem.Precondition) {
			return p.cancel(ctx, r) // the run went on meanwhile
		}
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK}, nil
}

// actionObject is an action, or one repetition of it, as clients get it.
func (p *Provider) actionObject(run *pastRun, rec *Record, asRepetition bool) *value.Object {
	a := run.def.actions[rec.Action]
	path := "/actions/" + rec.Action
	kind := "Microsoft.Logic/workflows/runs/actions"
	name := rec.Action
	if asRepetition {
		path += "/repetitions/" + rec.repetition()
		kind += "/repetitions"
		name = rec.repetition()
	}
	props := value.New("startTime", timestamp(rec.Start))
	if rec.End != nil {
		props.Set("endTime", timestamp(*rec.End))
	}
	props.Set("correlation", value.New("actionTrackingId", rec.Tracking, "clientTrackingId", run.doc.Tracking))
	props.Set("status", string(rec.Status))
	if rec.Code != "" {
		props.Set("code", rec.Code)
	}
	if rec.Error != nil {
		props.Set("error", faultObject(run.mask.fault(rec.Error)))
	}
	if rec.Count > 0 {
		props.Set("iterationCount", int64(rec.Count))
	}
	if rec.Inputs != nil && (a == nil || !a.secureIn) {
		props.Set("inputsLink", p.link(run, path, "ActionInputs", rec.Inputs))
	}
	if rec.Outputs != nil && (a == nil || !a.secureOut) {
		props.Set("outputsLink", p.link(run, path, "ActionOutputs", rec.Outputs))
	}
	if a != nil && (a.secureIn || a.secureOut) {
		var list []any
		if a.secureIn {
			list = append(list, "inputs")
		}
		if a.secureOut {
			list = append(list, "outputs")
		}
		props.Set("secureData", value.New("properties", list))
	}
	if rec.Tracked != nil {
		props.Set("trackedProperties", run.mask.value(rec.Tracked))
	}
	if len(rec.Attempts) > 0 {
		history := []any{}
		for _, t := range rec.Attempts {
			o := value.New("startTime", timestamp(t.Start), "endTime", timestamp(t.End), "code", t.Code, "clientRequestId", rec.Tracking)
			if t.Error != nil {
				o.Set("error", value.New("error", faultObject(run.mask.fault(t.Error))))
			}
			history = append(history, o)
		}
		props.Set("retryHistory", history)
	}
	if asRepetition {
		indexes := []any{}
		for i, n := range rec.Indexes {
			if a != nil && i < len(a.loops) {
				indexes = append(indexes, value.New("scopeName", a.loops[i].name, "itemIndex", int64(n)))
			}
		}
		props.Set("repetitionIndexes", indexes)
	}
	return value.New("properties", props, "id", run.w.ID+"/runs/"+run.doc.ID+path, "name", name, "type", kind)
}

// latest lists one record of each action: of one in a loop the newest repetition, with the worst status of all.
func (run *pastRun) latest() []*Record {
	var out []*Record
	at := map[string]int{}
	for _, rec := range ordered(run.def, run.records) {
		i, seen := at[rec.Action]
		if !seen {
			at[rec.Action] = len(out)
			c := *rec
			out = append(out, &c)
			continue
		}
		c := *rec
		c.Start = out[i].Start
		if before := out[i]; before.Status != Succeeded && before.Status != Skipped && rec.Status.Finished() {
			c.Status, c.Code, c.Error = before.Status, before.Code, before.Error
		}
		out[i] = &c
	}
	return out
}

func (p *Provider) actions(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	run, err := p.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, rec := range run.latest() {
		all = append(all, p.actionObject(run, rec, false))
	}
	return page(r, all)
}

func (p *Provider) action(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	run, err := p.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, rec := range run.latest() {
		if strings.EqualFold(rec.Action, r.Params["action"]) {
			return &arm.Response{Status: http.StatusOK, Body: p.actionObject(run, rec, false)}, nil
		}
	}
	return nil, arm.Errorf(http.StatusNotFound, "WorkflowRunActionNotFound", "The workflow run action '%s' could not be found.", r.Params["action"])
}

func (p *Provider) repetitions(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	run, err := p.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, rec := range ordered(run.def, run.records) {
		if strings.EqualFold(rec.Action, r.Params["action"]) && len(rec.Indexes) > 0 {
			all = append(all, p.actionObject(run, rec, true))
		}
	}
	return page(r, all)
}

func (p *Provider) repetition(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	run, err := p.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	rec := run.find(r.Params["action"], r.Params["repetition"])
	if rec == nil {
		return nil, arm.Errorf(http.StatusNotFound, "WorkflowRunActionRepetitionNotFound", "The workflow run action '%s' repetition '%s' could not be found.", r.Params["action"], r.Params["repetition"])
	}
	return &arm.Response{Status: http.StatusOK, Body: p.actionObject(run, rec, true)}, nil
}

func (run *pastRun) find(action, repetition string) *Record {
	for _, rec := range run.records {
		if strings.EqualFold(rec.Action, action) && rec.repetition() == repetition {
			return rec
		}
	}
	return nil
}

// byFlow finds the workflow of a signed address and checks the signature.
func (p *Provider) byFlow(ctx context.Context, r *arm.Request, permission string) (workflowDoc, string, error) {
	denied := arm.Errorf(http.StatusUnauthorized, "AuthorizationFailed", "The provided authentication is not valid; get the address anew from the workflow.")
	place, _, found, err := get[string](ctx, p.c.Store, flowKey(r.Params["flow"]))
	if err != nil {
		return workflowDoc{}, "", err
	}
	if !found {
		return workflowDoc{}, "", denied
	}
	w, _, found, err := get[workflowDoc](ctx, p.c.Store, workflowKey(place))
	if err != nil || !found {
		return w, "", errors.Join(err, denied)
	}
	key, err := p.c.flowSecret(w)
	if err != nil {
		return w, "", err
	}
	if !equalSignature(sign(key, w.Flow, permission), r.Query["sig"]) || r.Query["sv"] != "1.0" {
		return w, "", denied
	}
	return w, place, nil
}

// content answers the inputs or outputs of an action, masked, at a signed address.
func (p *Provider) content(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	path := "/runs/" + r.Params["run"]
	if a := r.Params["action"]; a != "" {
		path += "/actions/" + a
	}
	if rep := r.Params["repetition"]; rep != "" {
		path += "/repetitions/" + rep
	}
	path += "/contents/" + r.Params["which"]
	w, place, err := p.byFlow(ctx, r, path+"/read")
	if err != nil {
		return nil, err
	}
	run, err := p.past(ctx, w, place, r.Params["run"])
	if err != nil {
		return nil, err
	}
	var v any
	switch which := r.Params["which"]; {
	case r.Params["action"] == "" && which == "TriggerOutputs":
		v = run.fired
	default:
		rec := run.find(r.Params["action"], r.Params["repetition"])
		if rec == nil {
			for _, last := range run.latest() {
				if last.Action == r.Params["action"] {
					rec = last
				}
			}
		}
		a := run.def.actions[r.Params["action"]]
		if rec == nil || a == nil {
			return nil, notFound("WorkflowRunAction", r.Params["action"])
		}
		if which == "ActionInputs" && !a.secureIn {
			v = rec.Inputs
		} else if which == "ActionOutputs" && !a.secureOut {
			v = rec.Outputs
		}
	}
	if v == nil {
		return nil, arm.Errorf(http.StatusNotFound, "ContentNotFound", "There is no such content, or it is secured.")
	}
	return &arm.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: value.Encode(run.mask.value(v))}, nil
}
