package workflow

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/workflow/value"
)

func (p *Provider) historyObject(w workflowDoc, trigger string, doc runDoc) *value.Object {
	props := value.New("startTime", timestamp(doc.Start), "endTime", timestamp(doc.Start))
	if doc.Scheduled != nil {
		props.Set("scheduledTime", timestamp(*doc.Scheduled))
	}
	props.Set("correlation", value.New("clientTrackingId", doc.Tracking))
	props.Set("status", string(Succeeded))
	props.Set("code", codeOK)
	props.Set("fired", true)
	props.Set("run", value.New("id", w.ID+"/runs/"+doc.ID, "name", doc.ID, "type", "Microsoft.Logic/workflows/runs"))
	return value.New("properties", props, "id", w.ID+"/triggers/"+trigger+"/histories/"+doc.ID, "name", doc.ID, "type", "Microsoft.Logic/workflows/triggers/histories")
}

// histories lists the firings of a trigger: those that started a run, the newest first, and on the first page also those
// that did not.
func (p *Provider) histories(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, _, t, err := p.triggerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := p.runPage(ctx, r, w, func(doc runDoc) (*value.Object, bool, error) {
		return p.historyObject(w, t.Name, doc), strings.EqualFold(doc.Trigger, t.Name), nil
	})
	if err != nil || r.Query["$skiptoken"] != "" || r.Query["$filter"] != "" {
		return resp, err
	}
	l, err := p.c.Store.List(ctx, historyPrefix(placeOf(r), t.Name), store.ListOptions{Limit: defaultPage})
	if err != nil {
		return nil, err
	}
	list := resp.Body.(arm.List[any])
	for _, d := range l.Documents {
		var h historyDoc
		if json.Unmarshal(d.Value, &h) == nil {
			list.Value = append(list.Value, p.skippedObject(w, t.Name, h))
		}
	}
	resp.Body = list
	return resp, nil
}

func (p *Provider) skippedObject(w workflowDoc, trigger string, h historyDoc) *value.Object {
	props := value.New("startTime", timestamp(h.Time), "endTime", timestamp(h.Time), "status", string(Skipped), "code", h.Code, "fired", false,
		"error", value.New("code", h.Code, "message", h.Reason))
	return value.New("properties", props, "id", w.ID+"/triggers/"+trigger+"/histories/"+h.ID, "name", h.ID, "type", "Microsoft.Logic/workflows/triggers/histories")
}

func (p *Provider) history(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, _, t, err := p.triggerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	name := r.Params["history"]
	if doc, _, found, err := get[runDoc](ctx, p.c.Store, runKey(placeOf(r), name)); err != nil {
		return nil, err
	} else if found {
		return &arm.Response{Status: http.StatusOK, Body: p.historyObject(w, t.Name, doc)}, nil
	}
	h, _, found, err := get[historyDoc](ctx, p.c.Store, historyPrefix(placeOf(r), t.Name)+name)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, arm.Errorf(http.StatusNotFound, "WorkflowTriggerHistoryNotFound", "The workflow trigger history '%s' could not be found.", name)
	}
	return &arm.Response{Status: http.StatusOK, Body: p.skippedObject(w, t.Name, h)}, nil
}

// resubmit starts a run with what an earlier one was started with, by the workflow's present version.
func (p *Provider) resubmit(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, l, t, err := p.triggerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	place := placeOf(r)
	old, _, found, err := get[runDoc](ctx, p.c.Store, runKey(place, r.Params["history"]))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, arm.Errorf(http.StatusNotFound, "WorkflowTriggerHistoryNotFound", "The workflow trigger history '%s' could not be found.", r.Params["history"])
	}
	v, err := p.c.open(runKey(place, old.ID), old.Fired)
	if err != nil {
		return nil, err
	}
	outputs, _ := v.(*value.Object)
	doc, _, err := p.fire(ctx, w, place, l, t, outputs, old.Tracking, old.ID)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusAccepted, Header: runHeaders(w, doc)}, nil
}
