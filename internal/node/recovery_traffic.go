package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"tandem"
	"tandem/internal/recovery"
	"tandem/internal/traffic"
)

// trafficEnd is the traffic end of recovery groups: the deployment's own Traffic Manager. An order goes to the DNS server of this
// node at once, and to all others through the shared store.
type trafficEnd struct {
	provider *traffic.Provider
	own      *traffic.Service
}

var _ recovery.Traffic = trafficEnd{}

// Direct implements recovery.Traffic. A profile with manual failback keeps an endpoint out that was down: the group decided, so it
// is let back. The endpoint is preferred: should it go down, clients are better served by any other than
// by none, until the group decides anew.
func (t trafficEnd) Direct(ctx context.Context, profile, member string) error {
	id, err := tandem.ParseResourceID(profile)
	if err != nil {
		return err
	}
	service, err := tandem.ParseResourceID(member)
	if err != nil {
		return err
	}
	endpoint, err := t.provider.EndpointOf(ctx, id, service)
	if err != nil {
		return err
	}
	if stands, err := t.provider.Steering(ctx, id); err != nil || stands.Mode != traffic.SteerPrefer || stands.Endpoint != endpoint {
		if err := errors.Join(err, t.provider.LetBack(ctx, id, endpoint)); err != nil {
			return err
		}
	}
	return t.steer(ctx, id, traffic.Steering{Mode: traffic.SteerPrefer, Endpoint: endpoint, By: "recovery group", Reason: "it leads to " + service.Name()})
}

// Auto implements recovery.Traffic.
func (t trafficEnd) Auto(ctx context.Context, profile string) error {
	id, err := tandem.ParseResourceID(profile)
	if err != nil {
		return err
	}
	return t.steer(ctx, id, traffic.Steering{Mode: traffic.SteerAutomatic, By: "recovery group", Reason: "the profile's own rules decide"})
}

// gatewayOf finds where the gateway of a service answers: for endpoints of profiles that name services. Of another region it is
// what the region told last.
func (n *Node) gatewayOf(ctx context.Context, id tandem.ResourceID) (traffic.Found, error) {
	region, err := n.regionOf(ctx, id.Key())
	if err != nil {
		return traffic.Found{}, err
	}
	address := n.gateways.URL(id.Name())
	if region != n.Region {
		d, err := n.shared.Get(ctx, placesPrefix+id.Key(), 0)
		if err != nil {
			return traffic.Found{}, err
		}
		var p place
		var seen struct{ Properties struct{ GatewayURL string } }
		if err := errors.Join(json.Unmarshal(d.Value, &p), json.Unmarshal(p.Seen, &seen)); err != nil {
			return traffic.Found{}, err
		}
		address = seen.Properties.GatewayURL
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return traffic.Found{}, &tandem.Error{Op: "find gateway", Subject: id.String(), Kind: tandem.NotFound, Remedy: "wait until the service's gateway has started"}
	}
	return traffic.Found{Host: u.Hostname(), Region: region}, nil
}

// steer gives an order, unless the one that stands is the same.
func (t trafficEnd) steer(ctx context.Context, profile tandem.ResourceID, order traffic.Steering) error {
	stands, err := t.provider.Steering(ctx, profile)
	if err != nil {
		return err
	}
	if stands.Mode == order.Mode && stands.Endpoint == order.Endpoint {
		return nil
	}
	given, err := t.provider.Steer(ctx, profile, order)
	if err != nil || t.own == nil {
		return err
	}
	return t.own.Steer(profile, given)
}
