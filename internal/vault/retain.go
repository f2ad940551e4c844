package vault

import (
	"context"
	"time"
)

// Retainer is a vault whose store can be told to refuse that a blob is deleted or changed before a time (object lock,
// immutability): also by whoever has Tandem's credentials.
type Retainer interface {
	// CanRetain tells whether the bucket or container is set up for it.
	CanRetain(ctx context.Context) (bool, error)
	// Retain keeps a blob until the time at least. It never shortens. Denied: the credentials may not.
	Retain(ctx context.Context, name string, until time.Time) error
}
