package apim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestETags(t *testing.T) {
	p := withService(t)
	put := func(etag, name string) int {
		h := http.Header{}
		if etag != "" {
			h.Set("If-Match", etag)
		}
		status, _, _ := p.do("PUT", "tags/blue", `{"properties":{"displayName":"`+name+`"}}`, h)
		return status
	}
	if got := put("*", "one"); got != 201 { // clients send * when they create
		t.Fatalf("create: %d", got)
	}
	_, _, h := p.do("GET", "tags/blue", "", nil)
	old := h.Get("ETag")
	if got := put(old, "two"); got != 200 {
		t.Errorf("current ETag: %d", got)
	}
	if got := put(old, "three"); got != 412 {
		t.Errorf("stale ETag: %d", got)
	}
	if got := put("", "four"); got != 200 {
		t.Errorf("no ETag on PUT: %d", got)
	}
	if status, _, _ := p.do("PATCH", "tags/blue", `{"properties":{"displayName":"x"}}`, nil); status != 200 {
		t.Errorf("PATCH without If-Match, as azurerm sends it: %d", status)
	}
	if status, _, _ := p.do("PATCH", "tags/blue", `{"properties":{"displayName":"x"}}`, http.Header{"If-Match": {old}}); status != 412 {
		t.Errorf("PATCH with a stale ETag: %d", status)
	}
	if status, raw, _ := p.do("PUT", "tags/green", `{"properties":{"displayName":"x"}}`, http.Header{"If-Match": {""}}); status != 201 {
		t.Errorf("PUT with an empty If-Match, as azurerm sends it: %d %s", status, raw)
	}
	if status, _, _ := p.do("PUT", "tenant/access", `{"properties":{"enabled":true}}`, nil); status != 412 {
		t.Errorf("PUT that demands If-Match: %d", status)
	}
	if status, _, _ := p.do("DELETE", "tags/blue", "", http.Header{"If-Match": {old}}); status != 412 {
		t.Errorf("DELETE with a stale ETag: %d", status)
	}
	status, body, h := p.do("HEAD", "tags/blue", "", nil)
	if status != 200 || h.Get("ETag") == "" || len(body) > 0 {
		t.Errorf("HEAD: %d %v", status, h)
	}
	if status, _, _ = p.do("HEAD", "tags/none", "", nil); status != 404 {
		t.Errorf("HEAD of nothing: %d", status)
	}
	if status, raw, _ := p.do("DELETE", "tags/blue", "", nil); status != 200 {
		t.Errorf("DELETE without If-Match, as azurerm sends it: %d %s", status, raw)
	}
	if status, _, _ = p.do("DELETE", "tags/blue", "", anyETag); status != 204 {
		t.Errorf("DELETE of nothing: %d", status)
	}
}

func TestListsFilterAndPage(t *testing.T) {
	p := withService(t)
	for i := range 25 {
		p.must("PUT", fmt.Sprintf("products/p%02d", i), fmt.Sprintf(`{"properties":{"displayName":"Product %02d","state":%q}}`, i, []string{"published", "notPublished"}[i%2]))
	}
	get := func(query string) map[string]any { return p.must("GET", "products?"+query, "") }
	for _, c := range []struct{ filter, want string }{
		{"name eq 'p03'", "p03"},
		{"properties/displayName eq 'product 04'", "p04"},
		{"startswith(displayName, 'Product 0') and state eq 'published' and name gt 'p05'", "p06 p08"},
		{"substringof('2', name) and not (state eq 'published')", "p21 p23"},
		{"contains(displayName,'24') or endswith(name,'11')", "p11 p24"},
	} {
		if got := names(get("$filter=" + url.QueryEscape(c.filter))); got != c.want {
			t.Errorf("%s: %s, want %s", c.filter, got, c.want)
		}
	}
	l := get("%24top=2&$skip=3&$filter=" + url.QueryEscape("state eq 'published'"))
	if names(l) != "p06 p08" || at(l, "count") != 13.0 {
		t.Errorf("%s %v", names(l), at(l, "count"))
	}
	var all []string
	for link := root + "/products?$top=10"; link != ""; {
		l := p.must("GET", strings.TrimPrefix(link, p.server.URL), "")
		all = append(all, names(l))
		if len(all) == 1 && at(l, "count") != 25.0 {
			t.Errorf("count %v", at(l, "count"))
		}
		link, _ = at(l, "nextLink").(string)
	}
	if len(all) != 3 || len(strings.Fields(strings.Join(all, " "))) != 25 || !strings.HasPrefix(all[2], "p20") {
		t.Errorf("pages: %q", all)
	}
	p.fails("GET", "products?$filter=colour%20eq%20'red'", "", 400, "InvalidFilter", "colour")
	p.fails("GET", "tags?$filter=state%20eq%20'x'", "", 400, "InvalidFilter") // even where the list is empty
	p.fails("GET", "products?$filter=name%20eq", "", 400, "InvalidFilter")
	p.fails("GET", "products?$top=0", "", 400, "InvalidQueryParameter")
	p.fails("GET", "products?$skipToken=AAAA", "", 400, "InvalidSkipToken")
	p.fails("GET", "products?$orderby=state", "", 400, "InvalidQueryParameter")
}

func TestLongListIsCounted(t *testing.T) {
	p := withService(t)
	if testing.Short() {
		t.Skip("writes many resources")
	}
	for i := range 500 {
		p.must("PUT", fmt.Sprintf("tags/t%04d", i), `{"properties":{"displayName":"T"}}`)
	}
	first := p.must("GET", "tags", "")
	if n := len(at(first, "value").([]any)); n != 100 || at(first, "count") != 500.0 {
		t.Errorf("%d items, count %v", n, at(first, "count"))
	}
	next := p.must("GET", strings.TrimPrefix(at(first, "nextLink").(string), p.server.URL), "")
	if n := len(at(next, "value").([]any)); n != 100 || at(next, "count") != 500.0 || at(next, "value", 0, "name") != "t0100" {
		t.Errorf("the second page: %d items, count %v", n, at(next, "count"))
	}
	last := p.must("GET", "tags?$skip=450", "")
	if n := len(at(last, "value").([]any)); n != 50 || at(last, "count") != 500.0 || at(last, "nextLink") != nil {
		t.Errorf("%d items, count %v", n, at(last, "count"))
	}
}

func TestBuiltInRows(t *testing.T) {
	p := withService(t)
	for path, want := range map[string]int{"groups": 3, "subscriptions": 1, "templates": 14, "notifications": 7, "portalsettings": 3, "tenant": 2, "portalconfigs": 1} {
		if got := len(at(p.must("GET", path, ""), "value").([]any)); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if at(p.must("GET", "templates/inviteUserNotificationMessage", ""), "properties", "isDefault") != true {
		t.Error("a fresh template is not the default")
	}
	p.must("PUT", "templates/inviteUserNotificationMessage", `{"properties":{"subject":"Come"}}`)
	got := p.must("GET", "templates/inviteUserNotificationMessage", "")
	if at(got, "properties", "isDefault") != false || at(got, "properties", "subject") != "Come" || at(got, "properties", "body") == nil {
		t.Errorf("%v", got)
	}
	p.must("DELETE", "templates/inviteUserNotificationMessage", "")
	if at(p.must("GET", "templates/inviteUserNotificationMessage", ""), "properties", "isDefault") != true {
		t.Error("the default did not come back")
	}
	p.must("PUT", "users/ann", `{"properties":{"email":"ann@c.test","firstName":"A","lastName":"L"}}`)
	p.must("PUT", "notifications/BCC/recipientUsers/ann", "")
	p.must("PUT", "notifications/BCC/recipientEmails/ops@c.test", "")
	if got := at(p.must("GET", "notifications/BCC/recipientEmails", ""), "value", 0, "properties", "email"); got != "ops@c.test" {
		t.Errorf("the recipient is %v", got)
	}
	if got := p.must("GET", "notifications/BCC", ""); at(got, "properties", "recipients", "emails", 0) != "ops@c.test" || !strings.HasSuffix(at(got, "properties", "recipients", "users", 0).(string), "/users/ann") {
		t.Errorf("%v", got)
	}
	p.must("PATCH", "tenant/access", `{"properties":{"enabled":true}}`)
	if keys := p.must("POST", "tenant/access/listSecrets", ""); at(keys, "primaryKey") == nil || at(keys, "enabled") != true {
		t.Errorf("%v", keys)
	}
	p.fails("DELETE", "groups/developers", "", 405, "MethodNotAllowed", "built-in")
	p.fails("GET", "notifications/Nothing", "", 404, "ResourceNotFound")
}

func TestReferences(t *testing.T) {
	p := withService(t)
	p.fails("PUT", "products/gold/apis/echo", "", 404, "ResourceNotFound")
	p.must("PUT", "products/gold", `{"properties":{"displayName":"Gold"}}`)
	p.fails("PUT", "products/gold/apis/echo", "", 400, "ValidationError", "/apis/echo")
	p.fails("PUT", "apis/echo", `{"properties":{"path":"echo","apiVersionSetId":"/apiVersionSets/none"}}`, 400, "ValidationError", "apiVersionSetId")
	p.must("PUT", "apiVersionSets/vs", `{"properties":{"displayName":"V","versioningScheme":"segment"}}`)
	if got := at(p.must("GET", "apiVersionSets/vs", ""), "properties", "versioningScheme"); got != "Segment" {
		t.Errorf("versioningScheme %v", got)
	}
	api := p.must("PUT", "apis/echo", `{"properties":{"path":"echo","apiVersion":"v1","apiVersionSetId":"/apiVersionSets/vs"}}`)
	if got := at(api, "properties", "apiVersionSetId"); got != root+"/apiVersionSets/vs" {
		t.Errorf("a short id is answered as %v", got)
	}
	if got := p.must("GET", "apis?expandApiVersionSet=true", ""); at(got, "value", 0, "properties", "apiVersionSet", "versioningScheme") != "Segment" {
		t.Errorf("%v", got)
	}
	p.fails("DELETE", "apiVersionSets/vs", "", 400, "ValidationError", "apis/echo")
	p.must("PUT", "apis/echo2", `{"properties":{"path":"echo","apiVersion":"v2","apiVersionSetId":"/apiVersionSets/vs"}}`)
	p.fails("PUT", "apis/other", `{"properties":{"path":"Echo"}}`, 400, "ValidationError", "path", "the API echo")
	p.must("PUT", "products/gold/apis/echo", "")
	p.must("PUT", "tags/blue", `{"properties":{"displayName":"Blue"}}`)
	p.must("PUT", "tags/blue/apiLinks/l1", `{"properties":{"apiId":"/apis/echo"}}`)
	p.must("PUT", "users/ann", `{"properties":{"email":"ann@c.test","firstName":"A","lastName":"L"}}`)
	p.must("PUT", "subscriptions/s1", `{"properties":{"displayName":"S","scope":"/products/gold","ownerId":"/users/ann"}}`)
	p.must("PUT", "subscriptions/s2", `{"properties":{"displayName":"S","scope":"/apis/echo"}}`)
	if got := names(p.must("GET", "products/gold/subscriptions", "")); got != "s1" {
		t.Errorf("subscriptions of gold: %s", got)
	}
	if got := names(p.must("GET", "apis/echo/products", "")); got != "gold" {
		t.Errorf("products of echo: %s", got)
	}
	p.fails("DELETE", "products/gold", "", 400, "ValidationError", "deleteSubscriptions")
	p.fails("DELETE", "users/ann", "", 400, "ValidationError", "s1")
	p.must("DELETE", "products/gold?deleteSubscriptions=true", "")
	p.must("DELETE", "users/ann", "")
	p.must("DELETE", "apis/echo", "")
	if got := names(p.must("GET", "tags/blue/apiLinks", "")) + names(p.must("GET", "subscriptions", "")); got != "master" {
		t.Errorf("left behind: %s", got)
	}
	p.must("PUT", "namedValues/host", `{"properties":{"displayName":"backend-host","value":"h"}}`)
	p.must("PUT", "policyFragments/f", `{"properties":{"format":"rawxml","value":"<fragment/>"}}`)
	p.must("PUT", "backends/b", `{"properties":{"url":"https://b.test","protocol":"HTTP"}}`)
	p.must("PUT", "policies/policy", `{"properties":{"format":"rawxml","value":"<policies><inbound><include-fragment fragment-id=\"f\" /><set-backend-service backend-id=\"b\" />{{backend-host}}</inbound></policies>"}}`)
	for _, used := range []string{"namedValues/host", "policyFragments/f", "backends/b"} {
		p.fails("DELETE", used, "", 400, "ValidationError", "policy of /")
	}
	if got := p.must("POST", "policyFragments/f/listReferences", ""); at(got, "count") != 1.0 || !strings.HasSuffix(at(got, "value", 0, "id").(string), "/policies/policy") {
		t.Errorf("%v", got)
	}
	p.must("DELETE", "policies/policy", "")
	p.must("DELETE", "namedValues/host", "")
	p.fails("PUT", "backends/all", `{"properties":{"type":"pool","pool":{"services":[{"id":"/backends/none"}]}}}`, 400, "ValidationError", "pool.services")
	if got := p.must("PUT", "backends/all", `{"properties":{"type":"pool","pool":{"services":[{"id":"`+root+`/backends/b","weight":3}]}}}`); at(got, "properties", "pool", "services", 0, "id") != root+"/backends/b" {
		t.Errorf("%v", got)
	}
	p.fails("DELETE", "backends/b", "", 400, "ValidationError", "the pool all")
}

func TestRevisionsAndReleases(t *testing.T) {
	p := withService(t)
	p.must("PUT", "apis/echo", `{"properties":{"path":"echo","displayName":"One"}}`)
	p.must("PUT", "apis/echo/operations/get", `{"properties":{"displayName":"G","method":"GET","urlTemplate":"/"}}`)
	p.must("PUT", "apis/echo;rev=2", `{"properties":{"path":"echo","displayName":"Two","sourceApiId":"`+root+`/apis/echo;rev=1"}}`)
	p.must("PUT", "apis/echo%3Brev%3D2/operations/new", `{"properties":{"displayName":"N","method":"GET","urlTemplate":"/new"}}`)
	if got := names(p.must("GET", "apis/echo;rev=2/operations", "")); got != "get new" {
		t.Errorf("operations of revision 2: %s", got)
	}
	if got := names(p.must("GET", "apis/echo/operations", "")); got != "get" {
		t.Errorf("operations of the current revision: %s", got)
	}
	if got := p.must("GET", "apis/echo/revisions?$filter="+url.QueryEscape("apiRevision eq '2'"), ""); at(got, "count") != 1.0 || at(got, "value", 0, "isCurrent") != false {
		t.Errorf("%v", got)
	}
	p.fails("DELETE", "apis/echo", "", 400, "ValidationError", "deleteRevisions")
	p.must("PUT", "apis/echo/releases/r1", `{"properties":{"apiId":"/apis/echo;rev=2","notes":"go"}}`)
	if got := p.must("GET", "apis/echo", ""); at(got, "properties", "displayName") != "Two" || at(got, "properties", "isCurrent") != true || at(got, "name") != "echo" {
		t.Errorf("%v", got)
	}
	if got := p.must("GET", "apis/echo;rev=1", ""); at(got, "name") != "echo;rev=1" || at(got, "properties", "isCurrent") != false {
		t.Errorf("%v", got)
	}
	p.must("DELETE", "apis/echo;rev=1", "")
	p.must("DELETE", "apis/echo?deleteRevisions=true", "")
	if got := names(p.must("GET", "apis", "")); got != "" {
		t.Errorf("left: %s", got)
	}
}

func TestNamesAndForms(t *testing.T) {
	p := withService(t)
	for _, c := range []struct{ path, body, words string }{
		{"tags/" + strings.Repeat("a", 81), `{"properties":{"displayName":"x"}}`, "80 characters"},
		{"tags/a%2Bb", `{"properties":{"displayName":"x"}}`, "not allowed"},
		{"gateways/managed", `{}`, "managed"},
		{"apis/a;rev=1;rev=2", `{"properties":{"path":"a"}}`, "with or without"},
		{"policies/other", `{"properties":{"value":"<policies/>"}}`, "policy"},
		{"tags/a", `{"properties":{}}`, "displayName is required"},
		{"tags/a", `{"properties":{"displayName":5}}`, "displayName must be a string"},
		{"tags/a", `{"properties":{"displayName":"a","DisplayName":"b"}}`, "twice"},
		{"apis/a", `{"properties":{"path":"a","protocols":"https"}}`, "must be an array"},
		{"apis/a", `{"properties":{"path":"a","protocols":["gopher"]}}`, "protocols[0]"},
		{"backends/b", `{"properties":{"url":"https://b","protocol":"http","circuitBreaker":{"rules":[{"failureCondition":{"count":"many"}}]}}}`, "circuitBreaker.rules[0].failureCondition.count"},
		{"apis/a/operations/o", `{"properties":{"displayName":"o","method":"GET","urlTemplate":"/{id}"}}`, "{id}"},
		{"subscriptions/s", `{"properties":{"displayName":"s","scope":"/nowhere"}}`, "scope"},
		{"policies/policy", `{"properties":{"format":"rawxml","value":"<policies>"}}`, "line 1, column 1"},
	} {
		if strings.HasPrefix(c.path, "apis/a/") {
			p.must("PUT", "apis/a", `{"properties":{"path":"a"}}`)
		}
		p.fails("PUT", c.path, c.body, 400, "ValidationError", c.words)
	}
	got := p.must("PUT", "backends/b", `{"PROPERTIES":{"URL":"https://b.test","Protocol":"HTTP","TLS":{"ValidateCertificateChain":false},"CREDENTIALS":{"Header":{"X-Mixed-Case":["v"]}}}}`)
	if at(got, "properties", "tls", "validateCertificateChain") != false || at(got, "properties", "credentials", "header", "X-Mixed-Case", 0) != "v" || at(got, "properties", "protocol") != "http" {
		t.Errorf("%v", got)
	}
}

func TestSecretsLeaveOnlyThroughTheirCalls(t *testing.T) {
	p := withService(t)
	const word = "s3cr3t-w0rd"
	p.must("PUT", "namedValues/n", `{"properties":{"displayName":"n","value":"`+word+`","secret":true}}`)
	p.must("PUT", "subscriptions/s", `{"properties":{"displayName":"s","scope":"/apis","primaryKey":"`+word+`"}}`)
	p.must("PUT", "identityProviders/google", `{"properties":{"clientId":"c","clientSecret":"`+word+`"}}`)
	p.must("PUT", "users/u", `{"properties":{"email":"u@c.test","firstName":"a","lastName":"b","password":"`+word+`"}}`)
	p.must("PUT", "loggers/l", `{"properties":{"loggerType":"applicationInsights","credentials":{"instrumentationKey":"`+word+`"}}}`)
	p.must("PUT", "caches/c", `{"properties":{"connectionString":"`+word+`","useFromLocation":"default"}}`)
	p.must("PUT", "certificates/c", `{"properties":{"data":"`+testPFX(t)+`","password":"secret"}}`)
	for _, path := range []string{"namedValues/n", "subscriptions/s", "identityProviders/google", "users/u", "loggers/l", "caches/c", "namedValues", "subscriptions", "users", "loggers", "caches"} {
		if _, body, _ := p.do("GET", path, "", nil); strings.Contains(string(body), word) {
			t.Errorf("GET %s shows the secret", path)
		}
	}
	for path, property := range map[string]string{"namedValues/n/listValue": "value", "subscriptions/s/listSecrets": "primaryKey", "identityProviders/google/listSecrets": "clientSecret"} {
		status, body, h := p.do("POST", path, "", nil)
		if status != 200 || at(decode(t, body), property) != word || h.Get("ETag") == "" {
			t.Errorf("POST %s: %d %s", path, status, body)
		}
	}
	if got := p.must("GET", "certificates/c", ""); at(got, "properties", "subject") != "CN=client.test" || at(got, "properties", "data") != nil {
		t.Errorf("%v", got)
	}
	l, err := p.store.List(t.Context(), "", storeAll)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range l.Documents {
		if strings.Contains(string(d.Value), word) {
			t.Errorf("%s rests with the secret in clear", d.Key)
		}
	}
	p.must("PUT", "namedValues/kv", `{"properties":{"displayName":"kv","secret":true,"keyVault":{"secretIdentifier":"https://v.vault.test/secrets/a"}}}`)
	if got := p.must("GET", "namedValues/kv", ""); at(got, "properties", "keyVault", "lastStatus", "code") == "Success" || at(got, "properties", "keyVault", "lastStatus", "code") == nil {
		t.Errorf("a Key Vault reference that nothing resolves is reported as %v", at(got, "properties", "keyVault"))
	}
	if got := names(p.must("GET", "namedValues?isKeyVaultRefreshFailed=true", "")); got != "kv" {
		t.Errorf("unresolved: %s", got)
	}
}
