package resources

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

func sealContext(account, key string) []byte { return []byte("storage/" + account + "/" + key) }

// newKey makes an account key: 64 random bytes, sealed at once.
func (r *Resources) newKey(account, name string) (accountKey, error) {
	plain := make([]byte, 64)
	_, _ = rand.Read(plain) // never fails since Go 1.24
	sealed, err := r.c.Sealer.Seal(plain, sealContext(account, name))
	return accountKey{Name: name, Created: r.c.Clock.Now().UTC(), Sealed: sealed}, err
}

type keyResource struct {
	CreationTime string `json:"creationTime"`
	KeyName      string `json:"keyName"`
	Value        string `json:"value"`
	Permissions  string `json:"permissions"`
}

func (r *Resources) openKeys(a account) ([]keyResource, error) {
	var out []keyResource
	for _, k := range a.Keys {
		plain, err := r.c.Sealer.Open(k.Sealed, sealContext(a.Name, k.Name))
		if err != nil {
			return nil, err
		}
		out = append(out, keyResource{arm.FormatTime(k.Created), k.Name, base64.StdEncoding.EncodeToString(plain), "FULL"})
	}
	return out, nil
}

// Keys gives the keys of an account as its blob endpoint checks signatures with them: raw bytes. False where there is no such
// account, or where its keys cannot be read at the moment, which is logged.
func (r *Resources) Keys(name string) ([][]byte, bool) {
	a, _, ok, err := get[account](context.Background(), r, accountKeyOf(name))
	if err == nil && !ok {
		return nil, false
	}
	var out [][]byte
	for _, k := range a.Keys {
		var plain []byte
		if err == nil {
			plain, err = r.c.Sealer.Open(k.Sealed, sealContext(a.Name, k.Name))
		}
		out = append(out, plain)
	}
	if err != nil {
		r.c.Log.Error("the keys of a storage account cannot be read", "account", name, "error", err)
		return nil, false
	}
	return out, true
}

// EnsureStorageAccount makes an account where it is not there, and gives its keys in base64, as clients use them.
func (r *Resources) EnsureStorageAccount(ctx context.Context, subscription, groupName, name string, location tandem.Region) ([]string, error) {
	a, at, ok, err := get[account](ctx, r, accountKeyOf(name))
	if err != nil {
		return nil, err
	}
	if !ok {
		g, _, err := r.group(ctx, subscription, groupName)
		if err != nil {
			return nil, err
		}
		if why := nameProblem(name); why != "" {
			return nil, &tandem.Error{Op: "make storage account", Subject: name, Kind: tandem.Invalid, Remedy: why}
		}
		if a, err = r.newAccount(g, name, string(location)); err != nil {
			return nil, err
		}
		if err := r.put(ctx, accountKeyOf(name), a, at); err != nil {
			return nil, err
		}
	}
	keys, err := r.openKeys(a)
	var out []string
	for _, k := range keys {
		out = append(out, k.Value)
	}
	return out, err
}

type keyList struct {
	Keys []keyResource `json:"keys"`
}

func (p storage) listKeys(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, _, err := p.account(ctx, r)
	if err != nil {
		return nil, err
	}
	keys, err := p.openKeys(a)
	return &arm.Response{Body: keyList{keys}}, err
}

func (p storage) regenerateKey(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		KeyName string `json:"keyName"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	a, at, err := p.account(ctx, r)
	if err != nil {
		return nil, err
	}
	found := false
	for i, k := range a.Keys {
		if !strings.EqualFold(k.Name, body.KeyName) {
			continue
		}
		found = true
		if a.Keys[i], err = p.newKey(a.Name, k.Name); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidValuesForRequestParameters", "Values for request parameters are invalid: keyName. It must be key1 or key2.")
	}
	if err := p.put(ctx, accountKeyOf(a.Name), a, at); err != nil {
		return nil, conflict(err, a.id())
	}
	keys, err := p.openKeys(a)
	return &arm.Response{Body: keyList{keys}}, err
}
