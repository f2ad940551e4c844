package resources

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/resources/template"
)

// ordered is a deployment that was asked for and found to be right.
type ordered struct {
	deployment
	plan     *template.Plan
	template any
}

// outerKey marks, in a context, the plan in which a nested deployment evaluates its expressions. Only this process can set it.
type outerKey struct{}

// order reads a request for a deployment and plans it. Nothing is deployed yet.
func (p provider) order(ctx context.Context, r *arm.Request) (*ordered, error) {
	d := named(r)
	if !regexp.MustCompile(`^[-\w._()]{1,64}$`).MatchString(d.Name) {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidDeploymentName", "The deployment name '%s' is invalid: 1 to 64 letters, digits, '-', '.', '_', '(' and ')'.", d.Name)
	}
	v, err := template.ReadJSON(r.Body)
	if err != nil {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%v'.", err)
	}
	body := fold(v)
	properties := fold(body["properties"])
	if d.Group == "" {
		if d.Location, _ = body["location"].(string); d.Location == "" {
			return nil, arm.Errorf(http.StatusBadRequest, "LocationRequired", "The location property is required for a deployment at a subscription.")
		}
		if _, err := p.location(d.Location); err != nil {
			return nil, err
		}
	}
	for name, v := range fold(body["tags"]) {
		if d.Tags == nil {
			d.Tags = map[string]string{}
		}
		d.Tags[name] = fmt.Sprint(v)
	}
	if err := refuseUnserved(properties); err != nil {
		return nil, err
	}
	source, ok := properties["template"]
	if !ok {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidRequestContent", "The deployment has no template; put it into properties.template.")
	}
	parameters, ok := properties["parameters"].(map[string]any)
	if !ok && properties["parameters"] != nil {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidRequestContent", "properties.parameters must be an object of {\"name\": {\"value\": …}}.")
	}
	if file, ok := parameters["parameters"].(map[string]any); ok && parameters["$schema"] != nil { // a parameter file, whole
		parameters = file
	}
	o := &ordered{deployment: d, template: source}
	o.Correlation = uuid.NewString()
	if id := r.HTTP.Header.Get("X-Ms-Correlation-Request-Id"); uuid.Validate(id) == nil {
		o.Correlation = id
	}
	outer, _ := ctx.Value(outerKey{}).(*template.Plan)
	o.plan, err = p.planTemplate(ctx, r, d, source, parameters, outer)
	return o, err
}

// refuseUnserved refuses what a deployment may ask for in Azure and cannot here.
func refuseUnserved(properties map[string]any) error {
	refuse := func(what, remedy string) error {
		return arm.Errorf(http.StatusBadRequest, "NotSupported", "%s is not supported here; %s.", what, remedy)
	}
	mode, _ := properties["mode"].(string)
	switch {
	case mode != "" && !strings.EqualFold(mode, "Incremental"):
		return refuse("The deployment mode '"+mode+"'", "deploy with Incremental, and delete resources that are no more wanted by themselves")
	case properties["templatelink"] != nil:
		return refuse("A linked template", "send the template itself")
	case properties["parameterslink"] != nil:
		return refuse("A link to parameters", "send the parameters themselves")
	case properties["onerrordeployment"] != nil:
		return refuse("A roll back to another deployment", "deploy that one again by itself")
	}
	return nil
}

// fold gives an object by lower-case names; empty where v is none.
func fold(v any) map[string]any {
	out := map[string]any{}
	o, _ := v.(map[string]any)
	for name, v := range o {
		out[lower(name)] = v
	}
	return out
}

func (p provider) planTemplate(ctx context.Context, r *arm.Request, d deployment, source any, parameters map[string]any, outer *template.Plan) (*template.Plan, error) {
	invalid := func(err error) error {
		e := arm.Errorf(http.StatusBadRequest, "InvalidTemplate", "Deployment template validation failed: '%s'.", strings.ReplaceAll(err.Error(), "\n", "; "))
		if many, ok := err.(template.Errors); ok { //nolint:errorlint // it is not wrapped
			for _, one := range many {
				e.Details = append(e.Details, arm.ErrorDetail{Code: "InvalidTemplate", Target: one.Path, Message: one.Message})
			}
		}
		return e
	}
	t, err := template.Parse(source, outer)
	if err != nil {
		return nil, invalid(err)
	}
	var scope *template.Scope
	if outer != nil {
		c := *outer.Scope() // its functions speak of the outer place; its resources lie at its own
		scope = &c
		scope.Subscription, scope.Group = d.Subscription, d.Group
	} else if scope, err = p.templateScope(ctx, r, d, source, parameters); err != nil {
		return nil, err
	}
	plan, err := t.Plan(ctx, template.Options{Scope: scope, Parameters: parameters, Known: p.knownType})
	if err != nil {
		return nil, invalid(err)
	}
	return plan, nil
}

// knownType looks whether a resource of an id can be deployed here, in a version of its API.
func (r *Resources) knownType(id, version string) error {
	parsed, err := tandem.ParseResourceID(id)
	if err != nil {
		return err
	}
	namespace, kind, _ := strings.Cut(parsed.Type(), "/")
	if strings.EqualFold(kind, "resourceGroups") && strings.EqualFold(namespace, "Microsoft.Resources") {
		return nil
	}
	for _, p := range r.providers {
		if !strings.EqualFold(p.Namespace(), namespace) {
			continue
		}
		for _, t := range p.Types() {
			if !strings.EqualFold(t.Name, kind) {
				continue
			}
			if t.AnyVersion || len(t.APIVersions) == 0 || slices.ContainsFunc(t.APIVersions, func(v string) bool { return strings.EqualFold(v, version) }) {
				return nil
			}
			return fmt.Errorf("the type '%s' has no api-version '%s' here; there are %s", parsed.Type(), version, strings.Join(t.APIVersions, ", "))
		}
	}
	return fmt.Errorf("the resource type '%s' is not served here; take the resource out of the template", parsed.Type())
}

// templateScope is the place of a deployment as functions of the template see it.
func (p provider) templateScope(ctx context.Context, r *arm.Request, d deployment, source any, parameters map[string]any) (*template.Scope, error) {
	s, err := p.subscription(ctx, d.Subscription)
	if err != nil {
		return nil, err
	}
	e := p.c.Endpoints
	scope := &template.Scope{Subscription: s.ID, Group: d.Group, Now: p.c.Clock.Now().UTC(), NewGUID: uuid.NewString,
		SubscriptionInfo: map[string]any{"id": "/subscriptions/" + s.ID, "subscriptionId": s.ID, "tenantId": s.TenantID, "displayName": s.DisplayName},
		TenantInfo:       map[string]any{"tenantId": s.TenantID, "countryCode": "", "displayName": ""},
		Deployer:         map[string]any{"objectId": r.Principal.ObjectID, "tenantId": r.Principal.TenantID, "userPrincipalName": ""},
		DeploymentInfo: map[string]any{"name": d.Name, "properties": map[string]any{"template": source, "templateHash": templateHash(source), "parameters": map[string]any{},
			"mode": "Incremental", "provisioningState": "Accepted"}},
		Environment: map[string]any{"name": e.Name, "resourceManager": slashed(r.Base), "portal": e.Portal, "graph": slashed(e.Graph), "graphAudience": slashed(e.Graph),
			"authentication": map[string]any{"loginEndpoint": slashed(e.Login), "audiences": anyList(e.Audiences), "tenant": e.Tenant, "identityProvider": "AAD"},
			"suffixes":       map[string]any{"storage": e.StorageSuffix, "keyvaultDns": "." + e.KeyVaultSuffix}}}
	if d.Location != "" {
		scope.DeploymentInfo["location"] = d.Location
	}
	if d.Group == "" {
		return scope, nil
	}
	g, _, err := p.group(ctx, d.Subscription, d.Group)
	if err != nil {
		return nil, err
	}
	scope.Group = g.Name
	tags := map[string]any{}
	for name, v := range g.Tags {
		tags[name] = v
	}
	scope.GroupInfo = map[string]any{"id": g.id(), "name": g.Name, "type": "Microsoft.Resources/resourceGroups", "location": string(g.Location), "tags": tags,
		"properties": map[string]any{"provisioningState": "Succeeded"}}
	return scope, nil
}

func anyList(list []string) []any {
	out := []any{}
	for _, v := range list {
		out = append(out, v)
	}
	return out
}
