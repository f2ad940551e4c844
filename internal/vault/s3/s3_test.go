package s3_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"tandem"
	"tandem/internal/vault"
	"tandem/internal/vault/s3"
	"tandem/internal/vault/vaulttest"
)

// TestConformance runs against the S3 server that the environment names.
func TestConformance(t *testing.T) {
	endpoint := os.Getenv("TANDEM_TEST_S3_ENDPOINT")
	if endpoint == "" {
		t.Skip("TANDEM_TEST_S3_ENDPOINT, _ACCESS_KEY and _SECRET_KEY name no S3 server")
	}
	vaulttest.Run(t, func(t *testing.T) vault.Vault {
		v, err := s3.Open(s3.Options{Endpoint: endpoint, Insecure: strings.HasPrefix(endpoint, "127."), Region: "us-east-1", Bucket: "conformance", Prefix: strings.ReplaceAll(t.Name(), " ", "-") + "/",
			AccessKey: os.Getenv("TANDEM_TEST_S3_ACCESS_KEY"), SecretKey: os.Getenv("TANDEM_TEST_S3_SECRET_KEY")})
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

func TestNobodyListens(t *testing.T) {
	h := httptest.NewServer(nil)
	endpoint := h.Listener.Addr().String()
	h.Close()
	v, err := s3.Open(s3.Options{Endpoint: endpoint, Insecure: true, Region: "us-east-1", Bucket: "bucket", AccessKey: "a", SecretKey: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := v.Head(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := s3.Open(s3.Options{Endpoint: "http://not a host", Bucket: "bucket"}); !errors.Is(err, tandem.Invalid) {
		t.Errorf("a bad endpoint: %v", err)
	}
	if _, err := s3.Open(s3.Options{Endpoint: endpoint}); !errors.Is(err, tandem.Invalid) {
		t.Errorf("no bucket: %v", err)
	}
}
