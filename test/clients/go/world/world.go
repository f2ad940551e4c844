// Package world tells Go clients where the running world is and how to sign in.
package world

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// World is what endpoints.json holds, as far as these clients need it, and clients made from it.
type World struct {
	ARMURL         string `json:"arm_url"`
	ARMAudience    string `json:"arm_audience"`
	AuthorityURL   string `json:"authority_url"`
	CAFile         string `json:"ca_file"`
	TenantID       string `json:"tenant_id"`
	SubscriptionID string `json:"subscription_id"`
	ClientID       string `json:"client_id"`
	ClientSecret   string `json:"client_secret"`
	Location       string `json:"location"`
	DNSAddr        string `json:"dns_addr"`
	Gateways       map[string]struct {
		URL string `json:"url"`
	} `json:"gateways"`
	Storage struct {
		Account   string `json:"account"`
		Key       string `json:"key"`
		Container string `json:"container"`
		BlobURL   string `json:"blob_url"`
	} `json:"storage"`
	Automation struct {
		ClientObjectID string `json:"client_object_id"`
	} `json:"automation"`

	HTTP *http.Client `json:"-"`
}

// Open reads the world that TANDEM_ENDPOINTS names; the test is skipped where there is none.
func Open(t *testing.T) *World {
	t.Helper()
	file := os.Getenv("TANDEM_ENDPOINTS")
	if file == "" {
		t.Skip("TANDEM_ENDPOINTS is not set; start these tests with test/clients/run")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{}
	if err := json.Unmarshal(raw, w); err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	ca, err := os.ReadFile(w.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		t.Fatalf("%s holds no certificate", w.CAFile)
	}
	w.HTTP = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	return w
}

func (w *World) options() policy.ClientOptions {
	return policy.ClientOptions{Transport: w.HTTP, Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: w.AuthorityURL,
		Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: w.ARMURL, Audience: w.ARMAudience}}}}
}

// Credential signs in with a client secret.
func (w *World) Credential(secret string) (azcore.TokenCredential, error) {
	return azidentity.NewClientSecretCredential(w.TenantID, w.ClientID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: w.options(), DisableInstanceDiscovery: true})
}

// Style is which headers of a long-running operation the client sees.
type Style string

// The two styles of long-running operations.
const (
	Both         Style = "both headers" // Azure-AsyncOperation and Location; clients prefer the former
	LocationOnly Style = "Location only"
)

// Options are what ARM clients of a style are made with.
func (w *World) Options(s Style) *arm.ClientOptions {
	o := &arm.ClientOptions{ClientOptions: w.options()}
	if s == LocationOnly {
		o.PerRetryPolicies = append(o.PerRetryPolicies, hideStatusURL{})
	}
	return o
}

// hideStatusURL takes Azure-AsyncOperation away from answers.
type hideStatusURL struct{}

// Do implements policy.Policy.
func (hideStatusURL) Do(r *policy.Request) (*http.Response, error) {
	resp, err := r.Next()
	if err == nil {
		resp.Header.Del("Azure-AsyncOperation")
	}
	return resp, err
}

// Answer is what a gateway said.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Call calls a gateway until it answers with a status, for at most five seconds: a change takes a moment to get there.
func (w *World) Call(ctx context.Context, url, key string, status int) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		a, err := w.call(ctx, url, key)
		if err == nil && a.Status == status {
			return a, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return a, err
		}
	}
}

func (w *World) call(ctx context.Context, url, key string) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Answer{}, err
	}
	if key != "" {
		r.Header.Set("Ocp-Apim-Subscription-Key", key)
	}
	resp, err := w.HTTP.Do(r)
	if err != nil {
		return Answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read
	return Answer{resp.StatusCode, resp.Header, string(body)}, err
}

// Addresses asks the world's DNS server until it has addresses for a name, for at most five seconds.
func (w *World) Addresses(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, w.DNSAddr)
	}}
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		out, err := r.LookupHost(ctx, name)
		if err == nil && len(out) > 0 {
			return out, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}
