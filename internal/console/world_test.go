package console_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tandem"
	"tandem/internal/identity"
	"tandem/internal/keys"
	"tandem/internal/node"
)

const (
	tenant       = "99999999-8888-7777-6666-555555555555"
	subscription = "11111111-2222-3333-4444-555555555555"
	reader       = "acdd72a7-3385-48ef-bd42-f606fba81ae7" // Azure's role Reader
	group        = "/subscriptions/" + subscription + "/resourceGroups/rg"
	service      = group + "/providers/Microsoft.ApiManagement/service/shop"
	profile      = group + "/providers/Microsoft.Network/trafficManagerProfiles/shop"
)

// world is a home node in this process, with its console.
type world struct {
	t         *testing.T
	node      *node.Node
	transport *http.Transport
	token     string // of the operator
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, clock := t.TempDir(), tandem.SystemClock{}
	ca, err := keys.OpenCA(filepath.Join(dir, "ca"), clock)
	if err != nil {
		t.Fatal(err)
	}
	master, backup := filepath.Join(dir, "keys", "master.key"), filepath.Join(dir, "keys", "backup.identity")
	if _, err := keys.OpenMaster(master, keys.MasterOptions{Create: true, Clock: clock}); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenIdentity(backup, true, clock); err != nil {
		t.Fatal(err)
	}
	n, err := node.New(node.Config{Region: "southindia", Dir: filepath.Join(dir, "southindia"), Address: "127.0.0.1", CA: filepath.Join(dir, "ca"), MasterKey: master, BackupIdentity: backup,
		Log: slog.New(slog.DiscardHandler), Home: &node.Home{TenantID: tenant, SubscriptionID: subscription, Zone: "trafficmanager.net", Operator: "operator", Principals: []string{"watcher"}}})
	if err == nil {
		err = n.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, node: n, transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}}
	t.Cleanup(func() {
		w.transport.CloseIdleConnections()
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := w.credentials("operator")
	var answer struct {
		Token string `json:"access_token"`
	}
	resp, err := w.client().PostForm(n.Addresses().Authority+"/"+tenant+"/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID},
		"client_secret": {c.ClientSecret}, "scope": {"https://management.azure.com/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	w.token = answer.Token
	return w
}

func (w *world) credentials(name string) identity.Credentials { return w.node.Credentials()[name] }

func (w *world) client() *http.Client { return &http.Client{Transport: w.transport} }

// arm calls the management plane as the operator.
func (w *world) arm(method, path, version string, body any) map[string]any {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.node.Addresses().ARM+path+"?api-version="+version, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, text, err)
	}
	var out map[string]any
	_ = json.Unmarshal(text, &out) // some answers have no body
	return out
}

type props map[string]any

// settled waits until the service is made.
func (w *world) settled() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	for {
		if got, _ := w.arm(http.MethodGet, service, "2024-05-01", nil)["properties"].(map[string]any); got["provisioningState"] == "Succeeded" {
			return
		}
		if err := (tandem.SystemClock{}).Sleep(ctx, 20*time.Millisecond); err != nil {
			w.t.Fatal("the service is not made")
		}
	}
}

// fill makes a service with an API, and a profile with one endpoint that answers and one that does not.
func (w *world) fill() {
	w.t.Helper()
	put := func(path, version string, body any) { w.arm(http.MethodPut, path, version, body) }
	of := func(p props) any { return map[string]any{"properties": p} }
	put(group, "2021-04-01", map[string]any{"location": "southindia"})
	put(service, "2024-05-01", map[string]any{"location": "South India", "sku": map[string]any{"name": "Standard", "capacity": 1}, "properties": props{"publisherEmail": "a@shop.example", "publisherName": "Shop"}})
	w.settled()
	for path, p := range map[string]props{
		"/apis/orders":      {"displayName": "Orders <of> the shop", "path": "orders", "protocols": []string{"https"}, "serviceUrl": "http://127.0.0.1:1"},
		"/namedValues/open": {"displayName": "open", "value": "visible"},
		"/namedValues/shut": {"displayName": "shut", "value": "never to be seen", "secret": true},
	} {
		put(service+path, "2024-05-01", of(p))
	}
	put(service+"/apis/orders/operations/get", "2024-05-01", of(props{"displayName": "Get an order", "method": "GET", "urlTemplate": "/orders"}))
	put(service+"/apis/orders/policies/policy", "2024-05-01", of(props{"format": "rawxml", "value": `<policies><inbound><base /><set-header name="X" exists-action="override"><value>@("a" + 1)</value></set-header></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>`}))
	put(service+"/subscriptions/client", "2024-05-01", of(props{"displayName": "A client", "scope": "/apis", "state": "active", "primaryKey": "0123456789abcdef0123456789abcdef"}))
	gateway, err := url.Parse(w.node.GatewayURL("shop"))
	if err != nil {
		w.t.Fatal(err)
	}
	endpoint := func(name, target string, priority int) any {
		return map[string]any{"name": name, "type": "Microsoft.Network/trafficManagerProfiles/externalEndpoints", "properties": props{"target": target, "priority": priority}}
	}
	put(profile, "2022-04-01", map[string]any{"location": "global", "properties": props{"trafficRoutingMethod": "Priority", "failbackMode": "Manual",
		"dnsConfig":     props{"relativeName": "shop", "ttl": 1},
		"monitorConfig": props{"protocol": "HTTPS", "port": json.Number(gateway.Port()), "path": "/status-0123456789abcdef", "intervalInSeconds": 10, "timeoutInSeconds": 5, "toleratedNumberOfFailures": 0, "intervalInMilliseconds": 2000, "timeoutInMilliseconds": 1900},
		"endpoints":     []any{endpoint("near", "127.0.0.1", 1), endpoint("gone", "127.0.0.77", 2)}}})
	account := group + "/providers/Microsoft.Storage/storageAccounts/shopstore"
	put(account, "2024-01-01", map[string]any{"location": "southindia", "kind": "StorageV2", "sku": map[string]any{"name": "Standard_LRS"}, "properties": props{}})
	put(account+"/blobServices/default/containers/keep", "2024-01-01", of(props{}))
}

// watch makes the principal "watcher" a Reader of everything.
func (w *world) watch() {
	w.t.Helper()
	w.arm(http.MethodPut, "/subscriptions/"+subscription+"/providers/Microsoft.Authorization/roleAssignments/aaaaaaaa-0000-4000-8000-000000000001", "2022-04-01", map[string]any{"properties": props{
		"roleDefinitionId": "/subscriptions/" + subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + reader, "principalId": w.credentials("watcher").ObjectID, "principalType": "ServicePrincipal"}})
}

// browser is a client with cookies.
type browser struct {
	w *world
	*http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.client()
	c.Jar = jar
	return &browser{w, c}
}

// signIn signs a principal in.
func (w *world) signIn(name string) *browser {
	w.t.Helper()
	b, c := w.browser(), w.credentials(name)
	if status, body := b.trySignIn(c.ClientID, c.ClientSecret); status != http.StatusOK || !strings.Contains(body, "<h1>Overview</h1>") {
		w.t.Fatalf("%s is not signed in: %d\n%s", name, status, body)
	}
	return b
}

var field = regexp.MustCompile(`name="(form|csrf)" value="([^"]+)"`)

// hidden finds the hidden field of a form.
func hidden(name, body string) string {
	for _, m := range field.FindAllStringSubmatch(body, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	return ""
}

func (b *browser) trySignIn(id, secret string) (int, string) {
	_, page := b.get("/sign-in")
	return b.post("/sign-in", url.Values{"form": {hidden("form", page)}, "client_id": {id}, "client_secret": {secret}})
}

func (b *browser) get(path string) (int, string) {
	b.w.t.Helper()
	resp, err := b.Get(b.w.node.Addresses().Console + path)
	return b.read(resp, err)
}

func (b *browser) post(path string, form url.Values) (int, string) {
	b.w.t.Helper()
	resp, err := b.PostForm(b.w.node.Addresses().Console+path, form)
	return b.read(resp, err)
}

// read gives the status and the text without entities.
func (b *browser) read(resp *http.Response, err error) (int, string) {
	b.w.t.Helper()
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// csrf is the token of this session's forms.
func (b *browser) csrf() string {
	_, page := b.get("/traffic")
	return hidden("csrf", page)
}

// until gets a page until it has a text.
func (b *browser) until(path, text string) string {
	b.w.t.Helper()
	ctx, cancel := context.WithTimeout(b.w.t.Context(), time.Minute)
	defer cancel()
	for {
		_, body := b.get(path)
		if strings.Contains(html.UnescapeString(body), text) {
			return body
		}
		if err := (tandem.SystemClock{}).Sleep(ctx, 20*time.Millisecond); err != nil {
			b.w.t.Fatalf("%s never had %q:\n%s", path, text, body)
		}
	}
}
