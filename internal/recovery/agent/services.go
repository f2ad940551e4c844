package agent

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"tandem"
	"tandem/internal/recovery"
	"tandem/internal/vault"
)

// Services is recovery.Services over the agents of all nodes: each call goes to the node that has the service. It is the
// controller's, at whichever control member leads.
type Services struct {
	Node   func(service string) string // the internal address of the node that has it; empty: none is known
	Client *http.Client
	Vault  func(ctx context.Context, container string) (vault.Vault, error)
	Proves func(ctx context.Context, container, name string) error // Agent.Verify of the node that leads
}

var _ recovery.Services = Services{}

const (
	backupPath  = Path + "backup"
	restorePath = Path + "restore"
	servesPath  = Path + "serves"
	syncPath    = Path + "sync"
	capturePath = Path + "capture"
)

// work is a call of Services on its way to a node.
type work struct {
	Service string                 `json:"service,omitempty"`
	From    string                 `json:"from,omitempty"`
	Node    string                 `json:"node,omitempty"` // that has From
	Vault   string                 `json:"vault,omitempty"`
	Name    string                 `json:"name,omitempty"`
	Overlay []recovery.OverlayRule `json:"overlay,omitempty"`
}

// serveWork adds the calls to an agent's handler.
func (a *Agent) serveWork(mux *http.ServeMux) {
	add := func(path string, do func(ctx context.Context, in work) (any, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, do) })
	}
	add(backupPath, func(ctx context.Context, in work) (any, error) { return a.Backup(ctx, in.Service, in.Vault, in.Name) })
	add(restorePath, func(ctx context.Context, in work) (any, error) {
		return a.Restore(ctx, in.Service, in.Vault, in.Name, in.Overlay)
	})
	add(servesPath, func(ctx context.Context, in work) (any, error) { return nil, a.Serves(ctx, in.Service) })
	add(syncPath, func(ctx context.Context, in work) (any, error) {
		return a.Sync(ctx, in.Node, in.From, in.Service, in.Overlay)
	})
	mux.HandleFunc("GET "+capturePath, a.serveCapture)
}

func (s Services) post(ctx context.Context, service, path string, in work, out any) error {
	node := s.Node(service)
	if node == "" {
		return &tandem.Error{Op: "find node", Subject: service, Kind: tandem.NotFound, Err: errors.New("no region has the service"), Remedy: "create it, or name another one in the group"}
	}
	return (&remote{node, s.Client}).post(ctx, path, in, out)
}

// Backup implements recovery.Services.
func (s Services) Backup(ctx context.Context, service, vault, name string) (out recovery.Backup, err error) {
	err = s.post(ctx, service, backupPath, work{Service: service, Vault: vault, Name: name}, &out)
	return out, err
}

// Verify implements recovery.Services: the node that leads reads the backup itself.
func (s Services) Verify(ctx context.Context, vault, name string) error {
	return s.Proves(ctx, vault, name)
}

// Restore implements recovery.Services.
func (s Services) Restore(ctx context.Context, service, vault, name string, overlay []recovery.OverlayRule) (out recovery.Restored, err error) {
	err = s.post(ctx, service, restorePath, work{Service: service, Vault: vault, Name: name, Overlay: overlay}, &out)
	return out, err
}

// Serves implements recovery.Services.
func (s Services) Serves(ctx context.Context, service string) error {
	return s.post(ctx, service, servesPath, work{Service: service}, nil)
}

// Sync implements recovery.Services.
func (s Services) Sync(ctx context.Context, from, to string, overlay []recovery.OverlayRule) (out recovery.Synced, err error) {
	err = s.post(ctx, to, syncPath, work{Service: to, From: from, Node: s.Node(from), Overlay: overlay}, &out)
	return out, err
}

// Prune implements recovery.Services: the newest are those that the vault wrote last, as far as its own clock tells.
func (s Services) Prune(ctx context.Context, container, prefix string, keep int) error {
	v, err := s.Vault(ctx, container)
	if err != nil || keep <= 0 {
		return err
	}
	var all []vault.Info
	for info, err := range v.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(info.Name, originSuffix) {
			all = append(all, info)
		}
	}
	slices.SortStableFunc(all, func(a, b vault.Info) int {
		return b.Modified.Round(time.Millisecond).Compare(a.Modified.Round(time.Millisecond))
	})
	for _, old := range all[min(keep, len(all)):] {
		if err := errors.Join(v.Delete(ctx, old.Name), v.Delete(ctx, old.Name+originSuffix)); err != nil {
			return err
		}
	}
	return nil
}
