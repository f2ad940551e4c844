package replica

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/arm/armclient"
	"tandem/internal/keys"
	"tandem/internal/policy"
	"tandem/internal/policy/markup"
	rm "tandem/internal/resources"
	"tandem/internal/snapshot"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// everyone lets everyone do everything.
type everyone struct{}

func (everyone) Authenticate(context.Context, string) (arm.Principal, error) {
	return arm.Principal{TenantID: "tenant", ObjectID: "object", AppID: "app", Name: "tester"}, nil
}
func (everyone) Authorise(context.Context, arm.Principal, string, string) error { return nil }

type token struct{}

func (token) Token(context.Context) (string, error) { return "x", nil }
func (token) Refresh()                              {}

// checker checks policies as a gateway would compile them.
type checker struct{}

func (checker) CheckPolicy(text string, _ bool) (out []apim.PolicyProblem) {
	_, problems := policy.CompileUnit(policy.Source{Name: "policy", Text: text}, policy.Options{Presume: true})
	for _, p := range problems {
		if p.Severity == policy.Error {
			out = append(out, apim.PolicyProblem{Element: p.Name, Line: p.Line, Column: p.Column, Message: p.Message})
		}
	}
	return out
}

func (checker) Rewrite(text, format string) (string, error) {
	d, err := markup.Read(text)
	if err != nil {
		return "", err
	}
	if format == "rawxml" {
		return d.Write(markup.RawXML), nil
	}
	return d.Write(markup.XML), nil
}

// plane is a management plane on loopback with a way to spoil its answers.
type plane struct {
	t        testing.TB
	provider *apim.Provider
	ops      *arm.Operations
	server   *httptest.Server
	http     *http.Client
	mu       sync.Mutex
	spoil    func(w http.ResponseWriter, r *http.Request) bool // answers itself where it is true
	calls    int
	writes   []string
}

func newPlane(t testing.TB, s store.Store) *plane {
	t.Helper()
	sealer, err := keys.OpenMaster(filepath.Join(t.TempDir(), "master"), keys.MasterOptions{Create: true, Clock: tandem.SystemClock{}})
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{t: t}
	log := slog.New(slog.DiscardHandler)
	ops := arm.NewOperations(arm.OperationsConfig{Store: rm.OperationStore(s, "operations/"), Clock: tandem.SystemClock{}, Log: log, Runner: "test", Region: "west", RetryAfter: time.Millisecond})
	p.ops = ops
	p.provider = apim.New(apim.Config{Store: s, Sealer: sealer, Clock: tandem.SystemClock{}, Log: log, Region: "westeurope", Operations: ops, Policies: checker{},
		URLs: func(name string) apim.URLs { return apim.URLs{Gateway: "https://" + name + ".test"} }})
	handler, err := arm.NewServer(arm.ServerConfig{Providers: []arm.Provider{p.provider}, Authoriser: everyone{}, Clock: tandem.SystemClock{}, Log: log, Region: "westeurope", Rates: arm.Rates{}})
	if err != nil {
		t.Fatal(err)
	}
	p.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.calls++
		if r.Method == "PUT" || r.Method == "DELETE" || r.Method == "PATCH" {
			p.writes = append(p.writes, r.Method+" "+r.URL.Path)
		}
		spoil := p.spoil
		p.mu.Unlock()
		if spoil == nil || !spoil(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	transport := p.server.Client().Transport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	p.http = &http.Client{Transport: transport}
	t.Cleanup(func() { transport.CloseIdleConnections(); p.server.Close(); ops.Close(); _ = s.Close() })
	return p
}

func (p *plane) client(t testing.TB) *armclient.Client {
	t.Helper()
	c, err := armclient.New(armclient.Config{Endpoint: p.server.URL, Tokens: token{}, HTTP: p.http, Clock: tandem.SystemClock{}, APIVersion: "2024-05-01", Retries: 10, MaxWait: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const testGroup = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.ApiManagement/service/"

// service creates a service and gives it as a remote one.
func (p *plane) service(name string) *Remote {
	p.t.Helper()
	id, err := tandem.ParseResourceID(testGroup + name)
	if err != nil {
		p.t.Fatal(err)
	}
	r := NewRemote(p.client(p.t), id)
	r.must(p.t, "PUT", "", `{"location":"West Europe","sku":{"name":"Standard","capacity":1},"properties":{"publisherEmail":"a@`+name+`.test","publisherName":"`+name+`"}}`)
	return r
}

func (r *Remote) must(t testing.TB, method, path, body string) {
	t.Helper()
	var sent any
	if body != "" {
		sent = json.RawMessage(strings.ReplaceAll(body, "ID:", r.ID.String()))
	}
	plain, query, _ := strings.Cut(path, "?")
	q := map[string][]string{}
	if name, v, ok := strings.Cut(query, "="); ok {
		q[name] = []string{v}
	}
	if _, err := r.do(t.Context(), method, plain, q, anyVersion, sent); err != nil {
		if status(err) == http.StatusPreconditionFailed {
			_, err = r.do(t.Context(), method, plain, q, nil, sent)
		}
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
}

// fill puts one of nearly every kind into a service, later ones referring to earlier ones.
func fill(t testing.TB, r *Remote) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(`
namedValues/plain {"properties":{"displayName":"plain-name","value":"v"}}
namedValues/key {"properties":{"displayName":"api-key","value":"s3cret","secret":true,"tags":["a"]}}
backends/one {"properties":{"url":"https://one.west.test","protocol":"http","credentials":{"header":{"x-key":["{{api-key}}"]}}}}
backends/pool {"properties":{"type":"Pool","pool":{"services":[{"id":"ID:/backends/one","weight":1}]}}}
policyFragments/common {"properties":{"format":"rawxml","value":"<fragment><set-header name=\"x\" exists-action=\"override\"><value>{{plain-name}}</value></set-header></fragment>"}}
policies/policy {"properties":{"format":"rawxml","value":"<policies><inbound><include-fragment fragment-id=\"common\" /></inbound><backend><forward-request /></backend><outbound /><on-error /></policies>"}}
loggers/hub {"properties":{"loggerType":"applicationInsights","credentials":{"instrumentationKey":"{{api-key}}"}}}
apiVersionSets/set {"properties":{"displayName":"Set","versioningScheme":"Segment"}}
tags/red {"properties":{"displayName":"Red"}}
apis/Echo {"properties":{"path":"echo","displayName":"Echo","protocols":["https"],"serviceUrl":"https://echo.west.test"}}
apis/Echo/operations/get {"properties":{"displayName":"Get","method":"GET","urlTemplate":"/{id}","templateParameters":[{"name":"id","type":"string","required":true}]}}
apis/Echo/operations/get/policies/policy {"properties":{"format":"xml","value":"<policies><inbound><base /><set-backend-service backend-id=\"pool\" /></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"}}
apis/Echo;rev=2 {"properties":{"path":"echo","apiRevisionDescription":"second","sourceApiId":"ID:/apis/Echo;rev=1"}}
apis/Echo;rev=2/operations/post {"properties":{"displayName":"Post","method":"POST","urlTemplate":"/"}}
apis/Echo/releases/r2 {"properties":{"apiId":"ID:/apis/Echo;rev=2","notes":"second"}}
apis/Echo;rev=3 {"properties":{"path":"echo","sourceApiId":"ID:/apis/Echo;rev=2"}}
apis/v1 {"properties":{"path":"versioned","displayName":"V","apiVersion":"v1","apiVersionSetId":"ID:/apiVersionSets/set","protocols":["https"]}}
apis/v1/schemas/s {"properties":{"contentType":"application/json","document":{"value":"{}"}}}
apis/v1/tags/red {}
apis/v1/diagnostics/applicationinsights {"properties":{"loggerId":"ID:/loggers/hub","alwaysLog":"allErrors"}}
apis/v1/wikis/default {"properties":{"documents":[]}}
products/gold {"properties":{"displayName":"Gold","state":"published"}}
products/gold/apis/Echo {}
products/gold/groups/developers {}
products/gold/policies/policy {"properties":{"format":"rawxml","value":"<policies><inbound><base /></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"}}
groups/team {"properties":{"displayName":"Team"}}
users/ann {"properties":{"email":"ann@a.test","firstName":"Ann","lastName":"A"}}
groups/team/users/ann {}
subscriptions/acme {"properties":{"displayName":"Acme","scope":"ID:/products/gold","ownerId":"ID:/users/ann","primaryKey":"pk-0123456789","secondaryKey":"sk-0123456789"}}
gateways/edge {"properties":{"locationData":{"name":"here"},"description":"edge"}}
gateways/edge/apis/Echo {}
authorizationServers/as {"properties":{"displayName":"AS","clientRegistrationEndpoint":"https://c.test","authorizationEndpoint":"https://a.test","grantTypes":["clientCredentials"],"clientId":"cid","clientSecret":"very"}}
portalsettings/signup {"properties":{"enabled":true,"termsOfService":{"enabled":false,"consentRequired":false,"text":"t"}}}
notifications/BCC/recipientEmails/ops@a.test {}
documentations/guide {"properties":{"title":"Guide","content":"# hi"}}
workspaces/w {"properties":{"displayName":"W"}}
workspaces/w/namedValues/inner {"properties":{"displayName":"inner","value":"x"}}
workspaces/w/apis/in {"properties":{"path":"inner","displayName":"In","protocols":["https"]}}
workspaces/w/apis/in/policies/policy {"properties":{"format":"rawxml","value":"<policies><inbound><base /><set-header name=\"a\"><value>{{inner}}</value></set-header></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"}}
`), "\n") {
		path, body, _ := strings.Cut(line, " ")
		r.must(t, "PUT", path, body)
	}
}

func read(t testing.TB, r *Remote) []snapshot.Resource {
	t.Helper()
	c, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.Resources
}

func indented(v any) string {
	if a, ok := v.(*Applied); ok {
		v = []any{a.Written, a.Deleted, a.Failures, a.Remaining}
	}
	b, _ := json.MarshalIndent(v, "", " ")
	return string(b)
}

// TestRemoteRoundTrip: a service that is captured over the management API and applied into another one is the same there,
// and what the other one had beside goes.
func TestRemoteRoundTrip(t *testing.T) {
	p := newPlane(t, storetest.Memory())
	source, target := p.service("source"), p.service("target")
	fill(t, source)
	for _, line := range []string{`apis/Echo {"properties":{"path":"elsewhere","displayName":"Other","protocols":["https"]}}`, `apis/stale {"properties":{"path":"stale","displayName":"S","protocols":["https"]}}`,
		`products/stale {"properties":{"displayName":"Stale"}}`, `products/stale/apis/stale {}`, `subscriptions/stale {"properties":{"displayName":"Stale","scope":"ID:/products/stale"}}`,
		`namedValues/stale {"properties":{"displayName":"stale","value":"x"}}`} {
		path, body, _ := strings.Cut(line, " ")
		target.must(t, "PUT", path, body)
	}
	want := read(t, source)
	got, err := ApplyRemote(t.Context(), target, want, PlanOptions{Tier: "Premium"})
	if err != nil || !got.Proven {
		t.Fatalf("not proven: %v\n%s", err, indented(got))
	}
	d, err := Diff(want, read(t, target))
	// A gateway's keys cannot be set.
	if err != nil || len(d.Added)+len(d.Deleted) > 0 || len(d.Changed) != 1 || d.Changed[0].Path != "gateways/edge" || d.Unchanged < 40 {
		t.Errorf("the target differs: %v\n%s", err, indented(d))
	}
	var acme snapshot.Resource
	for _, r := range read(t, target) {
		if r.Path == "subscriptions/acme" {
			acme = r
		}
	}
	if acme.Secrets["primaryKey"] != "pk-0123456789" || acme.Secrets["secondaryKey"] != "sk-0123456789" {
		t.Errorf("the keys are %q", acme.Secrets)
	}
	p.writes = nil
	if again, err := ApplyRemote(t.Context(), target, want, PlanOptions{Tier: "Premium"}); err != nil || !again.Proven || len(p.writes) > 0 {
		t.Errorf("a restore of what is there wrote %q: %v", p.writes, err)
	}
}

// TestNativeAndRemoteAgree: what is read from the store and what is read over the management API compare as equal.
func TestNativeAndRemoteAgree(t *testing.T) {
	p := newPlane(t, storetest.Memory())
	source := p.service("source")
	fill(t, source)
	s, rec, err := p.provider.Find(t.Context(), source.ID)
	if err != nil {
		t.Fatal(err)
	}
	native, err := readAll(t.Context(), s, rec)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Diff(native, read(t, source))
	if err != nil || !d.Empty() {
		t.Errorf("they differ: %v\n%s", err, indented(d))
	}
	for _, u := range d.Inconclusive {
		if u.Path != "loggers/hub" {
			t.Errorf("not compared: %+v", u)
		}
	}
}

// TestRemoteResumes: a restore over a line that breaks at any call tells so, and goes on where it stopped when repeated.
func TestRemoteResumes(t *testing.T) {
	p := newPlane(t, storetest.Memory())
	source, target := p.service("source"), p.service("target")
	fill(t, source)
	want := read(t, source)
	whole := false
	for n := 3; !whole && n < 2000; n += 5 {
		ctx, cancel := context.WithCancel(t.Context())
		left := n
		p.mu.Lock()
		p.writes = nil
		p.spoil = func(w http.ResponseWriter, r *http.Request) bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			if r.Method == "PUT" || r.Method == "DELETE" {
				if left--; left < 0 {
					cancel()
					return true
				}
			}
			return false
		}
		p.mu.Unlock()
		got, err := ApplyRemote(ctx, target, want, PlanOptions{Tier: "Premium"})
		cancel()
		whole = err == nil && got.Proven
		if !whole && err == nil {
			t.Fatalf("cut off at call %d, it told of no error: %s", n, indented(got))
		}
	}
	p.spoil = nil
	if d, err := Diff(want, read(t, target)); !whole || err != nil || len(d.Added)+len(d.Deleted) > 0 || len(d.Changed) > 1 {
		t.Errorf("it did not finish: %v %s", err, indented(d))
	}
}

// TestRemotePressure: throttling and a locked service slow a restore down and do not fail it.
func TestRemotePressure(t *testing.T) {
	p := newPlane(t, storetest.Memory())
	source, target := p.service("source"), p.service("target")
	fill(t, source)
	n := 0
	p.spoil = func(w http.ResponseWriter, r *http.Request) bool {
		p.mu.Lock()
		n++
		k := n
		p.mu.Unlock()
		switch {
		case k%9 == 0:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"error":{"code":"TooManyRequests","message":"slow down"}}`)
		case k == 250 && r.Method != "GET":
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"error":{"code":"ServiceLocked","message":"transitioning"}}`)
		default:
			return false
		}
		return true
	}
	got, err := ApplyRemote(t.Context(), target, read(t, source), PlanOptions{Tier: "Premium"})
	if err != nil || !got.Proven {
		t.Errorf("not proven: %v %s", err, indented(got))
	}
}

// TestRemoteFailures: what the target refuses is told with cause and remedy, with what needed it; the rest is restored.
func TestRemoteFailures(t *testing.T) {
	p := newPlane(t, storetest.Memory())
	source, target := p.service("source"), p.service("target")
	fill(t, source)
	want := read(t, source)
	p.spoil = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != "PUT" || !strings.HasSuffix(r.URL.Path, "/service/target/products/gold") {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"code":"ValidationError","message":"no gold here"}}`)
		return true
	}
	got, err := ApplyRemote(t.Context(), target, want, PlanOptions{Tier: "Premium"})
	if err != nil || got.Proven || got.Remaining == nil {
		t.Fatalf("it claims to be whole: %v %s", err, indented(got))
	}
	told := map[string]string{}
	for _, f := range got.Failures {
		told[f.Path] = f.Cause
		if f.Remedy == "" {
			t.Errorf("%s has no remedy", f.Path)
		}
	}
	if !strings.Contains(told["products/gold"], "no gold here") || !strings.Contains(told["subscriptions/acme"], "needs products/gold") || !strings.Contains(told["products/gold/apis/Echo"], "needs products/gold") {
		t.Errorf("the failures are %v", told)
	}
	p.spoil = nil
	if got, err := ApplyRemote(t.Context(), target, want, PlanOptions{Tier: "Premium"}); err != nil || !got.Proven {
		t.Errorf("repeated, it is not whole: %v %s", err, indented(got))
	}
}

// TestRemoteOmissions: secrets that are refused are named in the manifest (law 6).
func TestRemoteOmissions(t *testing.T) {
	p := newPlane(t, storetest.Memory())
	source := p.service("source")
	fill(t, source)
	p.spoil = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/subscriptions/acme/listSecrets") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error":{"code":"AuthorizationFailed","message":"no"}}`)
		return true
	}
	c, err := source.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, o := range c.Meta.Omissions {
		told[o.What] = o.Reason
	}
	if !strings.Contains(told["subscriptions/acme"], "listSecrets") || !strings.Contains(told["loggers/hub"], "credentials") {
		t.Errorf("the omissions are %v", told)
	}
	if c.Meta.Window == nil || c.Meta.Source.SKU != "Standard" {
		t.Errorf("the meta is %+v", c.Meta)
	}
}
