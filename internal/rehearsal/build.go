package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"tandem"
	"tandem/internal/arm/armclient"
	"tandem/internal/rehearsal/parcels"
	"tandem/internal/replica"
)

// Names of what is made in the service.
const (
	apiName       = "parcels"
	productName   = "parcels-plus"
	subName       = "parcels-client"
	sequenceValue = "sequence"
	backendName   = "parcels-backend"
)

// policyText is the API's policy: a named backend, a rate limit, a named value in a header that clients see, and an
// expression.
const policyText = `<policies>
  <inbound>
    <base />
    <set-backend-service backend-id="` + backendName + `" />
    <rate-limit-by-key calls="100000" renewal-period="60" counter-key="@(context.Subscription.Id)" />
    <set-header name="X-Asked-By" exists-action="override">
      <value>@(context.Subscription.Name + " by " + context.Request.Method)</value>
    </set-header>
  </inbound>
  <backend><base /></backend>
  <outbound>
    <base />
    <set-header name="X-Sequence" exists-action="override"><value>{{` + sequenceValue + `}}</value></set-header>
    <set-header name="X-Served-By" exists-action="override"><value>@(context.Deployment.ServiceName + "/" + context.Deployment.Region)</value></set-header>
    <set-header name="X-Operation" exists-action="override"><value>@(context.Api.Name.ToLower() + ":" + (context.Operation == null ? "none" : context.Operation.Id))</value></set-header>
  </outbound>
  <on-error><base /></on-error>
</policies>
`

func (w *World) group(name string) string {
	return "/subscriptions/" + w.SubscriptionID + "/resourceGroups/" + name
}

// service is the ARM path of one of the two services.
func (w *World) service(name string) string {
	g := PrimaryGroup
	if name == StandbyService {
		g = StandbyGroup
	}
	return w.group(g) + "/providers/Microsoft.ApiManagement/service/" + name
}

func (w *World) profile() string {
	return w.group(StandbyGroup) + "/providers/Microsoft.Network/trafficManagerProfiles/" + ProfileName
}

func put(ctx context.Context, c *armclient.Client, path string, body any) error {
	_, err := c.Run(ctx, armclient.Request{Method: http.MethodPut, Path: path, Body: body})
	return err
}

func post(ctx context.Context, c *armclient.Client, path string, body, into any) error {
	resp, err := c.Do(ctx, armclient.Request{Method: http.MethodPost, Path: path, Body: body})
	if err == nil && into != nil {
		err = resp.Decode(into)
	}
	return err
}

// createServices makes resource groups, the two services, the storage account, and the roles of the automation.
func (w *World) createServices(ctx context.Context) error {
	op := w.clients.operator
	for group, place := range map[string]tandem.Region{PrimaryGroup: PrimaryRegion, StandbyGroup: StandbyRegion} {
		if err := put(ctx, op, w.group(group)+"?api-version=2021-04-01", map[string]any{"location": place}); err != nil {
			return err
		}
	}
	for name, place := range map[string]string{PrimaryService: "Central India", StandbyService: "South India"} {
		if err := put(ctx, op, w.service(name), map[string]any{"location": place, "sku": map[string]any{"name": "Standard", "capacity": 1},
			"properties": map[string]any{"publisherEmail": "operator@parcels.example", "publisherName": "Parcels"}}); err != nil {
			return err
		}
	}
	account := w.group(StandbyGroup) + "/providers/Microsoft.Storage/storageAccounts/" + StorageAccount
	if err := put(ctx, op, account+"?api-version=2024-01-01", map[string]any{"location": StandbyRegion, "kind": "StorageV2", "sku": map[string]any{"name": "Standard_LRS"}, "properties": map[string]any{}}); err != nil {
		return err
	}
	if err := put(ctx, op, account+"/blobServices/default/containers/"+Container+"?api-version=2024-01-01", map[string]any{"properties": map[string]any{}}); err != nil {
		return err
	}
	var keys struct{ Keys []struct{ Value string } }
	if err := post(ctx, op, account+"/listKeys?api-version=2024-01-01", nil, &keys); err != nil {
		return err
	}
	if len(keys.Keys) == 0 {
		return fmt.Errorf("the storage account %s has no keys", StorageAccount)
	}
	w.Endpoints.Storage.Key = keys.Keys[0].Value
	if err := w.assignRoles(ctx); err != nil {
		return err
	}
	return w.Endpoints.write(w.dir)
}

// assignRoles gives the automation the roles that the known remedy gives it, and the operator the same by name.
func (w *World) assignRoles(ctx context.Context) error {
	for group, role := range map[string]string{PrimaryGroup: "312a565d-c81f-4fd8-895a-4e21e48d571c", StandbyGroup: "b24988ac-6180-42a0-ab88-20f7382dd24c"} {
		for _, principal := range []string{w.Endpoints.Automation.ClientObjectID, w.Endpoints.ClientObjectID} {
			id := w.group(group) + "/providers/Microsoft.Authorization/roleAssignments/" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(group+principal)).String()
			if err := put(ctx, w.clients.operator, id+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
				"roleDefinitionId": "/subscriptions/" + w.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + role, "principalId": principal, "principalType": "ServicePrincipal"}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// buildAPI imports the API into the primary and makes product, subscription, named value, backend and policy.
func (w *World) buildAPI(ctx context.Context) error {
	c, s := w.clients.automation, w.service(PrimaryService)
	props := func(p map[string]any) map[string]any { return map[string]any{"properties": p} }
	for _, step := range []struct {
		path string
		body any
	}{
		{"/namedValues/" + sequenceValue, props(map[string]any{"displayName": sequenceValue, "value": "0"})},
		{"/namedValues/api-token", props(map[string]any{"displayName": "api-token", "value": "known only to the service", "secret": true})},
		{"/backends/" + backendName, props(map[string]any{"url": fmt.Sprintf("http://127.0.0.1:%d", w.BackendPort), "protocol": "http"})},
		{"/apis/" + apiName, props(map[string]any{"format": "openapi", "value": parcels.Document, "path": "parcels-api", "serviceUrl": fmt.Sprintf("http://127.0.0.1:%d", w.BackendPort), "protocols": []string{"https"}})},
		{"/apis/" + apiName + "/policies/policy", props(map[string]any{"format": "rawxml", "value": policyText})},
		{"/products/" + productName, props(map[string]any{"displayName": "Parcels Plus", "state": "published", "subscriptionRequired": true})},
		{"/products/" + productName + "/apis/" + apiName, nil},
		{"/subscriptions/" + subName, props(map[string]any{"displayName": "Parcels client", "scope": "/products/" + productName, "state": "active"})},
	} {
		if err := put(ctx, c, s+step.path, step.body); err != nil {
			return fmt.Errorf("write %s: %w", strings.TrimPrefix(step.path, "/"), err)
		}
	}
	return nil
}

// subscriptionKeys reads the keys of the client's subscription from a service.
func (w *World) subscriptionKeys(ctx context.Context, service string) (keys [2]string, err error) {
	var out struct{ PrimaryKey, SecondaryKey string }
	err = post(ctx, w.clients.operator, w.service(service)+"/subscriptions/"+subName+"/listSecrets", nil, &out)
	return [2]string{out.PrimaryKey, out.SecondaryKey}, err
}

// transfer runs POST …/backup or …/restore of a service and waits for its end.
func (w *World) transfer(ctx context.Context, service, verb, blob string) (replica.Outcome, error) {
	var out replica.Outcome
	c := w.clients.automation
	body := map[string]any{"storageAccount": StorageAccount, "containerName": Container, "backupName": blob, "accessType": "AccessKey", "accessKey": w.Endpoints.Storage.Key}
	first, err := c.Do(ctx, armclient.Request{Method: http.MethodPost, Path: w.service(service) + "/" + verb, Body: body})
	if err != nil {
		return out, err
	}
	location := first.Header.Get("Location")
	if first.Status != http.StatusAccepted || location == "" {
		return out, fmt.Errorf("%s of %s answered %d and Location %q; expected 202 with the address to poll", verb, service, first.Status, location)
	}
	for {
		if err := w.clock.Sleep(ctx, 50*time.Millisecond); err != nil {
			return out, err
		}
		poll, err := c.Do(ctx, armclient.Request{Method: http.MethodGet, Path: location})
		if err != nil {
			return out, fmt.Errorf("%s of %s: %w", verb, service, err)
		}
		if poll.Status == http.StatusOK {
			break
		}
	}
	var status struct {
		Properties json.RawMessage `json:"properties"`
	}
	u, err := url.Parse(strings.Replace(location, "/operationresults/", "/operationStatuses/", 1))
	if err != nil {
		return out, err
	}
	resp, err := c.Do(ctx, armclient.Request{Method: http.MethodGet, Path: u.String()})
	if err == nil {
		err = resp.Decode(&status)
	}
	if err == nil {
		err = json.Unmarshal(status.Properties, &out)
	}
	return out, err
}

// probe settings of the rehearsal's profile, in milliseconds.
const (
	probeInterval = 200
	probeTimeout  = 200
)

// buildProfile makes the traffic profile: priority to the primary, manual failback, probes finer than Azure's.
func (w *World) buildProfile(ctx context.Context) error {
	endpoint := func(name, target string, priority int) map[string]any {
		return map[string]any{"name": name, "type": "Microsoft.Network/trafficManagerProfiles/externalEndpoints", "properties": map[string]any{"target": target, "priority": priority, "endpointStatus": "Enabled"}}
	}
	return put(ctx, w.clients.operator, w.profile()+"?api-version=2022-04-01", map[string]any{"location": "global", "properties": map[string]any{
		"profileStatus": "Enabled", "trafficRoutingMethod": "Priority", "failbackMode": "Manual",
		"dnsConfig": map[string]any{"relativeName": ProfileName, "ttl": 0},
		"monitorConfig": map[string]any{"protocol": "HTTPS", "port": w.GatewayPort, "path": "/status-0123456789abcdef", "intervalInSeconds": 10, "timeoutInSeconds": 5, "toleratedNumberOfFailures": 2,
			"intervalInMilliseconds": probeInterval, "timeoutInMilliseconds": probeTimeout},
		"endpoints": []any{endpoint("primary", w.Primary.Address, 1), endpoint("standby", w.Standby.Address, 2)}}})
}
