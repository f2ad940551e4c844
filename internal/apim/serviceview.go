package apim

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// ServiceResource is a service as clients see it.
type ServiceResource struct {
	arm.Resource
	Sku      Sku            `json:"sku"`
	ETag     string         `json:"etag"`
	Identity map[string]any `json:"identity,omitempty"`
	Zones    []string       `json:"zones,omitempty"`
}

// ServiceView shows a record as Azure does.
func (p *Provider) ServiceView(rec *Record) ServiceResource {
	id := rec.id()
	name := id.Name()
	props := copyLists(rec.Properties)
	_ = eachCertificate(props, func(_ string, m map[string]any) error { // written, never read; the visit gives no error
		for _, secret := range hostSecrets() {
			delete(m, secret)
		}
		return nil
	})
	setDefault := func(property string, v any) {
		if props[property] == nil {
			props[property] = v
		}
	}
	setDefault("notificationSenderEmail", "apimgmt-noreply@mail.windowsazure.com")
	setDefault("virtualNetworkType", "None")
	setDefault("publicNetworkAccess", "Enabled")
	setDefault("disableGateway", false)
	setDefault("natGatewayState", "Unsupported")
	setDefault("apiVersionConstraint", map[string]any{"minApiVersion": nil})
	setDefault("developerPortalStatus", "Disabled")
	setDefault("legacyPortalStatus", "Disabled")
	setDefault("customProperties", map[string]any{})
	for _, absent := range []string{"virtualNetworkConfiguration", "additionalLocations", "certificates", "publicIpAddressId"} {
		setDefault(absent, nil)
	}
	hosts, _ := props["hostnameConfigurations"].([]any)
	shown := []any{map[string]any{"type": "Proxy", "hostName": name + ".azure-api.net", "encodedCertificate": nil, "keyVaultId": nil, "certificatePassword": nil, "negotiateClientCertificate": false,
		"certificate": nil, "defaultSslBinding": len(hosts) == 0, "certificateSource": "BuiltIn"}}
	for _, h := range hosts {
		if m, ok := h.(map[string]any); ok && !strings.EqualFold(asString(m["hostName"]), name+".azure-api.net") {
			shown = append(shown, m)
		}
	}
	props["hostnameConfigurations"] = shown
	props["provisioningState"], props["targetProvisioningState"], props["createdAtUtc"] = rec.State, rec.Target, rec.Created
	props["platformVersion"] = "stv2"
	if rec.Sku.Name == "Consumption" {
		props["platformVersion"] = "mtv1"
	}
	urls := p.URLs(name)
	props["gatewayUrl"], props["gatewayRegionalUrl"] = urls.Gateway, urls.Gateway
	props["managementApiUrl"] = urls.Management
	props["portalUrl"], props["developerPortalUrl"], props["scmUrl"] = nilIfEmpty(urls.Portal), nilIfEmpty(urls.DeveloperPortal), nil
	raw, _ := json.Marshal(props) // maps of JSON values always encode
	return ServiceResource{Resource: arm.Resource{ID: rec.ID, Name: name, Type: Namespace + "/service", Location: rec.Location, Tags: rec.Tags, Properties: raw},
		Sku: rec.Sku, ETag: strings.Trim(arm.RevisionETag(rec.revision), `"`), Identity: rec.Identity, Zones: rec.Zones}
}

func asString(v any) string { s, _ := v.(string); return s }

func nilIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (p *Provider) checkName(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct{ Name string }
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	answer := map[string]any{"nameAvailable": true, "reason": "Valid", "message": ""}
	if !serviceName.MatchString(body.Name) {
		answer = map[string]any{"nameAvailable": false, "reason": "Invalid", "message": "A service name has 1 to 50 letters, digits and dashes, begins with a letter and ends with a letter or digit."}
	}
	if err := p.expire(ctx); err != nil {
		return nil, err
	}
	all, err := p.Records(ctx)
	if err != nil {
		return nil, err
	}
	for _, rec := range all {
		if strings.EqualFold(rec.id().Name(), body.Name) {
			answer = map[string]any{"nameAvailable": false, "reason": "AlreadyExists", "message": body.Name + " is already in use. Please select a different name."}
		}
	}
	return &arm.Response{Status: http.StatusOK, Body: answer}, nil
}

func (p *Provider) deleted(ctx context.Context, r *arm.Request) ([]*Record, error) {
	if err := p.expire(ctx); err != nil {
		return nil, err
	}
	all, err := p.Records(ctx)
	var out []*Record
	for _, rec := range all {
		id := rec.id()
		name, location := r.Params["serviceName"], r.Params["location"]
		if rec.Deleted != "" && strings.EqualFold(id.Subscription, r.Params["subscriptionId"]) && (name == "" || strings.EqualFold(name, id.Name())) &&
			(location == "" || tandem.NormalRegion(location) == tandem.NormalRegion(rec.Location)) {
			out = append(out, rec)
		}
	}
	return out, err
}

func deletedView(rec *Record) map[string]any {
	id := rec.id()
	return map[string]any{"id": "/subscriptions/" + id.Subscription + "/providers/" + Namespace + "/locations/" + string(tandem.NormalRegion(rec.Location)) + "/deletedservices/" + id.Name(),
		"name": id.Name(), "type": Namespace + "/deletedservices", "location": rec.Location,
		"properties": map[string]any{"serviceId": rec.ID, "deletionDate": rec.Deleted, "scheduledPurgeDate": rec.Purge}}
}

func (p *Provider) listDeleted(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	recs, err := p.deleted(ctx, r)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, rec := range recs {
		items = append(items, deletedView(rec))
	}
	return page(r, items)
}

func (p *Provider) getDeleted(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	recs, err := p.deleted(ctx, r)
	if err != nil {
		return nil, err
	}
	if len(recs) == 0 {
		return nil, arm.Errorf(http.StatusNotFound, "ServiceNotFound", "There is no deleted service %s in %s.", r.Params["serviceName"], r.Params["location"])
	}
	return &arm.Response{Status: http.StatusOK, Body: deletedView(recs[0])}, nil
}

// purge removes a deleted service and its documents for good.
func (p *Provider) purge(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	recs, err := p.deleted(ctx, r)
	if err != nil {
		return nil, err
	}
	if len(recs) == 0 {
		return &arm.Response{Status: http.StatusNoContent}, nil
	}
	for _, rec := range recs {
		if err := p.purgeRecord(ctx, rec); err != nil {
			return nil, err
		}
	}
	return &arm.Response{Status: http.StatusOK}, nil
}

func (p *Provider) purgeRecord(ctx context.Context, rec *Record) error {
	if err := deletePrefix(ctx, p.Store, rec.Space+"/"); err != nil {
		return err
	}
	_, err := p.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: rec.key(), Revision: rec.revision}}, Delete: []string{rec.key()}})
	return err
}

// expire purges the deleted services whose 48 hours are over, when somebody asks for deleted services or for a name.
func (p *Provider) expire(ctx context.Context) error {
	all, err := p.Records(ctx)
	if err != nil {
		return err
	}
	for _, rec := range all {
		until, err := time.Parse(time.RFC3339, rec.Purge)
		if rec.Deleted == "" || err != nil || p.Clock.Now().Before(until) {
			continue
		}
		if err := p.purgeRecord(ctx, rec); err != nil && tandem.KindOf(err) != tandem.Precondition { // somebody else was first
			return err
		}
	}
	return nil
}

func deletePrefix(ctx context.Context, s store.Store, prefix string) error {
	for {
		l, err := s.List(ctx, prefix, store.ListOptions{Limit: store.MaxOps})
		if err != nil || len(l.Documents) == 0 {
			return err
		}
		var b store.Batch
		for _, d := range l.Documents {
			b.Delete = append(b.Delete, d.Key)
		}
		if _, err := s.Commit(ctx, b); err != nil {
			return err
		}
	}
}
