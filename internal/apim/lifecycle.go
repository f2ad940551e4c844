package apim

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// undeleteWindow is how long a deleted service can be brought back (Azure: 48 hours).
const undeleteWindow = 48 * time.Hour

func (p *Provider) serviceRoutes() []arm.Route {
	routes := []arm.Route{
		{Method: "PUT", Pattern: servicePath, Handler: p.putService},
		{Method: "PATCH", Pattern: servicePath, Handler: p.patchService},
		{Method: "GET", Pattern: servicePath, Handler: p.getService},
		{Method: "DELETE", Pattern: servicePath, Handler: p.deleteService},
		{Method: "GET", Pattern: groupPath + "/providers/" + Namespace + "/service", Handler: p.listServices},
		{Method: "GET", Pattern: subscriptionPath + "/providers/" + Namespace + "/service", Handler: p.listServices},
		{Method: "POST", Pattern: subscriptionPath + "/providers/" + Namespace + "/checkNameAvailability", Handler: p.checkName, Action: Namespace + "/checkNameAvailability/action"},
		{Method: "GET", Pattern: subscriptionPath + "/providers/" + Namespace + "/deletedservices", Handler: p.listDeleted},
		{Method: "GET", Pattern: subscriptionPath + "/providers/" + Namespace + "/locations/{location}/deletedservices/{serviceName}", Handler: p.getDeleted},
		{Method: "DELETE", Pattern: subscriptionPath + "/providers/" + Namespace + "/locations/{location}/deletedservices/{serviceName}", Handler: p.purge},
	}
	return append(routes, p.Operations.Routes(servicePath)...)
}

// ServiceResult answers the last poll of an operation on a service: the service.
func (p *Provider) ServiceResult(ctx context.Context, _ *arm.Request, op arm.Operation) (*arm.Response, error) {
	id, err := tandem.ParseResourceID(op.Resource)
	if err != nil {
		return nil, err
	}
	rec, err := p.record(ctx, id.Subscription, id.ResourceGroup, id.Name())
	if tandem.KindOf(err) == tandem.NotFound {
		return nil, serviceNotFound(id.ResourceGroup, id.Name())
	}
	if err != nil {
		return nil, err
	}
	return p.serviceResponse(http.StatusOK, rec), nil
}

// FindRequest gives the service that a request is on.
func (p *Provider) FindRequest(ctx context.Context, r *arm.Request) (*Service, *Record, error) {
	rec, err := p.recordOf(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	s, err := p.Open(ctx, rec)
	return s, rec, err
}

// BeginOperation marks a service as being worked on; ServiceLocked where it is already (Azure runs one service-level
// operation at a time).
func (p *Provider) BeginOperation(ctx context.Context, rec *Record) error {
	if rec.State != "Succeeded" && rec.State != "Failed" {
		return Locked(rec.id().Name())
	}
	rec.State, rec.Target = "Updating", "Succeeded"
	err := p.putRecord(ctx, rec)
	if tandem.KindOf(err) == tandem.Precondition {
		return Locked(rec.id().Name())
	}
	return err
}

// EndOperation marks a service as settled again.
func (p *Provider) EndOperation(ctx context.Context, id tandem.ResourceID) error {
	return p.SetState(ctx, id, "Succeeded", "")
}

var serviceName = regexp.MustCompile(`^[a-zA-Z](?:[a-zA-Z0-9-]{0,48}[a-zA-Z0-9])?$`)

// capacities are the units that a tier may have.
var capacities = map[string]struct{ least, most int }{
	"Developer": {1, 1}, "Basic": {1, 2}, "Standard": {1, 4}, "Premium": {1, 31}, "Isolated": {1, 31}, "Consumption": {0, 0}, "BasicV2": {1, 10}, "StandardV2": {1, 10}, "PremiumV2": {1, 30},
}

type serviceBody struct {
	Location *string
	Tags     map[string]string
	Sku      *struct {
		Name     string
		Capacity *json.Number
	}
	Identity   map[string]any
	Zones      []string
	Properties map[string]any
}

func (p *Provider) putService(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body serviceBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	name := r.Params["serviceName"]
	if !serviceName.MatchString(name) {
		return nil, invalid("name", "the service name %q must have 1 to 50 letters, digits and dashes, begin with a letter and end with a letter or digit", name)
	}
	old, err := p.record(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"], name)
	if err != nil && tandem.KindOf(err) != tandem.NotFound {
		return nil, err
	}
	if old != nil {
		return p.update(ctx, r, old, body, false)
	}
	return p.create(ctx, r, name, body)
}

func (p *Provider) create(ctx context.Context, r *arm.Request, name string, body serviceBody) (*arm.Response, error) {
	id := "/subscriptions/" + r.Params["subscriptionId"] + "/resourceGroups/" + r.Params["resourceGroupName"] + "/providers/" + Namespace + "/service/" + name
	if err := p.expire(ctx); err != nil {
		return nil, err
	}
	all, err := p.Records(ctx)
	if err != nil {
		return nil, err
	}
	var before *Record
	for _, other := range all {
		switch {
		case !strings.EqualFold(other.id().Name(), name):
		case other.Deleted != "":
			before = other
		default:
			return nil, arm.Errorf(http.StatusConflict, "ServiceAlreadyExists", "Api service already exists: %s; service names are unique, choose another one.", name)
		}
	}
	restore, _ := arm.FoldGet(body.Properties, "restore")
	if before != nil && restore != true {
		return nil, arm.Errorf(http.StatusConflict, "ServiceAlreadyExistsInSoftDeletedState",
			"Api service %s was soft-deleted. In order to create the new service with the same name, either undelete the service or purge it.", name)
	}
	if before != nil {
		before.Deleted, before.Purge = "", ""
		if err := p.putRecord(ctx, before); err != nil {
			return nil, err
		}
		return p.serviceResponse(http.StatusOK, before), nil
	}
	rec := &Record{ID: id, Properties: map[string]any{}, Created: p.Clock.Now().UTC().Format(time.RFC3339Nano), State: "Created", Target: "Activating"}
	rec.Space = "apim/" + strings.ToLower(name) + "-" + strconv.FormatInt(p.Clock.Now().UnixNano(), 36)
	if err := rec.apply(body, true, nil); err != nil {
		return nil, err
	}
	if err := rec.identify(r.Principal.TenantID, nil); err != nil {
		return nil, err
	}
	if err := p.putRecord(ctx, rec); err != nil {
		return nil, err
	}
	return p.Operations.Start(ctx, r, arm.Start{Code: "Act", Resource: id, Async: true, Reply: p.serviceResponse(http.StatusCreated, rec),
		Run: func(ctx context.Context) (json.RawMessage, error) { return nil, p.activate(ctx, rec) }})
}

// activate makes the service's space with what every service has from its first day.
func (p *Provider) activate(ctx context.Context, rec *Record) error {
	s, err := p.Open(ctx, rec)
	if err != nil {
		return err
	}
	var batch store.Batch
	add := func(typ string, ids []string, props map[string]any) error {
		k := p.table.ByType(typ)
		d := &Document{IDs: ids, Key: Key(typ, ids), Type: typ, Properties: props}
		if err := d.seal(p.Sealer, k, nil, func(string) bool { return true }); err != nil {
			return err
		}
		value, err := d.encode()
		batch.If = append(batch.If, store.Condition{Key: d.Key})
		batch.Put = append(batch.Put, store.Write{Key: d.Key, Value: value})
		return err
	}
	for name, text := range map[string]string{"administrators": "Administrators is a built-in group. Its membership is managed by the system.", "developers": "Developers is a built-in group. Its membership is managed by the system.", "guests": "Guests is a built-in group. Its membership is managed by the system."} {
		display := strings.ToUpper(name[:1]) + name[1:]
		if err := add("groups", []string{name}, map[string]any{"displayName": display, "description": text, "type": "system", "builtIn": true}); err != nil {
			return err
		}
	}
	if err := add("subscriptions", []string{MasterSubscription}, map[string]any{"displayName": "Built-in all-access subscription", "scope": "/", "state": "active", "allowTracing": true,
		"createdDate": rec.Created, "primaryKey": newKey(), "secondaryKey": newKey()}); err != nil {
		return err
	}
	if _, err := s.Space.Commit(ctx, batch); err != nil && tandem.KindOf(err) != tandem.Precondition {
		return err
	}
	return p.SetState(ctx, rec.id(), "Succeeded", "")
}

// resumeActivation finishes the creation of a service whose process died.
func (p *Provider) resumeActivation(ctx context.Context, op arm.Operation) (json.RawMessage, error) {
	id, err := tandem.ParseResourceID(op.Resource)
	if err != nil {
		return nil, err
	}
	rec, err := p.record(ctx, id.Subscription, id.ResourceGroup, id.Name())
	if err != nil {
		return nil, err
	}
	return nil, p.activate(ctx, rec)
}

// apply validates what was sent and lays it over the record.
func (rec *Record) apply(body serviceBody, create bool, before map[string]any) error {
	if body.Location != nil {
		if !create && tandem.NormalRegion(*body.Location) != tandem.NormalRegion(rec.Location) {
			return arm.Errorf(http.StatusConflict, "InvalidResourceLocation", "The service is in %s; a service cannot be moved to %s. Create another one there.", rec.Location, *body.Location)
		}
		if create {
			rec.Location = *body.Location
		}
	}
	if body.Tags != nil {
		rec.Tags = body.Tags
	}
	if body.Identity != nil {
		rec.Identity = body.Identity
	}
	if body.Zones != nil {
		rec.Zones = body.Zones
	}
	if body.Sku != nil {
		if err := rec.setSku(body.Sku.Name, body.Sku.Capacity); err != nil {
			return err
		}
	}
	for name, v := range body.Properties {
		if known := serviceProperty(name); known != "" {
			rec.Properties[known] = v
		}
	}
	if err := rec.certificates(before); err != nil {
		return err
	}
	switch {
	case rec.Location == "":
		return invalid("location", "location is required.")
	case rec.Sku.Name == "":
		return invalid("sku", "sku is required, for example {\"name\":\"Standard\",\"capacity\":1}")
	case rec.Properties["publisherEmail"] == nil || rec.Properties["publisherEmail"] == "":
		return invalid("publisherEmail", "publisherEmail is required.")
	case rec.Properties["publisherName"] == nil || rec.Properties["publisherName"] == "":
		return invalid("publisherName", "publisherName is required.")
	}
	return nil
}

func (rec *Record) setSku(name string, capacity *json.Number) error {
	if name == "" {
		name = rec.Sku.Name
	}
	for tier, c := range capacities {
		if !strings.EqualFold(tier, name) {
			continue
		}
		units := c.least
		if capacity != nil {
			n, err := capacity.Int64()
			if err != nil || int(n) < c.least || int(n) > c.most {
				return invalid("sku.capacity", "the tier %s has %d to %d units, not %s", tier, c.least, c.most, capacity)
			}
			units = int(n)
		}
		rec.Sku = Sku{Name: tier, Capacity: units}
		return nil
	}
	return invalid("sku.name", "%q is not a tier of API Management", name)
}

// writableServiceProperties in Azure's case.
var writableServiceProperties = []string{"publisherEmail", "publisherName", "notificationSenderEmail", "hostnameConfigurations", "certificates", "customProperties", "additionalLocations",
	"virtualNetworkType", "virtualNetworkConfiguration", "publicIpAddressId", "publicNetworkAccess", "disableGateway", "enableClientCertificate", "apiVersionConstraint", "natGatewayState",
	"developerPortalStatus", "legacyPortalStatus", "configurationApi"}

func serviceProperty(name string) string {
	for _, known := range writableServiceProperties {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return ""
}

func (p *Provider) patchService(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body serviceBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	old, err := p.recordOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.update(ctx, r, old, body, true)
}

func (p *Provider) update(ctx context.Context, r *arm.Request, rec *Record, body serviceBody, patch bool) (*arm.Response, error) {
	if rec.State != "Succeeded" && rec.State != "Failed" {
		return nil, Locked(rec.id().Name())
	}
	if err := r.CheckETag(arm.RevisionETag(rec.revision)); err != nil {
		return nil, err
	}
	before, was := copyLists(rec.Properties), rec.Identity
	if !patch {
		rec.Tags, rec.Identity = nil, nil
		rec.Properties = map[string]any{}
	}
	if err := rec.apply(body, false, before); err != nil {
		return nil, err
	}
	if err := rec.identify(r.Principal.TenantID, was); err != nil {
		return nil, err
	}
	if err := p.putRecord(ctx, rec); err != nil {
		return nil, err
	}
	return p.serviceResponse(http.StatusOK, rec), nil
}

func (p *Provider) recordOf(ctx context.Context, r *arm.Request) (*Record, error) {
	rec, err := p.record(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"], r.Params["serviceName"])
	if tandem.KindOf(err) == tandem.NotFound {
		return nil, serviceNotFound(r.Params["resourceGroupName"], r.Params["serviceName"])
	}
	return rec, err
}

func serviceNotFound(group, name string) *arm.Error {
	e := arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The Resource '%s/service/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
		Namespace, name, group)
	e.Header = http.Header{"X-Ms-Failure-Cause": {"gateway"}}
	return e
}

func (p *Provider) getService(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	rec, err := p.recordOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.serviceResponse(http.StatusOK, rec), nil
}

func (p *Provider) listServices(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	all, err := p.Records(ctx)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, rec := range all {
		id := rec.id()
		group := r.Params["resourceGroupName"]
		if rec.Deleted == "" && strings.EqualFold(id.Subscription, r.Params["subscriptionId"]) && (group == "" || strings.EqualFold(id.ResourceGroup, group)) {
			items = append(items, p.ServiceView(rec))
		}
	}
	l, err := arm.Paginate(r, items, pageSize)
	return &arm.Response{Status: http.StatusOK, Body: l}, err
}

func (p *Provider) deleteService(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	rec, err := p.record(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"], r.Params["serviceName"])
	if tandem.KindOf(err) == tandem.NotFound {
		return &arm.Response{Status: http.StatusNoContent}, nil
	}
	if err != nil {
		return nil, err
	}
	if rec.State == "Updating" {
		return nil, Locked(rec.id().Name())
	}
	return p.Operations.Start(ctx, r, arm.Start{Code: "Delete", Resource: rec.ID, Async: true, Run: func(ctx context.Context) (json.RawMessage, error) { return nil, p.SoftDelete(ctx, rec) }})
}

// SoftDelete takes a service out of service; it can be brought back for 48 hours.
func (p *Provider) SoftDelete(ctx context.Context, rec *Record) error {
	now := p.Clock.Now().UTC()
	rec.Deleted, rec.Purge = now.Format(time.RFC3339), now.Add(undeleteWindow).Format(time.RFC3339)
	return p.putRecord(ctx, rec)
}

func (p *Provider) serviceResponse(status int, rec *Record) *arm.Response {
	return &arm.Response{Status: status, Header: http.Header{"ETag": {arm.RevisionETag(rec.revision)}}, Body: p.ServiceView(rec)}
}
