package node

import (
	"context"
	"net/http"
	"strings"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/gateway"
)

// debugProvider serves the tracing of requests by a service's own gateway, "managed" in Azure's paths: debug credentials,
// and the traces that were taken with them.
type debugProvider struct{ n *Node }

const debugPath = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/" + apim.Namespace + "/service/{serviceName}/gateways/managed/"

// Namespace implements arm.Provider.
func (debugProvider) Namespace() string { return apim.Namespace }

// Types implements arm.Provider: the types are told by the provider of the services.
func (debugProvider) Types() []arm.TypeInfo { return nil }

// Routes implements arm.Provider.
func (p debugProvider) Routes() []arm.Route {
	return []arm.Route{
		{Method: http.MethodPost, Pattern: debugPath + "listDebugCredentials", Handler: p.credentials, Action: apim.Namespace + "/service/gateways/listDebugCredentials/action"},
		{Method: http.MethodPost, Pattern: debugPath + "listTrace", Handler: p.trace, Action: apim.Namespace + "/service/gateways/listTrace/action"},
	}
}

func (p debugProvider) gateway(ctx context.Context, r *arm.Request) (*gateway.Gateway, error) {
	s, _, err := p.n.apim.FindRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	running, err := p.n.gateways.find(s.ID)
	if err != nil {
		return nil, err
	}
	return running.gateway, nil
}

func (p debugProvider) credentials(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		CredentialsExpireAfter string
		APIID                  string `json:"apiId"`
		Purposes               []string
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	for _, purpose := range body.Purposes {
		if !strings.EqualFold(purpose, "tracing") {
			return nil, arm.Errorf(http.StatusBadRequest, "ValidationError", "The purpose %q is not known; use tracing.", purpose)
		}
	}
	if len(body.Purposes) == 0 || body.APIID == "" {
		return nil, arm.Errorf(http.StatusBadRequest, "ValidationError", "apiId and purposes are required.")
	}
	live := gateway.LongestDebug
	if body.CredentialsExpireAfter != "" {
		d, err := gateway.ParseDuration(body.CredentialsExpireAfter)
		if err != nil || d > gateway.LongestDebug {
			return nil, arm.Errorf(http.StatusBadRequest, "ValidationError", "credentialsExpireAfter must be a duration of at most PT1H.")
		}
		live = min(d, gateway.LongestDebug)
	}
	g, err := p.gateway(ctx, r)
	if err != nil {
		return nil, err
	}
	token, err := g.DebugCredentials(body.APIID, max(live, time.Second))
	if tandem.KindOf(err) == tandem.NotFound {
		return nil, arm.Errorf(http.StatusBadRequest, "ValidationError", "The service has no API %s; name one by its full resource id.", body.APIID)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"token": token}}, nil
}

func (p debugProvider) trace(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		TraceID string `json:"traceId"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	g, err := p.gateway(ctx, r)
	if err != nil {
		return nil, err
	}
	t, err := g.Trace(body.TraceID)
	if tandem.KindOf(err) == tandem.NotFound {
		return nil, arm.Errorf(http.StatusNotFound, "ResourceNotFound", "There is no trace %s; the last 200 traces are kept. Send the request again.", body.TraceID)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: t}, nil
}
