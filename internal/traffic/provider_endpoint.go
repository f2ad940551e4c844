package traffic

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"tandem/internal/arm"
)

// endpointBody is an endpoint as clients send it; its id, name and type come from the path.
type endpointBody struct {
	Properties json.RawMessage `json:"properties"`
}

func noEndpoint(r *arm.Request, kind string) error {
	return arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The Resource 'Microsoft.Network/trafficManagerProfiles/%s/%s/%s' under resource group '%s' was not found.",
		r.Params["profileName"], kind, r.Params["endpointName"], r.Params["resourceGroupName"])
}

func (p *Provider) getEndpoint(ctx context.Context, r *arm.Request, kind string) (*arm.Response, error) {
	profile, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.answerEndpoint(ctx, r, profile, kind, http.StatusOK)
}

func (p *Provider) answerEndpoint(ctx context.Context, r *arm.Request, profile *Profile, kind string, status int) (*arm.Response, error) {
	_, i := profile.find(kind, r.Params["endpointName"])
	if i < 0 {
		return nil, noEndpoint(r, kind)
	}
	o, err := p.look(ctx, profile)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: status, Body: p.wire(profile, o, r.APIVersion).Properties.Endpoints[i]}, nil
}

// changeEndpoint changes one endpoint; f gets nil where it is absent, and gives nil to delete it.
func (p *Provider) changeEndpoint(ctx context.Context, r *arm.Request, kind string, f func(old *Endpoint) (*Endpoint, error)) (*Profile, error) {
	profile, _, err := p.change(ctx, r, func(old *Profile) (*Profile, error) {
		if old == nil {
			_, _, err := p.load(ctx, r)
			return nil, err
		}
		was, i := old.find(kind, r.Params["endpointName"])
		e, err := f(was)
		if err != nil {
			return nil, err
		}
		next := *old
		next.Properties.Endpoints = slices.Clone(old.Properties.Endpoints)
		switch {
		case e == nil:
			next.Properties.Endpoints = slices.Delete(next.Properties.Endpoints, i, i+1)
		case was == nil:
			next.Properties.Endpoints = append(next.Properties.Endpoints, e)
		default:
			e.Name = was.Name
			next.Properties.Endpoints[i] = e
		}
		return &next, nil
	})
	return profile, err
}

// putEndpoint creates or replaces. Azure answers 201 for both.
func (p *Provider) putEndpoint(ctx context.Context, r *arm.Request, kind string) (*arm.Response, error) {
	var body endpointBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	profile, err := p.changeEndpoint(ctx, r, kind, func(old *Endpoint) (*Endpoint, error) {
		e := &Endpoint{Name: r.Params["endpointName"], Type: kind}
		if len(body.Properties) > 0 {
			if err := arm.DecodeJSON(body.Properties, &e.Properties); err != nil {
				return nil, err
			}
		}
		e.Properties.Failback = 0
		if old != nil {
			e.Properties.Failback = old.Properties.Failback
			if e.Properties.Priority == nil {
				e.Properties.Priority = old.Properties.Priority
			}
		}
		return e, nil
	})
	if err != nil {
		return nil, err
	}
	return p.answerEndpoint(ctx, r, profile, kind, http.StatusCreated)
}

func (p *Provider) patchEndpoint(ctx context.Context, r *arm.Request, kind string) (*arm.Response, error) {
	var body endpointBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	profile, err := p.changeEndpoint(ctx, r, kind, func(old *Endpoint) (*Endpoint, error) {
		if old == nil {
			return nil, noEndpoint(r, kind)
		}
		e := &Endpoint{Name: old.Name, Type: old.Type}
		if err := mergeInto(old.Properties, body.Properties, &e.Properties); err != nil {
			return nil, err
		}
		e.Properties.Failback = old.Properties.Failback
		return e, nil
	})
	if err != nil {
		return nil, err
	}
	return p.answerEndpoint(ctx, r, profile, kind, http.StatusOK)
}

func (p *Provider) deleteEndpoint(ctx context.Context, r *arm.Request, kind string) (*arm.Response, error) {
	status := http.StatusOK
	_, err := p.changeEndpoint(ctx, r, kind, func(old *Endpoint) (*Endpoint, error) {
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

// failback lets an endpoint back that recovered and is kept out by failbackMode Manual. It is written down, so that every
// node that answers DNS acts on it. For an endpoint that has not recovered it has no effect.
func (p *Provider) failback(ctx context.Context, r *arm.Request, kind string) (*arm.Response, error) {
	profile, err := p.changeEndpoint(ctx, r, kind, func(old *Endpoint) (*Endpoint, error) {
		if old == nil {
			return nil, noEndpoint(r, kind)
		}
		e := *old
		e.Properties.Failback++
		return &e, nil
	})
	if err != nil {
		return nil, err
	}
	return p.answerEndpoint(ctx, r, profile, kind, http.StatusOK)
}
