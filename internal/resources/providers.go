package resources

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"tandem/internal/arm"
)

type providerResource struct {
	ID                 string         `json:"id"`
	Namespace          string         `json:"namespace"`
	RegistrationState  string         `json:"registrationState"`
	RegistrationPolicy string         `json:"registrationPolicy"`
	ResourceTypes      []providerType `json:"resourceTypes"`
}

type providerType struct {
	ResourceType string   `json:"resourceType"`
	Locations    []string `json:"locations"`
	APIVersions  []string `json:"apiVersions"`
	Capabilities string   `json:"capabilities"`
}

// describe tells of a provider. Every provider that is here is registered: there is nothing that registering would start.
func (p provider) describe(r *arm.Request, one arm.Provider) providerResource {
	base := ""
	if s := r.Params["subscriptionId"]; s != "" {
		base = "/subscriptions/" + s
	}
	out := providerResource{ID: base + "/providers/" + one.Namespace(), Namespace: one.Namespace(), RegistrationState: "Registered",
		RegistrationPolicy: "RegistrationRequired", ResourceTypes: []providerType{}}
	for _, t := range one.Types() {
		locations := t.Locations
		if locations == nil {
			for _, l := range p.locations() {
				locations = append(locations, l.DisplayName)
			}
		}
		versions := t.APIVersions
		if versions == nil {
			versions = []string{}
		}
		out.ResourceTypes = append(out.ResourceTypes, providerType{t.Name, locations, versions, "None"})
	}
	return out
}

// named gives the providers, one for each namespace.
func (p provider) named() []arm.Provider {
	var out []arm.Provider
	for _, one := range p.providers {
		if !slices.ContainsFunc(out, func(o arm.Provider) bool { return strings.EqualFold(o.Namespace(), one.Namespace()) }) {
			out = append(out, one)
		}
	}
	return out
}

func (p provider) listProviders(_ context.Context, r *arm.Request) (*arm.Response, error) {
	out := []providerResource{}
	for _, one := range p.named() {
		out = append(out, p.describe(r, one))
	}
	page, err := arm.Paginate(r, out, 1000)
	return &arm.Response{Body: page}, err
}

func (p provider) getProvider(_ context.Context, r *arm.Request) (*arm.Response, error) {
	for _, one := range p.named() {
		if strings.EqualFold(one.Namespace(), r.Params["namespace"]) {
			return &arm.Response{Body: p.describe(r, one)}, nil
		}
	}
	return nil, arm.Errorf(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", r.Params["namespace"])
}

func (p provider) unregister(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	if _, err := p.getProvider(ctx, r); err != nil {
		return nil, err
	}
	return nil, arm.Errorf(http.StatusConflict, "CannotUnregisterRegistrationFreeResourceProvider",
		"The resource provider '%s' cannot be unregistered: every provider of this server is always registered.", r.Params["namespace"])
}
