package resources

import (
	"context"
	"encoding/json"
	"net/http"
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
	for _, name := range []string{"storageAccounts", "storageAccounts/blobServices", "storageAccounts/blobServices/containers", "storageAccounts/fileServices", "checkNameAvailability"} {
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
		{Method: http.MethodPut, Pattern: one + "/blobServices/default", Handler: p.putBlobService},
		{Method: http.MethodGet, Pattern: one + "/fileServices/default", Handler: p.fileService},
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
		"primaryEndpoints": map[string]string{"blob": r.blobURL(a)},
	})
	return accountResource{arm.Resource{ID: a.id(), Name: a.Name, Type: "Microsoft.Storage/storageAccounts", Location: string(a.Location), Tags: a.Tags, Properties: properties}, skuOf(a.SKU), a.Kind}
}

func (r *Resources) blobURL(a account) string {
	if r.c.BlobAt != nil {
		return r.c.BlobAt(a.Name, a.Location)
	}
	if r.c.BlobURL != nil {
		return r.c.BlobURL(a.Name)
	}
	return "https://" + a.Name + ".blob." + r.c.Endpoints.StorageSuffix + "/"
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
