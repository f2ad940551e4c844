package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/workflow/value"
)

// Keys in the store. A workflow's place is "<subscription>/<resource group>/<name>" in lower case.
//
//	logic/engine                      who executes: the fence for all that the engine writes
//	logic/workflow/<place>            workflowDoc
//	logic/flow/<guid>                 the place of the workflow with this id, for the addresses of triggers
//	logic/version/<place>/<version>   versionDoc
//	logic/trigger/<place>/<trigger>   triggerDoc
//	logic/history/<place>/<trigger>/<id>  historyDoc: firings that started no run
//	logic/run/<place>/<run>           runDoc
//	logic/run/<place>/<run>/answer    what a Response action sent, sealed
//	logic/run/<place>/<run>/cancel    someone wants the run cancelled
//	logic-journal/<run>/<record>      Records of a run, sealed; large ones in pieces beside them
const (
	engineKey     = "logic/engine"
	controlPrefix = "logic/"
	journalPrefix = "logic-journal/"
)

func workflowKey(place string) string         { return "logic/workflow/" + place }
func flowKey(guid string) string              { return "logic/flow/" + guid }
func versionKey(place, version string) string { return "logic/version/" + place + "/" + version }
func triggerKey(place, trigger string) string {
	return "logic/trigger/" + place + "/" + strings.ToLower(trigger)
}
func historyPrefix(place, trigger string) string {
	return "logic/history/" + place + "/" + strings.ToLower(trigger) + "/"
}
func runPrefix(place string) string      { return "logic/run/" + place + "/" }
func runKey(place, run string) string    { return runPrefix(place) + run }
func answerKey(place, run string) string { return runKey(place, run) + "/answer" }
func cancelKey(place, run string) string { return runKey(place, run) + "/cancel" }

// workflowDoc is a workflow resource.
type workflowDoc struct {
	ID        string            `json:"id"` // as it was written
	Name      string            `json:"name"`
	Location  string            `json:"location"`
	Tags      map[string]string `json:"tags,omitempty"`
	Identity  json.RawMessage   `json:"identity,omitempty"`
	Enabled   bool              `json:"enabled"`
	EnabledAt time.Time         `json:"enabledAt"` // from when its recurrences count
	Created   time.Time         `json:"created"`
	Changed   time.Time         `json:"changed"`
	Version   string            `json:"version"`
	Flow      string            `json:"flow"` // the id in the addresses of its triggers
	Key       string            `json:"key"`  // sealed: signs these addresses
}

// versionDoc is one version of a workflow's definition.
type versionDoc struct {
	Version    string    `json:"version"`
	Created    time.Time `json:"created"`
	State      string    `json:"state"`
	Definition string    `json:"definition"` // sealed: people write secrets into definitions
	Parameters string    `json:"parameters"` // sealed: the values, by name
}

// triggerDoc is how far a recurrence is.
type triggerDoc struct {
	Anchor time.Time `json:"anchor"` // the workflow's EnabledAt for which Slot counts
	Slot   time.Time `json:"slot"`   // the last slot that was decided on
	Key    string    `json:"key"`
	Fired  time.Time `json:"fired"`
}

// historyDoc is a firing that started no run.
type historyDoc struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
}

// runDoc is one run.
type runDoc struct {
	ID        string     `json:"id"`
	Place     string     `json:"place"`
	Version   string     `json:"version"`
	Trigger   string     `json:"trigger"`
	Kind      string     `json:"kind"` // of the trigger
	Status    Status     `json:"status"`
	Code      string     `json:"code,omitempty"`
	Error     *Fault     `json:"error,omitempty"`
	Start     time.Time  `json:"start"`
	End       *time.Time `json:"end,omitempty"`
	Scheduled *time.Time `json:"scheduled,omitempty"`
	WaitEnd   *time.Time `json:"waitEnd,omitempty"` // when it stopped waiting for its turn
	Tracking  string     `json:"tracking"`
	Resubmit  string     `json:"resubmit,omitempty"` // the run that it repeats
	Fired     string     `json:"fired,omitempty"`    // sealed: what the trigger gave
	Outputs   string     `json:"outputs,omitempty"`  // sealed
}

// runID makes an id that sorts the newest run first, as the service's do.
func runID(now time.Time) string {
	return fmt.Sprintf("%020d%sCU00", uint64(math.MaxInt64)-uint64(now.UnixNano()), strings.ToUpper(newGUID()[:8]))
}

// get reads a document; false where it is absent.
func get[T any](ctx context.Context, s store.Store, key string) (T, tandem.Revision, bool, error) {
	var out T
	d, err := s.Get(ctx, key, 0)
	if errors.Is(err, tandem.NotFound) {
		return out, 0, false, nil
	}
	if err != nil {
		return out, 0, false, err
	}
	if err := json.Unmarshal(d.Value, &out); err != nil {
		return out, 0, false, &tandem.Error{Op: "read document", Subject: key, Kind: tandem.Corrupt, Err: err, Remedy: "restore the store from a backup"}
	}
	return out, d.Revision, true, nil
}

func write(key string, v any) store.Write {
	text, err := json.Marshal(v)
	if err != nil { // the types above always marshal
		text = []byte("null")
	}
	return store.Write{Key: key, Value: text}
}

// seal encrypts a value for the key that it will lie at.
func (c *Config) seal(key string, v any) (string, error) {
	return c.Sealer.Seal(value.Encode(v), []byte(key))
}

func (c *Config) open(key, sealed string) (any, error) {
	if sealed == "" {
		return nil, nil
	}
	text, err := c.Sealer.Open(sealed, []byte(key))
	if err != nil {
		return nil, &tandem.Error{Op: "open sealed document", Subject: key, Err: err, Remedy: "use the master key that it was sealed with"}
	}
	return value.Decode(text)
}

// loaded is a version of a workflow, ready to run.
type loaded struct {
	def        *Definition
	parameters map[string]any
}

// load reads a version of a workflow.
func (c *Config) load(ctx context.Context, place, version string) (*loaded, error) {
	key := versionKey(place, version)
	doc, _, found, err := get[versionDoc](ctx, c.Store, key)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &tandem.Error{Op: "load workflow", Subject: place + " version " + version, Kind: tandem.NotFound, Remedy: "save the workflow again"}
	}
	text, err := c.open(key, doc.Definition)
	if err != nil {
		return nil, err
	}
	def, _, err := ParseValue(text)
	if err != nil {
		return nil, &tandem.Error{Op: "load workflow", Subject: place + " version " + version, Err: err, Remedy: "save a definition that this version of Tandem accepts"}
	}
	v, err := c.open(key, doc.Parameters)
	if err != nil {
		return nil, err
	}
	given := map[string]any{}
	o, _ := v.(*value.Object)
	o.Walk(func(name string, v any) { given[name] = v })
	params, err := def.Bind(given)
	return &loaded{def: def, parameters: params}, err
}

// unfinished counts the runs of a trigger that have not ended, and lists those of the whole workflow.
func (c *Config) runs(ctx context.Context, place string, o store.ListOptions) ([]runDoc, bool, error) {
	var out []runDoc
	prefix := runPrefix(place)
	limit := o.Limit
	if limit > 0 {
		o.Limit = limit * 3 // each run has at most two documents below it
	}
	l, err := c.Store.List(ctx, prefix, o)
	if err != nil {
		return nil, false, err
	}
	for _, d := range l.Documents {
		if strings.Contains(strings.TrimPrefix(d.Key, prefix), "/") {
			continue
		}
		var r runDoc
		if err := json.Unmarshal(d.Value, &r); err != nil {
			return nil, false, &tandem.Error{Op: "read run", Subject: d.Key, Kind: tandem.Corrupt, Err: err, Remedy: "delete the run"}
		}
		if limit > 0 && len(out) == limit {
			return out, true, nil
		}
		out = append(out, r)
	}
	return out, l.More, nil
}
