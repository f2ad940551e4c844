package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tandem/internal/arm/armclient"
	"tandem/internal/rehearsal/parcels"
)

// Names of what is made.
const (
	resourceGroup  = "parcels"
	storageAccount = "parcelsbackups"
	container      = "backups"
	blob           = "primary.apimbackup"
	profileName    = "parcels"
	trafficName    = profileName + "." + zone
	// sequence is the named value whose value clients see in a header; ledgers are others that are written in turn.
	sequence = "sequence"
	ledgers  = 20
)

// service is the service at a site.
func service(site string) string {
	return map[string]string{Central: "apim-primary", South: "apim-dr"}[site]
}

// policy shows the named value twice in every answer: read before the backend was called, and after (law 2).
const policy = `<policies>
  <inbound><base /><set-variable name="before" value="{{` + sequence + `}}" /></inbound>
  <backend><base /></backend>
  <outbound><base />
    <set-header name="X-Sequence-Before" exists-action="override"><value>@((string)context.Variables["before"])</value></set-header>
    <set-header name="X-Sequence" exists-action="override"><value>{{` + sequence + `}}</value></set-header>
    <set-header name="X-Served-By" exists-action="override"><value>@(context.Deployment.ServiceName)</value></set-header>
  </outbound>
  <on-error><base /></on-error>
</policies>`

func (w *World) group() string {
	return "/subscriptions/" + w.SubscriptionID + "/resourceGroups/" + resourceGroup
}

func (w *World) servicePath(site string) string {
	return w.group() + "/providers/Microsoft.ApiManagement/service/" + service(site)
}

func (w *World) accountPath() string {
	return w.group() + "/providers/Microsoft.Storage/storageAccounts/" + storageAccount
}

type object = map[string]any

func props(p object) object { return object{"properties": p} }

func put(ctx context.Context, c *armclient.Client, path string, body any) error {
	_, err := c.Run(ctx, armclient.Request{Method: http.MethodPut, Path: path, Body: body})
	if err != nil {
		return fmt.Errorf("PUT %s: %w", path, err)
	}
	return nil
}

func post(ctx context.Context, c *armclient.Client, path string, into any) error {
	resp, err := c.Do(ctx, armclient.Request{Method: http.MethodPost, Path: path})
	if err == nil && into != nil {
		err = resp.Decode(into)
	}
	return err
}

// Group makes the resource group that everything is in.
func (w *World) Group(ctx context.Context) error {
	return put(ctx, w.clients.operator, w.group()+"?api-version=2021-04-01", object{"location": region(Central)})
}

// Build makes both services, an API in the primary, a backup of it restored into the standby, and the traffic profile.
func (w *World) Build(ctx context.Context) error {
	c, backend := w.clients.operator, fmt.Sprintf("http://127.0.0.1:%d", backendPort)
	type step struct {
		path string
		body any
	}
	if err := w.Group(ctx); err != nil {
		return err
	}
	var steps []step
	for _, site := range []string{Central, South} {
		steps = append(steps, step{w.servicePath(site), object{"location": region(site), "sku": object{"name": "Standard", "capacity": 1}, "properties": object{"publisherEmail": "operator@parcels.example", "publisherName": "Parcels"}}})
	}
	primary := w.servicePath(Central)
	steps = append(steps, step{w.accountPath() + "?api-version=2024-01-01", object{"location": region(South), "kind": "StorageV2", "sku": object{"name": "Standard_LRS"}, "properties": object{}}},
		step{w.accountPath() + "/blobServices/default/containers/" + container + "?api-version=2024-01-01", props(object{})},
		step{primary + "/namedValues/" + sequence, props(object{"displayName": sequence, "value": "0"})},
		step{primary + "/apis/parcels", props(object{"format": "openapi", "value": parcels.Document, "path": "parcels-api", "serviceUrl": backend, "protocols": []string{"https"}})},
		step{primary + "/apis/parcels/policies/policy", props(object{"format": "rawxml", "value": policy})},
		step{primary + "/products/plus", props(object{"displayName": "Plus", "state": "published", "subscriptionRequired": true})},
		step{primary + "/products/plus/apis/parcels", nil},
		step{primary + "/subscriptions/client", props(object{"displayName": "Client", "scope": "/products/plus", "state": "active"})})
	for i := range ledgers {
		steps = append(steps, step{primary + "/namedValues/" + ledger(i), props(object{"displayName": ledger(i), "value": "0"})})
	}
	for _, s := range steps {
		if err := put(ctx, c, s.path, s.body); err != nil {
			return err
		}
	}
	var storage struct{ Keys []struct{ Value string } }
	var key struct{ PrimaryKey string }
	if err := errors.Join(post(ctx, c, w.accountPath()+"/listKeys?api-version=2024-01-01", &storage), post(ctx, c, primary+"/subscriptions/client/listSecrets", &key)); err != nil {
		return err
	}
	if len(storage.Keys) == 0 || key.PrimaryKey == "" {
		return errors.New("the storage account or the subscription has no key")
	}
	w.StorageKey, w.Key = storage.Keys[0].Value, key.PrimaryKey
	if err := errors.Join(w.Transfer(ctx, Central, "backup"), w.Transfer(ctx, South, "restore")); err != nil {
		return err
	}
	if err := w.Profile(ctx, profileName, gateways(probeWithin), Central, South); err != nil {
		return err
	}
	w.Built = true
	return w.save()
}

func ledger(n int) string { return fmt.Sprintf("ledger-%d", n%ledgers) }

// probe settings of the profile, in milliseconds. A probe on a new connection takes three round trips of 80 ms (TCP, TLS,
// HTTP), and a look after a failure is given half the timeout.
const probeEvery, probeWithin = 200, 600

// gateways is how the gateways' status pages are probed.
func gateways(within int) Monitor {
	return Monitor{Protocol: "HTTPS", Port: gatewayPort, Path: "/status-0123456789abcdef", Every: probeEvery, Within: within, Tolerated: 2}
}

// Monitor says how the endpoints of a profile are probed. Every and Within are in milliseconds.
type Monitor struct {
	Protocol, Path                 string
	Port, Every, Within, Tolerated int
}

// Profile makes a traffic profile that sends clients to the first of the sites that is well.
func (w *World) Profile(ctx context.Context, name string, m Monitor, sites ...string) error {
	var endpoints []any
	for i, site := range sites {
		endpoints = append(endpoints, object{"name": site, "type": "Microsoft.Network/trafficManagerProfiles/externalEndpoints", "properties": object{"target": w.Site(site).Addr.String(), "priority": i + 1, "endpointStatus": "Enabled"}})
	}
	return put(ctx, w.clients.operator, w.group()+"/providers/Microsoft.Network/trafficManagerProfiles/"+name+"?api-version=2022-04-01", object{"location": "global", "properties": object{
		"profileStatus": "Enabled", "trafficRoutingMethod": "Priority", "dnsConfig": object{"relativeName": name, "ttl": 0},
		"monitorConfig": object{"protocol": m.Protocol, "port": m.Port, "path": m.Path, "intervalInSeconds": 10, "timeoutInSeconds": 5, "toleratedNumberOfFailures": m.Tolerated,
			"intervalInMilliseconds": m.Every, "timeoutInMilliseconds": m.Within},
		"endpoints": endpoints}})
}

// pollEvery is the pause between two looks at a long-running operation.
const pollEvery = 50 * time.Millisecond

// Transfer runs POST …/backup or …/restore of a site's service and waits for its end.
func (w *World) Transfer(ctx context.Context, site, verb string) error {
	c := w.clients.operator
	first, err := c.Do(ctx, armclient.Request{Method: http.MethodPost, Path: w.servicePath(site) + "/" + verb,
		Body: object{"storageAccount": storageAccount, "containerName": container, "backupName": blob, "accessType": "AccessKey", "accessKey": w.StorageKey}})
	if err != nil {
		return fmt.Errorf("%s of %s: %w", verb, site, err)
	}
	u, err := url.Parse(strings.Replace(first.Header.Get("Location"), "/operationresults/", "/operationStatuses/", 1))
	if err != nil {
		return err
	}
	for {
		var status struct {
			Status string
			Error  json.RawMessage
		}
		resp, err := c.Do(ctx, armclient.Request{Method: http.MethodGet, Path: u.String()})
		if err == nil {
			err = resp.Decode(&status)
		}
		switch {
		case err != nil:
			return fmt.Errorf("%s of %s: %w", verb, site, err)
		case status.Status == "Succeeded":
			return nil
		case status.Status == "Failed" || status.Status == "Canceled":
			return fmt.Errorf("%s of %s: %s %s", verb, site, status.Status, status.Error)
		}
		if err := w.Clock.Sleep(ctx, pollEvery); err != nil {
			return err
		}
	}
}
