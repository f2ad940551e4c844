package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/exchange"
	"tandem/internal/policy"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// open seals nothing: what is under test here is not the sealing.
type open struct{}

func (open) Seal(p, _ []byte) (string, error)        { return string(p), nil }
func (open) Open(s string, _ []byte) ([]byte, error) { return []byte(s), nil }

// fixture is one gateway on an in-memory store.
type fixture struct {
	t     *testing.T
	space *store.Space
	g     *Gateway
	stop  func()
}

func newFixture(t *testing.T, state string, docs ...*apim.Document) *fixture {
	t.Helper()
	space, err := store.OpenSpace(t.Context(), storetest.Memory(), "apim/test")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, space: space}
	f.put(docs...)
	f.run(state)
	return f
}

func (f *fixture) run(state string) {
	f.t.Helper()
	clock := tandem.SystemClock{}
	f.g = New(Config{Service: "apim-test", Region: "southindia", Space: f.space, Sealer: open{}, Clock: clock, Log: slog.New(slog.DiscardHandler), State: state,
		Host: policy.Host{Cache: policy.NewMemoryCache(clock, 1<<20)}})
	ctx, cancel := context.WithCancel(f.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.g.Run(ctx) })
	f.stop = func() { cancel(); wg.Wait(); f.g.Close() }
	f.settle()
}

// settle waits until the gateway serves the newest revision.
func (f *fixture) settle() {
	f.t.Helper()
	h, err := f.space.Head(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	l, err := f.space.List(f.t.Context(), "", store.ListOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	newest := tandem.Revision(0)
	for _, d := range l.Documents {
		newest = max(newest, d.Revision)
	}
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	if err := f.g.WaitFor(ctx, h.Active, newest); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) put(docs ...*apim.Document) {
	f.t.Helper()
	var b store.Batch
	for _, d := range docs {
		w, err := d.Write()
		if err != nil {
			f.t.Fatal(err)
		}
		b.Put = append(b.Put, w)
	}
	if len(b.Put) > 0 {
		if _, err := f.space.Commit(f.t.Context(), b); err != nil {
			f.t.Fatal(err)
		}
	}
}

// ask sends one request through the gateway, without a connection.
func (f *fixture) ask(method, target string, header ...exchange.Field) *exchange.Response {
	f.t.Helper()
	path, query, _ := strings.Cut(target, "?")
	x := &exchange.Exchange{Context: f.t.Context(), Request: exchange.Request{Method: method, Proto: "HTTP/1.1", URL: exchange.URL{Scheme: "https", Host: "gw", Path: path, Query: query}, Message: exchange.Message{Header: header}}}
	if err := f.g.ServeExchange(f.t.Context(), x); err != nil {
		f.t.Fatal(err)
	}
	return &x.Response
}

func text(t *testing.T, r *exchange.Response) string {
	t.Helper()
	b, err := r.Body.Bytes(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func doc(typ string, ids []string, props map[string]any, secrets ...string) *apim.Document {
	d := &apim.Document{IDs: ids, Type: typ, Key: apim.Key(typ, ids), Properties: props}
	for i := 0; i+1 < len(secrets); i += 2 {
		_ = d.SealSecret(open{}, secrets[i], secrets[i+1]) // open seals anything
	}
	return d
}

// anAPI is an API at a path with GET /x, whose policy answers by itself.
func anAPI(name, path, answer string, needsKey bool) []*apim.Document {
	return []*apim.Document{
		doc("apis", []string{name + ";rev=1"}, map[string]any{"path": path, "displayName": name, "subscriptionRequired": needsKey}),
		doc(apim.RootType, []string{name}, map[string]any{"current": "1"}),
		doc("apis.operations", []string{name + ";rev=1", "get"}, map[string]any{"method": "GET", "urlTemplate": "/x", "displayName": "get"}),
		doc("apis.policies", []string{name + ";rev=1", "policy"}, map[string]any{"value": `<policies><inbound><base /><return-response><set-status code="200" /><set-body>` + answer + `</set-body></return-response></inbound><backend><base /></backend><outbound><base /></outbound></policies>`}),
	}
}

// TestSubscriptions holds who may call what: azure-wire, section 4.
func TestSubscriptions(t *testing.T) {
	defer goleak.VerifyNone(t)
	docs := append(anAPI("closed", "closed", "closed", true), anAPI("free", "free", "free", false)...)
	docs = append(docs, anAPI("other", "other", "other", true)...)
	docs = append(docs, anAPI("opened", "opened", "opened", true)...)
	sub := func(name, scope, state string) *apim.Document {
		return doc("subscriptions", []string{name}, map[string]any{"scope": scope, "state": state, "displayName": name}, "primaryKey", "k-"+name, "secondaryKey", "s-"+name)
	}
	docs = append(docs,
		doc("products", []string{"plus"}, map[string]any{"displayName": "Plus", "subscriptionRequired": true}),
		doc("products", []string{"open"}, map[string]any{"displayName": "Open", "subscriptionRequired": false}),
		doc("products.apis", []string{"plus", "closed"}, nil), doc("products.apis", []string{"open", "opened"}, nil),
		sub("all", "/apis", "active"), sub("master", "/", "active"), sub("one", "/apis/closed", "active"), sub("prod", "/products/plus", "active"), sub("off", "/apis", "suspended"))
	f := newFixture(t, "", docs...)
	defer f.stop()
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/closed/x", "", 401}, {"/closed/x", "nonsense", 401}, {"/closed/x", "k-all", 200}, {"/closed/x", "s-all", 200}, {"/closed/x", "k-master", 200},
		{"/closed/x", "k-one", 200}, {"/closed/x", "k-prod", 200}, {"/closed/x", "k-off", 401}, {"/other/x", "k-one", 401}, {"/other/x", "k-prod", 401},
		{"/free/x", "", 200}, {"/free/x", "nonsense", 200}, {"/opened/x", "", 200}, {"/closed/y", "k-all", 404}, {"/nothing", "k-all", 404},
	} {
		r := f.ask("GET", c.path, exchange.Field{Name: "ocp-apim-subscription-key", Value: c.key})
		if c.key == "" {
			r = f.ask("GET", c.path)
		}
		if r.Status != c.status {
			t.Errorf("%s with key %q: %d, want %d (%s)", c.path, c.key, r.Status, c.status, text(t, r))
		}
		if c.status == 401 && (!strings.HasPrefix(text(t, r), `{ "statusCode": 401, "message": "Access denied due to `) || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "AzureApiManagementKey realm=")) {
			t.Errorf("%s with key %q is refused with %s and %q", c.path, c.key, text(t, r), r.Header.Get("WWW-Authenticate"))
		}
	}
	if r := f.ask("GET", "/closed/x?subscription-key=k-all"); r.Status != 200 {
		t.Errorf("a key in the query gives %d", r.Status)
	}
}

// TestChangeIsLive changes a named value and a policy, and removes an API.
func TestChangeIsLive(t *testing.T) {
	f := newFixture(t, "", append(anAPI("a", "a", "{{word}}", false), doc("namedValues", []string{"w"}, map[string]any{"displayName": "word", "value": "one"}))...)
	defer f.stop()
	if got := text(t, f.ask("GET", "/a/x")); got != "one" {
		t.Fatalf("got %q", got)
	}
	f.put(doc("namedValues", []string{"w"}, map[string]any{"displayName": "word", "value": "two"}))
	f.settle()
	if got := text(t, f.ask("GET", "/a/x")); got != "two" {
		t.Errorf("after the change of the named value: %q", got)
	}
	if _, err := f.space.Commit(t.Context(), store.Batch{Delete: []string{"apiroots/a", "apis/a;rev=1"}}); err != nil {
		t.Fatal(err)
	}
	f.put(doc("namedValues", []string{"w"}, map[string]any{"displayName": "word", "value": "three"}))
	f.settle()
	if r := f.ask("GET", "/a/x"); r.Status != 404 {
		t.Errorf("a deleted API answers %d", r.Status)
	}
}

// TestLaw2 swaps generations under load: every answer is of one generation.
func TestLaw2(t *testing.T) {
	defer goleak.VerifyNone(t)
	generation := func(word string) []*apim.Document {
		return append(anAPI("a", "a", `@("{{one}}-" + context.Api.Name + "-{{two}}")`, false),
			doc("namedValues", []string{"one"}, map[string]any{"displayName": "one", "value": word}), doc("namedValues", []string{"two"}, map[string]any{"displayName": "two", "value": word}))
	}
	f := newFixture(t, "", generation("g0")...)
	defer f.stop()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var asked int
	wg.Go(func() {
		for ctx.Err() == nil {
			r := f.ask("GET", "/a/x")
			got := text(t, r)
			a, b, _ := strings.Cut(got, "-a-")
			if r.Status != 200 || a != b || a == "" {
				t.Errorf("an answer of two generations: %d %q", r.Status, got)
				return
			}
			asked++
		}
	})
	for n := 1; n <= 20; n++ {
		owner := fmt.Sprint("restore-", n)
		if err := f.space.Lock(t.Context(), owner, "test"); err != nil {
			t.Fatal(err)
		}
		stage, err := f.space.Stage(t.Context(), owner, func(yield func(store.Write, error) bool) {
			for _, d := range generation(fmt.Sprint("g", n)) {
				if w, err := d.Write(); !yield(w, err) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if problems, err := f.g.Prepare(f.space.Documents(t.Context(), stage.Generation, 0)); err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
		rev, err := stage.Swap(t.Context())
		if err == nil {
			err = f.g.WaitFor(t.Context(), stage.Generation, rev)
		}
		if err = errors.Join(err, f.space.Unlock(t.Context(), owner)); err != nil {
			t.Fatal(err)
		}
		if got := text(t, f.ask("GET", "/a/x")); !strings.HasPrefix(got, fmt.Sprintf("g%d-", n)) {
			t.Errorf("after swap %d the gateway answers %q", n, got)
		}
	}
	cancel()
	wg.Wait()
	if asked == 0 {
		t.Error("nothing was asked meanwhile")
	}
}

// TestLaw8 starts a gateway whose store is dead from the file that the last one kept.
func TestLaw8(t *testing.T) {
	state := filepath.Join(t.TempDir(), "gateway.json")
	f := newFixture(t, state, append(anAPI("a", "a", "still here", true), doc("subscriptions", []string{"s"}, map[string]any{"scope": "/apis", "state": "active"}, "primaryKey", "key"))...)
	f.stop()
	dead := storetest.Memory()
	space, err := store.OpenSpace(t.Context(), dead, "apim/test")
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	g := New(Config{Service: "apim-test", Space: space, Sealer: open{}, Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler), State: state})
	defer g.Close()
	f.g = g
	if r := f.ask("GET", "/a/x", exchange.Field{Name: "Ocp-Apim-Subscription-Key", Value: "key"}); r.Status != 200 || text(t, r) != "still here" {
		t.Errorf("started from disk it answers %d %s", r.Status, text(t, r))
	}
	if r := f.ask("GET", StatusPath); r.Status != 200 || r.Reason != "Service Operational" {
		t.Errorf("its status page answers %d %s", r.Status, r.Reason)
	}
	if s := g.Status(); !s.FromDisk || s.Documents != 5 {
		t.Errorf("its status is %+v", s)
	}
}

// TestBrokenPolicy: an operation whose policy cannot run answers 500 and is reported; a restore with it is refused.
func TestBrokenPolicy(t *testing.T) {
	docs := anAPI("a", "a", "fine", false)
	broken := anAPI("b", "b", "never", false)
	broken[3].Properties["value"] = `<policies><inbound><no-such-policy /></inbound></policies>`
	f := newFixture(t, "", append(docs, broken...)...)
	defer f.stop()
	if r := f.ask("GET", "/a/x"); r.Status != 200 {
		t.Errorf("the API beside a broken one answers %d", r.Status)
	}
	if r := f.ask("GET", "/b/x"); r.Status != 500 {
		t.Errorf("a broken API answers %d %s", r.Status, text(t, r))
	}
	problems := f.g.Status().Problems
	if len(problems) == 0 || !problems[0].Fatal || problems[0].Document != "apis.policies/b;rev=1/policy" || problems[0].Line == 0 {
		t.Errorf("the problems are %+v", problems)
	}
}

// TestForward goes to a real backend over the codec, by a named backend, and over TLS at the front.
func TestForward(t *testing.T) {
	defer goleak.VerifyNone(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.String(), "method": r.Method, "body": string(body), "host": r.Host, "for": r.Header.Get("X-Forwarded-For")})
	}))
	defer backend.Close()
	docs := anAPI("a", "api", "", false)
	docs[3].Properties["value"] = `<policies><inbound><base /><set-backend-service backend-id="real" /></inbound><backend><base /></backend><outbound><base /><set-header name="X-Out" exists-action="override"><value>@(context.Response.StatusCode.ToString())</value></set-header></outbound></policies>`
	docs[2].Properties = map[string]any{"method": "POST", "urlTemplate": "/things/{id}", "displayName": "post"}
	docs = append(docs, doc("backends", []string{"real"}, map[string]any{"url": backend.URL + "/base/", "protocol": "http", "type": "Single"}))
	f := newFixture(t, "", docs...)
	defer f.stop()
	x := &exchange.Exchange{Context: t.Context(), Request: exchange.Request{Method: "POST", Proto: "HTTP/1.1", URL: exchange.URL{Scheme: "https", Host: "gw", Path: "/api/things/7", Query: "q=1"},
		Message: exchange.Message{Body: exchange.Bytes([]byte("hello"))}}}
	if err := f.g.ServeExchange(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	var got struct{ Path, Method, Body string }
	if err := json.Unmarshal([]byte(text(t, &x.Response)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Path != "/base/things/7?q=1" || got.Method != "POST" || got.Body != "hello" || x.Response.Header.Get("X-Out") != "200" {
		t.Errorf("the backend got %+v; the answer has X-Out %q", got, x.Response.Header.Get("X-Out"))
	}
	backend.Close()
	x = &exchange.Exchange{Context: t.Context(), Request: exchange.Request{Method: "POST", Proto: "HTTP/1.1", URL: exchange.URL{Scheme: "https", Host: "gw", Path: "/api/things/7"}}}
	if err := f.g.ServeExchange(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if x.Response.Status != 500 {
		t.Errorf("a dead backend gives %d", x.Response.Status)
	}
}
