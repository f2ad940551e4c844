package node

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"tandem"
	"tandem/internal/replica"
	"tandem/internal/vault"
)

// vaultPath, and an account: how a node opens the storage account of a recovery group. The key in the answer is sealed with the
// deployment's master key, which every node has (law 7).
const vaultPath = "/tandem/v1/vaults/"

type vaultAccess struct {
	Sealed string `json:"sealed"`
}

func vaultContext(account string) []byte {
	return []byte("vault access\x00" + strings.ToLower(account))
}

// openVault opens the container of a recovery group by its ARM id, and makes it where it is missing.
func (n *Node) openVault(ctx context.Context, container string) (vault.Vault, error) {
	fail := func(kind tandem.Kind, err error) (vault.Vault, error) {
		return nil, &tandem.Error{Op: "open vault", Subject: container, Kind: kind, Err: err, Remedy: "name a container as …/storageAccounts/{account}/blobServices/default/containers/{name}, of an account of this deployment"}
	}
	id, err := tandem.ParseResourceID(container)
	if err != nil || !strings.EqualFold(id.Type(), "Microsoft.Storage/storageAccounts/blobServices/containers") {
		return fail(tandem.Invalid, errors.New("it is no id of a blob container"))
	}
	account := id.Names[0]
	key, err := n.accountKey(ctx, account)
	if err != nil {
		return fail(tandem.KindOf(err), err)
	}
	return n.container(ctx, replica.StorageAccess{Account: account, Container: id.Name(), Type: "AccessKey", Key: base64.StdEncoding.EncodeToString(key)}, true)
}

// accountKey gives a key of an account, from the control plane, or as it was told last while that does not answer.
func (n *Node) accountKey(ctx context.Context, account string) ([]byte, error) {
	if p := n.controlPlane(); p != nil {
		if keys, ok := p.resources.Keys(account); ok && len(keys) > 0 && len(keys[0]) > 0 {
			return keys[0], nil
		}
	}
	err := error(&tandem.Error{Op: "find storage account", Subject: account, Kind: tandem.NotFound, Remedy: "create it, or name another one"})
	for i := range n.homes() {
		var access vaultAccess
		if err = n.callPeer(ctx, http.MethodGet, n.homeAt(i).Internal+vaultPath+url.PathEscape(account), nil, &access); err == nil {
			n.recoveries.vaultKeys.Store(strings.ToLower(account), access.Sealed)
			break
		}
		if tandem.KindOf(err) == tandem.NotFound {
			return nil, err
		}
	}
	sealed, known := n.recoveries.vaultKeys.Load(strings.ToLower(account))
	if !known {
		return nil, err
	}
	return n.master.Open(sealed.(string), vaultContext(account))
}

func (n *Node) serveVault(w http.ResponseWriter, r *http.Request) {
	account := r.PathValue("account")
	p := n.controlPlane()
	if p == nil {
		writeKind(w, &tandem.Error{Op: "open vault", Subject: account, Kind: tandem.Unavailable, Remedy: "ask another control member"})
		return
	}
	keys, ok := p.resources.Keys(account)
	if !ok || len(keys) == 0 || len(keys[0]) == 0 {
		writeKind(w, &tandem.Error{Op: "open vault", Subject: account, Kind: tandem.NotFound, Remedy: "name a storage account of this deployment"})
		return
	}
	sealed, err := n.master.Seal(keys[0], vaultContext(account))
	if err != nil {
		writeKind(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(vaultAccess{sealed}) // the peer went away; it asks again
}
