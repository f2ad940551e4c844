package node

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
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
	v, err := azure.Open(azure.Options{Endpoint: n.blobBase() + "/" + a.Account, Account: a.Account, Container: a.Container, Key: key, Transport: &http.Client{Transport: n.outbound}})
	if err != nil || !create {
		return v, err
	}
	return v, v.Create(ctx)
}

// blobBase is the address below which storage accounts lie: the home's blob endpoint.
func (n *Node) blobBase() string {
	if home := n.home(); home != nil {
		return strings.TrimSuffix(home.Blob, "/")
	}
	return n.addresses.Blob
}
