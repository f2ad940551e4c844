package resources_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/arm/armclient"
	"tandem/internal/resources"
	"tandem/internal/store"
)

// caller is a raw client of a world.
type caller struct {
	w      *world
	client *http.Client
	token  string
}

func (w *world) caller() *caller {
	token, err := w.credential(w.owner).GetToken(w.t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com//.default"}})
	check(w.t, err)
	return &caller{w, w.transport(), token.Token}
}

func (c *caller) do(method, path, body string) (int, http.Header, string) {
	c.w.t.Helper()
	if !strings.HasPrefix(path, "https://") {
		path = c.w.arm.URL + path
	}
	req, err := http.NewRequestWithContext(c.w.t.Context(), method, path, strings.NewReader(body))
	check(c.w.t, err)
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.client.Do(req)
	check(c.w.t, err)
	defer func() { check(c.w.t, resp.Body.Close()) }()
	b, err := io.ReadAll(resp.Body)
	check(c.w.t, err)
	return resp.StatusCode, resp.Header, string(b)
}

type step struct {
	method, path, body string
	status             int
	contains           string
}

func (c *caller) run(steps []step) {
	c.w.t.Helper()
	for _, s := range steps {
		status, _, body := c.do(s.method, s.path, s.body)
		if status != s.status || !strings.Contains(body, s.contains) {
			c.w.t.Errorf("%s %s: got %d %s, want %d %s", s.method, s.path, status, body, s.status, s.contains)
		}
	}
}

const (
	sub = "/subscriptions/" + subscriptionID
	v   = "?api-version=2022-12-01"
)

func TestArmOwnTypes(t *testing.T) {
	w := newWorld(t)
	c := w.caller()
	long := strings.Repeat("x", 91)
	c.run([]step{
		{"GET", "/subscriptions?api-version=2019-11-01", "", 200, `"subscriptionId":"` + subscriptionID + `"`},
		{"GET", sub + v, "", 200, `"state":"Enabled"`},
		{"GET", "/subscriptions/other" + v, "", 404, "SubscriptionNotFound"},
		{"GET", "/tenants" + v, "", 200, `"tenantId":"` + tenantID + `"`},
		{"GET", sub + "/locations" + v, "", 200, `"displayName":"Central India","regionalDisplayName":"(India) Central India"`},
		{"GET", sub + "/providers" + v, "", 200, `"namespace":"Microsoft.Storage","registrationState":"Registered"`},
		{"GET", sub + "/providers/microsoft.authorization" + v, "", 200, `"resourceType":"roleAssignments"`},
		{"GET", "/providers/Microsoft.Resources" + v, "", 200, `"namespace":"Microsoft.Resources"`},
		{"GET", "/providers" + v, "", 200, "Microsoft.Storage"},
		{"POST", sub + "/providers/Microsoft.Storage/register" + v, "", 200, "Registered"},
		{"POST", sub + "/providers/Microsoft.Storage/unregister" + v, "", 409, "CannotUnregister"},
		{"POST", sub + "/providers/Microsoft.Nothing/register" + v, "", 404, "InvalidResourceNamespace"},
		{"GET", sub + "/providers/Microsoft.Nothing" + v, "", 404, "InvalidResourceNamespace"},
		{"PUT", sub + "/resourcegroups/rg1" + v, `{"Location":"Central India","tags":{"a":"b","n":null}}`, 201, `"provisioningState":"Succeeded"`},
		{"PUT", sub + "/resourceGroups/RG1" + v, `{"location":"centralindia"}`, 200, `"name":"rg1"`},
		{"PUT", sub + "/resourceGroups/rg1" + v, `{"location":"southindia"}`, 409, "InvalidResourceGroupLocation"},
		{"PUT", sub + "/resourceGroups/rg2" + v, `{"location":"atlantis"}`, 400, "LocationNotAvailableForResourceType"},
		{"PUT", sub + "/resourceGroups/rg2" + v, `{}`, 400, "LocationRequired"},
		{"PUT", sub + "/resourceGroups/rg2" + v, ``, 400, "InvalidRequestContent"},
		{"PUT", sub + "/resourceGroups/rg." + v, `{"location":"southindia"}`, 400, "InvalidResourceGroup"},
		{"PUT", sub + "/resourceGroups/" + long + v, `{"location":"southindia"}`, 400, "InvalidResourceGroup"},
		{"PATCH", sub + "/resourceGroups/rg1" + v, `{"tags":{"x":"y"},"managedBy":"/m"}`, 200, `"tags":{"x":"y"}`},
		{"PATCH", sub + "/resourceGroups/none" + v, `{}`, 404, "ResourceGroupNotFound"},
		{"HEAD", sub + "/resourceGroups/rg1" + v, "", 204, ""},
		{"HEAD", sub + "/resourceGroups/none" + v, "", 404, ""},
		{"GET", sub + "/resourceGroups/rg1" + v, "", 200, `"managedBy":"/m"`},
		{"GET", sub + "/resourceGroups" + v + "&$filter=tagName+eq+'x'+and+tagValue+eq+'Y'", "", 200, `"name":"rg1"`},
		{"GET", sub + "/resourceGroups" + v + "&$filter=tagName+eq+'x'+and+tagValue+eq+'z'", "", 200, `{"value":[]}`},
		{"GET", sub + "/resourceGroups" + v + "&$filter=nosuch+eq+'x'", "", 400, "InvalidFilter"},
		{"GET", sub + "/resourceGroups" + v + "&$filter=tagName+eq", "", 400, "InvalidFilter"},
		{"PUT", sub + "/resourcegroups/rg1/providers/Microsoft.Resources/templateSpecs/d" + v, `{"properties":{}}`, 404, "InvalidResourceType"},
		{"DELETE", sub + "/resourceGroups/none" + v, "", 404, "ResourceGroupNotFound"},
		{"GET", sub + "/operationresults/none" + v, "", 404, "ResourceNotFound"},
	})
}

func TestMetadata(t *testing.T) {
	w := newWorld(t)
	get := func(version string) string {
		resp, err := w.transport().Get(w.arm.URL + "/metadata/endpoints?api-version=" + version)
		check(t, err)
		defer func() { check(t, resp.Body.Close()) }()
		b, err := io.ReadAll(resp.Body)
		check(t, err)
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", version, resp.StatusCode, b)
		}
		return string(b)
	}
	var one struct {
		Name, ResourceManager, MicrosoftGraphResourceID string
		Authentication                                  struct {
			LoginEndpoint, Tenant, IdentityProvider string
			Audiences                               []string
		}
		Suffixes map[string]string
	}
	check(t, arm.DecodeJSON([]byte(get("2022-09-01")), &one))
	if one.Name != "Tandem" || one.ResourceManager != w.arm.URL+"/" || one.Authentication.IdentityProvider != "AAD" || one.Authentication.Tenant != "common" ||
		one.Authentication.LoginEndpoint == "" || len(one.Authentication.Audiences) != 1 || one.Suffixes["storage"] == "" || one.Suffixes["keyVaultDns"] == "" {
		t.Errorf("2022-09-01: %+v", one)
	}
	if text := get("2019-05-01"); !strings.HasPrefix(text, "[{") {
		t.Errorf("2019-05-01: %s", text)
	}
	for _, version := range []string{"2015-01-01", "1.0"} {
		if text := get(version); !strings.Contains(text, `"galleryEndpoint"`) || strings.Contains(text, "suffixes") {
			t.Errorf("%s: %s", version, text)
		}
	}
}

func TestStorageAccounts(t *testing.T) {
	w := newWorld(t)
	c := w.caller()
	const account = sub + "/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/backups1"
	const containers = account + "/blobServices/default/containers"
	c.run([]step{
		{"PUT", sub + "/resourcegroups/rg1" + v, `{"location":"centralindia"}`, 201, ""},
		{"PUT", sub + "/resourcegroups/rg2" + v, `{"location":"centralindia"}`, 201, ""},
		{"GET", account + v, "", 404, "The Resource 'Microsoft.Storage/storageAccounts/backups1' under resource group 'rg1' was not found."},
		{"PUT", account + v, `{"location":"South India"}`, 400, "InvalidAccountSku"},
		{"PUT", account + v, `{"sku":{"name":"Standard_LRS"}}`, 400, "LocationRequired"},
		{"PUT", strings.Replace(account, "backups1", "Bad_Name", 1) + v, `{}`, 400, "AccountNameInvalid"},
		{"PUT", account + v, `{"location":"South India","sku":{"name":"Standard_GRS"},"kind":"StorageV2"}`, 200, `"sku":{"name":"Standard_GRS","tier":"Standard"}`},
		{"PUT", account + v, `{"location":"southindia","tags":{"a":"b"},"properties":{"accessTier":"Cool"}}`, 200, `"accessTier":"Cool"`},
		{"PUT", account + v, `{"location":"westindia"}`, 409, "InvalidResourceLocation"},
		{"PUT", strings.Replace(account, "rg1", "rg2", 1) + v, `{"location":"southindia","sku":{"name":"Standard_GRS"}}`, 409, "StorageAccountAlreadyTaken"},
		{"GET", strings.Replace(account, "rg1", "rg2", 1) + v, "", 404, "ResourceNotFound"},
		{"PATCH", account + v, `{"sku":{"name":"Standard_LRS"}}`, 200, "Standard_LRS"},
		{"PATCH", account + v, `{"properties":{"MinimumTlsVersion":"TLS1_2","networkAcls":{"defaultAction":"Allow","ipRules":[]},"encryption":{"keySource":"Microsoft.Storage","services":{"blob":{"enabled":true}}},"sasPolicy":null}}`, 200, ""},
		{"PATCH", account + v, `{"properties":{"allowBlobPublicAccess":true}}`, 400, "The value 'true' of the property 'allowBlobPublicAccess' is not supported here."},
		{"PATCH", account + v, `{"properties":{"networkAcls":{"defaultAction":"Deny"}}}`, 400, "networkacls/defaultAction"},
		{"PATCH", account + v, `{"properties":{"sasPolicy":{"sasExpirationPeriod":"1"}}}`, 400, "sasExpirationPeriod"},
		{"GET", account + v, "", 200, `"primaryEndpoints":{"blob":"https://backups1.blob.core.windows.net/"}`},
		{"GET", sub + "/providers/Microsoft.Storage/storageAccounts" + v, "", 200, "backups1"},
		{"GET", sub + "/resourceGroups/rg2/providers/Microsoft.Storage/storageAccounts" + v, "", 200, `{"value":[]}`},
		{"POST", sub + "/providers/Microsoft.Storage/checkNameAvailability" + v, `{"name":"backups1"}`, 200, "AlreadyExists"},
		{"POST", sub + "/providers/Microsoft.Storage/checkNameAvailability" + v, `{"name":"free1"}`, 200, `{"nameAvailable":true}`},
		{"POST", sub + "/providers/Microsoft.Storage/checkNameAvailability" + v, `{"name":"X"}`, 200, "AccountNameInvalid"},
		{"GET", account + "/blobServices/default" + v, "", 200, "blobServices"},
		{"GET", containers + "/apim" + v, "", 404, "ContainerNotFound"},
		{"PUT", containers + "/apim" + v, `{}`, 201, `"name":"apim"`},
		{"PUT", containers + "/apim" + v, `{}`, 200, ""},
		{"PUT", containers + "/A--b" + v, `{}`, 400, "ContainerOperationFailure"},
		{"GET", containers + "/apim" + v, "", 200, "containers/apim"},
		{"GET", containers + v, "", 200, `"name":"apim"`},
		{"POST", account + "/regenerateKey" + v, `{"keyName":"key9"}`, 400, "InvalidValuesForRequestParameters"},
		{"GET", sub + "/resources" + v + "&$filter=resourceType+eq+'microsoft.storage/storageaccounts'", "", 200, "backups1"},
		{"GET", sub + "/resources" + v + "&$filter=resourceType+eq+'microsoft.x/y'", "", 200, `{"value":[]}`},
		{"GET", sub + "/resourceGroups/rg1/resources" + v + "&$expand=provisioningState,createdTime&$top=10", "", 200, `"provisioningState":"Succeeded"`},
		{"GET", sub + "/resourceGroups/rg1/resources" + v + "&$expand=secrets", "", 400, "InvalidExpand"},
		{"GET", sub + "/resourceGroups/rg1/resources" + v + "&$filter=substringof('BACK',name)+and+resourceGroup+eq+'RG1'", "", 200, "backups1"},
	})
	keysOf := func(method, path, body string) (out []string) {
		status, _, text := c.do(method, account+path+v, body)
		var list struct {
			Keys []struct{ KeyName, Value, Permissions string }
		}
		check(t, json.Unmarshal([]byte(text), &list))
		if status != 200 || len(list.Keys) != 2 || list.Keys[0].KeyName != "key1" || list.Keys[0].Permissions != "FULL" {
			t.Fatalf("%d %s", status, text)
		}
		return []string{list.Keys[0].Value, list.Keys[1].Value}
	}
	before := keysOf("POST", "/listKeys", "")
	raw, ok := w.resources.Keys("Backups1")
	if !ok || base64.StdEncoding.EncodeToString(raw[0]) != before[0] || len(raw[1]) != 64 {
		t.Error("the blob endpoint's keys are others")
	}
	after := keysOf("POST", "/regenerateKey", `{"keyname":"KEY2"}`)
	if after[0] != before[0] || after[1] == before[1] {
		t.Error("regenerate changed the wrong key")
	}
	all, err := w.store.List(t.Context(), "", store.ListOptions{})
	check(t, err)
	for _, doc := range all.Documents {
		for _, key := range append(before, after...) {
			if strings.Contains(string(doc.Value), key) {
				t.Errorf("%s holds a key in the open", doc.Key)
			}
		}
	}
	again, err := w.resources.EnsureStorageAccount(t.Context(), subscriptionID, "rg1", "backups1", "southindia")
	check(t, err)
	if again[1] != after[1] {
		t.Error("EnsureStorageAccount made another account")
	}
	if _, err := w.resources.EnsureStorageAccount(t.Context(), subscriptionID, "rg1", "second", "southindia"); err != nil {
		t.Fatal(err)
	}
	c.run([]step{
		{"DELETE", containers + "/apim" + v, "", 200, ""}, {"DELETE", containers + "/apim" + v, "", 204, ""},
		{"PUT", containers + "/left" + v, `{}`, 201, ""},
		{"DELETE", account + v, "", 200, ""}, {"DELETE", account + v, "", 204, ""},
	})
	if names, _ := w.blobs.ListContainers(t.Context(), "backups1"); len(names) != 0 {
		t.Errorf("containers left: %v", names)
	}
	if _, ok := w.resources.Keys("backups1"); ok {
		t.Error("a deleted account has keys")
	}
}

// garden is a provider whose resources lie in groups.
type garden struct {
	mu      sync.Mutex
	deleted []string
	stays   bool
	err     error
}

func (*garden) Namespace() string     { return "Microsoft.Garden" }
func (*garden) Types() []arm.TypeInfo { return []arm.TypeInfo{{Name: "trees"}} }
func (*garden) Routes() []arm.Route   { return nil }

func (g *garden) ListResources(_ context.Context, s, group string) ([]resources.Listed, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if group != "" && !strings.EqualFold(group, "rg1") || len(g.deleted) > 0 && !g.stays {
		return nil, nil
	}
	return []resources.Listed{{Resource: arm.Resource{ID: "/subscriptions/" + s + "/resourceGroups/rg1/providers/Microsoft.Garden/trees/oak", Name: "oak",
		Type: "Microsoft.Garden/trees", Location: "centralindia", Tags: map[string]string{"env": "prod"}, Properties: json.RawMessage(`{}`)}}}, nil
}

func (g *garden) DeleteGroup(_ context.Context, _, group string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		err := g.err
		g.err = nil
		return err
	}
	g.deleted = append(g.deleted, group)
	return nil
}

func TestDeleteGroupWithAllThatIsInIt(t *testing.T) {
	g := &garden{err: errors.New("the oak is too old")}
	w := newWorld(t, g)
	ctx := t.Context()
	check(t, w.resources.EnsureResourceGroup(ctx, subscriptionID, "rg1", "centralindia"))
	_, err := w.resources.EnsureStorageAccount(ctx, subscriptionID, "rg1", "account1", "centralindia")
	check(t, err)
	tokens := &armclient.ClientCredentials{Authority: w.authority.URL, TenantID: tenantID, ClientID: w.owner.ClientID, ClientSecret: w.owner.ClientSecret,
		HTTP: w.transport(), Clock: tandem.SystemClock{}}
	client, err := armclient.New(armclient.Config{Endpoint: w.arm.URL, Tokens: tokens, HTTP: w.transport(), Clock: tandem.SystemClock{}, APIVersion: "2021-04-01"})
	check(t, err)
	list := func(query url.Values) (names []string) {
		for item, err := range client.List(ctx, sub+"/resources", query) {
			check(t, err)
			var r struct{ Name string }
			check(t, json.Unmarshal(item, &r))
			names = append(names, r.Name)
		}
		return names
	}
	if got := fmt.Sprint(list(url.Values{"$top": {"1"}})); got != "[oak account1]" {
		t.Errorf("resources: %s", got)
	}
	if got := fmt.Sprint(list(url.Values{"$filter": {"tagName eq 'env' and tagValue eq 'prod'"}})); got != "[oak]" {
		t.Errorf("by tag: %s", got)
	}
	// The first delete fails, and the group is usable again.
	_, err = client.Run(ctx, armclient.Request{Method: "DELETE", Path: sub + "/resourceGroups/rg1"})
	if e := arm.AsError(err); err == nil || e.Status != 409 || e.Code != "InternalServerError" {
		t.Fatalf("delete that fails: %v", err)
	}
	_, err = client.Do(ctx, armclient.Request{Method: "PATCH", Path: sub + "/resourceGroups/rg1", Body: map[string]any{"tags": map[string]string{"a": "b"}}})
	check(t, err)
	resp, err := client.Run(ctx, armclient.Request{Method: "DELETE", Path: sub + "/resourceGroups/rg1"})
	check(t, err)
	if resp.Status != 200 || fmt.Sprint(g.deleted) != "[rg1]" {
		t.Errorf("delete: %d %v", resp.Status, g.deleted)
	}
	if _, ok := w.resources.Keys("account1"); ok {
		t.Error("the account outlived its group")
	}
	_, err = client.Do(ctx, armclient.Request{Method: "GET", Path: sub + "/resourceGroups/rg1"})
	if e := arm.AsError(err); err == nil || e.Code != "ResourceGroupNotFound" {
		t.Errorf("after the delete: %v", err)
	}
}

// TestMalformedRequestsChangeNothing sends rubbish to the whole management plane: no 500, no change of state.
func TestMalformedRequestsChangeNothing(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	check(t, w.resources.EnsureResourceGroup(ctx, subscriptionID, "rg1", "centralindia"))
	_, err := w.resources.EnsureStorageAccount(ctx, subscriptionID, "rg1", "account1", "centralindia")
	check(t, err)
	token := w.caller().token
	before, err := w.store.Revision(ctx)
	check(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	noise := func() string {
		b := make([]byte, rng.IntN(12))
		for i := range b {
			b[i] = byte(rng.IntN(256))
		}
		return string(b)
	}
	var paths []string
	for _, p := range w.resources.Providers() {
		for _, r := range p.Routes() {
			path := strings.NewReplacer("{subscriptionId}", subscriptionID, "{resourceGroupName}", "rg1", "{accountName}", "account1",
				"{scope...}", sub, "{namespace}", "Microsoft.Storage").Replace(r.Pattern)
			paths = append(paths, path)
		}
	}
	bad := []string{"{", `{"location":`, "[]", `"x"`, `{"location":5}`, `{"location":"a","Location":"b"}`, "\x00", `{"tags":{"a":"1","a":"2"}}`}
	handler := w.arm.Config.Handler
	statuses := map[int]int{}
	for i := range 10_000 {
		path := pick(paths...)
		for strings.Contains(path, "{") { // what names nothing that is there
			open := strings.IndexByte(path, '{')
			end := open + strings.IndexByte(path[open:], '}')
			path = path[:open] + url.PathEscape("no"+noise()) + path[end+1:]
		}
		query := "?api-version=2022-12-01"
		// Right methods go with bodies or versions that are wrong; the rest is wrong by itself.
		method, body := pick("PUT", "PATCH"), pick(bad...)
		switch rng.IntN(5) {
		case 0:
			query = pick("", "?api-version=x", "?api-version=%zz")
			method = pick("GET", "PUT", "DELETE", "POST")
		case 1:
			method = pick("TRACE", "FOO", "OPTIONS")
		case 2:
			path = strings.Replace(path, pick("subscriptions", "providers", "resource"), noise(), 1)
		case 3:
			path += "/" + url.PathEscape(noise()) + "/" + url.PathEscape(noise())
			method = pick("PUT", "PATCH", "POST")
		}
		r := httptest.NewRequest(http.MethodGet, "https://arm.example/", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, strings.TrimPrefix(query, "?")
		if u, err := url.Parse(path); err == nil {
			r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
		} else {
			r.URL.Path = path
		}
		r.Header.Set("Authorization", "Bearer "+pick(token, token, token, noise()))
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		statuses[rec.Code]++
		if strings.HasPrefix(r.URL.Path, "/metadata/endpoints") && rec.Code == 200 {
			continue
		}
		var e struct {
			Error struct{ Code, Message string }
		}
		if rec.Code < 400 || rec.Code >= 500 || json.Unmarshal(rec.Body.Bytes(), &e) != nil || e.Error.Code == "" {
			t.Errorf("request %d: %s %q %q %q gave %d %s", i, method, r.URL.Path, query, body, rec.Code, rec.Body)
			if t.Failed() && i > 20 {
				break
			}
		}
	}
	after, err := w.store.Revision(ctx)
	check(t, err)
	if before != after {
		t.Errorf("the store went from revision %d to %d", before, after)
	}
	t.Log("statuses:", statuses)
}

func TestDeleteThatIsBlocked(t *testing.T) {
	g := &garden{stays: true}
	w := newWorld(t, g)
	check(t, w.resources.EnsureResourceGroup(t.Context(), subscriptionID, "rg1", "centralindia"))
	c := w.caller()
	status, h, _ := c.do("DELETE", sub+"/resourceGroups/rg1"+v, "")
	if status != 202 {
		t.Fatalf("delete gave %d", status)
	}
	body := ""
	for status == 202 {
		status, _, body = c.do("GET", h.Get("Location"), "")
	}
	if status != 409 || !strings.Contains(body, "ResourceGroupDeletionBlocked") {
		t.Errorf("got %d %s", status, body)
	}
}

func TestDeleteGoesOnAfterACrash(t *testing.T) {
	g := &garden{}
	w := newWorld(t, g)
	ctx := t.Context()
	check(t, w.resources.EnsureResourceGroup(ctx, subscriptionID, "rg1", "centralindia"))
	ops := resources.OperationStore(w.store, "operations/")
	check(t, ops.PutOperation(ctx, arm.Operation{ID: "b3A/=", Resource: sub + "/resourceGroups/rg1", Code: "DeleteResourceGroup", Status: arm.InProgress, Runner: "one"}))
	check(t, w.ops.Recover(ctx))
	err := w.store.Watch(ctx, "operations/", 0, func(store.Event) error {
		if op, err := ops.GetOperation(ctx, "b3A/="); err != nil || op.Status != arm.InProgress {
			return errors.Join(err, io.EOF)
		}
		return nil
	})
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	op, err := ops.GetOperation(ctx, "b3A/=")
	check(t, err)
	if op.Status != arm.Succeeded || len(g.deleted) != 1 {
		t.Errorf("%+v, deleted %v", op, g.deleted)
	}
	if err := w.resources.CheckResourceGroup(ctx, subscriptionID, "rg1", false); arm.AsError(err).Code != "ResourceGroupNotFound" {
		t.Errorf("the group is there: %v", err)
	}
	all, err := ops.ListOperations(ctx)
	check(t, err)
	if len(all) != 1 {
		t.Errorf("%d operations", len(all))
	}
	check(t, ops.DeleteOperation(ctx, "b3A/="))
	if _, err := ops.GetOperation(ctx, "b3A/="); tandem.KindOf(err) != tandem.NotFound {
		t.Errorf("got %v", err)
	}
}
