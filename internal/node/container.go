package node

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"tandem"
	"tandem/internal/replica"
	"tandem/internal/vault"
	"tandem/internal/vault/azure"
)

// container opens a container of a storage account for a backup or restore, with the account's key.
func (n *Node) container(ctx context.Context, a replica.StorageAccess, create bool) (vault.Vault, error) {
	if a.Type != "AccessKey" {
		return nil, &tandem.Error{Op: "open storage account", Subject: a.Account, Kind: tandem.Unsupported, Err: fmt.Errorf("this service has no managed identity"), Remedy: "give accessType AccessKey and the account's accessKey"}
	}
	key, err := base64.StdEncoding.DecodeString(a.Key)
	if err != nil {
		return nil, &tandem.Error{Op: "open storage account", Subject: a.Account, Kind: tandem.Invalid, Err: fmt.Errorf("the access key is not base64"), Remedy: "copy the key as listKeys gives it"}
	}
	base, err := n.blobBase(ctx, a.Account)
	if err != nil {
		return nil, err
	}
	v, err := azure.Open(azure.Options{Endpoint: base + "/" + a.Account, Account: a.Account, Container: a.Container, Key: key, Transport: &http.Client{Transport: n.outbound}})
	if err != nil || !create {
		return v, err
	}
	return v, v.Create(ctx)
}

// accountPath, and an account: the address below which its blobs lie.
const accountPath = "/tandem/v1/accounts/"

// accountPlace is where the blobs of a storage account lie.
type accountPlace struct {
	Blob string `json:"blob"` // without the account
}

// blobBase is the address below which an account lies. The account of a deployment is known to the control plane; a region
// asks it.
func (n *Node) blobBase(ctx context.Context, account string) (string, error) {
	fail := func(kind tandem.Kind, err error) (string, error) {
		return "", &tandem.Error{Op: "find storage account", Subject: account, Kind: kind, Err: err, Remedy: "name a storage account of this deployment, while its control plane answers"}
	}
	if n.single() {
		return n.addresses.Blob, nil
	}
	if p := n.controlPlane(); p != nil {
		location, ok, err := p.resources.AccountLocation(ctx, account)
		if err != nil {
			return fail(tandem.KindOf(err), err)
		}
		if !ok {
			return fail(tandem.NotFound, nil)
		}
		return n.blobAt(location), nil
	}
	homes := n.homes()
	if len(homes) == 1 && homes[0].Blob != "" {
		return strings.TrimSuffix(homes[0].Blob, "/"), nil
	}
	err := error(tandem.Unavailable)
	for i := range homes {
		var place accountPlace
		if err = n.callPeer(ctx, http.MethodGet, n.homeAt(i).Internal+accountPath+url.PathEscape(account), nil, &place); err == nil {
			return place.Blob, nil
		}
		if tandem.KindOf(err) == tandem.NotFound {
			break
		}
	}
	return fail(tandem.KindOf(err), err)
}

func (n *Node) serveAccount(w http.ResponseWriter, r *http.Request) {
	if n.controlPlane() == nil {
		writeKind(w, &tandem.Error{Op: "find storage account", Kind: tandem.Unavailable, Remedy: "ask another control member"})
		return
	}
	base, err := n.blobBase(r.Context(), r.PathValue("account"))
	if err != nil {
		writeKind(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(accountPlace{base}) // the peer went away; it asks again
}
