// Package azure is a vault in a container of Azure Blob storage, or of the embedded endpoint, by the official SDK.
package azure

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"tandem"
	"tandem/internal/vault"
)

// Options name a container. Exactly one of Key and Token is given.
type Options struct {
	// Endpoint is the account's URL: "https://acct.blob.core.windows.net", or "https://host:port/acct" in path style.
	Endpoint  string
	Account   string
	Container string
	Key       []byte                 // of the account, decoded
	Token     azcore.TokenCredential // a managed identity or a service principal
	Transport *http.Client           // trusts the endpoint's CA; nil: the SDK's own
	Retries   int32                  // of one call; zero: the SDK's three, negative: none
}

// Vault is one container.
type Vault struct {
	c    *container.Client
	name string
	lock *immutability
}

// Open makes no call. Create makes the container where it is absent.
func Open(o Options) (*Vault, error) {
	fail := func(err error) (*Vault, error) {
		return nil, &tandem.Error{Op: "open vault", Subject: o.Endpoint + "/" + o.Container, Kind: tandem.Invalid, Err: err,
			Remedy: "give an endpoint that begins with https://, a container, and either an account key or a token credential"}
	}
	if o.Endpoint == "" || o.Container == "" || (o.Token == nil) == (o.Key == nil) {
		return fail(errors.New("the options are not complete"))
	}
	opts := &azblob.ClientOptions{ClientOptions: azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: o.Retries}}}
	if o.Transport != nil {
		opts.Transport = o.Transport
	}
	var client *azblob.Client
	if o.Key != nil {
		cred, err := azblob.NewSharedKeyCredential(o.Account, base64.StdEncoding.EncodeToString(o.Key))
		if err != nil {
			return fail(errors.New("the account key is not one"))
		}
		if client, err = azblob.NewClientWithSharedKeyCredential(o.Endpoint, cred, opts); err != nil {
			return fail(err)
		}
	} else {
		var err error
		if client, err = azblob.NewClient(o.Endpoint, o.Token, opts); err != nil {
			return fail(err)
		}
	}
	return &Vault{c: client.ServiceClient().NewContainerClient(o.Container), name: o.Container, lock: &immutability{}}, nil
}

// Create makes the container; that it exists is no error.
func (v *Vault) Create(ctx context.Context) error {
	_, err := v.c.Create(ctx, nil)
	if err != nil && !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return wrap("create container", v.name, err)
	}
	return nil
}

// Put implements vault.Vault. Blocks that a Put leaves behind when it fails are dropped by the service after a week.
func (v *Vault) Put(ctx context.Context, name string, r io.Reader, o vault.PutOptions) (vault.Info, error) {
	if err := checkName(name); err != nil {
		return vault.Info{}, err
	}
	src := &vault.Source{R: vault.Reader(ctx, r)}
	count := &counter{r: src}
	opts := &azblob.UploadStreamOptions{BlockSize: 4 << 20, Concurrency: 2}
	if o.IfAbsent {
		opts.AccessConditions = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
	}
	done, err := v.c.NewBlockBlobClient(name).UploadStream(ctx, count, opts)
	if src.Err != nil {
		return vault.Info{}, src.Err
	}
	if err != nil {
		return vault.Info{}, wrap("put blob", name, err)
	}
	info := vault.Info{Name: name, Size: count.n}
	if done.LastModified != nil {
		info.Modified = *done.LastModified
	}
	return info, nil
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Get implements vault.Vault.
func (v *Vault) Get(ctx context.Context, name string, part vault.Range) (io.ReadCloser, vault.Info, error) {
	if err := errors.Join(checkName(name), vault.CheckRange(name, part)); err != nil {
		return nil, vault.Info{}, err
	}
	resp, err := v.c.NewBlobClient(name).DownloadStream(ctx, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: part.Offset, Count: part.Length}})
	if err != nil {
		return nil, vault.Info{}, wrap("get blob", name, err)
	}
	info := vault.Info{Name: name, Size: deref(resp.ContentLength), Modified: deref(resp.LastModified)}
	if resp.ContentRange != nil { // "bytes 0-9/100"
		if _, err := fmt.Sscanf(*resp.ContentRange, "bytes %d-%d/%d", new(int64), new(int64), &info.Size); err != nil {
			return nil, vault.Info{}, errors.Join(wrap("get blob", name, errors.New("the answer has no proper Content-Range")), resp.Body.Close())
		}
	}
	if part != (vault.Range{}) && part.Offset >= info.Size { // Azure answers 416; others answer with nothing
		return nil, vault.Info{}, errors.Join(vault.PastEnd(name, part, info.Size), resp.Body.Close())
	}
	// A broken connection is taken up again where it broke, as long as the blob has the same ETag.
	return &body{resp.NewRetryReader(ctx, nil), name}, info, nil
}

// body turns what breaks a download into our kinds.
type body struct {
	io.ReadCloser
	name string
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = wrap("get blob", b.name, err)
	}
	return n, err
}

// Head implements vault.Vault.
func (v *Vault) Head(ctx context.Context, name string) (vault.Info, error) {
	if err := checkName(name); err != nil {
		return vault.Info{}, err
	}
	p, err := v.c.NewBlobClient(name).GetProperties(ctx, nil)
	if err != nil {
		return vault.Info{}, wrap("read blob", name, err)
	}
	return vault.Info{Name: name, Size: deref(p.ContentLength), Modified: deref(p.LastModified)}, nil
}

// List implements vault.Vault.
func (v *Vault) List(ctx context.Context, prefix string) iter.Seq2[vault.Info, error] {
	return func(yield func(vault.Info, error) bool) {
		pages := v.c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
		for pages.More() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(vault.Info{}, wrap("list blobs", v.name, err))
				return
			}
			for _, b := range page.Segment.BlobItems {
				if b.Name == nil || b.Properties == nil {
					continue
				}
				if !yield(vault.Info{Name: *b.Name, Size: deref(b.Properties.ContentLength), Modified: deref(b.Properties.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

// Delete implements vault.Vault.
func (v *Vault) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	_, err := v.c.NewBlobClient(name).Delete(ctx, nil)
	if err != nil && !bloberror.HasCode(err, bloberror.BlobNotFound) {
		return wrap("delete blob", name, err)
	}
	return nil
}

// checkName takes what Azure takes: 1 to 1,024 characters, none of them a control character.
func checkName(name string) error {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > 1024 || strings.ContainsFunc(name, unicode.IsControl) {
		return &tandem.Error{Op: "name blob", Subject: fmt.Sprintf("%q", name), Kind: tandem.Invalid, Remedy: "choose 1 to 1,024 characters without control characters"}
	}
	return nil
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// wrap sorts an error of the SDK. The SDK prints whole requests; status and code are what matters.
func wrap(op, subject string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || tandem.KindOf(err) != "" {
		return err
	}
	e := &tandem.Error{Op: op, Subject: subject, Kind: tandem.Unavailable, Err: err, Remedy: "check that the storage account can be reached, and try again"}
	var re *azcore.ResponseError
	if !errors.As(err, &re) {
		return e
	}
	e.Err = fmt.Errorf("%d %s", re.StatusCode, re.ErrorCode)
	switch {
	case kept(re):
		e.Kind, e.Remedy = tandem.Locked, "wait until the blob's retention has passed"
	case re.StatusCode == http.StatusNotFound && re.ErrorCode == string(bloberror.ContainerNotFound):
		e.Kind, e.Remedy = tandem.NotFound, "create the container, or correct its name"
	case re.StatusCode == http.StatusNotFound:
		e.Kind, e.Remedy = tandem.NotFound, "list the vault to see what it holds"
	case bloberror.HasCode(err, bloberror.BlobAlreadyExists), re.StatusCode == http.StatusPreconditionFailed:
		e.Kind, e.Remedy = tandem.Exists, "choose another name"
	case re.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		e.Kind, e.Remedy = tandem.Invalid, "ask for a range inside of the blob"
	case re.StatusCode == http.StatusUnauthorized, bloberror.HasCode(err, bloberror.AuthenticationFailed):
		e.Kind, e.Remedy = tandem.Unauthenticated, "give the account's current key, or a token of its tenant"
	case re.StatusCode == http.StatusForbidden:
		e.Kind, e.Remedy = tandem.Denied, "give the identity the role Storage Blob Data Contributor, and let the firewall pass"
	case re.StatusCode == http.StatusBadRequest:
		e.Kind, e.Remedy = tandem.Invalid, "correct the request"
	case re.StatusCode == http.StatusInsufficientStorage, re.StatusCode == http.StatusRequestEntityTooLarge:
		e.Kind, e.Remedy = tandem.TooLarge, "free space in the storage account"
	}
	return e
}
