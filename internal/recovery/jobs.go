package recovery

import (
	"context"
	"strings"

	"tandem"
)

// Services works on services over the management API, for modes native and logical. Each call is done again after a crash, with
// the same name, and then finds what the first one did: a name is one backup. Errors of kind Unavailable and Locked may be
// tried again, others are final.
type Services interface {
	// Backup backs a service up into the vault under a name, and waits for its success. A backup of that name that is
	// complete already is the answer.
	Backup(ctx context.Context, service, vault, name string) (Backup, error)
	// Verify reads all of a backup and proves that it could be restored (law 9).
	Verify(ctx context.Context, vault, name string) error
	// Restore restores a backup into a service, with the overlay, and waits until it is served.
	Restore(ctx context.Context, service, vault, name string, overlay []OverlayRule) (Restored, error)
	// Serves proves that a service serves what it has.
	Serves(ctx context.Context, service string) error
	// Sync brings one service's configuration to another by capture, plan and apply, and waits until it is served.
	Sync(ctx context.Context, from, to string, overlay []OverlayRule) (Synced, error)
	// Prune deletes the oldest backups with a prefix beyond the newest keep.
	Prune(ctx context.Context, vault, prefix string, keep int) error
}

// Backup is a backup that was made.
type Backup struct {
	Name      string          `json:"name"`
	Revision  tandem.Revision `json:"revision"`
	Resources int             `json:"resources"`
	Bytes     int64           `json:"bytes"`
}

// Restored is what a restore did.
type Restored struct {
	Generation tandem.Generation `json:"generation"`
	Resources  int               `json:"resources"`
}

// Synced is what a sync did.
type Synced struct {
	Revision tandem.Revision `json:"revision"`
	Changes  int             `json:"changes"`
}

func normalID(id string) string { return "/" + strings.ToLower(strings.Trim(id, "/")) }
