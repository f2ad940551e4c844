package resources

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
)

// account is a storage account as it is stored. Account names are unique in the whole cloud.
type account struct {
	Subscription string            `json:"subscription"`
	Group        string            `json:"group"`
	Name         string            `json:"name"`
	Location     tandem.Region     `json:"location"`
	Tags         map[string]string `json:"tags,omitempty"`
	SKU          string            `json:"sku"`
	Kind         string            `json:"kind"`
	AccessTier   string            `json:"accessTier,omitempty"`
	Created      time.Time         `json:"created"`
	Keys         []accountKey      `json:"keys"`
}

type accountKey struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Sealed  string    `json:"sealed"`
}

func accountKeyOf(name string) string { return "storage/" + lower(name) }

func (a account) id() string {
	return "/subscriptions/" + a.Subscription + "/resourceGroups/" + a.Group + "/providers/Microsoft.Storage/storageAccounts/" + a.Name
}

// storage is the resource provider Microsoft.Storage, as far as backups need it.
type storage struct{ *Resources }

// Storage gives the provider Microsoft.Storage for an arm.Server.
func (r *Resources) Storage() arm.Provider { return storage{r} }

// Namespace implements arm.Provider.
func (storage) Namespace() string { return "Microsoft.Storage" }

// Types implements arm.Provider.
func (storage) Types() []arm.TypeInfo {
	versions := []string{"2024-01-01", "2023-05-01", "2023-01-01", "2022-09-01", "2021-09-01", "2019-06-01"}
	var out []arm.TypeInfo
	for _, name := range []string{"storageAccounts", "storageAccounts/blobServices", "storageAccounts/blobServices/containers", "checkNameAvailability"} {
		out = append(out, arm.TypeInfo{Name: name, APIVersions: versions, AnyVersion: true})
	}
	return out
}

// Routes implements arm.Provider.
func (p storage) Routes() []arm.Route {
	const sub = "/subscriptions/{subscriptionId}"
	const inSub = sub + "/providers/Microsoft.Storage"
	const accounts = sub + "/resourceGroups/{resourceGroupName}/providers/Microsoft.Storage/storageAccounts"
	const one = accounts + "/{accountName}"
	const containers = one + "/blobServices/default/containers"
	return []arm.Route{
		{Method: http.MethodPost, Pattern: inSub + "/checkNameAvailability", Handler: p.checkName},
		{Method: http.MethodGet, Pattern: inSub + "/storageAccounts", Handler: p.listAccounts},
		{Method: http.MethodGet, Pattern: accounts, Handler: p.listAccounts},
		{Method: http.MethodGet, Pattern: one, Handler: p.getAccount},
		{Method: http.MethodPut, Pattern: one, Handler: p.putAccount},
		{Method: http.MethodPatch, Pattern: one, Handler: p.patchAccount},
		{Method: http.MethodDelete, Pattern: one, Handler: p.deleteAccount},
		{Method: http.MethodPost, Pattern: one + "/listKeys", Handler: p.listKeys},
		{Method: http.MethodPost, Pattern: one + "/regenerateKey", Handler: p.regenerateKey},
		{Method: http.MethodGet, Pattern: one + "/blobServices/default", Handler: p.blobService},
		{Method: http.MethodGet, Pattern: containers, Handler: p.listContainers},
		{Method: http.MethodGet, Pattern: containers + "/{containerName}", Handler: p.getContainer},
		{Method: http.MethodPut, Pattern: containers + "/{containerName}", Handler: p.putContainer},
		{Method: http.MethodDelete, Pattern: containers + "/{containerName}", Handler: p.deleteContainer},
	}
}

type sku struct {
	Name string `json:"name"`
	Tier string `json:"tier,omitempty"`
}

func skuOf(name string) sku {
	tier, _, _ := strings.Cut(name, "_")
	return sku{name, tier}
}

type accountResource struct {
	arm.Resource
	SKU  sku    `json:"sku"`
	Kind string `json:"kind"`
}

func (r *Resources) accountResource(a account) accountResource {
	properties, _ := json.Marshal(map[string]any{ // text and times cannot fail
		"provisioningState": "Succeeded", "creationTime": arm.FormatTime(a.Created), "primaryLocation": a.Location, "statusOfPrimary": "available",
		"accessTier": a.AccessTier, "supportsHttpsTrafficOnly": true, "minimumTlsVersion": "TLS1_2", "allowBlobPublicAccess": false, "allowSharedKeyAccess": true,
		"primaryEndpoints": map[string]string{"blob": r.blobURL(a.Name)},
	})
	return accountResource{arm.Resource{ID: a.id(), Name: a.Name, Type: "Microsoft.Storage/storageAccounts", Location: string(a.Location), Tags: a.Tags, Properties: properties}, skuOf(a.SKU), a.Kind}
}

func (r *Resources) blobURL(account string) string {
	if r.c.BlobURL != nil {
		return r.c.BlobURL(account)
	}
	return "https://" + account + ".blob." + r.c.Endpoints.StorageSuffix + "/"
}

// account finds the account that a request names, in the group that it names.
func (r *Resources) account(ctx context.Context, q *arm.Request) (account, tandem.Revision, error) {
	a, at, ok, err := get[account](ctx, r, accountKeyOf(q.Params["accountName"]))
	if err == nil && (!ok || !strings.EqualFold(a.Group, q.Params["resourceGroupName"]) || !strings.EqualFold(a.Subscription, q.Params["subscriptionId"])) {
		err = arm.Errorf(http.StatusNotFound, "ResourceNotFound",
			"The Resource 'Microsoft.Storage/storageAccounts/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
			q.Params["accountName"], q.Params["resourceGroupName"])
	}
	return a, at, err
}

func (p storage) getAccount(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, _, err := p.account(ctx, r)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Body: p.accountResource(a)}, nil
}

func (p storage) listAccounts(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	all, err := p.accounts(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"])
	if err != nil {
		return nil, err
	}
	out := []accountResource{}
	for _, a := range all {
		out = append(out, p.accountResource(a))
	}
	page, err := arm.Paginate(r, out, 1000)
	return &arm.Response{Body: page}, err
}

// accounts are those of a subscription or, where group is not empty, of one group.
func (r *Resources) accounts(ctx context.Context, subscription, group string) ([]account, error) {
	all, err := list[account](ctx, r, "storage/")
	out := all[:0]
	for _, a := range all {
		if strings.EqualFold(a.Subscription, subscription) && (group == "" || strings.EqualFold(a.Group, group)) {
			out = append(out, a)
		}
	}
	return out, err
}

type accountBody struct {
	Location   string             `json:"location"`
	SKU        *sku               `json:"sku"`
	Kind       string             `json:"kind"`
	Tags       map[string]*string `json:"tags"`
	Properties struct {
		AccessTier string `json:"accessTier"`
	} `json:"properties"`
}

func nameProblem(name string) string {
	if regexp.MustCompile(`^[a-z0-9]{3,24}$`).MatchString(name) {
		return ""
	}
	return name + " is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters only."
}

// putAccount makes or changes an account. It answers 200, never 201, which the storage clients do not take.
func (p storage) putAccount(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	name := r.Params["accountName"]
	if why := nameProblem(name); why != "" {
		return nil, arm.Errorf(http.StatusBadRequest, "AccountNameInvalid", "%s", why)
	}
	var body accountBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	a, at, exists, err := get[account](ctx, p.Resources, accountKeyOf(name))
	if err != nil {
		return nil, err
	}
	if exists && (!strings.EqualFold(a.Group, r.Params["resourceGroupName"]) || !strings.EqualFold(a.Subscription, r.Params["subscriptionId"])) {
		return nil, arm.Errorf(http.StatusConflict, "StorageAccountAlreadyTaken", "The storage account named %s is already taken.", name)
	}
	if !exists {
		if body.Location == "" {
			return nil, arm.Errorf(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
		}
		if body.SKU == nil || body.SKU.Name == "" {
			return nil, arm.Errorf(http.StatusBadRequest, "InvalidAccountSku", "The account needs a sku with a name, for example Standard_LRS.")
		}
		g, _, err := p.group(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"])
		if err != nil {
			return nil, err
		}
		if g.Deleting {
			return nil, beingDeleted(g)
		}
		if a, err = p.newAccount(g, name, body.Location); err != nil {
			return nil, err
		}
	}
	if err := p.applyAccount(&a, body); err != nil {
		return nil, err
	}
	if err := p.put(ctx, accountKeyOf(name), a, at); err != nil {
		return nil, conflict(err, a.id())
	}
	return &arm.Response{Body: p.accountResource(a)}, nil
}

func (r *Resources) newAccount(g group, name, location string) (account, error) {
	region, err := r.location(location)
	if err != nil {
		return account{}, err
	}
	a := account{Subscription: g.Subscription, Group: g.Name, Name: name, Location: region, SKU: "Standard_LRS", Kind: "StorageV2", AccessTier: "Hot",
		Created: r.c.Clock.Now().UTC()}
	for _, key := range []string{"key1", "key2"} {
		k, err := r.newKey(name, key)
		if err != nil {
			return a, err
		}
		a.Keys = append(a.Keys, k)
	}
	return a, nil
}

func (r *Resources) applyAccount(a *account, body accountBody) error {
	if body.Location != "" {
		region, err := r.location(body.Location)
		if err != nil {
			return err
		}
		if region != a.Location {
			return arm.Errorf(http.StatusConflict, "InvalidResourceLocation", "The resource '%s' already exists in location '%s'. A resource with the same name cannot be created in location '%s'.", a.Name, a.Location, region)
		}
	}
	if body.SKU != nil && body.SKU.Name != "" {
		a.SKU = body.SKU.Name
	}
	if body.Kind != "" {
		a.Kind = body.Kind
	}
	if body.Properties.AccessTier != "" {
		a.AccessTier = body.Properties.AccessTier
	}
	if body.Tags != nil {
		a.Tags = plainTags(body.Tags)
	}
	return nil
}

func (p storage) patchAccount(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body accountBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	a, at, err := p.account(ctx, r)
	if err == nil {
		err = p.applyAccount(&a, body)
	}
	if err == nil {
		err = conflict(p.put(ctx, accountKeyOf(a.Name), a, at), a.id())
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Body: p.accountResource(a)}, nil
}

func (p storage) deleteAccount(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, _, err := p.account(ctx, r)
	if tandem.KindOf(err) == "" && err != nil {
		if e := arm.AsError(err); e.Status == http.StatusNotFound {
			return &arm.Response{Status: http.StatusNoContent}, nil
		}
	}
	if err == nil {
		err = p.dropAccount(ctx, a)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK}, nil
}

// dropAccount deletes an account with its containers: first those, so that a crash leaves nothing that has no owner.
func (r *Resources) dropAccount(ctx context.Context, a account) error {
	if r.c.Blobs != nil {
		names, err := r.c.Blobs.ListContainers(ctx, a.Name)
		if err != nil && tandem.KindOf(err) != tandem.NotFound {
			return err
		}
		for _, name := range names {
			if err := r.c.Blobs.DeleteContainer(ctx, a.Name, name); err != nil && tandem.KindOf(err) != tandem.NotFound {
				return err
			}
		}
	}
	return r.remove(ctx, accountKeyOf(a.Name))
}

func (p storage) checkName(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	answer := map[string]any{"nameAvailable": true}
	if why := nameProblem(body.Name); why != "" {
		answer = map[string]any{"nameAvailable": false, "reason": "AccountNameInvalid", "message": why}
	} else if _, _, taken, err := get[account](ctx, p.Resources, accountKeyOf(body.Name)); err != nil {
		return nil, err
	} else if taken {
		answer = map[string]any{"nameAvailable": false, "reason": "AlreadyExists", "message": "The storage account named " + body.Name + " is already taken."}
	}
	return &arm.Response{Body: answer}, nil
}

// storageContents are the accounts as contents of resource groups.
type storageContents Resources

// ListResources implements Contents.
func (s *storageContents) ListResources(ctx context.Context, subscription, group string) ([]Listed, error) {
	r := (*Resources)(s)
	all, err := r.accounts(ctx, subscription, group)
	var out []Listed
	for _, a := range all {
		res := r.accountResource(a)
		out = append(out, Listed{Resource: res.Resource, SKU: res.SKU, Kind: a.Kind, ProvisioningState: "Succeeded",
			CreatedTime: arm.FormatTime(a.Created), ChangedTime: arm.FormatTime(a.Created)})
	}
	return out, err
}

// DeleteGroup implements Contents.
func (s *storageContents) DeleteGroup(ctx context.Context, subscription, group string) error {
	r := (*Resources)(s)
	all, err := r.accounts(ctx, subscription, group)
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := r.dropAccount(ctx, a); err != nil {
			return err
		}
	}
	return nil
}
