package resources_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azarm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/identity"
	"tandem/internal/resources"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenantID       = "11111111-2222-3333-4444-555555555555"
	subscriptionID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)

// sealer is AES-GCM with a nonce made of the content: enough for tests, in which it must seal and must bind to the context.
type sealer struct{ aead cipher.AEAD }

func newSealer() sealer {
	block, _ := aes.NewCipher([]byte("0123456789abcdef"))
	aead, _ := cipher.NewGCM(block)
	return sealer{aead}
}

func (s sealer) Seal(plain, context []byte) (string, error) {
	sum := sha256.Sum256(append(slices.Clone(plain), context...))
	nonce := sum[:s.aead.NonceSize()]
	return base64.StdEncoding.EncodeToString(s.aead.Seal(slices.Clone(nonce), nonce, plain, context)), nil
}

func (s sealer) Open(sealed string, context []byte) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(b) < s.aead.NonceSize() {
		return nil, errors.New("not sealed")
	}
	return s.aead.Open(nil, b[:s.aead.NonceSize()], b[s.aead.NonceSize():], context)
}

// blobs is an in-memory blob endpoint.
type blobs struct {
	mu    sync.Mutex
	names map[string][]string
}

func (b *blobs) CreateContainer(_ context.Context, account, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.names[account], name) {
		return tandem.Exists
	}
	b.names[account] = append(b.names[account], name)
	return nil
}

func (b *blobs) DeleteContainer(_ context.Context, account, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.names[account], name)
	if i < 0 {
		return tandem.NotFound
	}
	b.names[account] = slices.Delete(b.names[account], i, i+1)
	return nil
}

func (b *blobs) ListContainers(_ context.Context, account string) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.names[account]), nil
}

// world is a management plane over TLS on loopback, with a token authority beside it.
type world struct {
	t         *testing.T
	store     store.Store
	directory *identity.Directory
	resources *resources.Resources
	ops       *arm.Operations
	arm       *httptest.Server
	authority *httptest.Server
	owner     identity.Credentials
	blobs     *blobs
	audit     *auditor
}

type auditor struct {
	mu      sync.Mutex
	records []arm.AuditRecord
}

func (a *auditor) Audit(_ context.Context, r arm.AuditRecord) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.records = append(a.records, r)
}

func newWorld(t *testing.T, extra ...arm.Provider) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := &world{t: t, store: storetest.Memory(), blobs: &blobs{names: map[string][]string{}}, audit: &auditor{}}
	ctx := t.Context()
	var err error
	clock := tandem.SystemClock{}
	w.directory, err = identity.Open(ctx, identity.Config{AccessConfig: identity.AccessConfig{Clock: clock}, Store: w.store, Sealer: newSealer(), Log: log})
	check(t, err)
	w.owner, err = w.directory.Bootstrap(ctx, identity.BootstrapOptions{Tenant: identity.Tenant{ID: tenantID, DisplayName: "Contoso", Domain: "contoso.example"}, Principal: "owner", Scope: "/subscriptions/" + subscriptionID})
	check(t, err)
	w.ops = arm.NewOperations(arm.OperationsConfig{Store: resources.OperationStore(w.store, "operations/"), Clock: clock, Log: log, Runner: "one", Region: "centralindia", RetryAfter: 10 * time.Millisecond})
	w.resources, err = resources.New(resources.Config{Store: w.store, Sealer: newSealer(), Access: &w.directory.Access, Operations: w.ops, Clock: clock, Log: log,
		Tenants: func() (out []resources.Tenant) {
			for _, t := range w.directory.Tenants() {
				out = append(out, resources.Tenant{ID: t.ID, DisplayName: t.DisplayName, Domain: t.Domain})
			}
			return out
		},
		Forget: w.directory.RemoveAssignments, Blobs: w.blobs})
	check(t, err)
	check(t, w.resources.EnsureSubscription(ctx, resources.Subscription{ID: subscriptionID, DisplayName: "Production", TenantID: tenantID}))
	w.resources.Attach(w.directory.Authorization())
	w.resources.Attach(extra...)
	server, err := arm.NewServer(arm.ServerConfig{Providers: w.resources.Providers(), Authoriser: w.directory, Clock: clock, Log: log,
		Scopes: w.resources, Auditor: w.audit, Region: "centralindia", AuthorizationURI: "https://login.example/" + tenantID})
	check(t, err)
	w.arm = httptest.NewTLSServer(server)
	w.authority = httptest.NewTLSServer(identity.NewAuthority(identity.AuthorityConfig{Directory: w.directory, Clock: clock, Log: log}))
	t.Cleanup(func() {
		w.arm.Close()
		w.authority.Close()
		w.ops.Close()
		check(t, w.store.Close())
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return w
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// transport trusts the test servers.
func (w *world) transport() *http.Client {
	pool := w.arm.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs.Clone()
	pool.AddCert(w.authority.Certificate())
	tr := w.arm.Client().Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.RootCAs = pool
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func (w *world) cloud() cloud.Configuration {
	return cloud.Configuration{ActiveDirectoryAuthorityHost: w.authority.URL,
		Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: w.arm.URL, Audience: "https://management.azure.com/"}}}
}

func (w *world) options() *azarm.ClientOptions {
	return &azarm.ClientOptions{ClientOptions: azcore.ClientOptions{Cloud: w.cloud(), Transport: w.transport(), Retry: policy.RetryOptions{MaxRetries: -1}}}
}

func (w *world) credential(c identity.Credentials) azcore.TokenCredential {
	cred, err := azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: azcore.ClientOptions{Cloud: w.cloud(), Transport: w.transport(), Retry: policy.RetryOptions{MaxRetries: -1}}, DisableInstanceDiscovery: true})
	check(w.t, err)
	return cred
}
