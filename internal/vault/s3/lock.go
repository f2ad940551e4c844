package s3

import (
	"context"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
)

// objectLock remembers whether the bucket has object lock: it can only be switched on, never off.
type objectLock struct {
	mu sync.Mutex
	on bool
}

// CanRetain implements vault.Retainer: S3 Object Lock has to be on for the bucket, which makes it versioned too.
func (v *Vault) CanRetain(ctx context.Context) (bool, error) {
	v.lock.mu.Lock()
	defer v.lock.mu.Unlock()
	if v.lock.on {
		return true, nil
	}
	state, _, _, _, err := v.c.GetObjectLockConfig(ctx, v.bucket)
	switch code := minio.ToErrorResponse(err).Code; {
	case err == nil:
		v.lock.on = state == "Enabled"
		return v.lock.on, nil
	case code == "ObjectLockConfigurationNotFoundError", code == "NotImplemented", code == "MethodNotAllowed":
		return false, nil
	}
	return false, wrap("read object lock of bucket", v.bucket, err)
}

// Retain implements vault.Retainer, in compliance mode: nobody can shorten it, the account's owner included. A bucket with
// object lock is versioned, so that a deletion hides a blob behind a marker and an overwriting adds a version; what was kept is
// still there and comes back when the marker or the newer version is removed.
func (v *Vault) Retain(ctx context.Context, name string, until time.Time) error {
	if _, has, err := v.c.GetObjectRetention(ctx, v.bucket, v.prefix+name, ""); err == nil && has != nil && !has.Before(until) {
		return nil
	}
	mode, until := minio.Compliance, until.UTC()
	if err := v.c.PutObjectRetention(ctx, v.bucket, v.prefix+name, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until}); err != nil {
		return wrap("retain blob", name, err)
	}
	return nil
}
