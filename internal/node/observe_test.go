package node

import (
	"crypto/tls"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	apimsdk "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/gateway"
)

// TestObserve traces a request with the official SDK, reads metrics over the internal listener, and probes a gateway.
func TestObserve(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"))
	w := newWorld(t)
	defer w.stop()
	ctx := t.Context()
	must(must(armresources.NewResourceGroupsClient(subscription, w.cred, w.options))(t).CreateOrUpdate(ctx, "primary", armresources.ResourceGroup{Location: to.Ptr("centralindia")}, nil))(t)
	f := must(apimsdk.NewClientFactory(subscription, w.cred, w.options))(t)
	w.createService(f, "primary", "apim-primary", "Central India")
	w.buildAPI(f)
	keys := must(f.NewSubscriptionClient().ListSecrets(ctx, "primary", "apim-primary", "client", nil))(t)
	w.expect("apim-primary", *keys.PrimaryKey, 200)

	api := must(f.NewAPIClient().Get(ctx, "primary", "apim-primary", "hello", nil))(t)
	credentials := must(f.NewGatewayClient().ListDebugCredentials(ctx, "primary", "apim-primary", "managed", apimsdk.GatewayListDebugCredentialsContract{
		APIID: api.ID, Purposes: []*apimsdk.GatewayListDebugCredentialsContractPurpose{to.Ptr(apimsdk.GatewayListDebugCredentialsContractPurposeTracing)}, CredentialsExpireAfter: to.Ptr("PT5M")}, nil))(t)
	url := w.region.GatewayURL("apim-primary")
	resp := w.fetch(w.http, url+"/greet/hello", "Ocp-Apim-Subscription-Key", *keys.PrimaryKey, "Apim-Debug-Authorization", *credentials.Token)
	id := resp.header.Get("Apim-Trace-Id")
	trace := must(f.NewGatewayClient().ListTrace(ctx, "primary", "apim-primary", "managed", apimsdk.GatewayListTraceContract{TraceID: &id}, nil))(t)
	if len(trace.Value["traceEntries"].(map[string]any)["inbound"].([]any)) < 3 {
		t.Errorf("the trace is %v", trace.Value)
	}
	if _, err := f.NewGatewayClient().ListTrace(ctx, "primary", "apim-primary", "managed", apimsdk.GatewayListTraceContract{TraceID: to.Ptr("none")}, nil); err == nil || !strings.Contains(err.Error(), "ResourceNotFound") {
		t.Errorf("a trace that is not there: %v", err)
	}

	token, err := os.ReadFile(w.region.path("probe-token"))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{"": `{"reason":"Service Operational","generation":1,"keyCheck":"ok","certificate":"ok"}`, strings.TrimSpace(string(token)): `"backends":`} {
		if got := w.fetch(w.http, url+gateway.StatusPath+"?detail=1", gateway.ProbeHeader, header); got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("a probe with the token %q sees %d %s", header, got.status, got.body)
		}
	}

	peer, err := w.home.peerTLS()
	if err != nil {
		t.Fatal(err)
	}
	node := &http.Client{Transport: &http.Transport{TLSClientConfig: peer, DisableKeepAlives: true}}
	internal := w.region.Addresses().Internal
	if got := w.fetch(node, internal+metricsPath); !strings.Contains(got.body, `tandem_gateway_requests_total{api="hello",operation="hello",service="apim-primary",status="200"}`) {
		t.Errorf("the metrics are %d %s", got.status, got.body)
	}
	if got := w.fetch(node, internal+gatewayPath+"apim-primary"); !strings.Contains(got.body, `"listeners":["127.0.0.1:`) {
		t.Errorf("the node tells %d %s of its gateway", got.status, got.body)
	}
	if _, err := w.http.Get(internal + metricsPath); err == nil {
		t.Error("the metrics are told without a certificate")
	}
	w.hostname(f)
}

// hostname gives the service a host name of its own, and waits until its gateway asks clients there for certificates.
func (w *world) hostname(f *apimsdk.ClientFactory) {
	w.t.Helper()
	p := must(f.NewServiceClient().BeginUpdate(w.t.Context(), "primary", "apim-primary", apimsdk.ServiceUpdateParameters{Properties: &apimsdk.ServiceUpdateProperties{
		HostnameConfigurations: []*apimsdk.HostnameConfiguration{{Type: to.Ptr(apimsdk.HostnameTypeProxy), HostName: to.Ptr("shop.example"), NegotiateClientCertificate: to.Ptr(true)}}}}, nil))(w.t)
	must(p.PollUntilDone(w.t.Context(), pollOptions()))(w.t)
	asked := false
	for range 250 {
		c, err := tls.Dial("tcp", strings.TrimPrefix(w.region.GatewayURL("apim-primary"), "https://"), &tls.Config{ServerName: "shop.example", InsecureSkipVerify: true, //nolint:gosec // the name has no certificate of its own
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked = true
				return &tls.Certificate{}, nil
			}})
		if err == nil {
			_ = c.Close()
		}
		if asked {
			return
		}
		if err := (tandem.SystemClock{}).Sleep(w.t.Context(), 20*time.Millisecond); err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Error("the gateway does not ask for a certificate")
}

type fetched struct {
	status int
	header http.Header
	body   string
}

func (w *world) fetch(c *http.Client, url string, header ...string) fetched {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := c.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return fetched{resp.StatusCode, resp.Header, readAll(w.t, resp)}
}
