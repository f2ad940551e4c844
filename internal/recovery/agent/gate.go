package agent

import (
	"context"
	"net/http"
	"strings"

	"tandem/internal/apim"
	"tandem/internal/arm"
)

// Gate puts the question of the right around a provider's calls that change a service's configuration: those below a service
// with PUT, PATCH and DELETE, and its actions but for those that only tell something. The service's own record (its tags,
// tier, host names and certificates) is its region's, is not replicated, and so is written at either member. Reads pass.
func (a *Agent) Gate(p arm.Provider) arm.Provider { return gated{p, a} }

type gated struct {
	arm.Provider
	a *Agent
}

// Routes implements arm.Provider.
func (g gated) Routes() []arm.Route {
	routes := g.Provider.Routes()
	for i, r := range routes {
		if changes(r.Method, r.Pattern) {
			routes[i].Handler = g.a.guard(r.Handler)
		}
	}
	return routes
}

// changes tells the routes that change what replicates.
func changes(method, pattern string) bool {
	rest, below := strings.CutPrefix(pattern, apim.ServicePath+"/")
	if !below {
		return false
	}
	switch method {
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	case http.MethodPost:
		action := rest[strings.LastIndexByte(rest, '/')+1:]
		for _, telling := range []string{"list", "generate", "validate", "get", "backup", "token", "migrateToStv2", "applynetworkconfigurationupdates"} {
			if strings.HasPrefix(action, telling) {
				return false
			}
		}
		return true
	}
	return false
}

func (a *Agent) guard(serve arm.Handler) arm.Handler {
	return func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		if internal(ctx) {
			return serve(ctx, r)
		}
		end, err := a.Begin(serviceOf(r))
		if err != nil {
			return nil, err
		}
		resp, err := serve(ctx, r)
		if late := end(); late != nil && err == nil {
			return nil, late // it is committed and stays, as an orphan until a merge finds it
		}
		return resp, err
	}
}

// serviceOf is the id of the service in a request's path.
func serviceOf(r *arm.Request) string {
	return "/subscriptions/" + r.Params["subscriptionId"] + "/resourceGroups/" + r.Params["resourceGroupName"] + "/providers/" + apim.Namespace + "/service/" + r.Params["serviceName"]
}

type internalKey struct{}

// Internal marks a context as that of a recovery run, whose own writes into a standby pass the gate. It does not leave the
// process: no client can ask for it.
func Internal(ctx context.Context) context.Context {
	return context.WithValue(ctx, internalKey{}, true)
}

func internal(ctx context.Context) bool { return ctx.Value(internalKey{}) != nil }
