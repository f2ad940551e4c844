package node

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/vault/blobserver"
)

// containersPath, and /{account} or /{account}/{container}: the containers of accounts whose blobs lie on the node.
const containersPath = "/tandem/v1/containers"

// keepsBlobs says whether storage accounts lie on this node: on a single home all do.
func (n *Node) keepsBlobs() bool { return n.single() || n.Control != nil && n.Control.Storage }

// openBlobs serves the storage accounts that lie here.
func (n *Node) openBlobs() error {
	b, err := blobserver.New(blobserver.Config{Dir: n.path("blobs"), Clock: n.Clock, Keys: func(account string) ([][]byte, bool) {
		p := n.controlPlane()
		if p == nil {
			return nil, false
		}
		return p.resources.Keys(account)
	}, Bearer: n.blobAccess, Authority: n.addresses.Authority})
	if err != nil {
		return err
	}
	n.blobs = b
	n.onStop(b.Close)
	n.fronts.blob.set(http.HandlerFunc(n.serveBlobs))
	return nil
}

// serveBlobs serves the accounts that lie here and tells of others where they are.
func (n *Node) serveBlobs(w http.ResponseWriter, r *http.Request) {
	account, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !n.single() {
		p := n.controlPlane()
		if p == nil {
			http.Error(w, "the control plane has not started on this node; try again in a moment", http.StatusServiceUnavailable)
			return
		}
		if location, ok, err := p.resources.AccountLocation(r.Context(), account); err == nil && ok {
			if at := n.blobAt(location); at != n.addresses.Blob {
				http.Error(w, "the storage account "+account+" lies at "+at+"/"+account+"/", http.StatusMisdirectedRequest)
				return
			}
		}
	}
	n.blobs.ServeHTTP(w, r)
}

// blobAccess decides over a bearer token at the blob endpoint, as Azure does by data roles.
func (n *Node) blobAccess(ctx context.Context, token string, a blobserver.Access) error {
	c := n.controlPlane()
	if c == nil {
		return &tandem.Error{Op: "open storage account", Subject: a.Account, Kind: tandem.Unavailable, Remedy: "try again when the control plane has started"}
	}
	_, p, err := c.directory.Verify(token, []string{storageAudience})
	if err != nil {
		return err
	}
	scope, ok := c.resources.AccountID(ctx, a.Account)
	if !ok {
		return &tandem.Error{Op: "open storage account", Subject: a.Account, Kind: tandem.NotFound}
	}
	return c.directory.AuthoriseData(ctx, p, a.Action, scope)
}

// storagePlace is a node that keeps blobs.
type storagePlace struct {
	region         tandem.Region
	blob, internal string
}

// storagePlaces are the nodes that keep blobs, in the same order on every member.
func (n *Node) storagePlaces() []storagePlace {
	var out []storagePlace
	if n.keepsBlobs() {
		out = append(out, storagePlace{region: n.Region, blob: n.addresses.Blob})
	}
	for _, p := range n.Peers {
		if p.Blob != "" {
			out = append(out, storagePlace{p.Region, strings.TrimSuffix(p.Blob, "/"), p.Internal})
		}
	}
	slices.SortFunc(out, func(a, b storagePlace) int { return cmp.Compare(a.region, b.region) })
	return out
}

// storageAt is the node that keeps the accounts of a location: the one of that region, else the first of all.
func (n *Node) storageAt(location tandem.Region) (storagePlace, bool) {
	all := n.storagePlaces()
	for _, p := range all {
		if p.region == location {
			return p, true
		}
	}
	if len(all) == 0 {
		return storagePlace{}, false
	}
	return all[0], true
}

// blobAt is the address below which the accounts of a location lie.
func (n *Node) blobAt(location tandem.Region) string {
	p, _ := n.storageAt(location)
	return p.blob
}

// placedBlobs implements resources.Blobs: containers are made, listed and deleted on the node that keeps the account.
type placedBlobs struct{ n *Node }

// CreateContainer implements resources.Blobs.
func (b placedBlobs) CreateContainer(ctx context.Context, account, name string) error {
	return b.at(ctx, account, http.MethodPut, name, nil, func() error { return b.n.blobs.CreateContainer(ctx, account, name) })
}

// DeleteContainer implements resources.Blobs.
func (b placedBlobs) DeleteContainer(ctx context.Context, account, name string) error {
	return b.at(ctx, account, http.MethodDelete, name, nil, func() error { return b.n.blobs.DeleteContainer(ctx, account, name) })
}

// ListContainers implements resources.Blobs.
func (b placedBlobs) ListContainers(ctx context.Context, account string) (names []string, err error) {
	err = b.at(ctx, account, http.MethodGet, "", &names, func() (err error) { names, err = b.n.blobs.ListContainers(ctx, account); return err })
	return names, err
}

func (b placedBlobs) at(ctx context.Context, account, method, container string, into any, here func() error) error {
	n := b.n
	location := n.Region
	if p := n.controlPlane(); p != nil && !n.single() {
		at, ok, err := p.resources.AccountLocation(ctx, account)
		if err != nil {
			return err
		}
		if ok {
			location = at
		}
	}
	place, ok := n.storageAt(location)
	switch {
	case !ok:
		return &tandem.Error{Op: "open storage account", Subject: account, Kind: tandem.Unsupported, Err: fmt.Errorf("no node of the deployment keeps blobs"), Remedy: "set control.storage on a member, and blob at its peers"}
	case place.internal == "":
		return here()
	}
	path := place.internal + containersPath + "/" + url.PathEscape(account)
	if container != "" {
		path += "/" + url.PathEscape(container)
	}
	err := n.callPeer(ctx, method, path, nil, into)
	if tandem.KindOf(err) == tandem.Unavailable {
		return &tandem.Error{Op: "open storage account", Subject: account, Kind: tandem.Unavailable, Err: err, Remedy: "bring " + string(place.region) + " back, which keeps its blobs"}
	}
	return err
}

// serveContainers is the side of the node that keeps the blobs.
func (n *Node) serveContainers(w http.ResponseWriter, r *http.Request) {
	account, container := r.PathValue("account"), r.PathValue("container")
	var names []string
	err := error(&tandem.Error{Op: "open storage account", Subject: account, Kind: tandem.Unsupported, Remedy: "ask a node with control.storage"})
	if n.blobs != nil {
		switch r.Method {
		case http.MethodPut:
			err = n.blobs.CreateContainer(r.Context(), account, container)
		case http.MethodDelete:
			err = n.blobs.DeleteContainer(r.Context(), account, container)
		default:
			names, err = n.blobs.ListContainers(r.Context(), account)
		}
	}
	if err != nil {
		writeKind(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(names) // the peer went away; it asks again
}
