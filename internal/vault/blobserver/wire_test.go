package blobserver_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"tandem"
)

// raw sends one request and gives "status code".
func (w *world) raw(t *testing.T, method, path string, header map[string]string, body io.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, w.http.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := w.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if c := resp.Header.Get("x-ms-error-code"); c != "" && resp.StatusCode != 304 && method != "HEAD" && !strings.Contains(string(text), "<Code>"+c+"</Code>") {
		t.Errorf("%s %s: header says %s, body says %s", method, path, c, text)
	}
	return resp, string(text)
}

func TestRawRequests(t *testing.T) {
	w := start(t, t.TempDir())
	owner := func(more ...string) map[string]string {
		h := map[string]string{"Authorization": "Bearer owner", "x-ms-version": "2011-01-01", "x-ms-client-request-id": "mine"}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	block := []string{"x-ms-blob-type", "BlockBlob"}
	cases := []struct {
		name, method, path string
		header             map[string]string
		body               string
		status             int
		code               string
	}{
		{"no credential", "GET", "/drstore1?comp=list", nil, "", 401, "NoAuthenticationInformation"},
		{"an unknown account", "GET", "/drstore9?comp=list", owner(), "", 403, "AuthenticationFailed"},
		{"no account", "GET", "/", owner(), "", 400, "InvalidUri"},
		{"an unknown scheme", "GET", "/drstore1?comp=list", owner("Authorization", "SharedKeyLite drstore1:AAAA"), "", 400, "InvalidAuthenticationInfo"},
		{"an unknown token", "GET", "/drstore1?comp=list", owner("Authorization", "Bearer nobody"), "", 401, "InvalidAuthenticationInfo"},
		{"a token that may not write", "PUT", "/drstore1/backups?restype=container", owner("Authorization", "Bearer reader"), "", 403, "AuthorizationPermissionMismatch"},
		{"a bad container name", "PUT", "/drstore1/Back_ups?restype=container", owner(), "", 400, "InvalidResourceName"},
		{"path traversal in a container name", "PUT", "/drstore1/..?restype=container", owner(), "", 400, "InvalidResourceName"},
		{"create", "PUT", "/drstore1/backups?restype=container", owner(), "", 201, ""},
		{"public access", "PUT", "/drstore1/public?restype=container", owner("x-ms-blob-public-access", "blob"), "", 409, "PublicAccessNotPermitted"},
		{"a blob without its type", "PUT", "/drstore1/backups/b", owner(), "x", 400, "MissingRequiredHeader"},
		{"a page blob", "PUT", "/drstore1/backups/b", owner("x-ms-blob-type", "PageBlob"), "x", 501, "NotImplemented"},
		{"a copy", "PUT", "/drstore1/backups/b", owner("x-ms-copy-source", "https://x/y"), "", 501, "NotImplemented"},
		{"a lease", "PUT", "/drstore1/backups/b?comp=lease", owner(), "", 501, "NotImplemented"},
		{"a wrong MD5", "PUT", "/drstore1/backups/b", owner(append(block, "Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")...), "x", 400, "Md5Mismatch"},
		{"a bad metadata name", "PUT", "/drstore1/backups/b", owner(append(block, "x-ms-meta-a-b", "x")...), "x", 400, "InvalidMetadata"},
		{"control characters in a name", "PUT", "/drstore1/backups/a%01", owner(block...), "x", 400, "InvalidResourceName"},
		{"the refused ones left nothing", "GET", "/drstore1/backups/b", owner(), "", 404, "BlobNotFound"},
		{"a dotted name", "PUT", "/drstore1/backups/../../etc/passwd", owner(block...), "dots", 201, ""},
		{"reads back", "GET", "/drstore1/backups/../../etc/passwd", owner(), "", 200, ""},
		{"range", "GET", "/drstore1/backups/../../etc/passwd", owner("Range", "bytes=1-2"), "", 206, ""},
		{"range to the end", "GET", "/drstore1/backups/../../etc/passwd", owner("x-ms-range", "bytes=3-"), "", 206, ""},
		{"range past the end", "GET", "/drstore1/backups/../../etc/passwd", owner("Range", "bytes=4-9"), "", 416, "InvalidRange"},
		{"range backwards", "GET", "/drstore1/backups/../../etc/passwd", owner("Range", "bytes=3-1"), "", 400, "InvalidHeaderValue"},
		{"HEAD of nothing", "HEAD", "/drstore1/backups/nothing", owner(), "", 404, "BlobNotFound"},
		{"not modified", "GET", "/drstore1/backups/../../etc/passwd", owner("If-Modified-Since", (tandem.SystemClock{}).Now().Add(time.Hour).UTC().Format(http.TimeFormat)), "", 304, "ConditionNotMet"},
		{"a bad marker", "GET", "/drstore1/backups?restype=container&comp=list&marker=!", owner(), "", 400, "InvalidQueryParameterValue"},
		{"a bad maxresults", "GET", "/drstore1/backups?restype=container&comp=list&maxresults=0", owner(), "", 400, "InvalidQueryParameterValue"},
		{"a bad block id", "PUT", "/drstore1/backups/b?comp=block&blockid=%21", owner(), "x", 400, "InvalidQueryParameterValue"},
		{"a bad block list", "PUT", "/drstore1/backups/b?comp=blocklist", owner(), "<BlockList><Evil/></BlockList>", 400, "InvalidXmlDocument"},
		{"a truncated block list", "PUT", "/drstore1/backups/b?comp=blocklist", owner(), "<BlockList><Latest>QQ==", 400, "InvalidXmlDocument"},
		{"metadata names fold", "PUT", "/drstore1/backups/../../etc/passwd?comp=metadata", owner("x-ms-meta-A", "1"), "", 200, ""},
		{"delete", "DELETE", "/drstore1/backups/../../etc/passwd", owner(), "", 202, ""},
	}
	for _, c := range cases {
		resp, text := w.raw(t, c.method, c.path, c.header, strings.NewReader(c.body))
		if resp.StatusCode != c.status || resp.Header.Get("x-ms-error-code") != c.code {
			t.Errorf("%s: got %d %s, want %d %s; %s", c.name, resp.StatusCode, resp.Header.Get("x-ms-error-code"), c.status, c.code, text)
		}
		if c.header != nil && (resp.Header.Get("x-ms-version") != "2011-01-01" || resp.Header.Get("x-ms-client-request-id") != "mine" || resp.Header.Get("x-ms-request-id") == "") {
			t.Errorf("%s: headers %v", c.name, resp.Header)
		}
	}
	resp, _ := w.raw(t, "PUT", "/drstore1/backups/chunked", owner(block...), io.MultiReader(strings.NewReader("x")))
	if resp.StatusCode != 411 {
		t.Errorf("no length: %d", resp.StatusCode)
	}
}

// TestSharedKeyString checks against a signature made here from Azure's description, with header names whose order by
// weight differs from the order of bytes.
func TestSharedKeyString(t *testing.T) {
	w := start(t, t.TempDir())
	now := (tandem.SystemClock{}).Now().UTC().Format(http.TimeFormat)
	sign := func(text string) string {
		m := hmac.New(sha256.New, key(1))
		m.Write([]byte(text))
		return "SharedKey drstore1:" + base64.StdEncoding.EncodeToString(m.Sum(nil))
	}
	weighted := "x-ms-date:" + now + "\nx-ms-meta1:b\nx-ms-meta-a:a\nx-ms-version:2021-12-02\n"
	bytewise := "x-ms-date:" + now + "\nx-ms-meta-a:a\nx-ms-meta1:b\nx-ms-version:2021-12-02\n"
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"by weight":     {"PUT\n\n\n\n\n\n\n\n\n\n\n\n" + weighted + "/drstore1/drstore1/backups\nrestype:container", 201},
		"another verb":  {"GET\n\n\n\n\n\n\n\n\n\n\n\n" + weighted + "/drstore1/drstore1/backups\nrestype:container", 403},
		"without query": {"PUT\n\n\n\n\n\n\n\n\n\n\n\n" + weighted + "/drstore1/drstore1/backups", 403},
	} {
		resp, text := w.raw(t, "PUT", "/drstore1/backups?restype=container", map[string]string{"Authorization": sign(c.text),
			"x-ms-date": now, "x-ms-version": "2021-12-02", "x-ms-meta-a": "a", "x-ms-meta1": "b"}, nil)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	resp, text := w.raw(t, "PUT", "/drstore1/backups?restype=container", map[string]string{
		"Authorization": sign("PUT\n\n\n\n\n\n\n\n\n\n\n\n" + bytewise + "/drstore1/drstore1/backups\nrestype:container"),
		"x-ms-date":     now, "x-ms-version": "2021-12-02", "x-ms-meta-a": "a", "x-ms-meta1": "b"}, nil)
	if resp.StatusCode != 409 {
		t.Errorf("by bytes: %d %s", resp.StatusCode, text)
	}
	old := (tandem.SystemClock{}).Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	resp, _ = w.raw(t, "GET", "/drstore1?comp=list", map[string]string{"x-ms-date": old,
		"Authorization": sign("GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:" + old + "\n/drstore1/drstore1\ncomp:list")}, nil)
	if resp.StatusCode != 403 {
		t.Errorf("a replay after an hour: %d", resp.StatusCode)
	}
}

func TestSAS(t *testing.T) {
	w, ctx := start(t, t.TempDir()), context.Background()
	c := w.client(t, key(1))
	if _, err := c.CreateContainer(ctx, "backups", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadBuffer(ctx, "backups", "dir/ü b", []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	cred, err := azblob.NewSharedKeyCredential(account, base64.StdEncoding.EncodeToString(key(2)))
	if err != nil {
		t.Fatal(err)
	}
	later, earlier := (tandem.SystemClock{}).Now().Add(time.Hour), (tandem.SystemClock{}).Now().Add(-time.Hour)
	blobSAS := func(v sas.BlobSignatureValues) string {
		q, err := v.SignWithSharedKey(cred)
		if err != nil {
			t.Fatal(err)
		}
		return q.Encode()
	}
	accountSAS := func(v sas.AccountSignatureValues) string {
		q, err := v.SignWithSharedKey(cred)
		if err != nil {
			t.Fatal(err)
		}
		return q.Encode()
	}
	get := func(q string) (string, string, string, string) { return "GET", "/backups/dir/%C3%BC%20b", q, "" }
	put := func(q string) (string, string, string, string) { return "PUT", "/backups/dir/%C3%BC%20b", q, "y" }
	fresh := func(q string) (string, string, string, string) { return "PUT", "/backups/fresh", q, "y" }
	list := func(q string) (string, string, string, string) {
		return "GET", "/backups", "restype=container&comp=list&" + q, ""
	}
	blobValues := func(perm string) sas.BlobSignatureValues {
		return sas.BlobSignatureValues{ContainerName: "backups", BlobName: "dir/ü b", Permissions: perm, ExpiryTime: later}
	}
	boxValues := func(perm string) sas.BlobSignatureValues {
		return sas.BlobSignatureValues{ContainerName: "backups", Permissions: perm, ExpiryTime: later}
	}
	expired, notYet, other := blobValues("r"), blobValues("r"), blobValues("r")
	expired.ExpiryTime = earlier
	notYet.StartTime = later
	other.BlobName = "another"
	typed := blobValues("r")
	typed.ContentType = "text/rsct"
	elsewhere := blobValues("r")
	elsewhere.IPRange = sas.IPRange{Start: []byte{10, 0, 0, 1}}
	here := blobValues("r")
	here.IPRange = sas.IPRange{Start: []byte{127, 0, 0, 0}, End: []byte{127, 255, 255, 255}}
	cases := []struct {
		name   string
		do     func(q string) (method, path, query, body string)
		query  string
		status int
		code   string
	}{
		{"blob, read", get, blobSAS(blobValues("r")), 200, ""},
		{"blob, response header", get, blobSAS(typed), 200, ""},
		{"blob, read only", put, blobSAS(blobValues("r")), 403, "AuthorizationPermissionMismatch"},
		{"blob, write", put, blobSAS(blobValues("w")), 201, ""},
		{"blob, create does not replace", put, blobSAS(blobValues("c")), 403, "UnauthorizedBlobOverwrite"},
		{"blob, list", list, blobSAS(blobValues("r")), 403, "AuthorizationPermissionMismatch"},
		{"another blob", get, blobSAS(other), 403, "AuthenticationFailed"},
		{"expired", get, blobSAS(expired), 403, "AuthenticationFailed"},
		{"not yet", get, blobSAS(notYet), 403, "AuthenticationFailed"},
		{"from elsewhere", get, blobSAS(elsewhere), 403, "AuthorizationSourceIPMismatch"},
		{"from here", get, blobSAS(here), 200, ""},
		{"altered permission", put, strings.Replace(blobSAS(blobValues("r")), "sp=r", "sp=w", 1), 403, "AuthenticationFailed"},
		{"container, list", list, blobSAS(boxValues("rl")), 200, ""},
		{"container, read a blob", get, blobSAS(boxValues("rl")), 200, ""},
		{"container, create a blob", fresh, blobSAS(boxValues("c")), 201, ""},
		{"container, no list", list, blobSAS(boxValues("r")), 403, "AuthorizationPermissionMismatch"},
		{"account, list", list, accountSAS(sas.AccountSignatureValues{Permissions: "rl", ResourceTypes: "co", ExpiryTime: later}), 200, ""},
		{"account, read", get, accountSAS(sas.AccountSignatureValues{Permissions: "rl", ResourceTypes: "co", ExpiryTime: later, Protocol: sas.ProtocolHTTPS}), 200, ""},
		{"account, wrong resource type", list, accountSAS(sas.AccountSignatureValues{Permissions: "rl", ResourceTypes: "o", ExpiryTime: later}), 403, "AuthorizationResourceTypeMismatch"},
		{"unsigned", get, "sv=2021-12-02&sr=b&sp=r&se=2099-01-01&sig=AAAA", 403, "AuthenticationFailed"},
	}
	for _, c := range cases {
		method, path, query, body := c.do(c.query)
		resp, text := w.raw(t, method, "/drstore1"+path+"?"+query, map[string]string{"x-ms-blob-type": "BlockBlob"}, strings.NewReader(body))
		if resp.StatusCode != c.status || resp.Header.Get("x-ms-error-code") != c.code {
			t.Errorf("%s: got %d %s, want %d %s; %s", c.name, resp.StatusCode, resp.Header.Get("x-ms-error-code"), c.status, c.code, text)
		}
		if strings.Contains(c.query, "rsct") && resp.Header.Get("Content-Type") != "text/rsct" {
			t.Errorf("%s: Content-Type %s", c.name, resp.Header.Get("Content-Type"))
		}
	}
	for _, v := range []string{"2015-04-05", "2018-11-09", "2020-12-06"} { // the three forms of the signed string
		q := url.Values{"sv": {v}, "sr": {"b"}, "sp": {"r"}, "se": {"2099-01-01"}}
		fields := []string{"r", "", "2099-01-01", "/blob/drstore1/backups/fresh", "", "", "", v}
		if v >= "2018-11-09" {
			fields = append(fields, "b", "")
		}
		if v >= "2020-12-06" {
			fields = append(fields, "")
		}
		m := hmac.New(sha256.New, key(2))
		m.Write([]byte(strings.Join(append(fields, "", "", "", "", ""), "\n")))
		q.Set("sig", base64.StdEncoding.EncodeToString(m.Sum(nil)))
		if resp, text := w.raw(t, "GET", "/drstore1/backups/fresh?"+q.Encode(), nil, nil); resp.StatusCode != 200 {
			t.Errorf("sv=%s: %d %s", v, resp.StatusCode, text)
		}
	}
	sc, err := service.NewClientWithNoCredential(w.url()+"?"+accountSAS(sas.AccountSignatureValues{Permissions: "l", ResourceTypes: "s", ExpiryTime: later}), &service.ClientOptions{ClientOptions: options(w)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sc.NewListContainersPager(nil).NextPage(ctx); err != nil {
		t.Errorf("SDK with an account SAS: %v", err)
	}
}

// TestCutUpload cuts the connection in the middle of a body: nothing may be stored, and the old blob stays.
func TestCutUpload(t *testing.T) {
	w, ctx := start(t, t.TempDir()), context.Background()
	c := w.client(t, key(1))
	if _, err := c.CreateContainer(ctx, "backups", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadBuffer(ctx, "backups", "b", []byte("old"), nil); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("PUT", "/drstore1/backups/b", io.MultiReader(bytes.NewReader(make([]byte, 1000)), broken{}))
	r.ContentLength = 2000
	r.Header.Set("x-ms-blob-type", "BlockBlob")
	r.Header.Set("Authorization", "Bearer owner")
	r.TLS = &tls.ConnectionState{}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	if rec.Code < 400 {
		t.Errorf("a cut upload was answered %d", rec.Code)
	}
	got, err := c.DownloadStream(ctx, "backups", "b", &azblob.DownloadStreamOptions{AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfModifiedSince: to.Ptr(time.Unix(0, 0))}}})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(got.Body); string(text) != "old" {
		t.Errorf("got %q", text)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
