package resources

import (
	"net/http"

	"tandem/internal/arm"
)

// provider is ARM's own provider, Microsoft.Resources.
type provider struct{ *Resources }

// Provider gives the provider of ARM's own types for an arm.Server.
func (r *Resources) Provider() arm.Provider { return provider{r} }

// Namespace implements arm.Provider.
func (provider) Namespace() string { return "Microsoft.Resources" }

// Types implements arm.Provider.
func (provider) Types() []arm.TypeInfo {
	versions := []string{"2024-11-01", "2022-12-01", "2021-04-01", "2020-10-01", "2019-10-01", "2016-06-01"}
	var out []arm.TypeInfo
	for _, name := range []string{"subscriptions", "tenants", "subscriptions/resourceGroups", "subscriptions/resources",
		"subscriptions/providers", "subscriptions/locations", "subscriptions/operationresults", "resources", "providers", "deployments", "deployments/operations"} {
		out = append(out, arm.TypeInfo{Name: name, APIVersions: versions, AnyVersion: true})
	}
	return out
}

// Routes implements arm.Provider.
func (p provider) Routes() []arm.Route {
	const sub = "/subscriptions/{subscriptionId}"
	const groups, group = sub + "/resourcegroups", sub + "/resourcegroups/{resourceGroupName}"
	const readProviders = "Microsoft.Resources/subscriptions/providers/read"
	ofSubscription := func(r *arm.Request) string { return "/subscriptions/" + r.Params["subscriptionId"] }
	routes := []arm.Route{
		{Method: http.MethodGet, Pattern: "/metadata/endpoints", Handler: p.metadata, Anonymous: true, AnyVersion: true},
		{Method: http.MethodGet, Pattern: "/tenants", Handler: p.listTenants, AnyPrincipal: true},
		{Method: http.MethodGet, Pattern: "/subscriptions", Handler: p.listSubscriptions, AnyPrincipal: true},
		{Method: http.MethodGet, Pattern: sub, Handler: p.getSubscription, AnyPrincipal: true},
		{Method: http.MethodGet, Pattern: sub + "/locations", Handler: p.listLocations},
		{Method: http.MethodGet, Pattern: "/providers", Handler: p.listProviders, AnyPrincipal: true},
		{Method: http.MethodGet, Pattern: "/providers/{namespace}", Handler: p.getProvider, AnyPrincipal: true},
		{Method: http.MethodGet, Pattern: sub + "/providers", Handler: p.listProviders, Action: readProviders, Scope: ofSubscription},
		{Method: http.MethodGet, Pattern: sub + "/providers/{namespace}", Handler: p.getProvider, Action: readProviders, Scope: ofSubscription},
		{Method: http.MethodPost, Pattern: sub + "/providers/{namespace}/register", Handler: p.getProvider, Action: "{namespace}/register/action", Scope: ofSubscription},
		{Method: http.MethodPost, Pattern: sub + "/providers/{namespace}/unregister", Handler: p.unregister, Action: "{namespace}/unregister/action", Scope: ofSubscription},
		{Method: http.MethodGet, Pattern: sub + "/resources", Handler: p.listResources},
		{Method: http.MethodGet, Pattern: groups, Handler: p.listGroups, AnyPrincipal: true},
		{Method: http.MethodGet, Pattern: group, Handler: p.getGroup},
		{Method: http.MethodHead, Pattern: group, Handler: p.headGroup},
		{Method: http.MethodPut, Pattern: group, Handler: p.putGroup},
		{Method: http.MethodPatch, Pattern: group, Handler: p.patchGroup},
		{Method: http.MethodDelete, Pattern: group, Handler: p.deleteGroup},
		{Method: http.MethodGet, Pattern: group + "/resources", Handler: p.listResources},
	}
	routes = append(routes, p.deploymentRoutes()...)
	return append(routes, p.c.Operations.OwnRoutes(sub)...)
}
