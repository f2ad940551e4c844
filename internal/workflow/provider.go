package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/workflow/value"
)

// Provider serves Microsoft.Logic/workflows and the addresses of Request triggers. It only reads and writes documents; what
// it asks for is done by the Engine, in this process or another one.
type Provider struct{ c Config }

// NewProvider makes a provider; give it the same Config as the engine.
func NewProvider(c Config) (*Provider, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	return &Provider{c: c}, nil
}

// Namespace implements arm.Provider.
func (p *Provider) Namespace() string { return "Microsoft.Logic" }

func versions() []string {
	return []string{"2019-05-01", "2018-07-01-preview", "2017-07-01", "2016-10-01", "2016-06-01"}
}

// Types implements arm.Provider.
func (p *Provider) Types() []arm.TypeInfo {
	info := func(name string) arm.TypeInfo {
		return arm.TypeInfo{Name: name, Locations: []string{p.c.Location}, APIVersions: versions()}
	}
	return []arm.TypeInfo{info("workflows"), info("locations/workflows")}
}

const (
	inSubscription = "/subscriptions/{subscription}/providers/Microsoft.Logic/workflows"
	inGroup        = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Logic/workflows"
	oneWorkflow    = inGroup + "/{workflow}"
	oneTrigger     = oneWorkflow + "/triggers/{trigger}"
	oneRun         = oneWorkflow + "/runs/{run}"
	atLocation     = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Logic/locations/{location}/workflows/{workflow}/validate"
)

// Routes implements arm.Provider.
func (p *Provider) Routes() []arm.Route {
	routes := []arm.Route{
		{Method: "GET", Pattern: inSubscription, Handler: p.list},
		{Method: "GET", Pattern: inGroup, Handler: p.list},
		{Method: "PUT", Pattern: oneWorkflow, Handler: p.put},
		{Method: "GET", Pattern: oneWorkflow, Handler: p.show},
		{Method: "PATCH", Pattern: oneWorkflow, Handler: p.patch},
		{Method: "DELETE", Pattern: oneWorkflow, Handler: p.remove},
		{Method: "POST", Pattern: oneWorkflow + "/enable", Handler: p.able(true)},
		{Method: "POST", Pattern: oneWorkflow + "/disable", Handler: p.able(false)},
		{Method: "POST", Pattern: oneWorkflow + "/validate", Handler: p.validate},
		{Method: "POST", Pattern: atLocation, Handler: p.validate},
		{Method: "POST", Pattern: oneWorkflow + "/listCallbackUrl", Handler: p.callbackURL},
		{Method: "POST", Pattern: oneWorkflow + "/regenerateAccessKey", Handler: p.newKey},
		{Method: "GET", Pattern: oneWorkflow + "/versions", Handler: p.listVersions},
		{Method: "GET", Pattern: oneWorkflow + "/versions/{version}", Handler: p.showVersion},
		{Method: "GET", Pattern: oneWorkflow + "/triggers", Handler: p.triggers},
		{Method: "GET", Pattern: oneTrigger, Handler: p.trigger},
		{Method: "POST", Pattern: oneTrigger + "/run", Handler: p.runTrigger},
		{Method: "POST", Pattern: oneTrigger + "/listCallbackUrl", Handler: p.callbackURL},
		{Method: "GET", Pattern: oneTrigger + "/schemas/json", Handler: p.schema},
		{Method: "GET", Pattern: oneTrigger + "/histories", Handler: p.histories},
		{Method: "GET", Pattern: oneTrigger + "/histories/{history}", Handler: p.history},
		{Method: "POST", Pattern: oneTrigger + "/histories/{history}/resubmit", Handler: p.resubmit},
		{Method: "GET", Pattern: oneWorkflow + "/runs", Handler: p.listRuns},
		{Method: "GET", Pattern: oneRun, Handler: p.showRun},
		{Method: "POST", Pattern: oneRun + "/cancel", Handler: p.cancel},
		{Method: "GET", Pattern: oneRun + "/actions", Handler: p.actions},
		{Method: "GET", Pattern: oneRun + "/actions/{action}", Handler: p.action},
		{Method: "GET", Pattern: oneRun + "/actions/{action}/repetitions", Handler: p.repetitions},
		{Method: "GET", Pattern: oneRun + "/actions/{action}/repetitions/{repetition}", Handler: p.repetition},
	}
	signed := func(method, pattern string, h arm.Handler) {
		routes = append(routes, arm.Route{Method: method, Pattern: pattern, Action: "Microsoft.Logic/workflows/triggers/run/action", Anonymous: true, AnyVersion: true, Handler: h})
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		signed(method, "/workflows/{flow}/triggers/{trigger}/paths/invoke", p.invoke)
		signed(method, "/workflows/{flow}/triggers/{trigger}/paths/invoke/{rest...}", p.invoke)
	}
	signed("GET", "/workflows/{flow}/runs/{run}/contents/{which}", p.content)
	signed("GET", "/workflows/{flow}/runs/{run}/actions/{action}/contents/{which}", p.content)
	signed("GET", "/workflows/{flow}/runs/{run}/actions/{action}/repetitions/{repetition}/contents/{which}", p.content)
	return routes
}

func placeOf(r *arm.Request) string {
	return strings.ToLower(r.Params["subscription"] + "/" + r.Params["group"] + "/" + r.Params["workflow"])
}

func idOf(r *arm.Request) string {
	return "/subscriptions/" + r.Params["subscription"] + "/resourceGroups/" + r.Params["group"] + "/providers/Microsoft.Logic/workflows/" + r.Params["workflow"]
}

func notFound(kind, name string) error {
	return arm.Errorf(http.StatusNotFound, kind+"NotFound", "The %s '%s' could not be found.", strings.ToLower(strings.TrimPrefix(kind, "Workflow")), name)
}

// workflow reads the workflow that a request names.
func (p *Provider) workflow(ctx context.Context, r *arm.Request) (workflowDoc, tandem.Revision, error) {
	doc, rev, found, err := get[workflowDoc](ctx, p.c.Store, workflowKey(placeOf(r)))
	if err == nil && !found {
		err = arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The Resource 'Microsoft.Logic/workflows/%s' under resource group '%s' was not found.", r.Params["workflow"], r.Params["group"])
	}
	return doc, rev, err
}

// stated reads the workflow and its present version.
func (p *Provider) stated(ctx context.Context, r *arm.Request) (workflowDoc, *loaded, error) {
	w, _, err := p.workflow(ctx, r)
	if err != nil {
		return w, nil, err
	}
	l, err := p.c.load(ctx, placeOf(r), w.Version)
	return w, l, err
}

// envelope is the resource as clients get it.
func (p *Provider) envelope(ctx context.Context, place string, w workflowDoc) (*value.Object, error) {
	v, _, found, err := get[versionDoc](ctx, p.c.Store, versionKey(place, w.Version))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &tandem.Error{Op: "show workflow", Subject: place, Kind: tandem.Corrupt, Remedy: "save the workflow again"}
	}
	props := value.New("provisioningState", "Succeeded", "createdTime", timestamp(w.Created), "changedTime", timestamp(w.Changed),
		"state", state(w.Enabled), "version", w.Version, "accessEndpoint", p.c.flowURL(w, ""))
	if err := p.statement(props, place, v); err != nil {
		return nil, err
	}
	props.Set("endpointsConfiguration", value.New("workflow", value.New("outgoingIpAddresses", []any{}, "accessEndpointIpAddresses", []any{}), "connector", value.New("outgoingIpAddresses", []any{})))
	out := value.New("properties", props, "id", w.ID, "name", w.Name, "type", "Microsoft.Logic/workflows", "location", w.Location)
	if w.Tags != nil {
		out.Set("tags", infoOf(w, "").Object("tags"))
	}
	if len(w.Identity) > 0 {
		out.Set("identity", value.From(w.Identity))
	}
	return out, nil
}

func state(enabled bool) string {
	if enabled {
		return "Enabled"
	}
	return "Disabled"
}

// statement adds a version's definition and the values of its parameters that are no secrets.
func (p *Provider) statement(props *value.Object, place string, v versionDoc) error {
	text, err := p.c.open(versionKey(place, v.Version), v.Definition)
	if err != nil {
		return err
	}
	props.Set("definition", text)
	given, err := p.c.open(versionKey(place, v.Version), v.Parameters)
	if err != nil {
		return err
	}
	params := value.New()
	declared, _ := text.(*value.Object)
	o, _ := given.(*value.Object)
	o.Walk(func(name string, v any) {
		q := declared.Object("parameters").Object(name)
		if t := strings.ToLower(q.String("type")); strings.HasPrefix(t, "secure") {
			params.Set(name, value.New("type", q.String("type"))) // as Azure does: without the value
			return
		}
		params.Set(name, value.New("value", v))
	})
	props.Set("parameters", params)
	return nil
}

func (p *Provider) list(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	prefix := "logic/workflow/" + strings.ToLower(r.Params["subscription"]) + "/"
	if g := r.Params["group"]; g != "" {
		prefix += strings.ToLower(g) + "/"
	}
	l, err := p.c.Store.List(ctx, prefix, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, d := range l.Documents {
		var w workflowDoc
		if err := json.Unmarshal(d.Value, &w); err != nil {
			return nil, &tandem.Error{Op: "list workflows", Subject: d.Key, Kind: tandem.Corrupt, Err: err, Remedy: "save the workflow again"}
		}
		e, err := p.envelope(ctx, strings.TrimPrefix(d.Key, "logic/workflow/"), w)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return page(r, all)
}

// page answers a list that is in memory.
func page(r *arm.Request, all []any) (*arm.Response, error) {
	l, err := arm.Paginate(r, all, 100)
	return &arm.Response{Status: http.StatusOK, Body: l}, err
}

func (p *Provider) show(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, _, err := p.workflow(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.shown(ctx, r, w, http.StatusOK)
}

func (p *Provider) shown(ctx context.Context, r *arm.Request, w workflowDoc, status int) (*arm.Response, error) {
	e, err := p.envelope(ctx, placeOf(r), w)
	return &arm.Response{Status: status, Body: e}, err
}

func (p *Provider) remove(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, rev, found, err := get[workflowDoc](ctx, p.c.Store, workflowKey(placeOf(r)))
	if err != nil {
		return nil, err
	}
	if !found {
		return &arm.Response{Status: http.StatusNoContent}, nil
	}
	place := placeOf(r)
	l, err := p.c.Store.List(ctx, "logic/trigger/"+place+"/", store.ListOptions{})
	if err != nil {
		return nil, err
	}
	b := store.Batch{If: []store.Condition{{Key: workflowKey(place), Revision: rev}}, Delete: []string{workflowKey(place), flowKey(w.Flow)}}
	for _, d := range l.Documents {
		b.Delete = append(b.Delete, d.Key)
	}
	if _, err = p.c.Store.Commit(ctx, b); err != nil {
		return nil, conflict(err)
	}
	return &arm.Response{Status: http.StatusOK}, nil
}

// conflict words a lost race as ARM does.
func conflict(err error) error {
	if errors.Is(err, tandem.Precondition) {
		return arm.Errorf(http.StatusConflict, "Conflict", "The workflow was changed by another request at the same time. Read it again and retry.")
	}
	return err
}

func (p *Provider) able(enable bool) arm.Handler {
	return func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		w, rev, err := p.workflow(ctx, r)
		if err != nil {
			return nil, err
		}
		if w.Enabled != enable {
			now := p.c.Clock.Now().UTC()
			w.Enabled, w.Changed = enable, now
			if enable {
				w.EnabledAt = now
			}
			key := workflowKey(placeOf(r))
			if _, err := p.c.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: key, Revision: rev}}, Put: []store.Write{write(key, w)}}); err != nil {
				return nil, conflict(err)
			}
		}
		return &arm.Response{Status: http.StatusOK}, nil
	}
}

func (p *Provider) newKey(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	w, rev, err := p.workflow(ctx, r)
	if err != nil {
		return nil, err
	}
	if w.Key, err = p.c.seal(flowKey(w.Flow), newGUID()+newGUID()); err != nil {
		return nil, err
	}
	key := workflowKey(placeOf(r))
	if _, err := p.c.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: key, Revision: rev}}, Put: []store.Write{write(key, w)}}); err != nil {
		return nil, conflict(err)
	}
	return &arm.Response{Status: http.StatusOK}, nil
}
