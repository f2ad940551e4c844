package apim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/keys"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

const (
	subscription = "11111111-2222-3333-4444-555555555555"
	group        = "rg-test"
	serviceName  = "contoso"
	version      = "2024-05-01"
	root         = "/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/Microsoft.ApiManagement/service/" + serviceName
)

// plane is a management plane on loopback, with everything real but the authoriser.
type plane struct {
	t        testing.TB
	store    store.Store
	server   *httptest.Server
	provider *apim.Provider
	sealer   *keys.Master
	ops      *memoryOperations
	links    map[string][]byte // what Fetch finds, by address
	clock    *aheadClock
	mu       sync.Mutex
}

// aheadClock is the machine's clock, some time ahead.
type aheadClock struct {
	tandem.SystemClock
	ahead atomic.Int64
}

func (c *aheadClock) Now() time.Time {
	return c.SystemClock.Now().Add(time.Duration(c.ahead.Load()))
}

// everyone lets everyone do everything.
type everyone struct{}

func (everyone) Authenticate(context.Context, string) (arm.Principal, error) {
	return arm.Principal{TenantID: "tenant", ObjectID: "object", AppID: "app", Name: "tester"}, nil
}
func (everyone) Authorise(context.Context, arm.Principal, string, string) error { return nil }

// strictXML takes every policy whose tags pair, and finds the fault of others at their first line.
type strictXML struct{}

func (strictXML) CheckPolicy(text string, _ bool) []apim.PolicyProblem {
	if strings.Count(text, "<policies>") != strings.Count(text, "</policies>") {
		return []apim.PolicyProblem{{Element: "policies", Line: 1, Column: 1, Message: "the tags do not pair"}}
	}
	return nil
}
func (strictXML) Rewrite(text, _ string) (string, error) { return text, nil }
func (strictXML) Describe() []apim.PolicyDescription {
	return []apim.PolicyDescription{{Name: "set-header", Description: "Sets a header.", Scopes: []string{"global", "api"}}}
}

// memoryOperations keeps operations in memory.
type memoryOperations struct {
	mu      sync.Mutex
	ops     map[string]arm.Operation
	changed *sync.Cond
}

func newMemoryOperations() *memoryOperations {
	m := &memoryOperations{ops: map[string]arm.Operation{}}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// settle waits until nothing runs.
func (m *memoryOperations) settle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		busy := false
		for _, op := range m.ops {
			busy = busy || op.Status == arm.InProgress
		}
		if !busy {
			return
		}
		m.changed.Wait()
	}
}

func (m *memoryOperations) PutOperation(_ context.Context, op arm.Operation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ops[op.ID] = op
	m.changed.Broadcast()
	return nil
}

func (m *memoryOperations) GetOperation(_ context.Context, id string) (arm.Operation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if op, ok := m.ops[id]; ok {
		return op, nil
	}
	return arm.Operation{}, tandem.NotFound
}

func (m *memoryOperations) ListOperations(context.Context) ([]arm.Operation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []arm.Operation
	for _, op := range m.ops {
		out = append(out, op)
	}
	return out, nil
}

func (m *memoryOperations) DeleteOperation(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ops, id)
	return nil
}

func newPlane(t testing.TB) *plane { return newPlaneOn(t, storetest.Memory()) }

func newPlaneOn(t testing.TB, s store.Store) *plane {
	t.Helper()
	sealer, err := keys.OpenMaster(filepath.Join(t.TempDir(), "master"), keys.MasterOptions{Create: true, Clock: tandem.SystemClock{}})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	memory := newMemoryOperations()
	ops := arm.NewOperations(arm.OperationsConfig{Store: memory, Clock: tandem.SystemClock{}, Log: log, Runner: "test", Region: "west", RetryAfter: time.Millisecond})
	p := &plane{t: t, store: s, sealer: sealer, ops: memory, links: map[string][]byte{}, clock: &aheadClock{}}
	p.provider = apim.New(apim.Config{Store: s, Sealer: sealer, Clock: p.clock, Log: log, Region: "westeurope", Operations: ops, Policies: strictXML{},
		URLs: func(name string) apim.URLs {
			return apim.URLs{Gateway: "https://" + name + ".test", Management: p.server.URL, DeveloperPortal: "https://" + name + ".portal.test"}
		},
		Fetch: func(_ context.Context, address string) ([]byte, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if b, ok := p.links[address]; ok {
				return b, nil
			}
			return nil, fmt.Errorf("the server answered 404")
		}})
	handler, err := arm.NewServer(arm.ServerConfig{Providers: []arm.Provider{p.provider}, Authoriser: everyone{}, Clock: tandem.SystemClock{}, Log: log, Region: "westeurope",
		Rates: arm.Rates{}})
	if err != nil {
		t.Fatal(err)
	}
	p.server = httptest.NewTLSServer(handler)
	t.Cleanup(func() { p.server.Close(); ops.Close(); _ = s.Close() })
	return p
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Helper()
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// withService makes a plane with one service on it.
func withService(t testing.TB) *plane {
	p := newPlane(t)
	p.create()
	return p
}

func (p *plane) create() {
	p.t.Helper()
	p.must("PUT", root, `{"location":"West Europe","sku":{"name":"Standard","capacity":1},"properties":{"publisherEmail":"a@contoso.test","publisherName":"Contoso"}}`)
	p.ops.settle()
	if state := at(p.must("GET", root, ""), "properties", "provisioningState"); state != "Succeeded" {
		p.t.Fatalf("the new service is %v", state)
	}
}

// do sends a request; path may be below the service ("apis/echo") or whole, and may have a query.
func (p *plane) do(method, path, body string, header http.Header) (int, []byte, http.Header) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url(path), strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(req, header)
}

func (p *plane) url(path string) string {
	if strings.HasPrefix(path, "https://") {
		return path
	}
	if !strings.HasPrefix(path, "/") {
		path = root + "/" + path
	}
	if !strings.Contains(path, "api-version=") {
		if strings.Contains(path, "?") {
			path += "&api-version=" + version
		} else {
			path += "?api-version=" + version
		}
	}
	return p.server.URL + path
}

func (p *plane) send(req *http.Request, header http.Header) (int, []byte, http.Header) {
	p.t.Helper()
	req.Header.Set("Authorization", "Bearer x")
	req.Header.Set("Content-Type", "application/json")
	for name, v := range header {
		req.Header[name] = v
	}
	resp, err := p.server.Client().Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, raw, resp.Header
}

// storeAll lists everything.
var storeAll = store.ListOptions{}

var anyETag = http.Header{"If-Match": {"*"}}

// must sends a request with If-Match: * and demands a 2xx; the body comes back decoded.
func (p *plane) must(method, path, body string) map[string]any {
	p.t.Helper()
	status, raw, _ := p.do(method, path, body, anyETag)
	if status/100 != 2 {
		p.t.Fatalf("%s %s: %d %s", method, path, status, raw)
	}
	return decode(p.t, raw)
}

// fails sends a request and demands a status, an error code and words in the envelope.
func (p *plane) fails(method, path, body string, status int, code string, words ...string) {
	p.t.Helper()
	got, raw, _ := p.do(method, path, body, anyETag)
	var e struct {
		Error struct {
			Code, Message string
			Details       []struct{ Code, Target, Message string }
		}
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		p.t.Fatalf("%s %s: %d, and the body is no error: %s", method, path, got, raw)
	}
	if got != status || e.Error.Code != code || e.Error.Message == "" {
		p.t.Fatalf("%s %s: %d %s, want %d %s", method, path, got, raw, status, code)
	}
	for _, w := range words {
		if !strings.Contains(string(raw), w) {
			p.t.Fatalf("%s %s: %s does not say %q", method, path, raw, w)
		}
	}
}

func decode(t testing.TB, raw []byte) map[string]any {
	t.Helper()
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	m, _ := v.(map[string]any)
	return m
}

// at follows names and indexes in decoded JSON: at(m, "properties", "path").
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

// names are those of a list's items.
func names(list map[string]any) string {
	var out []string
	items, _ := list["value"].([]any)
	for _, i := range items {
		name, _ := at(i, "name").(string)
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
