package traffic

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/traffic/geo"
	"tandem/internal/traffic/health"
)

// checkName tells whether a relative name is free.
func (p *Provider) checkName(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	const kind = namespace + "/trafficManagerProfiles"
	if !strings.EqualFold(body.Type, kind) {
		return nil, refuse("type", "The type '%s' is not valid; it must be '%s'.", body.Type, kind)
	}
	answer := map[string]any{"name": body.Name, "type": kind, "nameAvailable": true, "reason": nil, "message": nil}
	deny := func(reason, message string) {
		answer["nameAvailable"], answer["reason"], answer["message"] = false, reason, message
	}
	name := DNSConfig{RelativeName: body.Name}
	if err := name.normalise(); err != nil {
		deny("Invalid", "The domain name '"+body.Name+"' is not valid.")
		return &arm.Response{Status: http.StatusOK, Body: answer}, nil
	}
	_, err := p.Store.Get(ctx, nameKey(body.Name), 0)
	switch {
	case err == nil || p.reserved(body.Name):
		deny("AlreadyExists", "Domain name '"+body.Name+"."+p.Zone+"' is not available. Please choose a different DNS prefix.")
	case !errors.Is(err, tandem.NotFound):
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: answer}, nil
}

// region is a node of the hierarchy as it is told.
type region struct {
	Code    string    `json:"code"`
	Name    string    `json:"name"`
	Regions []*region `json:"regions"`
}

func (p *Provider) hierarchy(_ context.Context, r *arm.Request) (*arm.Response, error) {
	if !strings.EqualFold(r.Params["name"], "default") {
		return nil, arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The geographic hierarchy '%s' was not found; there is 'default'.", r.Params["name"])
	}
	byCode := map[string]*region{}
	var root *region
	for _, a := range geo.Areas() {
		x := &region{Code: a.Code, Name: a.Name, Regions: []*region{}}
		byCode[a.Code] = x
		if up := byCode[a.Parent]; up != nil {
			up.Regions = append(up.Regions, x)
		} else {
			root = x
		}
	}
	const kind = namespace + "/trafficManagerGeographicHierarchies"
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"id": "/providers/" + kind + "/default", "name": "default", "type": kind,
		"properties": map[string]any{"geographicHierarchy": root}}}, nil
}

// heatMap tells that no client latency was measured: Traffic View's data come from Microsoft's own clients. The map is
// empty with the endpoints named, which is what Azure tells of a profile without data.
func (p *Provider) heatMap(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	profile, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(r.Params["heatMapType"], "default") {
		return nil, refuse("heatMapType", "The heat map type '%s' is not valid; it must be 'default'.", r.Params["heatMapType"])
	}
	if profile.Properties.TrafficViewEnrollmentStatus != enabled {
		return nil, arm.Errorf(http.StatusNotFound, "NotFound", "Traffic View is not enabled for the profile '%s'.", profile.Name)
	}
	endpoints := []any{}
	for i, e := range profile.Properties.Endpoints {
		endpoints = append(endpoints, map[string]any{"endpointId": i + 1, "resourceId": profile.resourceID() + "/" + e.kind() + "/" + e.Name})
	}
	end := p.Clock.Now().UTC().Truncate(24 * time.Hour)
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"id": profile.resourceID() + "/heatMaps/default", "name": "default", "type": namespace + "/trafficManagerProfiles/heatMaps",
		"properties": map[string]any{"startTime": arm.FormatTime(end.Add(-7 * 24 * time.Hour)), "endTime": arm.FormatTime(end), "endpoints": endpoints, "trafficFlows": []any{}}}}, nil
}

func metricsKey(r *arm.Request) string {
	return "traffic/usermetricskeys/" + strings.ToLower(r.Params["subscriptionId"])
}

func (p *Provider) metricsAnswer(r *arm.Request, status int, key string) *arm.Response {
	const kind = namespace + "/trafficManagerUserMetricsKeys"
	return &arm.Response{Status: status, Body: map[string]any{"id": "/subscriptions/" + r.Params["subscriptionId"] + "/providers/" + kind + "/default", "name": "default", "type": kind,
		"properties": map[string]any{"key": key}}}
}

func (p *Provider) getMetricsKey(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	d, err := p.Store.Get(ctx, metricsKey(r), 0)
	if errors.Is(err, tandem.NotFound) {
		return nil, arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The subscription has no user metrics key.")
	}
	if err != nil {
		return nil, err
	}
	return p.metricsAnswer(r, http.StatusOK, string(d.Value)), nil
}

// putMetricsKey makes the id that browsers send measurements under. It is public by its nature: pages carry it.
func (p *Provider) putMetricsKey(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var id [16]byte
	rand.Read(id[:])
	key := hex.EncodeToString(id[:])
	if _, err := p.Store.Commit(ctx, store.Batch{Put: []store.Write{{Key: metricsKey(r), Value: []byte(key)}}}); err != nil {
		return nil, err
	}
	return p.metricsAnswer(r, http.StatusCreated, key), nil
}

func (p *Provider) deleteMetricsKey(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	if _, err := p.Store.Commit(ctx, store.Batch{Delete: []string{metricsKey(r)}}); err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK}, nil
}

// listHealth tells how a profile's endpoints stand, what is measured beside what is set, and every change with its
// evidence. It is Tandem's own call.
func (p *Provider) listHealth(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	profile, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	o, err := p.look(ctx, profile)
	if err != nil {
		return nil, err
	}
	endpoints, events := []any{}, []health.Change{}
	order := Steering{Mode: SteerAutomatic}
	if o != nil && p.Health != nil {
		views, all := p.Health.Views(), p.Health.Events()
		order, _ = p.Health.Steered(profile.key())
		for i, e := range o.endpoints {
			id := endpointID(profile, e.endpoint)
			v, measured := views[id]
			item := map[string]any{"name": e.endpoint.Name, "endpointMonitorStatus": e.status, "inDns": e.up && (o.only < 0 || o.only == i), "eligible": e.eligible, "keptOut": e.held,
				"override": e.endpoint.Properties.forced(p.Clock.Now()), "drained": p.Health.Drained(id)}
			if measured {
				item["measured"] = map[string]any{"status": v.State.Status, "since": v.State.Since, "why": v.State.Why, "failuresInARow": v.State.Failures,
					"successesInARow": v.State.Successes, "heldUntil": v.State.HeldUntil, "suspectsItself": v.Suspect, "lastResult": v.LastResult, "otherVantagePoints": v.Verdicts}
			}
			endpoints = append(endpoints, item)
			for _, c := range all {
				if c.Endpoint == id {
					events = append(events, c)
				}
			}
		}
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"endpoints": endpoints, "events": events, "steering": order}}, nil
}

// listProbeResults tells the remembered probes of one endpoint, oldest first. It is Tandem's own call.
func (p *Provider) listProbeResults(ctx context.Context, r *arm.Request, kind string) (*arm.Response, error) {
	profile, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	e, _ := profile.find(kind, r.Params["endpointName"])
	if e == nil {
		return nil, noEndpoint(r, kind)
	}
	results := []health.Result{}
	if p.Health != nil {
		results = append(results, p.Health.Results(endpointID(profile, e))...)
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"value": results}}, nil
}
