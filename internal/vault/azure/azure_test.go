package azure_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"tandem"
	"tandem/internal/vault"
	"tandem/internal/vault/azure"
	"tandem/internal/vault/blobserver"
	"tandem/internal/vault/vaulttest"
)

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	s, err := blobserver.New(blobserver.Config{Dir: t.TempDir(), Clock: tandem.SystemClock{},
		Keys: func(a string) ([][]byte, bool) { return [][]byte{key(), nil}, a == "drstore1" },
		Bearer: func(_ context.Context, token string, a blobserver.Access) error {
			if token != "good" {
				return tandem.Unauthenticated
			}
			if strings.HasSuffix(a.Action, "/delete") {
				return tandem.Denied
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewTLSServer(s)
	t.Cleanup(func() { h.Close(); s.Close() })
	return h
}

func key() []byte { return bytes.Repeat([]byte{5}, 64) }

func TestConformanceOnTheEmbeddedEndpoint(t *testing.T) {
	vaulttest.Run(t, func(t *testing.T) vault.Vault {
		h := serve(t)
		v, err := azure.Open(azure.Options{Endpoint: h.URL + "/drstore1", Account: "drstore1", Container: "backups", Key: key(), Transport: h.Client(), Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := v.Create(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		return v
	})
}

// TestConformanceOnAzure runs against a real account or Azurite, where the environment names one.
func TestConformanceOnAzure(t *testing.T) {
	endpoint := os.Getenv("TANDEM_TEST_AZURE_ENDPOINT")
	if endpoint == "" {
		t.Skip("TANDEM_TEST_AZURE_ENDPOINT, _ACCOUNT and _KEY name no storage account")
	}
	k, err := base64.StdEncoding.DecodeString(os.Getenv("TANDEM_TEST_AZURE_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	vaulttest.Run(t, func(t *testing.T) vault.Vault {
		v, err := azure.Open(azure.Options{Endpoint: endpoint, Account: os.Getenv("TANDEM_TEST_AZURE_ACCOUNT"), Container: "tandem-conformance", Key: k})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Create(context.Background()); err != nil {
			t.Fatal(err)
		}
		for info, err := range v.List(context.Background(), "") {
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Delete(context.Background(), info.Name); err != nil {
				t.Fatal(err)
			}
		}
		return v
	})
}

// TestNamesOfNativeBackups: the caller of a backup chooses the blob's name, often with a time in it.
func TestNamesOfNativeBackups(t *testing.T) {
	h := serve(t)
	v, err := azure.Open(azure.Options{Endpoint: h.URL + "/drstore1", Account: "drstore1", Container: "backups", Key: key(), Transport: h.Client(), Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Create(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"apim 2026-03-01T12:00:00Z.apimbackup", ".hidden", "..", "a/../b", "/a//b/", "a?b#c%2Fd&e=f+g", strings.Repeat("ä", 1024)} {
		if _, err := v.Put(context.Background(), name, strings.NewReader(name), vault.PutOptions{IfAbsent: true}); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		r, _, err := v.Get(context.Background(), name, vault.Range{})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		text, err := io.ReadAll(r)
		r.Close()
		if string(text) != name || err != nil {
			t.Errorf("%q: got %q, %v", name, text, err)
		}
	}
}

type token string

func (k token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(k), ExpiresOn: (tandem.SystemClock{}).Now().Add(time.Hour)}, nil
}

func TestCredentials(t *testing.T) {
	h := serve(t)
	ctx := context.Background()
	open := func(o azure.Options) *azure.Vault {
		t.Helper()
		o.Endpoint, o.Account, o.Container, o.Transport, o.Retries = h.URL+"/drstore1", "drstore1", "backups", h.Client(), -1
		v, err := azure.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	good := open(azure.Options{Token: token("good")})
	if _, err := good.Head(ctx, "b"); !errors.Is(err, tandem.NotFound) {
		t.Errorf("no container: %v", err)
	}
	if err := good.Create(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := good.Put(ctx, "b", strings.NewReader("x"), vault.PutOptions{}); err != nil {
		t.Errorf("token: %v", err)
	}
	if err := good.Delete(ctx, "b"); !errors.Is(err, tandem.Denied) {
		t.Errorf("a token that may not delete: %v", err)
	}
	secret := bytes.Repeat([]byte{9}, 64)
	for name, v := range map[string]*azure.Vault{"a wrong token": open(azure.Options{Token: token("bad-t0ken")}), "a wrong key": open(azure.Options{Key: secret})} {
		_, err := v.Put(ctx, "b", strings.NewReader("x"), vault.PutOptions{})
		if !errors.Is(err, tandem.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
		if s := err.Error(); strings.Contains(s, "t0ken") || strings.Contains(s, base64.StdEncoding.EncodeToString(secret)) || strings.Contains(s, "SharedKey") || len(s) > 300 {
			t.Errorf("%s: the error tells too much: %s", name, s)
		}
	}
	h.CloseClientConnections()
	h.Close()
	if _, _, err := good.Get(ctx, "b", vault.Range{}); !errors.Is(err, tandem.Unavailable) {
		t.Errorf("nobody listens: %v", err)
	}
	for _, o := range []azure.Options{{}, {Endpoint: "https://x"}, {Endpoint: "https://x", Container: "c"}, {Endpoint: "https://x", Container: "c", Key: secret, Token: token("x")}} {
		if _, err := azure.Open(o); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%+v: %v", o.Endpoint, err)
		}
	}
}
