package resources

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/arm"
)

// deploymentType is the resource type of deployments of templates.
const deploymentType = "Microsoft.Resources/deployments"

// deployments are the deployments that run in this process.
type deployments struct {
	mu      sync.Mutex
	plane   http.Handler
	running map[string]context.CancelCauseFunc // by key in the store
}

// Serve tells through which handler deployments make resources: the management plane itself, so that every provider and
// every region can be used. Without it deployments are refused.
func (r *Resources) Serve(plane http.Handler) {
	r.deployments.mu.Lock()
	defer r.deployments.mu.Unlock()
	r.deployments.plane = plane
}

// deployment is a deployment as it is stored. What the template, its parameters and its outputs hold may be secret, and is
// sealed.
type deployment struct {
	Subscription string                `json:"subscription"`
	Group        string                `json:"group,omitempty"`
	Name         string                `json:"name"`
	Location     string                `json:"location,omitempty"`
	Tags         map[string]string     `json:"tags,omitempty"`
	State        string                `json:"state"`
	Correlation  string                `json:"correlation"`
	Hash         string                `json:"hash"` // of the template
	Started      time.Time             `json:"started"`
	Ended        time.Time             `json:"ended,omitzero"`
	Error        *arm.Error            `json:"error,omitempty"`
	Resources    []deployedResource    `json:"resources,omitempty"`
	Operations   []deploymentOperation `json:"operations,omitempty"`
	Sealed       string                `json:"sealed"` // deploymentText
}

// deployedResource is one resource of a deployment, with the ids of those it depends on.
type deployedResource struct {
	ID        string   `json:"id"`
	Type      string   `json:"type"`
	Location  string   `json:"location,omitempty"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// deploymentText is what is sealed of a deployment.
type deploymentText struct {
	Template   any            `json:"template"`
	Parameters map[string]any `json:"parameters"` // without those of secure types
	Outputs    map[string]any `json:"outputs,omitempty"`
}

// deploymentOperation is how one resource of a deployment went.
type deploymentOperation struct {
	ID       string     `json:"id"`
	Resource string     `json:"resource"`
	Type     string     `json:"type"`
	State    string     `json:"state"`
	Status   int        `json:"status"`
	Error    *arm.Error `json:"error,omitempty"`
	Started  time.Time  `json:"started"`
	Ended    time.Time  `json:"ended,omitzero"`
}

func deploymentKey(subscription, group, name string) string {
	if group == "" {
		return "deployments/" + lower(subscription) + "/at-subscription/" + lower(name)
	}
	return "deployments/" + lower(subscription) + "/in-groups/" + lower(group) + "/" + lower(name)
}

func (d deployment) key() string { return deploymentKey(d.Subscription, d.Group, d.Name) }

func (d deployment) scope() string {
	id := "/subscriptions/" + d.Subscription
	if d.Group != "" {
		id += "/resourceGroups/" + d.Group
	}
	return id
}

func (d deployment) id() string { return d.scope() + "/providers/" + deploymentType + "/" + d.Name }

func (d deployment) ended() bool {
	return d.State == "Succeeded" || d.State == "Failed" || d.State == "Canceled"
}

// deploymentRoutes are those of deployments at both scopes.
func (p provider) deploymentRoutes() []arm.Route {
	const sub = "/subscriptions/{subscriptionId}"
	const read = deploymentType + "/operations/read"
	var routes []arm.Route
	for _, scope := range []string{sub, sub + "/resourcegroups/{resourceGroupName}"} {
		all := scope + "/providers/" + deploymentType
		one := all + "/{deploymentName}"
		routes = append(routes,
			arm.Route{Method: http.MethodGet, Pattern: all, Handler: p.listDeployments},
			arm.Route{Method: http.MethodGet, Pattern: one, Handler: p.getDeployment},
			arm.Route{Method: http.MethodHead, Pattern: one, Handler: p.headDeployment},
			arm.Route{Method: http.MethodPut, Pattern: one, Handler: p.putDeployment},
			arm.Route{Method: http.MethodDelete, Pattern: one, Handler: p.deleteDeployment},
			arm.Route{Method: http.MethodPost, Pattern: one + "/cancel", Handler: p.cancelDeployment},
			arm.Route{Method: http.MethodPost, Pattern: one + "/validate", Handler: p.validateDeployment},
			arm.Route{Method: http.MethodPost, Pattern: one + "/whatIf", Handler: p.whatIf},
			arm.Route{Method: http.MethodPost, Pattern: one + "/exportTemplate", Handler: p.exportTemplate})
		for _, under := range []string{one, scope + "/deployments/{deploymentName}"} { // clients use both forms
			routes = append(routes,
				arm.Route{Method: http.MethodGet, Pattern: under + "/operations", Action: read, Scope: deploymentScope, Handler: p.deploymentOperations},
				arm.Route{Method: http.MethodGet, Pattern: under + "/operations/{operationName}", Action: read, Scope: deploymentScope, Handler: p.deploymentOperation})
		}
		routes = append(routes, p.c.Operations.Routes(one)...)
	}
	return routes
}

func deploymentScope(r *arm.Request) string { return named(r).id() }

// named is the deployment that a request names, without more.
func named(r *arm.Request) deployment {
	return deployment{Subscription: r.Params["subscriptionId"], Group: r.Params["resourceGroupName"], Name: r.Params["deploymentName"]}
}

// deployment reads the one that a request names.
func (p provider) deployment(ctx context.Context, r *arm.Request) (deployment, tandem.Revision, error) {
	d, at, ok, err := get[deployment](ctx, p.Resources, named(r).key())
	if err == nil && !ok {
		err = arm.Errorf(http.StatusNotFound, "DeploymentNotFound", "Deployment '%s' could not be found.", r.Params["deploymentName"])
	}
	return d, at, err
}

func (p provider) getDeployment(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	d, _, err := p.deployment(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.deploymentAnswer(http.StatusOK, d)
}

// headDeployment answers 204 where the deployment exists, as for groups.
func (p provider) headDeployment(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	if _, _, err := p.deployment(ctx, r); err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusNoContent}, nil
}

func (p provider) listDeployments(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	all, err := list[deployment](ctx, p.Resources, strings.TrimSuffix(named(r).key(), lower(r.Params["deploymentName"])))
	if err != nil {
		return nil, err
	}
	match := func(deployment) (bool, error) { return true, nil }
	if text := r.Query["$filter"]; text != "" {
		f, err := arm.ParseFilter(text)
		if err != nil {
			return nil, err
		}
		match = func(d deployment) (bool, error) {
			return f.Match(func(field string) (any, bool) { return d.State, strings.EqualFold(field, "provisioningState") })
		}
	}
	out := []any{}
	for _, d := range all {
		ok, err := match(d)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		resource, err := p.deploymentResource(d)
		if err != nil {
			return nil, err
		}
		out = append(out, resource)
	}
	page, err := arm.Paginate(r, out, 100)
	return &arm.Response{Body: page}, err
}

func (p provider) deleteDeployment(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	d, _, ok, err := get[deployment](ctx, p.Resources, named(r).key())
	if err != nil {
		return nil, err
	}
	if !ok {
		return &arm.Response{Status: http.StatusNoContent}, nil
	}
	if !d.ended() {
		return nil, arm.Errorf(http.StatusConflict, "DeploymentIsActive", "The deployment '%s' runs; cancel it first, then delete it.", d.Name)
	}
	if err := p.remove(ctx, d.key()); err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusNoContent}, nil // its record alone goes: what it deployed stays
}

func (p provider) cancelDeployment(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	d, _, err := p.deployment(ctx, r)
	if err != nil {
		return nil, err
	}
	p.deployments.mu.Lock()
	cancel := p.deployments.running[d.key()]
	p.deployments.mu.Unlock()
	if d.ended() || cancel == nil {
		return nil, arm.Errorf(http.StatusConflict, "DeploymentCannotBeCancelled", "The deployment '%s' cannot be cancelled: it is in the state '%s'.", d.Name, d.State)
	}
	cancel(errCancelled)
	return &arm.Response{Status: http.StatusNoContent}, nil
}

func (p provider) exportTemplate(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	d, _, err := p.deployment(ctx, r)
	if err != nil {
		return nil, err
	}
	text, err := p.unseal(d)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Body: map[string]any{"template": text.Template}}, nil
}

// forgetDeployments drops the records of deployments in a group that goes.
func (r *Resources) forgetDeployments(ctx context.Context, g group) error {
	all, err := list[deployment](ctx, r, deploymentKey(g.Subscription, g.Name, ""))
	for _, d := range all {
		if err := r.remove(ctx, d.key()); err != nil {
			return err
		}
	}
	return err
}
