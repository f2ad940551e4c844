package node

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	apimsdk "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/identity"
	"tandem/internal/keys"
)

// tokenOptions ask for a token for the management plane.
var tokenOptions = policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}}

// codeOf is the error code that Azure's wire carries.
func codeOf(err error) string {
	var e *azcore.ResponseError
	if errors.As(err, &e) {
		return e.ErrorCode
	}
	return ""
}

// world is two nodes in this process: the home southindia and the region centralindia.
type world struct {
	t            *testing.T
	ca           *keys.CA
	home, region *Node
	cred         *azidentity.ClientSecretCredential
	options      *arm.ClientOptions
	http         *http.Client
	secret       identity.Credentials
}

const subscription = "11111111-2222-3333-4444-555555555555"

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	clock := tandem.SystemClock{}
	w := &world{t: t}
	var err error
	if w.ca, err = keys.OpenCA(filepath.Join(dir, "ca"), clock); err != nil {
		t.Fatal(err)
	}
	base := newKeys(t, dir)
	home := base
	home.Region, home.Dir = "southindia", filepath.Join(dir, "southindia")
	home.Home = &Home{TenantID: "99999999-8888-7777-6666-555555555555", SubscriptionID: subscription, Zone: "trafficmanager.net", Operator: "operator"}
	arm, internal := freePort(t), freePort(t)
	home.Peers = []Peer{{Region: "centralindia", ARM: fmt.Sprintf("https://127.0.0.1:%d", arm), Internal: fmt.Sprintf("https://127.0.0.1:%d", internal)}}
	w.home = w.start(home)
	a := w.home.Addresses()
	region := base
	region.Region, region.Dir = "centralindia", filepath.Join(dir, "centralindia")
	region.Peers = []Peer{{Region: "southindia", Home: true, ARM: a.ARM, Internal: a.Internal, Blob: a.Blob}}
	region.Ports = Ports{ARM: arm, Internal: internal}
	w.region = w.start(region)
	w.secret = w.home.Credentials()["operator"]
	w.connect()
	return w
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return portOf(l)
}

func (w *world) start(c Config) *Node {
	w.t.Helper()
	n, err := New(c)
	if err == nil {
		err = n.Start(w.t.Context())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) connect() {
	w.t.Helper()
	a := w.home.Addresses()
	w.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.ca.Pool()}, DisableKeepAlives: true}}
	azure := cloud.Configuration{ActiveDirectoryAuthorityHost: a.Authority, Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
		cloud.ResourceManager: {Endpoint: a.ARM, Audience: "https://management.azure.com"}}}
	core := azcore.ClientOptions{Cloud: azure, Transport: w.http, Retry: policy.RetryOptions{MaxRetries: -1}}
	c := w.secret
	var err error
	w.cred, err = azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret, &azidentity.ClientSecretCredentialOptions{ClientOptions: core, DisableInstanceDiscovery: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.options = &arm.ClientOptions{ClientOptions: core, DisableRPRegistration: true}
}

func (w *world) stop() {
	w.t.Helper()
	w.http.CloseIdleConnections()
	for _, n := range []*Node{w.region, w.home} {
		if err := n.Stop(); err != nil {
			w.t.Error(err)
		}
	}
}

// must is for calls that have to succeed: must(call(…))(t).
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func pollOptions() *runtime.PollUntilDoneOptions {
	return &runtime.PollUntilDoneOptions{Frequency: time.Second}
}

// TestTwoRegions drives two nodes with the official SDK: services in both regions by way of one endpoint, an imported API
// with its policy, native backup and restore, the same client served on both sides.
func TestTwoRegions(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"))
	w := newWorld(t)
	defer w.stop()
	ctx := t.Context()
	groups := must(armresources.NewResourceGroupsClient(subscription, w.cred, w.options))(t)
	for name, place := range map[string]string{"primary": "centralindia", "standby": "southindia"} {
		must(groups.CreateOrUpdate(ctx, name, armresources.ResourceGroup{Location: &place}, nil))(t)
	}
	f := must(apimsdk.NewClientFactory(subscription, w.cred, w.options))(t)
	for name, place := range map[string]string{"primary": "Central India", "standby": "South India"} {
		w.createService(f, name, "apim-"+name, place)
	}
	w.buildAPI(f)

	var pages int
	for p := f.NewServiceClient().NewListPager(nil); p.More(); {
		pages += len(must(p.NextPage(ctx))(t).Value)
	}
	if pages != 2 {
		t.Errorf("the list of services has %d, want 2", pages)
	}
	sub := f.NewSubscriptionClient()
	secrets := must(sub.ListSecrets(ctx, "primary", "apim-primary", "client", nil))(t)
	w.expect("apim-primary", *secrets.PrimaryKey, 200)
	w.expect("apim-primary", "", 401)
	w.expect("apim-standby", *secrets.PrimaryKey, 404)

	account := w.storage()
	transfer := apimsdk.ServiceBackupRestoreParameters{StorageAccount: &account.name, AccessKey: &account.key, ContainerName: to.Ptr("backups"), BackupName: to.Ptr("nightly")}
	backup := must(f.NewServiceClient().BeginBackup(ctx, "primary", "apim-primary", transfer, nil))(t)
	must(backup.PollUntilDone(ctx, pollOptions()))(t)
	restore := must(f.NewServiceClient().BeginRestore(ctx, "standby", "apim-standby", transfer, nil))(t)
	must(restore.PollUntilDone(ctx, pollOptions()))(t)

	again := must(sub.ListSecrets(ctx, "standby", "apim-standby", "client", nil))(t)
	if *again.PrimaryKey != *secrets.PrimaryKey || *again.SecondaryKey != *secrets.SecondaryKey {
		t.Error("the keys on the standby are others")
	}
	for _, key := range []string{*secrets.PrimaryKey, *secrets.SecondaryKey} {
		if got := w.expect("apim-standby", key, 200); !strings.Contains(got, "southindia") {
			t.Errorf("the standby's policy answers %q", got)
		}
	}
	wrong := transfer
	wrong.AccessKey = to.Ptr("bm90IHRoZSBrZXk=")
	failed := must(f.NewServiceClient().BeginRestore(ctx, "standby", "apim-standby", wrong, nil))(t)
	if _, err := failed.PollUntilDone(ctx, pollOptions()); err == nil || !strings.Contains(err.Error(), "RestoreFailed") {
		t.Errorf("a restore with a wrong key ends with %v", err)
	}
	w.expect("apim-standby", *secrets.PrimaryKey, 200)
}

func (w *world) createService(f *apimsdk.ClientFactory, group, name, place string) {
	w.t.Helper()
	p := must(f.NewServiceClient().BeginCreateOrUpdate(w.t.Context(), group, name, apimsdk.ServiceResource{Location: &place,
		SKU:        &apimsdk.ServiceSKUProperties{Name: to.Ptr(apimsdk.SKUTypeStandard), Capacity: to.Ptr[int32](1)},
		Properties: &apimsdk.ServiceProperties{PublisherEmail: to.Ptr("op@example.org"), PublisherName: to.Ptr("Example")}}, nil))(w.t)
	done := must(p.PollUntilDone(w.t.Context(), pollOptions()))(w.t)
	if *done.Properties.ProvisioningState != "Succeeded" {
		w.t.Fatalf("the service %s is %s", name, *done.Properties.ProvisioningState)
	}
}

// buildAPI makes an API that answers by its own policy, a product and a subscription.
func (w *world) buildAPI(f *apimsdk.ClientFactory) {
	w.t.Helper()
	ctx := w.t.Context()
	doc := `{"openapi":"3.0.1","info":{"title":"Hello","version":"1"},"paths":{"/hello":{"get":{"operationId":"hello","responses":{"200":{"description":"ok"}}}}}}`
	api := must(f.NewAPIClient().BeginCreateOrUpdate(ctx, "primary", "apim-primary", "hello", apimsdk.APICreateOrUpdateParameter{
		Properties: &apimsdk.APICreateOrUpdateProperties{Format: to.Ptr(apimsdk.ContentFormatOpenapiJSON), Value: &doc, Path: to.Ptr("greet")}}, nil))(w.t)
	must(api.PollUntilDone(ctx, pollOptions()))(w.t)
	value := must(f.NewNamedValueClient().BeginCreateOrUpdate(ctx, "primary", "apim-primary", "word", apimsdk.NamedValueCreateContract{
		Properties: &apimsdk.NamedValueCreateContractProperties{DisplayName: to.Ptr("word"), Value: to.Ptr("hidden"), Secret: to.Ptr(true)}}, nil))(w.t)
	must(value.PollUntilDone(ctx, pollOptions()))(w.t)
	text := `<policies><inbound><base /><return-response><set-status code="200" reason="OK" /><set-body>@("{{word}} from " + context.Deployment.Region)</set-body></return-response></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>`
	must(f.NewAPIPolicyClient().CreateOrUpdate(ctx, "primary", "apim-primary", "hello", apimsdk.PolicyIDNamePolicy, apimsdk.PolicyContract{
		Properties: &apimsdk.PolicyContractProperties{Format: to.Ptr(apimsdk.PolicyContentFormatRawxml), Value: &text}}, nil))(w.t)
	must(f.NewProductClient().CreateOrUpdate(ctx, "primary", "apim-primary", "starter", apimsdk.ProductContract{
		Properties: &apimsdk.ProductContractProperties{DisplayName: to.Ptr("Starter"), State: to.Ptr(apimsdk.ProductStatePublished)}}, nil))(w.t)
	must(f.NewProductAPIClient().CreateOrUpdate(ctx, "primary", "apim-primary", "starter", "hello", nil))(w.t)
	must(f.NewSubscriptionClient().CreateOrUpdate(ctx, "primary", "apim-primary", "client", apimsdk.SubscriptionCreateParameters{
		Properties: &apimsdk.SubscriptionCreateParameterProperties{DisplayName: to.Ptr("Client"), Scope: to.Ptr("/products/starter")}}, nil))(w.t)
}

type storageAccount struct{ name, key string }

func (w *world) storage() storageAccount {
	w.t.Helper()
	list, err := w.home.controlPlane().resources.EnsureStorageAccount(w.t.Context(), subscription, "standby", "backups123", "southindia")
	if err != nil {
		w.t.Fatal(err)
	}
	return storageAccount{"backups123", list[0]}
}

// expect calls a gateway until it answers with the status, since a change takes a moment to be live.
func (w *world) expect(service, key string, status int) string {
	w.t.Helper()
	url := w.region.GatewayURL(service)
	if url == "" {
		url = w.home.GatewayURL(service)
	}
	var got int
	var body string
	for range 250 {
		req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url+"/greet/hello", nil)
		if err != nil {
			w.t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("Ocp-Apim-Subscription-Key", key)
		}
		resp, err := w.http.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		got, body = resp.StatusCode, readAll(w.t, resp)
		if got == status {
			return body
		}
		if err := (tandem.SystemClock{}).Sleep(w.t.Context(), 20*time.Millisecond); err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Fatalf("%s answers %d (%s), want %d", service, got, body, status)
	return ""
}

func readAll(t *testing.T, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
