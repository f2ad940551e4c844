// Package s3 is a vault in a bucket of Amazon S3 or of a server that speaks its protocol. The server must honour
// If-None-Match on PutObject and CompleteMultipartUpload, as S3 does since 2024; the suite in vaulttest tells.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"tandem"
	"tandem/internal/vault"
)

// partSize is what one Put holds in memory, and the smallest size at which a blob is sent in parts. S3 asks for 5 MiB.
const partSize = 8 << 20

// Options name a bucket.
type Options struct {
	Endpoint  string // host, or host:port
	Insecure  bool   // plain HTTP, for loopback alone
	Region    string
	Bucket    string
	Prefix    string // goes in front of every name; empty, or with a slash at its end
	AccessKey string
	SecretKey string
	Session   string            // token of temporary credentials; may be empty
	Transport http.RoundTripper // nil: minio-go's own
}

// Vault is one bucket.
type Vault struct {
	c      *minio.Client
	core   minio.Core
	bucket string
	prefix string
	lock   *objectLock
}

// Open makes no call.
func Open(o Options) (*Vault, error) {
	c, err := minio.New(o.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, o.Session), Secure: !o.Insecure, Region: o.Region, Transport: o.Transport})
	if err == nil && o.Bucket == "" {
		err = errors.New("no bucket is named")
	}
	if err != nil {
		return nil, &tandem.Error{Op: "open vault", Subject: o.Endpoint + "/" + o.Bucket, Kind: tandem.Invalid, Err: err, Remedy: "give the host of the endpoint and a bucket"}
	}
	return &Vault{c: c, core: minio.Core{Client: c}, bucket: o.Bucket, prefix: o.Prefix, lock: &objectLock{}}, nil
}

// Create makes the bucket; that it exists already and is ours is no error.
func (v *Vault) Create(ctx context.Context) error {
	err := v.c.MakeBucket(ctx, v.bucket, minio.MakeBucketOptions{})
	if code := minio.ToErrorResponse(err).Code; err != nil && code != minio.BucketAlreadyOwnedByYou && code != minio.BucketAlreadyExists {
		return wrap("create bucket", v.bucket, err)
	}
	return nil
}

// Put implements vault.Vault. What fits one part is sent whole, so that its Put is one call.
func (v *Vault) Put(ctx context.Context, name string, r io.Reader, o vault.PutOptions) (vault.Info, error) {
	if err := vault.CheckName(name); err != nil {
		return vault.Info{}, err
	}
	src := &vault.Source{R: vault.Reader(ctx, r)}
	opts := minio.PutObjectOptions{PartSize: partSize, ContentType: "application/octet-stream"}
	if o.IfAbsent {
		opts.SetMatchETagExcept("*")
		// A server that checks the condition only at the end would take all parts first.
		if _, err := v.Head(ctx, name); err == nil {
			return vault.Info{}, &tandem.Error{Op: "put blob", Subject: name, Kind: tandem.Exists, Remedy: "choose another name"}
		}
	}
	body, size, err := whole(src)
	if err == nil {
		_, err = v.c.PutObject(ctx, v.bucket, v.prefix+name, body, size, opts)
	}
	if src.Err != nil {
		return vault.Info{}, src.Err
	}
	if err != nil {
		return vault.Info{}, wrap("put blob", name, err)
	}
	return v.Head(ctx, name)
}

// Get implements vault.Vault.
func (v *Vault) Get(ctx context.Context, name string, part vault.Range) (io.ReadCloser, vault.Info, error) {
	if err := errors.Join(vault.CheckName(name), vault.CheckRange(name, part)); err != nil {
		return nil, vault.Info{}, err
	}
	var opts minio.GetObjectOptions
	if part != (vault.Range{}) {
		// S3 gives an empty blob for any range of it, and the suffix form would mean another range.
		info, err := v.Head(ctx, name)
		if err == nil && part.Offset >= info.Size {
			err = vault.PastEnd(name, part, info.Size)
		}
		if err != nil {
			return nil, vault.Info{}, err
		}
		last := info.Size - 1
		if part.Length > 0 {
			last = min(last, part.Offset+part.Length-1)
		}
		if err := opts.SetRange(part.Offset, last); err != nil {
			return nil, vault.Info{}, wrap("get blob", name, err)
		}
	}
	r, object, header, err := v.core.GetObject(ctx, v.bucket, v.prefix+name, opts)
	if err != nil {
		return nil, vault.Info{}, wrap("get blob", name, err)
	}
	info := vault.Info{Name: name, Size: object.Size, Modified: object.LastModified}
	if v := header.Get("Content-Range"); v != "" {
		if _, err := fmt.Sscanf(v, "bytes %d-%d/%d", new(int64), new(int64), &info.Size); err != nil {
			return nil, vault.Info{}, errors.Join(wrap("get blob", name, errors.New("the answer has no proper Content-Range")), r.Close())
		}
	}
	return r, info, nil
}

// Head implements vault.Vault.
func (v *Vault) Head(ctx context.Context, name string) (vault.Info, error) {
	if err := vault.CheckName(name); err != nil {
		return vault.Info{}, err
	}
	o, err := v.c.StatObject(ctx, v.bucket, v.prefix+name, minio.StatObjectOptions{})
	if err != nil {
		return vault.Info{}, wrap("read blob", name, err)
	}
	return vault.Info{Name: name, Size: o.Size, Modified: o.LastModified}, nil
}

// List implements vault.Vault.
func (v *Vault) List(ctx context.Context, prefix string) iter.Seq2[vault.Info, error] {
	return func(yield func(vault.Info, error) bool) {
		for o := range v.c.ListObjectsIter(ctx, v.bucket, minio.ListObjectsOptions{Prefix: v.prefix + prefix, Recursive: true}) {
			if o.Err != nil {
				yield(vault.Info{}, wrap("list blobs", v.bucket, o.Err))
				return
			}
			if len(o.Key) < len(v.prefix) {
				continue
			}
			if !yield(vault.Info{Name: o.Key[len(v.prefix):], Size: o.Size, Modified: o.LastModified}, nil) {
				return
			}
		}
		if err := context.Cause(ctx); err != nil {
			yield(vault.Info{}, err)
		}
	}
}

// Delete implements vault.Vault.
func (v *Vault) Delete(ctx context.Context, name string) error {
	if err := vault.CheckName(name); err != nil {
		return err
	}
	if err := v.c.RemoveObject(ctx, v.bucket, v.prefix+name, minio.RemoveObjectOptions{}); err != nil && minio.ToErrorResponse(err).Code != minio.NoSuchKey {
		return wrap("delete blob", name, err)
	}
	return nil
}

func wrap(op, subject string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || tandem.KindOf(err) != "" {
		return err
	}
	e := &tandem.Error{Op: op, Subject: subject, Kind: tandem.Unavailable, Err: err, Remedy: "check that the endpoint can be reached, and try again"}
	var re minio.ErrorResponse
	if !errors.As(err, &re) {
		return e
	}
	e.Err = fmt.Errorf("%d %s: %s", re.StatusCode, re.Code, re.Message)
	switch {
	case re.Code == minio.NoSuchBucket:
		e.Kind, e.Remedy = tandem.NotFound, "create the bucket, or correct its name"
	case re.StatusCode == http.StatusNotFound, re.Code == minio.NoSuchKey:
		e.Kind, e.Remedy = tandem.NotFound, "list the vault to see what it holds"
	case re.StatusCode == http.StatusPreconditionFailed, re.StatusCode == http.StatusConflict && op == "put blob":
		e.Kind, e.Remedy = tandem.Exists, "choose another name"
	case re.Code == "SignatureDoesNotMatch", re.Code == "InvalidAccessKeyId", re.StatusCode == http.StatusUnauthorized:
		e.Kind, e.Remedy = tandem.Unauthenticated, "give the current access key"
	case re.StatusCode == http.StatusForbidden && strings.Contains(strings.ToLower(re.Message), "object lock"), re.Code == "ObjectLocked", re.StatusCode == http.StatusForbidden && strings.Contains(strings.ToLower(re.Message), "worm"):
		e.Kind, e.Remedy = tandem.Locked, "wait until the object's retention has passed"
	case re.StatusCode == http.StatusForbidden:
		e.Kind, e.Remedy = tandem.Denied, "let the access key list, get, put and delete in the bucket"
	case re.StatusCode == http.StatusRequestedRangeNotSatisfiable, re.StatusCode == http.StatusBadRequest:
		e.Kind, e.Remedy = tandem.Invalid, "correct the request"
	case re.StatusCode == http.StatusInsufficientStorage, re.Code == "EntityTooLarge":
		e.Kind, e.Remedy = tandem.TooLarge, "free space in the bucket"
	}
	return e
}
