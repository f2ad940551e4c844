package workflow

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"tandem"
	"tandem/internal/workflow/value"
)

// RunOptions say how Run carries a file out.
type RunOptions struct {
	Name       string              // of the workflow; empty: "workflow"
	Parameters map[string]any      // over those in the file
	Body       any                 // what a Request trigger gets
	Hosts      map[string]Endpoint // see Config
	Tokens     TokenSource         // see Config
	Clock      tandem.Clock        // needed

	RequestTimeout time.Duration // 0: 2 minutes
	PollInterval   time.Duration // 0: 10 s
	// Progress is told each action that ended; nil: nobody. It is called by one goroutine at a time.
	Progress func(ActionResult)
}

// RunResult is how a run by hand ended. Secrets in it are masked.
type RunResult struct {
	Status  Status         `json:"status"`
	Code    string         `json:"code,omitempty"`
	Error   *Fault         `json:"error,omitempty"`
	Outputs any            `json:"outputs,omitempty"`
	Actions []ActionResult `json:"actions"`
}

// ActionResult is how one action, or one repetition of it, ended.
type ActionResult struct {
	Name       string `json:"name"`
	Repetition string `json:"repetition,omitempty"`
	Status     Status `json:"status"`
	Code       string `json:"code"`
	Error      *Fault `json:"error,omitempty"`
}

// memoryJournal keeps the records of a run by hand.
type memoryJournal struct {
	mu       sync.Mutex
	records  map[string]*Record
	answered bool
	progress func(*Record)
}

func (j *memoryJournal) write(_ context.Context, records ...*Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range records {
		j.records[r.key()] = r
		if r.Status.Finished() && j.progress != nil {
			j.progress(r)
		}
	}
	return nil
}

func (j *memoryJournal) respond(context.Context, *Answer) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := !j.answered
	j.answered = true
	return first, nil
}

// Run carries a workflow file out once, by hand, whatever its trigger. Nothing is kept. The error says that the file is not
// valid, or is that of ctx; an action that fails is a result.
func Run(ctx context.Context, file []byte, o RunOptions) (*RunResult, error) {
	def, given, err := Parse(file)
	if err != nil {
		return nil, err
	}
	for k, v := range o.Parameters {
		given[k] = v
	}
	params, err := def.Bind(given)
	if err != nil {
		return nil, err
	}
	if o.Clock == nil {
		return nil, &tandem.Error{Op: "run workflow by hand", Subject: "Clock", Kind: tandem.Invalid, Remedy: "set it in RunOptions"}
	}
	c := newCaller(o.Hosts, o.Tokens, o.Clock, cmp.Or(o.RequestTimeout, 2*time.Minute), cmp.Or(o.PollInterval, 10*time.Second))
	defer c.close()
	now := o.Clock.Now().UTC()
	w := workflowDoc{ID: "/workflows/" + cmp.Or(o.Name, "workflow"), Name: cmp.Or(o.Name, "workflow")}
	doc := runDoc{ID: runID(now), Start: now, Trigger: "manual", Tracking: newGUID()}
	if len(def.Triggers) > 0 {
		doc.Trigger = def.Triggers[0].Name
	}
	var outputs any
	if t := def.trigger(doc.Trigger); t != nil && t.Kind == "Request" {
		outputs = value.New("headers", value.New(), "body", o.Body)
	}
	j := &memoryJournal{records: map[string]*Record{}}
	m := newMasker(def, params)
	r := &runner{def: def, parameters: params, info: infoOf(w, doc.ID), trigger: triggerObject(doc, outputs), journal: j, caller: c,
		clock: o.Clock, guid: newGUID, rand: drawn}
	if o.Progress != nil {
		j.progress = func(rec *Record) {
			m.learn(def, rec)
			o.Progress(m.result(rec))
		}
	}
	r.load(nil)
	out, err := r.run(ctx, ctx)
	if err != nil {
		return nil, err
	}
	m.learnValue(outputs)
	for _, rec := range j.records {
		m.learn(def, rec)
	}
	res := &RunResult{Status: out.status, Code: out.code, Error: m.fault(out.fault), Outputs: m.value(out.outputs), Actions: []ActionResult{}}
	for _, rec := range ordered(def, j.records) {
		res.Actions = append(res.Actions, m.result(rec))
	}
	return res, nil
}

// ordered lists records as the definition's text does, repetitions by their indexes.
func ordered(def *Definition, records map[string]*Record) []*Record {
	place := map[string]int{}
	for i, n := range def.names {
		place[n] = i
	}
	out := make([]*Record, 0, len(records))
	for _, r := range records {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *Record) int {
		return cmp.Or(cmp.Compare(place[a.Action], place[b.Action]), slices.Compare(a.Indexes, b.Indexes))
	})
	return out
}
