// Package address opens a vault by its address, as people write it:
//
//	/backups, ./backups, file:///backups             a folder
//	azblob://ACCOUNT/CONTAINER                       Azure Blob storage
//	azblob://ACCOUNT/CONTAINER?endpoint=https://...  the same elsewhere, in path style
//	s3://BUCKET/PREFIX?region=eu-west-1              Amazon S3
//	s3://BUCKET?endpoint=minio.example.org:9000      a server that speaks its protocol; insecure=true for plain HTTP
//
// Credentials never stand in an address. Azure: AZURE_STORAGE_KEY, or an identity as the Azure libraries find one
// (AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET; a managed identity; the Azure command line). S3: AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
package address

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"tandem"
	"tandem/internal/vault"
	"tandem/internal/vault/azure"
	"tandem/internal/vault/dir"
	"tandem/internal/vault/s3"
)

// Options are what an address does not tell.
type Options struct {
	Getenv func(string) string // os.Getenv
	HTTP   *http.Client        // trusts the endpoint's authority; nil: the system's
}

// Open opens the vault at an address. It makes no call, but for a folder, which is made where it is absent.
func Open(text string, o Options) (vault.Vault, error) {
	v, err := open(text, o)
	if err != nil && tandem.KindOf(err) == "" {
		err = &tandem.Error{Op: "open vault", Subject: hidden(text), Kind: tandem.Invalid, Err: err, Remedy: "write a folder, azblob://ACCOUNT/CONTAINER or s3://BUCKET/PREFIX; docs/backup.md tells more"}
	}
	return v, err
}

// hidden is an address without what somebody may have put into it against the rules.
func hidden(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return text
	}
	u.User = nil
	return u.Redacted()
}

func open(text string, o Options) (vault.Vault, error) {
	if !strings.Contains(text, "://") {
		if text == "" {
			return nil, errors.New("the address is empty")
		}
		return dir.Open(filepath.FromSlash(text))
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("it is no address")
	}
	if u.User != nil {
		return nil, errors.New("credentials do not belong into an address")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("its options are not readable")
	}
	known := map[string][]string{"file": nil, "azblob": {"endpoint"}, "s3": {"endpoint", "region", "insecure"}}
	for name := range q {
		if !slices.Contains(known[u.Scheme], name) {
			return nil, errors.New("it has the unknown option " + name)
		}
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || u.Path == "" {
			return nil, errors.New("a folder's address is file:// and its full path")
		}
		return dir.Open(filepath.FromSlash(u.Path))
	case "azblob":
		return openAzure(u, q, o)
	case "s3":
		return openS3(u, q, o)
	}
	return nil, errors.New("it begins with " + u.Scheme + "://, which is no kind of vault")
}

func openAzure(u *url.URL, q url.Values, o Options) (vault.Vault, error) {
	a := azure.Options{Account: u.Host, Container: strings.Trim(u.Path, "/"), Endpoint: q.Get("endpoint"), Transport: o.HTTP}
	if a.Account == "" || a.Container == "" || strings.Contains(a.Container, "/") {
		return nil, errors.New("it names no account and container")
	}
	if a.Endpoint == "" {
		a.Endpoint = "https://" + a.Account + ".blob.core.windows.net"
	}
	if !strings.HasPrefix(a.Endpoint, "https://") {
		return nil, errors.New("its endpoint does not begin with https://")
	}
	if key := o.Getenv("AZURE_STORAGE_KEY"); key != "" {
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			return nil, &tandem.Error{Op: "read account key", Subject: "AZURE_STORAGE_KEY", Kind: tandem.Invalid, Err: errors.New("it is not base64"), Remedy: "copy the key of the storage account as the portal shows it"}
		}
		a.Key = raw
		return azure.Open(a)
	}
	opts := &azidentity.DefaultAzureCredentialOptions{}
	if o.HTTP != nil {
		opts.ClientOptions = azcore.ClientOptions{Transport: o.HTTP}
	}
	cred, err := azidentity.NewDefaultAzureCredential(opts)
	if err != nil {
		return nil, &tandem.Error{Op: "find identity", Subject: "Azure", Kind: tandem.Unauthenticated, Err: errors.New("no way to sign in is set up"), Remedy: "set AZURE_STORAGE_KEY, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"}
	}
	a.Token = cred
	return azure.Open(a)
}

func openS3(u *url.URL, q url.Values, o Options) (vault.Vault, error) {
	s := s3.Options{Endpoint: q.Get("endpoint"), Region: q.Get("region"), Bucket: u.Host, Insecure: q.Get("insecure") == "true",
		AccessKey: o.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: o.Getenv("AWS_SECRET_ACCESS_KEY"), Session: o.Getenv("AWS_SESSION_TOKEN")}
	if s.Region == "" {
		s.Region = o.Getenv("AWS_REGION")
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if err := vault.CheckName(prefix); err != nil {
			return nil, err
		}
		s.Prefix = prefix + "/"
	}
	if s.Endpoint == "" {
		s.Endpoint = "s3.amazonaws.com"
	}
	if s.AccessKey == "" || s.SecretKey == "" {
		return nil, &tandem.Error{Op: "find access key", Subject: "S3", Kind: tandem.Unauthenticated, Err: errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"), Remedy: "set them to a key that may list, get, put and delete in the bucket"}
	}
	if o.HTTP != nil {
		s.Transport = o.HTTP.Transport
	}
	return s3.Open(s)
}
