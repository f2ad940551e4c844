package apim

import (
	"context"
	"net/http"
	"strings"

	"tandem/internal/arm"
)

// Refusal is an operation of Azure's that Tandem refuses, and why. Everything that is not served is here, so that the
// answer says so and docs/compatibility.md lists it.
type Refusal struct {
	Method, Path string // below the service, or whole where it begins with a slash
	Reason       string // a sentence, with the remedy
	// Code of the answer: NotSupported, or ResourceNotFound for reading one of a sort of which there are none. Empty: there
	// is nothing to refuse, since what is not there can be deleted.
	Code string
}

func (f Refusal) pattern() string {
	if strings.HasPrefix(f.Path, "/") {
		return f.Path
	}
	return servicePath + "/" + f.Path
}

// handler answers the refusal on a service, and 404 where the service is not there.
func (f Refusal) handler(p *Provider) arm.Handler {
	return func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		if r.Params["serviceName"] != "" {
			if _, err := p.service(ctx, r); err != nil {
				return nil, err
			}
		}
		switch f.Code {
		case "":
			return &arm.Response{Status: http.StatusNoContent}, nil
		case "ResourceNotFound":
			return nil, arm.Errorf(http.StatusNotFound, f.Code, "There is none. %s", f.Reason)
		}
		return nil, notSupported("%s", f.Reason)
	}
}

// Refusals lists what is refused.
func Refusals() []Refusal { return refusals() }

func refusals() []Refusal {
	out := []Refusal{}
	refuse := func(reason string, operations ...string) {
		for _, o := range operations {
			method, path, _ := strings.Cut(o, " ")
			out = append(out, Refusal{Method: method, Path: path, Reason: reason, Code: "NotSupported"})
		}
	}
	none := func(reason string, paths ...string) { // a sort of which there are none
		for _, path := range paths {
			out = append(out, Refusal{Method: "GET", Path: path, Reason: reason, Code: "ResourceNotFound"}, Refusal{Method: "DELETE", Path: path, Reason: reason})
			refuse(reason, "PUT "+path)
		}
	}
	refuse("There is no publisher portal to sign in to; use the console or the command line.", "POST getssotoken")
	refuse("Connectivity is not probed over the management API; probe it on the node.", "POST connectivityCheck")
	refuse("This service sends no e-mail; set the user's password with a PUT.", "POST users/{userId}/confirmations/password/send")
	refuse("Gateways open connections when they are needed and close idle ones; there is none to renew.", "POST backends/{backendId}/reconnect")
	refuse("Requests through self-hosted gateways cannot be traced over the management API; trace them at the managed gateway (gateways/managed).",
		"POST gateways/{gatewayId}/listDebugCredentials", "POST gateways/{gatewayId}/invalidateDebugCredentials", "POST gateways/{gatewayId}/listTrace")
	connection := "authorizationProviders/{authorizationProviderId}/authorizations/{authorizationId}/"
	refuse("This service does not hold tokens of users of other services; a connection can be stored but not authorised.", "POST "+connection+"getLoginLinks", "POST "+connection+"confirmConsentCode")
	quota, period := "quotas/{quotaCounterKey}", "quotas/{quotaCounterKey}/periods/{quotaPeriodKey}"
	refuse("Quota counters live in the gateways and cannot be read or set over this call; change the quota's policy instead.", "GET "+quota, "PATCH "+quota, "GET "+period, "PATCH "+period)
	for _, prefix := range []string{"", "workspaces/{workspaceId}/"} {
		refuse("No Key Vault resolver is configured, so nothing can be refreshed; write the value itself.",
			"POST "+prefix+"namedValues/{namedValueId}/refreshSecret", "POST "+prefix+"certificates/{certificateId}/refreshSecret")
	}
	for _, call := range []string{"deploy", "save", "validate"} {
		refuse("This service has no Git repository of its configuration; use backup and restore.", "POST tenant/{configurationName}/"+call)
	}
	for _, by := range []string{"Api", "Geo", "Operation", "Product", "Request", "Subscription", "Time", "User"} {
		refuse("This service keeps no analytics; read the gateway's metrics and logs.", "GET reports/by"+by)
	}
	private := "Private endpoints are Azure's networking; bind the gateway's listeners to the addresses that may reach them."
	none(private, "privateEndpointConnections/{privateEndpointConnectionName}")
	out = append(out, Refusal{Method: "GET", Path: "privateLinkResources/{privateLinkSubResourceName}", Reason: private, Code: "ResourceNotFound"})
	gateway, gateways := groupPath+"/providers/"+Namespace+"/gateways/{gatewayName}", "Workspace gateways are not offered: the APIs of workspaces are kept and backed up, but no gateway of their own runs them."
	none(gateways, gateway, gateway+"/configConnections/{configConnectionName}")
	refuse(gateways, "PATCH "+gateway)
	for _, list := range []string{gateway + "/skus", gateway + "/configConnections"} {
		out = append(out, Refusal{Method: "GET", Path: list, Reason: gateways, Code: "ResourceNotFound"})
	}
	return out
}
