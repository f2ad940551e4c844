package blobserver_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"tandem"
	"tandem/internal/vault/blobserver"
)

const account = "drstore1"

// world is one endpoint over TLS with one account.
type world struct {
	dir    string
	keys   [][]byte
	server *blobserver.Server
	http   *httptest.Server
}

func key(fill byte) []byte { return bytes.Repeat([]byte{fill}, 64) }

func start(t *testing.T, dir string) *world {
	t.Helper()
	w := &world{dir: dir, keys: [][]byte{key(1), key(2)}}
	s, err := blobserver.New(config(w, dir))
	if err != nil {
		t.Fatal(err)
	}
	w.server = s
	w.http = httptest.NewTLSServer(s)
	t.Cleanup(w.stop)
	return w
}

// bearer knows an owner and one who may only read.
func bearer(_ context.Context, token string, a blobserver.Access) error {
	switch {
	case token == "reader" && strings.HasSuffix(a.Action, "/read"), token == "owner":
		return nil
	case token == "reader":
		return tandem.Denied
	}
	return tandem.Unauthenticated
}

func (w *world) stop() {
	w.http.Close()
	w.server.Close()
}

func (w *world) url() string { return w.http.URL + "/" + account }

func options(w *world) azcore.ClientOptions {
	return azcore.ClientOptions{Transport: w.http.Client(), Retry: policy.RetryOptions{MaxRetries: -1}}
}

func (w *world) client(t *testing.T, k []byte) *azblob.Client {
	t.Helper()
	cred, err := azblob.NewSharedKeyCredential(account, base64.StdEncoding.EncodeToString(k))
	if err != nil {
		t.Fatal(err)
	}
	c, err := azblob.NewClientWithSharedKeyCredential(w.url(), cred, &azblob.ClientOptions{ClientOptions: options(w)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func code(err error) string {
	var re *azcore.ResponseError
	if errors.As(err, &re) {
		return fmt.Sprintf("%d %s", re.StatusCode, re.ErrorCode)
	}
	return fmt.Sprint(err)
}

func wantCode(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

func TestOfficialSDK(t *testing.T) {
	w, ctx := start(t, t.TempDir()), context.Background()
	c := w.client(t, key(1))
	_, err := c.UploadBuffer(ctx, "backups", "x", nil, nil)
	wantCode(t, "upload without a container", err, "404 ContainerNotFound")
	if _, err := c.CreateContainer(ctx, "backups", &azblob.CreateContainerOptions{Metadata: map[string]*string{"Owner": to.Ptr("dr")}}); err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateContainer(ctx, "backups", nil)
	wantCode(t, "create twice", err, "409 ContainerAlreadyExists")
	_, err = w.client(t, key(9)).CreateContainer(ctx, "other", nil)
	wantCode(t, "wrong key", err, "403 AuthenticationFailed")
	if _, err := w.client(t, key(2)).CreateContainer(ctx, "second-key", nil); err != nil {
		t.Errorf("second key: %v", err)
	}
	props, err := c.ServiceClient().NewContainerClient("backups").GetProperties(ctx, nil)
	if err != nil || *props.Metadata["Owner"] != "dr" {
		t.Errorf("container properties: %v, %v", props.Metadata, err)
	}

	data := make([]byte, 5<<20+17)
	rand.NewChaCha8([32]byte{}).Read(data)
	// UploadStream with small blocks takes the way of put block and put block list.
	_, err = c.UploadStream(ctx, "backups", "night/one ü+%2F?.apimbackup", bytes.NewReader(data), &azblob.UploadStreamOptions{
		BlockSize: 1 << 20, Concurrency: 3, Metadata: map[string]*string{"revision": to.Ptr("42")},
		HTTPHeaders: &blob.HTTPHeaders{BlobContentType: to.Ptr("application/x-tandem")}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.DownloadStream(ctx, "backups", "night/one ü+%2F?.apimbackup", nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(body, data) || *got.Metadata["Revision"] != "42" || *got.ContentType != "application/x-tandem" {
		t.Fatalf("download: %d bytes, %v, %v", len(body), got.Metadata, err)
	}
	part, err := c.DownloadStream(ctx, "backups", "night/one ü+%2F?.apimbackup", &azblob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: 1 << 20, Count: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if body, _ = io.ReadAll(part.Body); !bytes.Equal(body, data[1<<20:1<<20+10]) {
		t.Error("a range gave other bytes")
	}
	_, err = c.DownloadStream(ctx, "backups", "night/one ü+%2F?.apimbackup", &azblob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: 6 << 20}})
	wantCode(t, "range past the end", err, "416 InvalidRange")
	_, err = c.DownloadStream(ctx, "backups", "absent", nil)
	wantCode(t, "absent", err, "404 BlobNotFound")

	buf := make([]byte, len(data))
	if _, err := c.DownloadBuffer(ctx, "backups", "night/one ü+%2F?.apimbackup", buf, &azblob.DownloadBufferOptions{BlockSize: 1 << 20}); err != nil || !bytes.Equal(buf, data) {
		t.Errorf("download in parallel ranges: %v", err)
	}
	if _, err := c.UploadBuffer(ctx, "backups", "empty", nil, nil); err != nil {
		t.Errorf("empty blob: %v", err)
	}
	if _, err := c.DeleteBlob(ctx, "backups", "empty", nil); err != nil {
		t.Error(err)
	}
	_, err = c.DeleteBlob(ctx, "backups", "empty", nil)
	wantCode(t, "delete twice", err, "404 BlobNotFound")
	if _, err := c.DeleteContainer(ctx, "backups", nil); err != nil {
		t.Error(err)
	}
	_, err = c.DownloadStream(ctx, "backups", "night/one ü+%2F?.apimbackup", nil)
	wantCode(t, "container deleted", err, "404 ContainerNotFound")
}

func TestConditionsThroughTheSDK(t *testing.T) {
	w, ctx := start(t, t.TempDir()), context.Background()
	c := w.client(t, key(1))
	if _, err := c.CreateContainer(ctx, "backups", nil); err != nil {
		t.Fatal(err)
	}
	b := c.ServiceClient().NewContainerClient("backups").NewBlockBlobClient("lock")
	absent := &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
	up := func(text string, cond *blob.AccessConditions) (azcore.ETag, error) {
		r, err := b.Upload(ctx, readSeekCloser{strings.NewReader(text)}, &blockblob.UploadOptions{AccessConditions: cond})
		if err != nil {
			return "", err
		}
		return *r.ETag, nil
	}
	tag, err := up("one", absent)
	if err != nil {
		t.Fatal(err)
	}
	_, err = up("two", absent)
	wantCode(t, "put if absent, present", err, "409 BlobAlreadyExists")
	match := func(tag azcore.ETag) *blob.AccessConditions {
		return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &tag}}
	}
	tag2, err := up("two", match(tag))
	if err != nil || tag2 == tag {
		t.Fatalf("put if match: %v", err)
	}
	_, err = up("three", match(tag))
	wantCode(t, "put with an old ETag", err, "412 ConditionNotMet")
	_, err = b.Delete(ctx, &blob.DeleteOptions{AccessConditions: match(tag)})
	wantCode(t, "delete with an old ETag", err, "412 ConditionNotMet")
	same, err := b.DownloadStream(ctx, &blob.DownloadStreamOptions{AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &tag2}}})
	if err != nil || same.ErrorCode == nil || *same.ErrorCode != "ConditionNotMet" { // the SDK takes 304 for a success
		t.Errorf("get if none match: %v, %v", same.ErrorCode, err)
	}
	if _, err := b.SetMetadata(ctx, map[string]*string{"a": to.Ptr("b")}, &blob.SetMetadataOptions{AccessConditions: match(tag2)}); err != nil {
		t.Error(err)
	}
	p, err := b.GetProperties(ctx, nil)
	if err != nil || *p.Metadata["A"] != "b" || *p.ContentLength != 3 || *p.ETag == tag2 {
		t.Errorf("properties: %+v, %v", p.Metadata, err)
	}
	if !bloberror.HasCode(func() error { _, err := up("x", absent); return err }(), bloberror.BlobAlreadyExists) {
		t.Error("the SDK does not know the code")
	}
}

type readSeekCloser struct{ io.ReadSeeker }

func (readSeekCloser) Close() error { return nil }

func TestBlocks(t *testing.T) {
	w, ctx := start(t, t.TempDir()), context.Background()
	c := w.client(t, key(1))
	if _, err := c.CreateContainer(ctx, "backups", nil); err != nil {
		t.Fatal(err)
	}
	b := c.ServiceClient().NewContainerClient("backups").NewBlockBlobClient("b")
	id := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	stage := func(name, text string) {
		t.Helper()
		if _, err := b.StageBlock(ctx, id(name), readSeekCloser{strings.NewReader(text)}, &blockblob.StageBlockOptions{TransactionalValidation: blob.TransferValidationTypeComputeCRC64()}); err != nil {
			t.Fatal(err)
		}
	}
	read := func() string {
		t.Helper()
		r, err := b.DownloadStream(ctx, nil)
		if err != nil {
			return code(err)
		}
		text, _ := io.ReadAll(r.Body)
		return string(text)
	}
	stage("1", "one,")
	stage("2", "two,")
	if got := read(); got != "404 BlobNotFound" {
		t.Errorf("uncommitted blob: %s", got)
	}
	if _, err := b.CommitBlockList(ctx, []string{id("2"), id("1"), id("2")}, nil); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != "two,one,two," {
		t.Errorf("got %q", got)
	}
	stage("3", "three,")
	if _, err := b.CommitBlockList(ctx, []string{id("3"), id("1")}, nil); err != nil { // 1 comes from the committed content
		t.Fatal(err)
	}
	if got := read(); got != "three,one," {
		t.Errorf("got %q", got)
	}
	_, err := b.CommitBlockList(ctx, []string{id("2")}, nil)
	wantCode(t, "a block that is gone", err, "400 InvalidBlockList")
	stage("4", "four")
	list, err := b.GetBlockList(ctx, blockblob.BlockListTypeAll, nil)
	if err != nil || len(list.CommittedBlocks) != 2 || len(list.UncommittedBlocks) != 1 || *list.UncommittedBlocks[0].Size != 4 {
		t.Errorf("block list: %+v, %v", list.BlockList, err)
	}
}

func TestListing(t *testing.T) {
	w, ctx := start(t, t.TempDir()), context.Background()
	c := w.client(t, key(1))
	if _, err := c.CreateContainer(ctx, "backups", nil); err != nil {
		t.Fatal(err)
	}
	names := []string{"a", "a-b", "a/1", "a/2", "a/<&>\"'", "b/../y", "b//x", "c", "ß", "日本"}
	for _, n := range names {
		if _, err := c.UploadBuffer(ctx, "backups", n, []byte(n), nil); err != nil {
			t.Fatalf("%s: %v", n, err)
		}
	}
	for _, page := range []int32{1, 3, 5000} {
		var got []string
		p := c.NewListBlobsFlatPager("backups", &azblob.ListBlobsFlatOptions{MaxResults: &page})
		for p.More() {
			r, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range r.Segment.BlobItems {
				got = append(got, *b.Name)
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("pages of %d: %q", page, got)
		}
	}
	var got []string
	one := int32(1)
	p := c.ServiceClient().NewContainerClient("backups").NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{MaxResults: &one})
	for p.More() {
		r, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range r.Segment.BlobItems {
			got = append(got, *b.Name)
		}
		for _, b := range r.Segment.BlobPrefixes {
			got = append(got, *b.Name)
		}
	}
	if want := []string{"a", "a-b", "a/", "b/", "c", "ß", "日本"}; !slices.Equal(got, want) {
		t.Errorf("by folder: %q, want %q", got, want)
	}
	got = nil
	prefix := "a/"
	f := c.NewListBlobsFlatPager("backups", &azblob.ListBlobsFlatOptions{Prefix: &prefix})
	for f.More() {
		r, err := f.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range r.Segment.BlobItems {
			got = append(got, *b.Name)
		}
	}
	if !slices.Equal(got, names[2:5]) {
		t.Errorf("prefix: %q", got)
	}
	got = nil
	boxes := c.NewListContainersPager(nil)
	for boxes.More() {
		r, err := boxes.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range r.ContainerItems {
			got = append(got, *b.Name)
		}
	}
	if !slices.Equal(got, []string{"backups"}) {
		t.Errorf("containers: %q", got)
	}
}

func TestRestartKeepsWhatWasAcknowledged(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	w := start(t, dir)
	c := w.client(t, key(1))
	if _, err := c.CreateContainer(ctx, "backups", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadBuffer(ctx, "backups", "a", []byte("old"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadBuffer(ctx, "backups", "a", []byte("new"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := blobserver.New(blobserver.Config{Dir: dir, Clock: tandem.SystemClock{}}); !errors.Is(err, tandem.Unavailable) {
		t.Errorf("two servers on one folder: %v", err)
	}
	w.stop()
	w = start(t, dir)
	got, err := w.client(t, key(1)).DownloadStream(ctx, "backups", "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(got.Body); string(text) != "new" {
		t.Errorf("after the restart: %q", text)
	}
	w.keys = [][]byte{key(3)}
	_, err = w.client(t, key(1)).DownloadStream(ctx, "backups", "a", nil)
	wantCode(t, "a key that was regenerated", err, "403 AuthenticationFailed")
}

func TestHostStyle(t *testing.T) {
	w := start(t, t.TempDir())
	r, err := http.NewRequest(http.MethodGet, w.http.URL+"/?comp=list", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = account + ".blob.tandem.example:8443"
	r.Header.Set("Authorization", "Bearer reader")
	resp, err := w.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || !strings.Contains(string(text), `ServiceEndpoint="https://`+r.Host+`/"`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}
