package traffic

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// steerProfile gives an order on behalf of a person. It is Tandem's own call: {"mode":"Only","endpoint":"standby","reason":"..."}.
func (p *Provider) steerProfile(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	profile, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Mode     SteerMode `json:"mode"`
		Endpoint string    `json:"endpoint"`
		Reason   string    `json:"reason"`
		Number   uint64    `json:"number"` // of the order that the person saw, plus one; 0: whatever is in force
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	by := r.Principal.Name
	if by == "" {
		by = r.Principal.ObjectID
	}
	id, err := tandem.ParseResourceID(profile.resourceID())
	if err != nil {
		return nil, err
	}
	order, err := p.Steer(ctx, id, Steering{Mode: body.Mode, Endpoint: body.Endpoint, Reason: body.Reason, By: by, Number: body.Number})
	if errors.Is(err, tandem.Precondition) {
		return nil, arm.Errorf(http.StatusConflict, "Conflict", "The profile '%s' is steered by a newer order. Read it and decide again.", profile.Name)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: order}, nil
}

// Drain begins or ends the drain of an endpoint: the TTL is lowered at once, with the Weighted method its weight falls, and
// after drainInSeconds, at least the old TTL, it is out of DNS. Service.Drained tells when. Call it before a planned move.
func (p *Provider) Drain(ctx context.Context, profile tandem.ResourceID, endpoint string, on bool) error {
	return p.changeNamed(ctx, "drain endpoint", profile, endpoint, func(e *Endpoint) {
		e.Properties.Drain = disabled
		if on {
			e.Properties.Drain = enabled
		}
	})
}

// LetBack lets an endpoint back that recovered and is kept out by failbackMode Manual, as the failback call does for people. For an
// endpoint that has not recovered it has no effect.
func (p *Provider) LetBack(ctx context.Context, profile tandem.ResourceID, endpoint string) error {
	return p.changeNamed(ctx, "let endpoint back", profile, endpoint, func(e *Endpoint) { e.Properties.Failback++ })
}

// changeNamed changes one endpoint of a profile, whatever its kind.
func (p *Provider) changeNamed(ctx context.Context, op string, profile tandem.ResourceID, endpoint string, change func(*Endpoint)) error {
	if _, err := profileID(profile); err != nil {
		return err
	}
	r := &arm.Request{Params: map[string]string{"subscriptionId": profile.Subscription, "resourceGroupName": profile.ResourceGroup, "profileName": profile.Name()}}
	_, _, err := p.change(ctx, r, func(old *Profile) (*Profile, error) {
		if old == nil {
			_, _, err := p.load(ctx, r)
			return nil, err
		}
		next := *old
		next.Properties.Endpoints = nil
		found := false
		for _, e := range old.Properties.Endpoints {
			changed := *e
			if strings.EqualFold(e.Name, endpoint) {
				found = true
				change(&changed)
			}
			next.Properties.Endpoints = append(next.Properties.Endpoints, &changed)
		}
		if !found {
			return nil, &tandem.Error{Op: op, Subject: endpoint + " of " + old.Name, Kind: tandem.NotFound, Remedy: "name an endpoint of the profile"}
		}
		return &next, nil
	})
	return err
}
