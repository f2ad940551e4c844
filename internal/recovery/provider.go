package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// Provider serves Tandem.Recovery/recoveryGroups. What changes decisions, and the status with its live lag, is answered by the
// node that leads; others answer 503 ServiceUnavailable, so calls are best sent to the leader.
type Provider struct{ c *Controller }

var _ arm.Provider = (*Provider)(nil)

// NewProvider makes the provider of a controller's groups.
func NewProvider(c *Controller) *Provider { return &Provider{c} }

// Namespace implements arm.Provider.
func (p *Provider) Namespace() string { return Namespace }

// Types implements arm.Provider.
func (p *Provider) Types() []arm.TypeInfo {
	var out []arm.TypeInfo
	for _, name := range []string{TypeName, TypeName + "/runs", TypeName + "/evidence"} {
		out = append(out, arm.TypeInfo{Name: name, Locations: []string{"global"}, APIVersions: []string{APIVersion}})
	}
	return out
}

// Routes implements arm.Provider. The action of a POST is Tandem.Recovery/recoveryGroups/{verb}/action.
func (p *Provider) Routes() []arm.Route {
	const (
		all   = "/subscriptions/{subscription}/providers/" + Namespace + "/" + TypeName
		below = "/subscriptions/{subscription}/resourceGroups/{group}/providers/" + Namespace + "/" + TypeName
		one   = below + "/{name}"
		run   = one + "/runs/{run}"
	)
	routes := []arm.Route{
		{Method: "GET", Pattern: all, Handler: p.list},
		{Method: "GET", Pattern: below, Handler: p.list},
		{Method: "GET", Pattern: one, Handler: p.show},
		{Method: "PUT", Pattern: one, Handler: p.put},
		{Method: "DELETE", Pattern: one, Handler: p.remove},
		{Method: "GET", Pattern: one + "/status", Handler: p.status, Action: Namespace + "/" + TypeName + "/read", Scope: func(r *arm.Request) string { return idOf(r) }},
		{Method: "GET", Pattern: one + "/history", Handler: p.facts, Action: Namespace + "/" + TypeName + "/read", Scope: func(r *arm.Request) string { return idOf(r) }},
		{Method: "GET", Pattern: one + "/runs", Handler: p.runs},
		{Method: "GET", Pattern: run, Handler: p.run},
		{Method: "GET", Pattern: run + "/conflicts", Handler: p.conflicts},
		{Method: "GET", Pattern: run + "/orphans", Handler: p.orphans},
		{Method: "GET", Pattern: run + "/evidence", Handler: p.runEvidence},
		{Method: "POST", Pattern: run + "/cancel", Handler: p.cancel},
		{Method: "GET", Pattern: one + "/evidence", Handler: p.listEvidence},
		{Method: "GET", Pattern: one + "/evidence/{number}", Handler: p.showEvidence},
	}
	for verb, h := range p.actions() {
		routes = append(routes, arm.Route{Method: "POST", Pattern: one + "/" + verb, Handler: h})
	}
	return routes
}

// idOf is the id of the group that a call is about.
func idOf(r *arm.Request) string {
	return "/subscriptions/" + r.Params["subscription"] + "/resourceGroups/" + r.Params["group"] + "/providers/" + Namespace + "/" + TypeName + "/" + r.Params["name"]
}

func (p *Provider) load(ctx context.Context, r *arm.Request) (groupDoc, tandem.Revision, error) {
	at, err := place(idOf(r))
	if err != nil {
		return groupDoc{}, 0, err
	}
	g, revision, err := read[groupDoc](ctx, p.c.Store, groupPrefix+at)
	if err == nil && revision == 0 {
		err = arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The Resource '%s/%s/%s' under resource group '%s' was not found.", Namespace, TypeName, r.Params["name"], r.Params["group"])
	}
	return g, revision, err
}

// groupView is a group as it is told: without secrets.
type groupView struct {
	Group
	Properties viewProperties `json:"properties"`
}

type viewProperties struct {
	Properties
	ProvisioningState string `json:"provisioningState"`
}

func view(g groupDoc) groupView {
	v := groupView{Group: g.Group, Properties: viewProperties{g.Properties, "Succeeded"}}
	if g.Deleting {
		v.Properties.ProvisioningState = "Deleting"
	}
	v.Properties.Notifications = nil
	for _, n := range g.Properties.Notifications {
		n.URL, n.Password = "", ""
		v.Properties.Notifications = append(v.Properties.Notifications, n)
	}
	if h := g.Properties.Heartbeat; h != nil {
		v.Properties.Heartbeat = &Heartbeat{Every: h.Every}
	}
	return v
}

func (p *Provider) list(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	prefix := groupPrefix + strings.ToLower(r.Params["subscription"]) + "/"
	if g := r.Params["group"]; g != "" {
		prefix += strings.ToLower(g) + "/"
	}
	all, err := readAll[groupDoc](ctx, p.c.Store, prefix, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	views := make([]groupView, 0, len(all))
	for _, g := range all {
		views = append(views, view(g))
	}
	page, err := arm.Paginate(r, views, 100)
	return &arm.Response{Status: http.StatusOK, Body: page}, err
}

func (p *Provider) show(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	g, revision, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Header: http.Header{"Etag": {arm.RevisionETag(revision)}}, Body: view(g)}, nil
}

func refuse(problems Problems) error {
	e := arm.Errorf(http.StatusBadRequest, "ValidationError", "The recovery group is not valid.")
	for _, x := range problems {
		e.Details = append(e.Details, arm.ErrorDetail{Code: "ValidationError", Target: x.Path, Message: x.Path + ": " + x.Message + "; " + x.Remedy})
	}
	return e
}

func (p *Provider) put(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		Location   string            `json:"location"`
		Tags       map[string]string `json:"tags"`
		Properties json.RawMessage   `json:"properties"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	props, problems := decodeProperties(body.Properties)
	if len(problems) > 0 {
		return nil, refuse(problems)
	}
	old, revision, err := p.load(ctx, r)
	var missing *arm.Error
	if errors.As(err, &missing) && missing.Status == http.StatusNotFound {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	etag := ""
	if revision != 0 {
		etag = arm.RevisionETag(revision)
	}
	if err := r.CheckETag(etag); err != nil {
		return nil, err
	}
	if old.Deleting {
		return nil, arm.Errorf(http.StatusConflict, "Conflict", "The recovery group '%s' is being deleted: its members are being told. Try again when it is gone.", r.Params["name"])
	}
	g := groupDoc{Group: Group{ID: idOf(r), Name: r.Params["name"], Type: Namespace + "/" + TypeName, Location: body.Location, Tags: body.Tags, Properties: *props},
		Created: old.Created, Changed: p.c.Clock.Now().UTC()}
	status := http.StatusOK
	if revision == 0 {
		g.Created, status = g.Changed, http.StatusCreated
	} else {
		g.ID, g.Name = old.ID, old.Name
	}
	if problems := g.Check(); len(problems) > 0 {
		return nil, refuse(problems)
	}
	if err := errors.Join(p.sealSecrets(&g, old), p.unclaimed(ctx, g)); err != nil {
		return nil, err
	}
	at, err := place(g.ID)
	if err != nil {
		return nil, err
	}
	w, err := write(groupPrefix+at, g)
	if err != nil {
		return nil, err
	}
	next, err := p.c.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: groupPrefix + at, Revision: revision}}, Put: []store.Write{w}})
	if errors.Is(err, tandem.Precondition) {
		return nil, arm.Errorf(http.StatusConflict, "Conflict", "The recovery group '%s' is being changed by another request. Try again.", g.Name)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: status, Header: http.Header{"Etag": {arm.RevisionETag(next)}}, Body: view(g)}, nil
}

// unclaimed holds a service to one group (law 4: an epoch is a group's).
func (p *Provider) unclaimed(ctx context.Context, g groupDoc) error {
	all, err := readAll[groupDoc](ctx, p.c.Store, groupPrefix, store.ListOptions{})
	if err != nil {
		return err
	}
	for _, other := range all {
		if sameID(other.ID, g.ID) {
			continue
		}
		for _, mine := range g.Properties.Members() {
			for _, theirs := range other.Properties.Members() {
				if sameID(mine, theirs) {
					return refuse(Problems{{"properties", mine + " is a member of " + other.ID, "name another service, or delete that group first"}})
				}
			}
		}
	}
	return nil
}

// sealSecrets seals what is secret in a group, and keeps the former secret where none is sent (law 7).
func (p *Provider) sealSecrets(g *groupDoc, old groupDoc) error {
	seal := func(field, now, before string) (string, error) {
		if now == "" {
			return before, nil
		}
		if p.c.Sealer == nil {
			return "", &tandem.Error{Op: "seal secret", Subject: field, Kind: tandem.Unsupported, Remedy: "send it to a node that has the master key"}
		}
		return p.c.Sealer.Seal([]byte(now), secretContext(g.ID, field))
	}
	former := map[string]Notification{}
	for _, n := range old.Properties.Notifications {
		former[n.Name] = n
	}
	var err error
	for i := range g.Properties.Notifications {
		n := &g.Properties.Notifications[i]
		var e1, e2 error
		n.URL, e1 = seal("notifications/"+n.Name+"/url", n.URL, former[n.Name].URL)
		n.Password, e2 = seal("notifications/"+n.Name+"/password", n.Password, former[n.Name].Password)
		if n.Kind != "mail" && n.URL == "" {
			e2 = errors.Join(e2, refuse(Problems{{"properties.notifications", n.Name + " has no url", "give the address to send to"}}))
		}
		err = errors.Join(err, e1, e2)
	}
	if h := g.Properties.Heartbeat; h != nil {
		before := ""
		if old.Properties.Heartbeat != nil {
			before = old.Properties.Heartbeat.URL
		}
		var e error
		h.URL, e = seal("heartbeat/url", h.URL, before)
		err = errors.Join(err, e)
	}
	return err
}

// remove lets the members go first; ?force=true forgets the group at once, for members that will never answer.
func (p *Provider) remove(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	g, revision, err := p.load(ctx, r)
	var missing *arm.Error
	if errors.As(err, &missing) && missing.Status == http.StatusNotFound {
		return &arm.Response{Status: http.StatusNoContent}, nil
	}
	if err != nil {
		return nil, err
	}
	at, err := place(g.ID)
	if err != nil {
		return nil, err
	}
	if r.Query["force"] == "true" {
		if _, err := p.c.Store.Commit(ctx, storeBatchDelete(groupPrefix+at, statePrefix+at)); err != nil {
			return nil, err
		}
		return &arm.Response{Status: http.StatusOK}, nil
	}
	g.Deleting, g.Changed = true, p.c.Clock.Now().UTC().Truncate(time.Millisecond)
	w, err := write(groupPrefix+at, g)
	if err != nil {
		return nil, err
	}
	if _, err := p.c.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: groupPrefix + at, Revision: revision}}, Put: []store.Write{w}}); err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusAccepted, Header: http.Header{"Location": {r.Link(g.ID, "api-version="+APIVersion)}, "Retry-After": {"1"}}}, nil
}
