package azure

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// immutability remembers whether the container has version-level immutability: it can only be switched on, never off.
type immutability struct {
	mu sync.Mutex
	on bool
}

// CanRetain implements vault.Retainer: the container needs version-level immutability support.
func (v *Vault) CanRetain(ctx context.Context) (bool, error) {
	v.lock.mu.Lock()
	defer v.lock.mu.Unlock()
	if v.lock.on {
		return true, nil
	}
	p, err := v.c.GetProperties(ctx, nil)
	if err != nil {
		return false, wrap("read container", v.name, err)
	}
	v.lock.on = deref(p.IsImmutableStorageWithVersioningEnabled)
	return v.lock.on, nil
}

// Retain implements vault.Retainer by a locked immutability policy, which nobody can shorten.
func (v *Vault) Retain(ctx context.Context, name string, until time.Time) error {
	if err := checkName(name); err != nil {
		return err
	}
	b := v.c.NewBlobClient(name)
	p, err := b.GetProperties(ctx, nil)
	if err != nil {
		return wrap("read blob", name, err)
	}
	if p.ImmutabilityPolicyExpiresOn != nil && !p.ImmutabilityPolicyExpiresOn.Before(until) {
		return nil
	}
	if _, err := b.SetImmutabilityPolicy(ctx, until.UTC(), &blob.SetImmutabilityPolicyOptions{Mode: to.Ptr(blob.ImmutabilityPolicySettingLocked)}); err != nil {
		return wrap("retain blob", name, err)
	}
	return nil
}

// kept tells the error of a blob whose retention has not passed.
func kept(re *azcore.ResponseError) bool {
	return re.StatusCode == http.StatusConflict && (re.ErrorCode == "BlobImmutableDueToPolicy" || re.ErrorCode == "BlobImmutableDueToLegalHold")
}
