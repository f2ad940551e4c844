package identity

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"strings"

	"tandem"
)

// rebuild makes the view from the documents. The caller holds the lock.
func (d *Directory) rebuild() error {
	s := Snapshot{Revision: d.seen}
	apps, signers := map[string]Application{}, map[string]*rsa.PrivateKey{}
	keys := make([]string, 0, len(d.docs))
	for key := range d.docs {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		folder, _, _ := strings.Cut(key, "/")
		var err error
		value := d.docs[key].Value
		switch folder + "/" {
		case folderTenants:
			err = add(&s.Tenants, value)
		case folderApps:
			var a Application
			if err = json.Unmarshal(value, &a); err == nil {
				apps[strings.ToLower(a.AppID)] = a
			}
		case folderPrincipals:
			err = add(&s.Principals, value)
		case folderRoles:
			err = add(&s.RoleDefinitions, value)
		case folderAssignments:
			err = add(&s.RoleAssignments, value)
		case folderKeys:
			err = d.addKey(&s, signers, value)
		}
		if err != nil {
			return &tandem.Error{Op: "read directory entry", Subject: key, Kind: tandem.Corrupt, Err: err, Remedy: "restore the directory from a backup"}
		}
	}
	v, err := newView(s)
	if err != nil {
		return err
	}
	d.apps, d.signers = apps, signers
	d.current.Store(v)
	close(d.changed)
	d.changed = make(chan struct{})
	return nil
}

func add[T any](list *[]T, value []byte) error {
	var v T
	if err := json.Unmarshal(value, &v); err != nil {
		return err
	}
	*list = append(*list, v)
	return nil
}

// Snapshot is what a Replica in another place needs.
func (d *Directory) Snapshot() Snapshot { return d.current.Load().Snapshot }

// WatchSnapshots calls yield with the snapshot now and with each newer one, the newest only where several came at once,
// until ctx ends (it returns nil) or yield fails (it returns that error).
func (d *Directory) WatchSnapshots(ctx context.Context, yield func(Snapshot) error) error {
	for {
		d.mu.Lock()
		changed, s := d.changed, d.current.Load().Snapshot
		d.mu.Unlock()
		if err := yield(s); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
