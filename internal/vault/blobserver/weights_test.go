package blobserver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"pgregory.net/rapid"
)

// captured keeps the request and answers nothing.
type captured struct{ r *http.Request }

func (c *captured) Do(r *http.Request) (*http.Response, error) {
	c.r = r
	return nil, errors.New("captured")
}

// TestStringToSignIsTheSDKs signs requests with odd header names by the official SDK, whose order of headers is Azure's,
// and checks each signature against our string, without the second order that the server would accept too.
func TestStringToSignIsTheSDKs(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 64)
	cred, err := azblob.NewSharedKeyCredential("drstore1", base64.StdEncoding.EncodeToString(key))
	if err != nil {
		t.Fatal(err)
	}
	trap := &captured{}
	c, err := azblob.NewClientWithSharedKeyCredential("https://127.0.0.1:1/drstore1", cred, &azblob.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: trap, Retry: policy.RetryOptions{MaxRetries: -1}}})
	if err != nil {
		t.Fatal(err)
	}
	char := rapid.SampledFrom([]rune("ab1-_-'.!+~^"))
	rapid.Check(t, func(t *rapid.T) {
		meta := map[string]*string{}
		for range rapid.IntRange(0, 8).Draw(t, "headers") {
			v := rapid.StringMatching(`[a-z,;]{0,5}`).Draw(t, "value")
			meta[strings.ToLower(rapid.StringOfN(char, 1, 6, -1).Draw(t, "name"))] = &v
		}
		name := rapid.StringN(1, 20, -1).Draw(t, "blob")
		body := rapid.SliceOfN(rapid.Byte(), 0, 10).Draw(t, "body")
		_, err := c.UploadBuffer(context.Background(), "box", name, body, &azblob.UploadBufferOptions{Metadata: meta})
		if err == nil || trap.r == nil {
			t.Skip("the SDK refused the request itself")
		}
		r := trap.r
		trap.r = nil
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		m := hmac.New(sha256.New, key)
		m.Write([]byte(stringToSign(r, "drstore1", compareWeighted)))
		if want := "SharedKey drstore1:" + base64.StdEncoding.EncodeToString(m.Sum(nil)); r.Header.Get("Authorization") != want {
			t.Fatalf("headers %v: we sign\n%s", r.Header, stringToSign(r, "drstore1", compareWeighted))
		}
	})
}
