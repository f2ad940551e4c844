package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/snapshot"
	"tandem/internal/vault"
)

// backupView is one blob that is, or may be, a backup.
type backupView struct {
	Account, Container, Name string
	Size                     int64 // bytes
	Modified                 time.Time
	Manifest                 snapshot.Manifest
	Problem                  string // why the manifest cannot be shown
}

// Path is the backup's page.
func (b backupView) Path() string {
	var name []string
	for part := range strings.SplitSeq(b.Name, "/") {
		name = append(name, escape(part))
	}
	return "/backups/" + b.Account + "/" + b.Container + "/" + strings.Join(name, "/")
}

// manifests remembers what was read: the manifests of blobs, and lists of blobs for a moment, so that a page that is live
// does not read them each second. Roles are asked before it is.
type manifests struct {
	mu    sync.Mutex
	read  map[string]backupView // by place, size and time
	lists map[string]blobList   // by account and container
}

type blobList struct {
	at   time.Time
	all  []backupView
	more int // blobs that are not in the list
}

const (
	maxManifests = 500
	listsLast    = 3 * time.Second
	// backupsShown bounds the list of a container: the newest.
	backupsShown = 100
)

func newManifests() *manifests {
	return &manifests{read: map[string]backupView{}, lists: map[string]blobList{}}
}

// containerView is a container with its backups.
type containerView struct {
	Account, Container string
	Backups            []backupView // newest first
	More               int          // older ones that are not shown
	Problem            string
}

// containers reads all containers of all storage accounts that the role opens.
func (v *visit) containers() ([]containerView, error) {
	accounts, err := across[struct{ ID, Name string }](v, "Microsoft.Storage/storageAccounts", storageVersion)
	if err != nil {
		return nil, err
	}
	var out []containerView
	for _, a := range accounts {
		names, _, err := list[struct{ Name string }](v, a.ID+"/blobServices/default/containers", storageVersion)
		if err != nil {
			out = append(out, containerView{Account: a.Name, Problem: err.Error()})
			continue
		}
		for _, c := range names {
			view := containerView{Account: a.Name, Container: c.Name}
			if !v.may(listKeys, a.ID) {
				view.Problem = "Your role does not open this storage account: it needs " + listKeys + "."
			} else if l, err := v.blobs(a.Name, c.Name); err != nil {
				view.Problem = err.Error()
			} else {
				view.Backups, view.More = l.all, l.more
			}
			out = append(out, view)
		}
	}
	return out, nil
}

// listKeys is what opens the blobs of a storage account, as in Azure.
const listKeys = "Microsoft.Storage/storageAccounts/listKeys/action"

// blobs lists a container, newest first.
func (v *visit) blobs(account, container string) (blobList, error) {
	key := account + "/" + container
	v.manifests.mu.Lock()
	l, ok := v.manifests.lists[key]
	v.manifests.mu.Unlock()
	if ok && v.Clock.Now().Sub(l.at) < listsLast {
		return l, nil
	}
	store, err := v.Deployment.Container(v.ctx, account, container)
	if err != nil {
		return l, err
	}
	l = blobList{at: v.Clock.Now()}
	for info, err := range store.List(v.ctx, "") {
		if err != nil {
			return l, err
		}
		if !strings.HasSuffix(info.Name, snapshot.SignatureSuffix) {
			l.all = append(l.all, backupView{Account: account, Container: container, Name: info.Name, Size: info.Size, Modified: info.Modified})
		}
	}
	slices.SortFunc(l.all, func(a, b backupView) int {
		return cmp.Or(b.Modified.Compare(a.Modified), cmp.Compare(a.Name, b.Name))
	})
	if len(l.all) > backupsShown {
		l.more = len(l.all) - backupsShown
		l.all = l.all[:backupsShown]
	}
	for i, b := range l.all {
		l.all[i] = v.manifest(store, b)
	}
	v.manifests.mu.Lock()
	v.manifests.lists[key] = l
	v.manifests.mu.Unlock()
	return l, nil
}

// manifest reads what a backup says of itself.
func (v *visit) manifest(store vault.Vault, b backupView) backupView {
	key := fmt.Sprintf("%s %d %d", b.Path(), b.Size, b.Modified.UnixNano())
	m := v.manifests
	m.mu.Lock()
	known, ok := m.read[key]
	m.mu.Unlock()
	if ok {
		return known
	}
	r, done, err := v.openBackup(store, b)
	if err != nil {
		b.Problem = notABackup(err)
	} else {
		b.Manifest = r.Manifest()
		done()
	}
	if v.ctx.Err() != nil || tandem.KindOf(err) == tandem.Unavailable { // it says nothing of the backup
		return b
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.read) >= maxManifests {
		clear(m.read)
	}
	m.read[key] = b
	return b
}

func notABackup(err error) string {
	switch tandem.KindOf(err) {
	case tandem.Denied:
		return "It is sealed to other keys than this deployment's."
	case tandem.Unavailable:
		return "The storage account does not answer."
	}
	return "It is not a backup that can be read here: " + err.Error()
}

func (v *visit) openBackup(store vault.Vault, b backupView) (*snapshot.Reader, func(), error) {
	ctx, cancel := context.WithCancel(v.ctx)
	body, _, err := store.Get(ctx, b.Name, vault.Range{})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	r, err := snapshot.Open(ctx, body, v.Identities...)
	if err != nil {
		_ = body.Close() // it was only read
		cancel()
		return nil, nil, err
	}
	return r, func() { r.Close(); _ = body.Close(); cancel() }, nil // it was only read
}

type backupsPage struct {
	Containers []containerView
	Services   []serviceView
}

// Any says whether there is a backup at all.
func (p backupsPage) Any() bool {
	return slices.ContainsFunc(p.Containers, func(c containerView) bool { return len(c.Backups) > 0 })
}

func loadBackups(v *visit) (any, error) {
	services, err := v.services(nil)
	if err != nil {
		return nil, err
	}
	all, err := v.containers()
	return backupsPage{all, services}, err
}

// backupPage is one backup, read to its end.
type backupPage struct {
	Backup    backupView
	Kinds     []kindView
	Read      int
	Damage    string // why it cannot be read to its end
	Services  []serviceView
	Recipient bool
}

// kindView is the backup's resources of one kind.
type kindView struct {
	Kind  string
	Paths []string
}

func (p backupPage) title() string { return p.Backup.Name }

// errAccount stands for all reasons not to open a container, so that nobody learns what there is.
var errAccount = refusal{Status: http.StatusNotFound, Code: "NotFound", Message: "There is no such storage account, or your role does not open it."}

// account checks that the role opens a storage account.
func (v *visit) account(name string) (id string, err error) {
	accounts, err := across[struct{ ID, Name string }](v, "Microsoft.Storage/storageAccounts", storageVersion)
	if err != nil {
		return "", err
	}
	for _, a := range accounts {
		if strings.EqualFold(a.Name, name) && v.may(listKeys, a.ID) {
			return a.ID, nil
		}
	}
	return "", errAccount
}

func loadBackup(v *visit) (any, error) {
	b := backupView{Account: v.r.PathValue("account"), Container: v.r.PathValue("container"), Name: v.r.PathValue("blob")}
	if _, err := v.account(b.Account); err != nil {
		return nil, err
	}
	store, err := v.Deployment.Container(v.ctx, b.Account, b.Container)
	if err != nil {
		return nil, err
	}
	info, err := store.Head(v.ctx, b.Name)
	if err != nil {
		return nil, err
	}
	b.Size, b.Modified = info.Size, info.Modified
	page := backupPage{Backup: b}
	if page.Services, err = v.services(nil); err != nil {
		return nil, err
	}
	r, done, err := v.openBackup(store, b)
	if err != nil {
		page.Damage = notABackup(err)
		return page, nil
	}
	defer done()
	page.Backup.Manifest = r.Manifest()
	kinds := map[string][]string{}
	for one, err := range r.Resources(v.ctx) {
		if err != nil {
			page.Damage = err.Error()
			break
		}
		page.Read++
		path := one.Path
		if path == "" {
			path = "the service itself"
		}
		kinds[one.Kind()] = append(kinds[one.Kind()], path)
	}
	for kind, paths := range kinds {
		slices.Sort(paths)
		page.Kinds = append(page.Kinds, kindView{kind, paths})
	}
	slices.SortFunc(page.Kinds, func(a, b kindView) int { return cmp.Compare(a.Kind, b.Kind) })
	return page, nil
}
