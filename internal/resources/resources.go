// Package resources is what Azure Resource Manager has beside API Management: subscriptions, tenants, locations, the
// metadata of the cloud, providers, resource groups, deployments of templates, the listing of resources, and storage accounts
// as far as backups need them. All of it lies in the store; a change that was answered is durable.
package resources

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// Sealer seals account keys (law 7); package keys has one.
type Sealer interface {
	Seal(plaintext, context []byte) (string, error)
	Open(sealed string, context []byte) ([]byte, error)
}

// Access says which scopes a caller may see in lists; package identity's authorisers have it.
type Access interface {
	// SeesBelow says whether the principal has any role at the scope, above it or below it.
	SeesBelow(objectID, scope string) bool
}

// Tenant is a directory, as GET /tenants tells it.
type Tenant struct{ ID, DisplayName, Domain string }

// Blobs is the blob endpoint that serves the storage accounts. Errors are of kinds NotFound and Exists.
type Blobs interface {
	CreateContainer(ctx context.Context, account, name string) error
	DeleteContainer(ctx context.Context, account, name string) error
	ListContainers(ctx context.Context, account string) ([]string, error)
}

// Config says how Resources works. Store, Sealer, Access, Operations, Clock and Log are needed.
type Config struct {
	Store      store.Store
	Sealer     Sealer
	Access     Access
	Operations *arm.Operations
	Clock      tandem.Clock
	Log        *slog.Logger
	Prefix     string          // of the keys in the store; empty: "resources/"
	Tenants    func() []Tenant // nil: none
	Endpoints  Endpoints
	// Locations are regions beside Azure's own.
	Locations []Location
	// Forget is called when a scope is gone for good, to drop role assignments on it; nil: nothing is dropped.
	Forget func(ctx context.Context, scope string) error
	// BlobURL gives the blob endpoint of an account, with a slash at the end; nil: https://{account}.blob.{Endpoints.StorageSuffix}/.
	BlobURL func(account string) string
	// BlobAt is BlobURL for accounts that lie at several places, by their location; nil: BlobURL decides.
	BlobAt func(account string, location tandem.Region) string
	// Blobs serves containers; nil: they cannot be managed through this endpoint.
	Blobs Blobs
}

// Resources holds ARM's own resources. Attach the other providers before it is served.
type Resources struct {
	c         Config
	providers []arm.Provider
	contents  []Contents

	deployments deployments
}

// Contents is a provider whose resources lie in resource groups.
type Contents interface {
	// ListResources gives the top-level resources of a subscription or, where group is not empty, of one group.
	ListResources(ctx context.Context, subscription, group string) ([]Listed, error)
	// DeleteGroup deletes the provider's resources in a group, for good. It may be called again after a crash.
	DeleteGroup(ctx context.Context, subscription, group string) error
}

// Listed is a resource as lists of all types show it, without properties.
type Listed struct {
	arm.Resource
	SKU               any    `json:"sku,omitempty"`
	Kind              string `json:"kind,omitempty"`
	CreatedTime       string `json:"createdTime,omitempty"`       // only with $expand
	ChangedTime       string `json:"changedTime,omitempty"`       // only with $expand
	ProvisioningState string `json:"provisioningState,omitempty"` // only with $expand
}

// New makes a Resources and registers its long-running operations.
func New(c Config) (*Resources, error) {
	if c.Store == nil || c.Sealer == nil || c.Access == nil || c.Operations == nil || c.Clock == nil || c.Log == nil {
		return nil, &tandem.Error{Op: "make resources", Kind: tandem.Invalid, Remedy: "set Store, Sealer, Access, Operations, Clock and Log"}
	}
	if c.Prefix == "" {
		c.Prefix = "resources/"
	}
	if c.Tenants == nil {
		c.Tenants = func() []Tenant { return nil }
	}
	c.Endpoints = c.Endpoints.filled()
	r := &Resources{c: c}
	r.contents = []Contents{(*storageContents)(r)}
	r.deployments.running = map[string]context.CancelCauseFunc{}
	c.Operations.Register(arm.OperationKind{Code: deleteGroupCode, Resume: r.resumeDelete})
	c.Operations.Register(arm.OperationKind{Code: deployCode, Resume: r.resumeDeployment})
	c.Operations.Register(arm.OperationKind{Code: whatIfCode, Done: r.whatIfDone})
	r.providers = []arm.Provider{r.Provider(), r.Storage()}
	return r, nil
}

// Attach tells of other providers: they are listed, and those that are Contents are asked for resources and told of groups
// that go.
func (r *Resources) Attach(providers ...arm.Provider) {
	for _, p := range providers {
		r.providers = append(r.providers, p)
		if c, ok := p.(Contents); ok {
			r.contents = append(r.contents, c)
		}
	}
}

// Providers are all providers: ARM's own, Microsoft.Storage and those attached.
func (r *Resources) Providers() []arm.Provider { return r.providers }

// get reads one document; false where it is absent.
func get[T any](ctx context.Context, r *Resources, key string) (v T, at tandem.Revision, ok bool, err error) {
	doc, err := r.c.Store.Get(ctx, r.c.Prefix+key, 0)
	if tandem.KindOf(err) == tandem.NotFound {
		return v, 0, false, nil
	}
	if err != nil {
		return v, 0, false, err
	}
	if err := json.Unmarshal(doc.Value, &v); err != nil {
		return v, 0, false, &tandem.Error{Op: "read", Subject: doc.Key, Kind: tandem.Corrupt, Err: err, Remedy: "restore the document from a backup"}
	}
	return v, doc.Revision, true, nil
}

// list reads all documents below a key.
func list[T any](ctx context.Context, r *Resources, key string) ([]T, error) {
	out := []T{}
	o := store.ListOptions{Limit: 1000}
	for {
		page, err := r.c.Store.List(ctx, r.c.Prefix+key, o)
		if err != nil {
			return nil, err
		}
		for _, doc := range page.Documents {
			var v T
			if err := json.Unmarshal(doc.Value, &v); err != nil {
				return nil, &tandem.Error{Op: "read", Subject: doc.Key, Kind: tandem.Corrupt, Err: err, Remedy: "restore the document from a backup"}
			}
			out = append(out, v)
			o.After = doc.Key
		}
		if o.At = page.Revision; !page.More {
			return out, nil
		}
	}
}

// put writes one document if it is still as it was read; at zero demands that it is absent.
func (r *Resources) put(ctx context.Context, key string, v any, at tandem.Revision) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	key = r.c.Prefix + key
	_, err = r.c.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: key, Revision: at}}, Put: []store.Write{{Key: key, Value: value}}})
	return err
}

func (r *Resources) remove(ctx context.Context, key string) error {
	_, err := r.c.Store.Commit(ctx, store.Batch{Delete: []string{r.c.Prefix + key}})
	return err
}

func lower(s string) string { return strings.ToLower(s) }
