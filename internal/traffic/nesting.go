package traffic

import (
	"context"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// childKey is the key of the profile a nested endpoint names; empty where the id is none of a profile.
func childKey(e *Endpoint) string {
	id, err := tandem.ParseResourceID(value(e.Properties.TargetResourceID, ""))
	if err != nil || !strings.EqualFold(id.Type(), namespace+"/trafficManagerProfiles") {
		return ""
	}
	return profileKey(id.Subscription, id.ResourceGroup, id.Name())
}

// nests tells whether a profile has nested endpoints.
func (p *Profile) nests() bool {
	for _, e := range p.Properties.Endpoints {
		if e.kind() == kindNested {
			return true
		}
	}
	return false
}

// checkNesting refuses loops, children that are not there and trees deeper than Azure's ten levels. It looks down from the
// changed profile and, for its depth, up from it.
func (p *Provider) checkNesting(ctx context.Context, next *Profile) error {
	if !next.nests() {
		return nil
	}
	all, _, err := p.loadAll(ctx, profilePrefix)
	if err != nil {
		return err
	}
	all[next.key()] = next
	for key := range all {
		if err := descend(all, key, nil); err != nil {
			return err
		}
	}
	return nil
}

func descend(all map[string]*Profile, key string, path []string) error {
	for _, up := range path {
		if up == key {
			return refuse("properties.endpoints", "The nested endpoints of the profile '%s' form a loop.", all[key].Name)
		}
	}
	path = append(path, key)
	if len(path) > maxNesting {
		return refuse("properties.endpoints", "Profiles nest deeper than %d levels.", maxNesting)
	}
	for _, e := range all[key].Properties.Endpoints {
		if e.kind() != kindNested {
			continue
		}
		child := childKey(e)
		if all[child] == nil {
			return refuse("properties.endpoints.properties.targetResourceId", "The profile '%s' that the nested endpoint '%s' names does not exist.", value(e.Properties.TargetResourceID, ""), e.Name)
		}
		if err := descend(all, child, path); err != nil {
			return err
		}
	}
	return nil
}

// checkNotChild refuses to delete a profile that another one nests.
func (p *Provider) checkNotChild(ctx context.Context, r *arm.Request) error {
	key := profileKey(r.Params["subscriptionId"], r.Params["resourceGroupName"], r.Params["profileName"])
	all, _, err := p.loadAll(ctx, profilePrefix)
	if err != nil {
		return err
	}
	for _, other := range all {
		for _, e := range other.Properties.Endpoints {
			if e.kind() == kindNested && childKey(e) == key {
				return arm.Errorf(http.StatusConflict, "Conflict", "The profile '%s' is nested in the profile '%s' and cannot be deleted; remove that endpoint first.", r.Params["profileName"], other.Name)
			}
		}
	}
	return nil
}
