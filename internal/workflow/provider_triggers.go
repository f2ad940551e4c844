package workflow

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/workflow/value"
)

func equalSignature(want, got string) bool { return hmac.Equal([]byte(want), []byte(got)) }

func (p *Provider) triggerOf(ctx context.Context, r *arm.Request) (workflowDoc, *loaded, *Trigger, error) {
	w, l, err := p.stated(ctx, r)
	if err != nil {
		return w, nil, nil, err
	}
	t := l.def.trigger(r.Params["trigger"])
	if t == nil {
		return w, nil, nil, arm.Errorf(http.StatusNotFound, "WorkflowTriggerNotFound", "The workflow '%s' trigger '%s' could not be found.", w.Name, r.Params["trigger"])
	}
	return w, l, t, nil
}

func (p *Provider) triggerObject(ctx context.Context, place string, w workflowDoc, t *Trigger) (*value.Object, error) {
	s, _, _, err := get[triggerDoc](ctx, p.c.Store, triggerKey(place, t.Name))
	if err != nil {
		return nil, err
	}
	props := value.New("provisioningState", "Succeeded", "createdTime", timestamp(w.Created), "changedTime", timestamp(w.Changed), "state", state(w.Enabled))
	if !s.Fired.IsZero() {
		props.Set("lastExecutionTime", timestamp(s.Fired))
	}
	if t.Recurrence != nil {
		if w.Enabled {
			slot, more := t.Recurrence.First(w.EnabledAt)
			if s.Anchor.Equal(w.EnabledAt) {
				slot, more = t.Recurrence.Next(w.EnabledAt, s.Slot)
			}
			if now := p.c.Clock.Now(); more && slot.Time.Before(now) {
				slot, more = t.Recurrence.Next(w.EnabledAt, now)
			}
			if more {
				props.Set("nextExecutionTime", timestamp(slot.Time))
			}
		}
		props.Set("recurrence", t.Source)
	}
	props.Set("workflow", value.New("id", w.ID+"/versions/"+w.Version, "name", w.Version, "type", "Microsoft.Logic/workflows/versions"))
	return value.New("properties", props, "id", w.ID+"/triggers/"+t.Name, "name", t.Name, "type", "Microsoft.Logic/workflows/triggers"), nil
}

func (p *Provider) triggers(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, l, err := p.stated(ctx, r)
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, t := range l.def.Triggers {
		o, err := p.triggerObject(ctx, placeOf(r), w, t)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return page(r, all)
}

func (p *Provider) trigger(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, _, t, err := p.triggerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	o, err := p.triggerObject(ctx, placeOf(r), w, t)
	return &arm.Response{Status: http.StatusOK, Body: o}, err
}

func (p *Provider) schema(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	_, _, t, err := p.triggerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	s := value.New("title", t.Name)
	if t.schemaText != nil {
		s.Set("content", string(value.Encode(t.schemaText)))
	}
	return &arm.Response{Status: http.StatusOK, Body: s}, nil
}

func (p *Provider) callbackURL(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, l, err := p.stated(ctx, r)
	if err != nil {
		return nil, err
	}
	name := r.Params["trigger"]
	for _, t := range l.def.Triggers {
		if t.Kind == "Request" && (name == "" || strings.EqualFold(t.Name, name)) {
			u, err := p.c.callback(w, t.Name, l.def)
			return &arm.Response{Status: http.StatusOK, Body: u}, err
		}
	}
	return nil, arm.Errorf(http.StatusNotFound, "WorkflowTriggerNotFound", "The workflow '%s' has no Request trigger of this name.", w.Name)
}

// fire writes a run for the engine to carry out.
func (p *Provider) fire(ctx context.Context, w workflowDoc, place string, l *loaded, t *Trigger, outputs *value.Object, tracking, resubmit string) (runDoc, tandem.Revision, error) {
	now := p.c.Clock.Now().UTC()
	doc := runDoc{ID: runID(now), Place: place, Version: w.Version, Trigger: t.Name, Kind: t.Kind, Status: Running, Start: now, Tracking: tracking, Resubmit: resubmit}
	if tracking == "" {
		doc.Tracking = doc.ID
	}
	if lim := limitOf(t); lim.runs > 0 {
		runs, _, err := p.c.runs(ctx, place, store.ListOptions{Limit: 300})
		if err != nil {
			return doc, 0, err
		}
		n := 0
		for _, other := range runs {
			if !other.Status.Finished() && strings.EqualFold(other.Trigger, t.Name) {
				n++
			}
		}
		if n >= lim.runs+lim.waiting {
			e := arm.Errorf(http.StatusTooManyRequests, "WorkflowTriggerRunsLimitExceeded", "The trigger '%s' has %d runs under way, as many as it allows. Try again later.", t.Name, n)
			e.Header = http.Header{"Retry-After": {"10"}}
			return doc, 0, e
		}
	}
	var given any
	if outputs != nil {
		given = outputs
		sealed, err := p.c.seal(runKey(place, doc.ID), outputs)
		if err != nil {
			return doc, 0, err
		}
		if len(sealed) > store.MaxBytes-(32<<10) {
			return doc, 0, arm.Errorf(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is too large for a trigger; send at most 700 KiB.")
		}
		doc.Fired = sealed
	}
	if resubmit == "" {
		if why := p.unmet(w, l, t, doc, given); why != "" {
			h := historyDoc{ID: doc.ID, Time: now, Code: codeSkipped, Reason: why}
			_, err := p.c.Store.Commit(ctx, store.Batch{Put: []store.Write{write(historyPrefix(place, t.Name)+doc.ID, h)}})
			if err != nil {
				return doc, 0, err
			}
			return doc, 0, arm.Errorf(http.StatusBadRequest, "TriggerConditionNotMet", "No run was started: %s.", why)
		}
	}
	rev, err := p.c.Store.Commit(ctx, store.Batch{Put: []store.Write{write(runKey(place, doc.ID), doc)}})
	return doc, rev, err
}

// unmet tells which condition of a trigger does not hold.
func (p *Provider) unmet(w workflowDoc, l *loaded, t *Trigger, doc runDoc, outputs any) string {
	env := (&runner{def: l.def, parameters: l.parameters, info: infoOf(w, doc.ID), trigger: triggerObject(doc, outputs), clock: p.c.Clock, guid: newGUID, rand: drawn}).env(&scope{})
	for _, c := range t.conditions {
		if v, err := c.Eval(env); err != nil {
			return "a condition of the trigger cannot be evaluated"
		} else if v != true {
			return "a condition of the trigger is not met"
		}
	}
	return ""
}

func (p *Provider) runTrigger(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, l, t, err := p.triggerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if !w.Enabled {
		return nil, arm.Errorf(http.StatusBadRequest, "WorkflowDisabled", "The workflow '%s' is disabled; enable it first.", w.Name)
	}
	var outputs *value.Object
	if t.Kind == "Request" {
		outputs = requestOutputs(r)
		if err := t.check(outputs); err != nil {
			return nil, err
		}
	}
	doc, _, err := p.fire(ctx, w, placeOf(r), l, t, outputs, r.HTTP.Header.Get("X-Ms-Client-Tracking-Id"), "")
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusAccepted, Header: runHeaders(w, doc)}, nil
}

func runHeaders(w workflowDoc, doc runDoc) http.Header {
	return http.Header{"X-Ms-Workflow-Run-Id": {doc.ID}, "X-Ms-Workflow-Name": {w.Name}, "X-Ms-Workflow-Id": {w.Flow},
		"X-Ms-Workflow-Version": {doc.Version}, "X-Ms-Trigger-History-Name": {doc.ID}, "X-Ms-Client-Tracking-Id": {doc.Tracking}}
}

// requestOutputs are the outputs of a Request trigger.
func requestOutputs(r *arm.Request) *value.Object {
	headers := value.New()
	for _, name := range sortedKeys(r.HTTP.Header) {
		if !strings.EqualFold(name, "Authorization") || strings.HasPrefix(r.Path, "/workflows/") {
			headers.Set(name, strings.Join(r.HTTP.Header[name], ","))
		}
	}
	out := value.New("headers", headers)
	queries := value.New()
	if q, err := url.ParseQuery(r.HTTP.URL.RawQuery); err == nil {
		for _, k := range sortedKeys(http.Header(q)) {
			switch strings.ToLower(k) {
			case "api-version", "sp", "sv", "se", "sig":
			default:
				queries.Set(k, strings.Join(q[k], ","))
			}
		}
	}
	if queries.Len() > 0 {
		out.Set("queries", queries)
	}
	if len(r.Body) > 0 {
		out.Set("body", readBody(r.Body, r.HTTP.Header.Get("Content-Type")))
	}
	return out
}

// check holds what a Request trigger got to its schema, where the trigger asks for that.
func (t *Trigger) check(outputs *value.Object) error {
	if t.schema == nil {
		return nil
	}
	b, _ := outputs.Get("body")
	if err := validate(t.schema, b); err != nil {
		return arm.Errorf(http.StatusBadRequest, "TriggerInputSchemaMismatch", "The input body for trigger '%s' did not match its schema definition. Error details: '%v'.", t.Name, err)
	}
	return nil
}

// answerWithin is how long the caller of a Request trigger waits for a Response action.
const answerWithin = 2 * time.Minute

// invoke is the signed address of a Request trigger.
func (p *Provider) invoke(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	name := r.Params["trigger"]
	permission := r.Query["sp"]
	if !strings.EqualFold(permission, "/triggers/"+name+"/run") {
		permission = "/triggers/" + name + "/run"
	}
	w, place, err := p.byFlow(ctx, r, permission)
	if err != nil {
		return nil, err
	}
	l, err := p.c.load(ctx, place, w.Version)
	if err != nil {
		return nil, err
	}
	t := l.def.trigger(name)
	if t == nil || t.Kind != "Request" {
		return nil, arm.Errorf(http.StatusNotFound, "WorkflowTriggerNotFound", "The workflow has no Request trigger '%s'.", name)
	}
	if !w.Enabled {
		return nil, arm.Errorf(http.StatusNotFound, "WorkflowTriggerNotEnabled", "The workflow '%s' is disabled.", w.Name)
	}
	if t.Method != "" && t.Method != r.Method || t.Method == "" && r.Method != "POST" {
		return nil, arm.Errorf(http.StatusMethodNotAllowed, "TriggerRequestMethodNotValid", "The trigger '%s' does not take the method %s.", t.Name, r.Method)
	}
	outputs := requestOutputs(r)
	if err := t.relative(r.Params["rest"], outputs); err != nil {
		return nil, err
	}
	if err := t.check(outputs); err != nil {
		return nil, err
	}
	doc, rev, err := p.fire(ctx, w, place, l, t, outputs, r.HTTP.Header.Get("X-Ms-Client-Tracking-Id"), "")
	if err != nil {
		return nil, err
	}
	responds := false
	for _, a := range l.def.actions {
		responds = responds || a.kind == "Response"
	}
	if !responds {
		return &arm.Response{Status: http.StatusAccepted, Header: runHeaders(w, doc)}, nil
	}
	return p.answer(ctx, w, doc, rev)
}

// relative matches the path behind the trigger's address to its relativePath.
func (t *Trigger) relative(rest string, outputs *value.Object) error {
	rest = strings.Trim(rest, "/")
	want, got := strings.Split(t.Path, "/"), strings.Split(rest, "/")
	mismatch := arm.Errorf(http.StatusNotFound, "TriggerRelativePathMismatch", "The path behind the address of the trigger '%s' does not match '%s'.", t.Name, t.Path)
	if len(want) != len(got) {
		return mismatch
	}
	params := value.New()
	for i, w := range want {
		if strings.HasPrefix(w, "{") && strings.HasSuffix(w, "}") {
			params.Set(strings.Trim(w, "{}"), got[i])
		} else if !strings.EqualFold(w, got[i]) {
			return mismatch
		}
	}
	if params.Len() > 0 {
		outputs.Set("relativePathParameters", params)
	}
	return nil
}

var errAnswered = errors.New("answered")

// answer waits for the run's Response action, or its end.
func (p *Provider) answer(ctx context.Context, w workflowDoc, doc runDoc, from tandem.Revision) (*arm.Response, error) {
	limited, cancel := withTimeout(ctx, p.c.Clock, answerWithin)
	defer cancel()
	headers := runHeaders(w, doc)
	failed := func(status int, code, format string, args ...any) error {
		e := arm.Errorf(status, code, format, args...)
		e.Header = headers
		return e
	}
	var out *arm.Response
	var result error
	err := p.c.Store.Watch(limited, runKey(doc.Place, doc.ID), from, func(ev store.Event) error {
		for _, c := range ev.Changes {
			if c.Key == answerKey(doc.Place, doc.ID) && !c.Deleted {
				out, result = p.written(c.Key, c.Value, headers)
				return errAnswered
			}
		}
		for _, c := range ev.Changes {
			var now runDoc
			if c.Key == runKey(doc.Place, doc.ID) && !c.Deleted && json.Unmarshal(c.Value, &now) == nil && now.Status.Finished() {
				result = failed(http.StatusBadGateway, codeNoResponse, "The server did not receive a response from an upstream server. Request tracking id '%s'.", doc.Tracking)
				return errAnswered
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errAnswered):
		return out, result
	case ctx.Err() == nil && limited.Err() != nil:
		return nil, failed(http.StatusGatewayTimeout, "GatewayTimeout", "The workflow run did not answer in time. Request tracking id '%s'.", doc.Tracking)
	}
	return nil, err
}

// written is what a Response action sends.
func (p *Provider) written(key string, sealed []byte, headers http.Header) (*arm.Response, error) {
	a, err := p.c.readAnswer(key, sealed)
	if err != nil {
		return nil, err
	}
	data, contentType := writeBody(a.Body)
	if _, text := a.Body.(string); text {
		contentType = "text/plain; charset=utf-8"
	}
	if contentType != "" {
		headers.Set("Content-Type", contentType)
	}
	a.Headers.Walk(func(k string, v any) {
		switch strings.ToLower(k) {
		case "connection", "content-length", "transfer-encoding", "host", "upgrade", "keep-alive", "date":
		default:
			headers.Set(k, strings.NewReplacer("\r", "", "\n", "").Replace(value.Text(v)))
		}
	})
	out := &arm.Response{Status: a.Status, Header: headers}
	if data != nil {
		out.Body = data
	}
	return out, nil
}
