package traffic

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"tandem/internal/arm"
)

// profileBody is a profile as clients send it. Raw properties let a PATCH tell absent from null.
type profileBody struct {
	Location   string             `json:"location"`
	Tags       map[string]*string `json:"tags"`
	Properties json.RawMessage    `json:"properties"`
}

func (p *Provider) list(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	group := r.Params["resourceGroupName"]
	profiles, order, err := p.loadAll(ctx, groupPrefix(r.Params["subscriptionId"], group))
	if err != nil {
		return nil, err
	}
	looks, err := p.outlooks(ctx, profiles)
	if err != nil {
		return nil, err
	}
	out := make([]any, 0, len(order))
	for _, key := range order {
		w := p.wire(profiles[key], looks[key], r.APIVersion)
		if group != "" { // Azure tells the profile's status in no list of a group
			w.Properties.MonitorConfig.ProfileMonitorStatus = nil
		}
		out = append(out, w)
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"value": out}}, nil
}

func (p *Provider) get(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	profile, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.answer(ctx, r, profile, http.StatusOK)
}

func (p *Provider) answer(ctx context.Context, r *arm.Request, profile *Profile, status int) (*arm.Response, error) {
	o, err := p.look(ctx, profile)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: status, Body: p.wire(profile, o, r.APIVersion)}, nil
}

// put creates or replaces. Endpoints that the body does not mention stay, since clients manage them on their own; an empty
// list removes them.
func (p *Provider) put(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body profileBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	profile, created, err := p.change(ctx, r, func(old *Profile) (*Profile, error) {
		next := &Profile{Subscription: r.Params["subscriptionId"], ResourceGroup: r.Params["resourceGroupName"], Name: r.Params["profileName"], Location: body.Location, Tags: plainTags(nil, body.Tags)}
		if old != nil {
			next.Subscription, next.ResourceGroup, next.Name = old.Subscription, old.ResourceGroup, old.Name
		}
		if len(body.Properties) > 0 {
			if err := arm.DecodeJSON(body.Properties, &next.Properties); err != nil {
				return nil, err
			}
		}
		if old != nil && next.Properties.Endpoints == nil {
			next.Properties.Endpoints = old.Properties.Endpoints
		}
		keepCounters(old, next)
		return next, nil
	})
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return p.answer(ctx, r, profile, status)
}

func (p *Provider) patch(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body profileBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	profile, _, err := p.change(ctx, r, func(old *Profile) (*Profile, error) {
		if old == nil {
			_, _, err := p.load(ctx, r)
			return nil, err
		}
		next := *old
		next.Tags = plainTags(old.Tags, body.Tags)
		next.Properties = ProfileProperties{}
		if err := mergeInto(old.Properties, body.Properties, &next.Properties); err != nil {
			return nil, err
		}
		keepCounters(old, &next)
		return &next, nil
	})
	if err != nil {
		return nil, err
	}
	return p.answer(ctx, r, profile, http.StatusOK)
}

func (p *Provider) delete(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	if err := p.checkNotChild(ctx, r); err != nil {
		return nil, err
	}
	status := http.StatusOK
	_, _, err := p.change(ctx, r, func(old *Profile) (*Profile, error) {
		if old == nil {
			status = http.StatusNoContent
			return nil, errGone
		}
		return nil, nil
	})
	if err != nil && err != errGone {
		return nil, err
	}
	return &arm.Response{Status: status}, nil
}

// errGone ends a deletion of what is not there.
var errGone = &arm.Error{Status: http.StatusNoContent}

// keepCounters carries over what only Tandem's own calls change.
func keepCounters(old, next *Profile) {
	if old == nil {
		return
	}
	for _, e := range next.Properties.Endpoints {
		if e == nil {
			continue
		}
		e.Properties.Failback = 0
		if was, _ := old.find(e.kind(), e.Name); was != nil {
			e.Properties.Failback = was.Properties.Failback
		}
	}
}

// plainTags lays changes over tags; null removes one.
func plainTags(old map[string]string, changes map[string]*string) map[string]string {
	if old != nil && changes == nil {
		return old
	}
	out := map[string]string{}
	for k, v := range changes {
		if v != nil {
			out[k] = *v
		}
	}
	return out
}

// mergeInto lays a JSON merge patch (RFC 7396) over a value, names compared without regard to case, and reads the result.
func mergeInto(old any, patch json.RawMessage, into any) error {
	raw, err := json.Marshal(old)
	if err != nil {
		return err
	}
	var base, over any
	if err := arm.DecodeJSON(raw, &base); err != nil {
		return err
	}
	if len(patch) > 0 {
		if err := arm.DecodeJSON(patch, &over); err != nil {
			return err
		}
		base = merge(base, over)
	}
	if raw, err = json.Marshal(base); err != nil {
		return err
	}
	return arm.DecodeJSON(raw, into)
}

func merge(base, over any) any {
	changes, ok := over.(map[string]any)
	if !ok {
		return over
	}
	out, ok := base.(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	for name, v := range changes {
		for k := range out {
			if strings.EqualFold(k, name) {
				name = k
			}
		}
		if v == nil {
			delete(out, name)
		} else {
			out[name] = merge(out[name], v)
		}
	}
	return out
}
