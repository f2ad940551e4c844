package apim

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// serviceCall serves one call on a service that is no kind's.
type serviceCall func(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error)

// onService finds the service of a request and serves.
func (p *Provider) onService(serve serviceCall) arm.Handler {
	return func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		s, err := p.service(ctx, r)
		if err != nil {
			return nil, err
		}
		return serve(ctx, s, r)
	}
}

// callRoutes are the calls that are no kind's own: derived lists and what acts on a service.
func (p *Provider) callRoutes() []arm.Route {
	get := func(path string, serve serviceCall) arm.Route {
		return arm.Route{Method: "GET", Pattern: servicePath + "/" + path, Handler: p.onService(serve)}
	}
	post := func(path string, serve serviceCall) arm.Route {
		return arm.Route{Method: "POST", Pattern: servicePath + "/" + path, Handler: p.onService(serve)}
	}
	routes := []arm.Route{
		get("products/{productId}/subscriptions", p.productSubscriptions),
		get("users/{userId}/subscriptions", p.userSubscriptions),
		get("users/{userId}/subscriptions/{sid}", p.userSubscription),
		get("users/{userId}/groups", p.userGroups),
		get("users/{userId}/identities", p.userIdentities),
		get("apis/{apiId}/products", p.apiProducts),
		get("issues", p.issues),
		get("issues/{issueId}", p.issue),
		get("tagResources", p.byTags([]string{"apis", "apis.operations", "products"}, "")),
		get("apisByTags", p.byTags([]string{"apis"}, "includeNotTaggedApis")),
		get("productsByTags", p.byTags([]string{"products"}, "includeNotTaggedProducts")),
		get("apis/{apiId}/operationsByTags", p.byTags([]string{"apis.operations"}, "includeNotTaggedOperations")),
		get("workspaceLinks", p.workspaceLinks),
		get("workspaceLinks/{workspaceId}", p.workspaceLink),
		get("allPolicies", p.allPolicies),
		get("policyDescriptions", p.policyDescriptions),
		post("validatePolicies", p.validatePolicies),
		get("settings", p.settings),
		get("settings/{settingsType}", p.setting),
		get("regions", p.regions),
		get("skus", p.serviceSkus),
		get("networkstatus", p.networkStatus),
		get("locations/{locationName}/networkstatus", p.networkStatusAt),
		get("outboundNetworkDependenciesEndpoints", p.outbound),
		get("privateEndpointConnections", emptyList),
		get("privateLinkResources", emptyList),
		get("tenant/{configurationName}/syncState", p.syncState),
		post("migrateToStv2", p.unchanged),
		post("applynetworkconfigurationupdates", p.unchanged),
		{Method: "GET", Pattern: subscriptionPath + "/providers/" + Namespace + "/skus", Handler: p.skus},
		{Method: "GET", Pattern: subscriptionPath + "/providers/" + Namespace + "/gateways", Handler: noGateways},
		{Method: "GET", Pattern: groupPath + "/providers/" + Namespace + "/gateways", Handler: noGateways},
		{Method: "POST", Pattern: subscriptionPath + "/providers/" + Namespace + "/getDomainOwnershipIdentifier", Action: Namespace + "/getDomainOwnershipIdentifier/action", Handler: domainOwnership},
		{Method: "GET", Pattern: servicePath + "/exports/{token}", Anonymous: true, AnyVersion: true, Handler: p.exported},
		{Method: "GET", Pattern: "/providers/" + Namespace + "/operations", AnyPrincipal: true, Handler: p.operationList},
	}
	routes = append(routes, p.Operations.Routes(subscriptionPath+"/providers/"+Namespace+"/locations/{location}")...)
	for _, refused := range refusals() {
		routes = append(routes, arm.Route{Method: refused.Method, Pattern: refused.pattern(), Handler: refused.handler(p)})
	}
	return routes
}

func emptyList(_ context.Context, _ *Service, r *arm.Request) (*arm.Response, error) {
	return page(r, []any{})
}

func noGateways(_ context.Context, r *arm.Request) (*arm.Response, error) { return page(r, []any{}) }

// domainOwnership gives what a domain's owner puts into DNS: the same for a subscription always, and not to be guessed from
// another's.
func domainOwnership(_ context.Context, r *arm.Request) (*arm.Response, error) {
	sum := sha256.Sum256([]byte("domain ownership\x00" + strings.ToLower(r.Params["subscriptionId"])))
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"domainOwnershipIdentifier": base64.StdEncoding.EncodeToString(sum[:])}}, nil
}

// operationList tells what can be allowed to whom: the actions of all types.
func (p *Provider) operationList(_ context.Context, r *arm.Request) (*arm.Response, error) {
	items := []any{}
	add := func(typ, verb string) {
		items = append(items, map[string]any{"name": Namespace + "/" + typ + "/" + verb, "origin": "user,system",
			"display": map[string]any{"provider": "Microsoft API Management", "resource": typ, "operation": verb, "description": verb + " " + typ}})
	}
	for _, verb := range []string{"read", "write", "delete", "backup/action", "restore/action"} {
		add("service", verb)
	}
	seen := map[string]bool{}
	for _, k := range p.table.Kinds {
		if seen[k.typ] {
			continue
		}
		seen[k.typ] = true
		typ := "service/" + strings.ReplaceAll(k.typ, ".", "/")
		add(typ, "read")
		if k.Has('P') {
			add(typ, "write")
		}
		if k.Has('D') {
			add(typ, "delete")
		}
		if k.Reveal != "" {
			add(typ, k.Reveal+"/action")
		}
	}
	return page(r, items)
}

// workspaceLinks tells on which gateways the workspaces run: the service's own.
func (p *Provider) workspaceLinks(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	docs, err := s.List(ctx, "workspaces", nil)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, d := range docs {
		items = append(items, workspaceLinkView(s, d))
	}
	return page(r, items)
}

func (p *Provider) workspaceLink(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	doc, err := p.find(ctx, s, s.Table.ByType("workspaces"), []string{r.Params["workspaceId"]})
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: workspaceLinkView(s, doc)}, nil
}

func workspaceLinkView(s *Service, d *Document) any {
	return &entityView{ID: s.ID.String() + "/workspaceLinks/" + d.Name(), Name: d.Name(), Type: Namespace + "/service/workspaceLinks",
		Properties: map[string]any{"workspaceId": s.ID.String() + "/workspaces/" + d.Name(), "gateways": []any{}}}
}

// settings are those of the tenant, read only.
func (p *Provider) settings(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	v, err := p.publicSettings(ctx, s)
	if err != nil {
		return nil, err
	}
	return page(r, []any{v})
}

func (p *Provider) setting(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	if !strings.EqualFold(r.Params["settingsType"], "public") {
		return nil, arm.Errorf(http.StatusNotFound, "ResourceNotFound", "There are no settings %s; the one kind is public.", r.Params["settingsType"])
	}
	v, err := p.publicSettings(ctx, s)
	return &arm.Response{Status: http.StatusOK, Body: v}, err
}

func (p *Provider) publicSettings(ctx context.Context, s *Service) (*entityView, error) {
	settings := map[string]any{}
	for name, ids := range map[string][]string{"CustomPortalSettings.UserRegistrationEnabled": {"signup"}, "CustomPortalSettings.RequireUserSigninEnabled": {"signin"}} {
		k, _ := s.Table.ByPath("portalsettings/" + ids[0])
		doc, err := p.find(ctx, s, k, ids)
		if err != nil {
			return nil, err
		}
		settings[name] = "false"
		if doc.Bool("enabled", false) {
			settings[name] = "true"
		}
	}
	return &entityView{ID: s.ID.String() + "/settings/public", Name: "public", Type: Namespace + "/service/settings", Properties: map[string]any{"settings": settings}}, nil
}

// syncState is that of the configuration's Git repository, which a Tandem service does not have.
func (p *Provider) syncState(_ context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	name := r.Params["configurationName"]
	return &arm.Response{Status: http.StatusOK, Body: &entityView{ID: s.ID.String() + "/tenant/" + name + "/syncState", Name: "syncState", Type: Namespace + "/service/tenant/syncState",
		Properties: map[string]any{"branch": nil, "commitId": nil, "isExport": false, "isSynced": false, "isGitEnabled": false, "syncDate": nil, "configurationChangeDate": nil}}}, nil
}

// unchanged answers calls that bring a service's infrastructure up to date, where a Tandem service is always up to date:
// migrateToStv2 and applynetworkconfigurationupdates.
func (p *Provider) unchanged(ctx context.Context, _ *Service, r *arm.Request) (*arm.Response, error) {
	return p.getService(ctx, r)
}

// networkStatus tells what the service reaches: its store.
func (p *Provider) networkStatus(ctx context.Context, _ *Service, r *arm.Request) (*arm.Response, error) {
	rec, err := p.recordOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: []any{map[string]any{"location": rec.Location, "networkStatus": p.reach(ctx)}}}, nil
}

func (p *Provider) networkStatusAt(ctx context.Context, _ *Service, r *arm.Request) (*arm.Response, error) {
	rec, err := p.recordOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if tandem.NormalRegion(r.Params["locationName"]) != tandem.NormalRegion(rec.Location) {
		return nil, arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The service has no place in %s; it is in %s.", r.Params["locationName"], rec.Location)
	}
	return &arm.Response{Status: http.StatusOK, Body: p.reach(ctx)}, nil
}

func (p *Provider) reach(ctx context.Context) map[string]any {
	now := p.Clock.Now().UTC().Format("2006-01-02T15:04:05Z")
	status := map[string]any{"name": "configuration store", "resourceType": "Store", "isOptional": false, "status": "success", "error": "", "lastUpdated": now, "lastStatusChange": now}
	if _, err := p.Store.List(ctx, recordPrefix, store.ListOptions{Limit: 1}); err != nil {
		status["status"], status["error"] = "failure", "the store cannot be read"
	}
	return map[string]any{"dnsServers": []any{}, "connectivityStatus": []any{status}}
}

// outbound lists what the service needs of the network outside: nothing but what its configuration names.
func (p *Provider) outbound(context.Context, *Service, *arm.Request) (*arm.Response, error) {
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"value": []any{}}}, nil
}

func (p *Provider) regions(ctx context.Context, _ *Service, r *arm.Request) (*arm.Response, error) {
	rec, err := p.recordOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return page(r, []any{map[string]any{"name": rec.Location, "isMasterRegion": true, "isDeleted": false}})
}
