package replica

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/gateway"
	"tandem/internal/store"
	"tandem/internal/vault"
)

// Gateways are the gateways of a region's services, as a restore needs them: each compiles a staged generation dry before
// the swap, and says when it serves it.
type Gateways interface {
	Prepare(ctx context.Context, service tandem.ResourceID, documents iter.Seq2[store.Document, error]) ([]gateway.Problem, error)
	WaitFor(ctx context.Context, service tandem.ResourceID, g tandem.Generation, r tandem.Revision) error
}

// StorageAccess is what a backup or restore call says of its storage account.
type StorageAccess struct {
	Account, Container string
	Type               string // AccessKey, SystemAssignedManagedIdentity or UserAssignedManagedIdentity
	Key                string // of AccessKey; a secret
	ClientID           string // of UserAssignedManagedIdentity
}

// NativeConfig is what the native backup and restore calls work with.
type NativeConfig struct {
	APIM       *apim.Provider
	Operations *arm.Operations
	Gateways   Gateways
	Clock      tandem.Clock
	Log        *slog.Logger
	Region     tandem.Region
	// Container opens a container of a storage account; create makes it where it is missing.
	Container func(ctx context.Context, a StorageAccess, create bool) (vault.Vault, error)
	// Recipients and Identities encrypt and decrypt backups: the vault's identity of the deployment, the same in all
	// regions, and the offline recovery recipient.
	Recipients []age.Recipient
	Identities []age.Identity
	// Begin opens a restore as a write to the service, by its ARM id; end says whether its success may be told: the service
	// may have lost the right to take writes (law 4). Nil: every service may be written.
	Begin func(service string) (end func() error, err error)
	// Temp is a folder for backups on their way; empty: the system's.
	Temp string
}

// Native serves POST …/backup and …/restore of API Management.
type Native struct{ NativeConfig }

// NewNative makes the provider of the two calls, and tells the operations how to settle what a crash interrupted.
func NewNative(c NativeConfig) *Native {
	n := &Native{c}
	n.Operations.Register(arm.OperationKind{Code: "Backup", Done: n.APIM.ServiceResult, Resume: n.interrupted})
	n.Operations.Register(arm.OperationKind{Code: "Restore", Done: n.APIM.ServiceResult, Resume: n.interrupted})
	return n
}

// Namespace implements arm.Provider.
func (n *Native) Namespace() string { return apim.Namespace }

// Types implements arm.Provider.
func (n *Native) Types() []arm.TypeInfo { return nil }

// Routes implements arm.Provider.
func (n *Native) Routes() []arm.Route {
	return []arm.Route{
		{Method: http.MethodPost, Pattern: apim.ServicePath + "/backup", Handler: n.start("Backup", n.backup)},
		{Method: http.MethodPost, Pattern: apim.ServicePath + "/restore", Handler: n.start("Restore", n.rightly)},
	}
}

// rightly restores a service that has the right to take writes, from the begin to the telling.
func (n *Native) rightly(ctx context.Context, c *call) (json.RawMessage, error) {
	if n.Begin == nil {
		return n.restore(ctx, c)
	}
	end, err := n.Begin(c.record.ID)
	if err != nil {
		return nil, err
	}
	out, err := n.restore(ctx, c)
	if late := end(); err == nil && late != nil {
		return nil, late
	}
	return out, err
}

// call is one backup or restore under way.
type call struct {
	owner   string // of the space's lock
	service *apim.Service
	record  *apim.Record
	storage StorageAccess
	blob    string
}

// callData is what is kept of a call to settle it after a crash. It has no secret.
type callData struct {
	Owner   string `json:"owner"`
	Service string `json:"service"`
	Blob    string `json:"blob"`
}

// body is the calls' body. Names match without regard to case: old callers write backupname.
type body struct {
	StorageAccount, ContainerName, BackupName, AccessType, AccessKey, ClientID string
}

func (n *Native) start(code string, run func(context.Context, *call) (json.RawMessage, error)) arm.Handler {
	return func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		c, err := n.read(ctx, r)
		if err != nil {
			return nil, err
		}
		if err := n.APIM.BeginOperation(ctx, c.record); err != nil {
			return nil, err
		}
		data, err := json.Marshal(callData{Owner: c.owner, Service: c.record.ID, Blob: c.blob})
		if err != nil {
			return nil, err
		}
		resp, err := n.Operations.Start(ctx, r, arm.Start{Code: code, Resource: c.record.ID, Data: data, Run: func(ctx context.Context) (json.RawMessage, error) {
			result, err := run(ctx, c)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx) // the process stops; the next one settles the operation
			}
			return result, errors.Join(err, n.APIM.EndOperation(ctx, c.service.ID))
		}})
		if err != nil {
			return nil, errors.Join(err, n.APIM.EndOperation(ctx, c.service.ID))
		}
		return resp, nil
	}
}

func (n *Native) read(ctx context.Context, r *arm.Request) (*call, error) {
	var b body
	if err := r.Decode(&b); err != nil {
		return nil, err
	}
	service, record, err := n.APIM.FindRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	for name, v := range map[string]string{"storageAccount": b.StorageAccount, "containerName": b.ContainerName, "backupName": b.BackupName} {
		if v == "" {
			return nil, missing(name)
		}
	}
	switch {
	case b.AccessType == "" || strings.EqualFold(b.AccessType, "AccessKey"):
		b.AccessType = "AccessKey"
		if b.AccessKey == "" {
			return nil, missing("accessKey")
		}
	case strings.EqualFold(b.AccessType, "SystemAssignedManagedIdentity"), strings.EqualFold(b.AccessType, "UserAssignedManagedIdentity"):
	default:
		return nil, arm.Errorf(http.StatusBadRequest, "ValidationError", "accessType %q is not one of AccessKey, SystemAssignedManagedIdentity, UserAssignedManagedIdentity.", b.AccessType)
	}
	if tier := record.Sku.Name; tier == "Consumption" || strings.HasSuffix(tier, "V2") {
		return nil, arm.Errorf(http.StatusBadRequest, "OperationNotSupported", "Backup and restore are not supported in the %s tier; protect the service by logical capture instead.", tier)
	}
	return &call{owner: rand.Text(), service: service, record: record, blob: b.BackupName,
		storage: StorageAccess{Account: b.StorageAccount, Container: b.ContainerName, Type: b.AccessType, Key: b.AccessKey, ClientID: b.ClientID}}, nil
}

func missing(name string) *arm.Error {
	return &arm.Error{Status: http.StatusBadRequest, Code: "ValidationError", Message: "One or more fields contain incorrect values:",
		Details: []arm.ErrorDetail{{Code: "ValidationError", Target: name, Message: name + " is required."}}}
}

// Outcome is what a finished backup or restore tells.
type Outcome struct {
	Resources int               `json:"resources"`
	Bytes     int64             `json:"bytes"`
	Millis    int64             `json:"ms"`
	Revision  tandem.Revision   `json:"revision"`
	Warnings  []gateway.Problem `json:"warnings,omitempty"`
}

func (n *Native) backup(ctx context.Context, c *call) (json.RawMessage, error) {
	began := n.Clock.Now()
	v, err := n.Container(ctx, c.storage, true)
	if err != nil {
		return nil, failed("BackupFailed", "The container %s of the storage account %s cannot be opened: %v", c.storage.Container, c.storage.Account, err)
	}
	spool, err := os.CreateTemp(n.Temp, "backup-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(spool.Name()) //nolint:errcheck // a file in the temporary folder
	defer spool.Close()           //nolint:errcheck // read only from here on
	m, err := Capture(ctx, c.service, c.record, n.Region, n.Clock, spool, n.Recipients)
	if err != nil {
		return nil, failed("BackupFailed", "The configuration cannot be captured: %v", err)
	}
	size, err := spool.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if _, err := v.Put(ctx, c.blob, spool, vault.PutOptions{}); err != nil {
		return nil, failed("BackupFailed", "The backup cannot be written to %s/%s: %v", c.storage.Container, c.blob, err)
	}
	return json.Marshal(Outcome{Resources: total(m.Counts), Bytes: size, Millis: n.Clock.Now().Sub(began).Milliseconds(), Revision: m.Revision})
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func failed(code, format string, args ...any) *arm.Error {
	return arm.Errorf(http.StatusBadRequest, code, format, args...)
}

// interrupted settles a backup or restore whose process died: what was staged is given up, the lock is taken off, and the
// operation is reported as failed. The service serves what it served.
func (n *Native) interrupted(ctx context.Context, op arm.Operation) (json.RawMessage, error) {
	var d callData
	if err := json.Unmarshal(op.Data, &d); err != nil {
		return nil, err
	}
	id, err := tandem.ParseResourceID(d.Service)
	if err != nil {
		return nil, err
	}
	service, _, err := n.APIM.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	if h, err := service.Space.Head(ctx); err == nil && h.Lock != nil && h.Lock.Owner == d.Owner {
		if err := service.Space.Unlock(ctx, d.Owner); err != nil {
			return nil, err
		}
		if err := service.Space.Sweep(ctx); err != nil {
			return nil, err
		}
	}
	if err := n.APIM.EndOperation(ctx, id); err != nil {
		return nil, err
	}
	return nil, failed(op.Code+"Failed", "The process ended while the operation ran. The service serves what it served before; start the operation again. (%s)", fmt.Sprint(d.Blob))
}
