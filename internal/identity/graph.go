package identity

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// GraphConfig says how Graph is served. Directory, Clock and Log are needed.
type GraphConfig struct {
	Directory *Directory
	Clock     tandem.Clock
	Log       *slog.Logger
	// Audiences of the tokens; nil: https://graph.microsoft.com.
	Audiences []string
	Base      string      // of links; empty: what the client used
	Auditor   arm.Auditor // nil: nobody is told
}

// graph is the small part of Microsoft Graph v1.0 that az, Terraform and the portal's scripts need for service principals.
type graph struct{ GraphConfig }

// NewGraph makes the handler. Whoever signs in may read; who may assign roles somewhere may register applications, and
// change those that it registered; who may assign roles everywhere may change all.
func NewGraph(c GraphConfig) (http.Handler, error) {
	if c.Audiences == nil {
		c.Audiences = []string{graphAudience}
	}
	return arm.NewServer(arm.ServerConfig{Providers: []arm.Provider{graph{c}}, Authoriser: graphAuthoriser{c}, Clock: c.Clock, Log: c.Log,
		Base: c.Base, Auditor: c.Auditor, MaxBody: 1 << 20})
}

type graphAuthoriser struct{ GraphConfig }

// Authenticate implements arm.Authoriser.
func (g graphAuthoriser) Authenticate(_ context.Context, token string) (arm.Principal, error) {
	_, p, err := g.Directory.Verify(token, g.Audiences)
	return p, err
}

// Authorise implements arm.Authoriser. No route of Graph asks: its handlers decide by owner.
func (g graphAuthoriser) Authorise(ctx context.Context, p arm.Principal, action, scope string) error {
	return g.Directory.Authorise(ctx, p, action, scope)
}

// Namespace implements arm.Provider.
func (graph) Namespace() string { return "Microsoft.Graph" }

// Types implements arm.Provider.
func (graph) Types() []arm.TypeInfo { return nil }

// Routes implements arm.Provider.
func (g graph) Routes() []arm.Route {
	var out []arm.Route
	for _, r := range []arm.Route{
		{Method: http.MethodGet, Pattern: "/servicePrincipals", Handler: g.listPrincipals},
		{Method: http.MethodPost, Pattern: "/servicePrincipals", Handler: g.createPrincipal},
		{Method: http.MethodGet, Pattern: "/servicePrincipals/{id}", Handler: g.getPrincipal},
		{Method: http.MethodPatch, Pattern: "/servicePrincipals/{id}", Handler: g.patchPrincipal},
		{Method: http.MethodDelete, Pattern: "/servicePrincipals/{id}", Handler: g.deletePrincipal},
		{Method: http.MethodGet, Pattern: "/applications", Handler: g.listApplications},
		{Method: http.MethodPost, Pattern: "/applications", Handler: g.createApplication},
		{Method: http.MethodGet, Pattern: "/applications/{id}", Handler: g.getApplication},
		{Method: http.MethodPatch, Pattern: "/applications/{id}", Handler: g.patchApplication},
		{Method: http.MethodDelete, Pattern: "/applications/{id}", Handler: g.deleteApplication},
		{Method: http.MethodPost, Pattern: "/applications/{id}/addPassword", Handler: g.addPassword},
		{Method: http.MethodPost, Pattern: "/applications/{id}/removePassword", Handler: g.removePassword},
		{Method: http.MethodPost, Pattern: "/directoryObjects/getByIds", Handler: g.getByIDs},
		{Method: http.MethodGet, Pattern: "/organization", Handler: g.organization},
		{Method: http.MethodGet, Pattern: "/users", Handler: g.noObjects},
		{Method: http.MethodGet, Pattern: "/groups", Handler: g.noObjects},
		{Method: http.MethodGet, Pattern: "/{byKey}", Handler: g.byKey},
	} {
		r.Pattern, r.AnyVersion, r.AnyPrincipal = "/v1.0"+r.Pattern, true, true
		out = append(out, r)
	}
	return out
}

func notInGraph(id string) error {
	return arm.Errorf(http.StatusNotFound, "Request_ResourceNotFound", "Resource '%s' does not exist or one of its queried reference-property objects are not present.", id)
}

// canAssign is what a caller must be able to do somewhere to register applications, and everywhere to change all of them.
const canAssign = "Microsoft.Authorization/roleAssignments/write"

func (g graph) mayRegister(p arm.Principal) error {
	for _, grant := range g.Directory.current.Load().grants[strings.ToLower(p.ObjectID)] {
		if grant.role.allows(canAssign) {
			return nil
		}
	}
	return arm.Errorf(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

func (g graph) mayChange(p arm.Principal, a Application) error {
	if a.Owner != "" && strings.EqualFold(a.Owner, p.ObjectID) || g.Directory.Allowed(p.ObjectID, canAssign, "/") {
		return nil
	}
	return arm.Errorf(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

// object is one directory object in Graph's JSON.
type object map[string]any

func (g graph) principal(p ServicePrincipal) object {
	names := []any{p.AppID}
	app, _ := g.Directory.Application(p.AppID)
	for _, uri := range app.IdentifierURIs {
		names = append(names, uri)
	}
	return object{"id": p.ID, "appId": p.AppID, "displayName": p.DisplayName, "appDisplayName": p.DisplayName, "accountEnabled": p.Enabled,
		"servicePrincipalType": "Application", "servicePrincipalNames": names, "appOwnerOrganizationId": p.TenantID,
		"createdDateTime": p.Created, "tags": []any{}}
}

func (g graph) principals() []object {
	out := []object{}
	for _, p := range g.Directory.Snapshot().Principals {
		out = append(out, g.principal(p))
	}
	return out
}

// page filters and pages a list of objects.
func (g graph) page(r *arm.Request, kind string, all []object) (*arm.Response, error) {
	slices.SortFunc(all, func(a, b object) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	if text := r.Query["$filter"]; text != "" {
		f, err := arm.ParseFilter(text)
		if err != nil {
			return nil, err
		}
		kept := []object{}
		for _, o := range all {
			ok, err := f.Match(func(path string) (any, bool) { v, known := arm.FoldGet(o, path); return v, known })
			if err != nil {
				return nil, err
			}
			if ok {
				kept = append(kept, o)
			}
		}
		all = kept
	}
	list, err := arm.Paginate(r, all, 999)
	if err != nil {
		return nil, err
	}
	body := object{"@odata.context": r.Link("/v1.0/$metadata#"+kind, ""), "value": list.Value}
	if list.NextLink != "" {
		body["@odata.nextLink"] = list.NextLink
	}
	return &arm.Response{Body: body}, nil
}

func (g graph) listPrincipals(_ context.Context, r *arm.Request) (*arm.Response, error) {
	return g.page(r, "servicePrincipals", g.principals())
}

func (g graph) getPrincipal(_ context.Context, r *arm.Request) (*arm.Response, error) {
	p, ok := g.Directory.Principal(r.Params["id"])
	if !ok {
		return nil, notInGraph(r.Params["id"])
	}
	return &arm.Response{Body: g.principal(p)}, nil
}

// byKey answers servicePrincipals(appId='...') and applications(appId='...').
func (g graph) byKey(_ context.Context, r *arm.Request) (*arm.Response, error) {
	kind, rest, _ := strings.Cut(r.Params["byKey"], "(")
	appID, ok := strings.CutPrefix(rest, "appId='")
	appID, closed := strings.CutSuffix(appID, "')")
	if ok && closed && strings.EqualFold(kind, "servicePrincipals") {
		for _, p := range g.Directory.Snapshot().Principals {
			if strings.EqualFold(p.AppID, appID) {
				return &arm.Response{Body: g.principal(p)}, nil
			}
		}
	}
	if app, known := g.Directory.Application(appID); known && ok && closed && strings.EqualFold(kind, "applications") {
		return &arm.Response{Body: g.application(app)}, nil
	}
	return nil, notInGraph(r.Params["byKey"])
}

func (g graph) createPrincipal(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		AppID string `json:"appId"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	app, known := g.Directory.Application(body.AppID)
	if !known {
		return nil, arm.Errorf(http.StatusBadRequest, "Request_BadRequest", "The appId '%s' of the service principal does not reference a valid application object.", body.AppID)
	}
	if err := g.mayChange(r.Principal, app); err != nil {
		return nil, err
	}
	p, err := g.Directory.CreateServicePrincipal(ctx, body.AppID)
	if tandem.KindOf(err) == tandem.Exists {
		return nil, arm.Errorf(http.StatusConflict, "Request_MultipleObjectsWithSameKeyValue", "The service principal cannot be created, updated, or restored because the service principal name %s is already in use.", body.AppID)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusCreated, Body: g.principal(p)}, nil
}

// changeablePrincipal finds the principal of a request that the caller may change.
func (g graph) changeablePrincipal(r *arm.Request) (ServicePrincipal, error) {
	p, ok := g.Directory.Principal(r.Params["id"])
	if !ok {
		return p, notInGraph(r.Params["id"])
	}
	app, _ := g.Directory.Application(p.AppID)
	return p, g.mayChange(r.Principal, app)
}

func (g graph) patchPrincipal(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		AccountEnabled *bool `json:"accountEnabled"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	p, err := g.changeablePrincipal(r)
	if err == nil && body.AccountEnabled == nil {
		err = arm.Errorf(http.StatusBadRequest, "Request_BadRequest", "Of a service principal only accountEnabled can be changed here.")
	}
	if err == nil {
		err = g.Directory.SetEnabled(ctx, p.ID, *body.AccountEnabled)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusNoContent}, nil
}

func (g graph) deletePrincipal(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	p, err := g.changeablePrincipal(r)
	if err == nil {
		err = g.Directory.DeleteServicePrincipal(ctx, p.ID)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusNoContent}, nil
}

// getByIDs gives the objects among the ids that exist; others are left out, as Graph does.
func (g graph) getByIDs(_ context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		IDs   []string `json:"ids"`
		Types []string `json:"types"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	wanted := func(kind string) bool {
		return len(body.Types) == 0 || slices.ContainsFunc(body.Types, func(t string) bool {
			return strings.EqualFold(t, kind) || strings.EqualFold(t, "directoryObject")
		})
	}
	out := []object{}
	for _, id := range body.IDs {
		if p, ok := g.Directory.Principal(id); ok && wanted("servicePrincipal") {
			o := g.principal(p)
			o["@odata.type"] = "#microsoft.graph.servicePrincipal"
			out = append(out, o)
		}
		if a, ok := g.applicationByID(id); ok && wanted("application") {
			o := g.application(a)
			o["@odata.type"] = "#microsoft.graph.application"
			out = append(out, o)
		}
	}
	return &arm.Response{Body: object{"@odata.context": r.Link("/v1.0/$metadata#directoryObjects", ""), "value": out}}, nil
}

func (g graph) organization(_ context.Context, r *arm.Request) (*arm.Response, error) {
	out := []object{}
	for _, t := range g.Directory.Tenants() {
		if t.ID == r.Principal.TenantID {
			out = append(out, object{"id": t.ID, "displayName": t.DisplayName, "verifiedDomains": []any{object{"name": t.Domain, "isDefault": true}}})
		}
	}
	return &arm.Response{Body: object{"value": out}}, nil
}

// noObjects answers for the kinds that this directory has none of: users and groups.
func (g graph) noObjects(_ context.Context, _ *arm.Request) (*arm.Response, error) {
	return &arm.Response{Body: object{"value": []object{}}}, nil
}
