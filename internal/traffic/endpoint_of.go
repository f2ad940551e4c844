package traffic

import (
	"context"
	"fmt"
	"strings"

	"tandem"
)

// EndpointOf gives the name of the endpoint of a profile that leads to a resource: the one that names it as its target
// resource, else the one whose target is the host that the resource answers at, else the one of the same name. The error is
// NotFound where there is none, and Invalid where there are two.
func (p *Provider) EndpointOf(ctx context.Context, profile, resource tandem.ResourceID) (string, error) {
	key, err := profileID(profile)
	if err != nil {
		return "", err
	}
	d, err := p.Store.Get(ctx, key, 0)
	if err != nil {
		return "", &tandem.Error{Op: "find endpoint", Subject: profile.String(), Err: err, Remedy: "name a profile that exists"}
	}
	found, err := decodeProfile(d)
	if err != nil {
		return "", err
	}
	host := ""
	if p.Find != nil {
		if f, err := p.Find(ctx, resource); err == nil { // without it the other ways are left
			host = f.Host
		}
	}
	leads := []func(e *Endpoint) bool{
		func(e *Endpoint) bool {
			id, err := tandem.ParseResourceID(value(e.Properties.TargetResourceID, ""))
			return err == nil && id.Key() == resource.Key()
		},
		func(e *Endpoint) bool { return host != "" && strings.EqualFold(e.target(), host) },
		func(e *Endpoint) bool { return strings.EqualFold(e.Name, resource.Name()) },
	}
	for _, lead := range leads {
		var names []string
		for _, e := range found.Properties.Endpoints {
			if lead(e) {
				names = append(names, e.Name)
			}
		}
		switch {
		case len(names) == 1:
			return names[0], nil
		case len(names) > 1:
			return "", &tandem.Error{Op: "find endpoint", Subject: profile.String(), Kind: tandem.Invalid, Err: fmt.Errorf("the endpoints %s all lead to %s", strings.Join(names, ", "), resource), Remedy: "leave one of them"}
		}
	}
	return "", &tandem.Error{Op: "find endpoint", Subject: profile.String(), Kind: tandem.NotFound, Err: fmt.Errorf("none leads to %s", resource),
		Remedy: "set targetResourceId of the endpoint to the service's id, or name the endpoint after the service"}
}
