package traffic

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// Resources gives the profiles of a subscription or, where group is not empty, of one group, as lists of all types show them.
func (p *Provider) Resources(ctx context.Context, subscription, group string) ([]arm.Resource, error) {
	profiles, order, err := p.loadAll(ctx, groupPrefix(subscription, group))
	if err != nil {
		return nil, err
	}
	out := make([]arm.Resource, 0, len(order))
	for _, key := range order {
		profile := profiles[key]
		out = append(out, arm.Resource{ID: profile.resourceID(), Name: profile.Name, Type: namespace + "/trafficManagerProfiles", Location: profile.Location, Tags: profile.Tags})
	}
	return out, nil
}

func groupPrefix(subscription, group string) string {
	prefix := strings.ToLower(profilePrefix + subscription + "/")
	if group != "" {
		prefix += strings.ToLower(group) + "/"
	}
	return prefix
}

// DeleteGroup deletes the profiles of a group. It deletes none where a profile of another group nests one of them. It may be
// called again after a crash.
func (p *Provider) DeleteGroup(ctx context.Context, subscription, group string) error {
	all, _, err := p.loadAll(ctx, profilePrefix)
	if err != nil {
		return err
	}
	within := groupPrefix(subscription, group)
	for key, other := range all {
		if strings.HasPrefix(key, within) {
			continue
		}
		for _, e := range other.Properties.Endpoints {
			if child := all[childKey(e)]; e.kind() == kindNested && child != nil && strings.HasPrefix(child.key(), within) {
				return arm.Errorf(http.StatusConflict, "Conflict", "The profile '%s' is nested in the profile '%s' of the resource group '%s' and cannot be deleted; remove that endpoint first.", child.Name, other.Name, other.ResourceGroup)
			}
		}
	}
	for key, profile := range all {
		if !strings.HasPrefix(key, within) {
			continue
		}
		r := &arm.Request{Params: map[string]string{"subscriptionId": profile.Subscription, "resourceGroupName": profile.ResourceGroup, "profileName": profile.Name}}
		_, _, err := p.change(ctx, r, func(old *Profile) (*Profile, error) {
			if old == nil {
				return nil, errGone
			}
			return nil, nil
		})
		if err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	return nil
}

// Found is an Azure resource that an endpoint names.
type Found struct {
	Host   string // that clients reach it by
	Region tandem.Region
}

// resolveTargets fills in the targets of azure endpoints from the resources that they name, as Azure does. A target that is
// given beside a resource that cannot be found stays.
func (p *Provider) resolveTargets(ctx context.Context, profile *Profile) error {
	if p.Find == nil {
		return nil
	}
	for i, e := range profile.Properties.Endpoints {
		text := value(e.Properties.TargetResourceID, "")
		if e.kind() != kindAzure || text == "" {
			continue
		}
		id, err := tandem.ParseResourceID(text)
		if err != nil {
			return refuse("properties.endpoints.properties.targetResourceId", "The 'targetResourceId' of the endpoint '%s' is not the id of a resource.", e.Name)
		}
		found, err := p.Find(ctx, id)
		switch {
		case errors.Is(err, tandem.NotFound) && e.target() != "":
			continue
		case errors.Is(err, tandem.NotFound):
			return refuse("properties.endpoints.properties.targetResourceId", "The resource '%s' that the endpoint '%s' names was not found, or its address cannot be told from here. Give 'target' beside it, or use an external endpoint.", text, e.Name)
		case err != nil:
			return err
		}
		changed := *e
		changed.Properties.Target = &found.Host
		if found.Region != "" {
			changed.Properties.EndpointLocation = pointerTo(string(found.Region))
		}
		profile.Properties.Endpoints[i] = &changed
	}
	return nil
}
