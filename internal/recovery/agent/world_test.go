package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/failover"
	"tandem/internal/gateway"
	"tandem/internal/keys"
	"tandem/internal/recovery"
	"tandem/internal/resources"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
	"tandem/internal/vault"
	"tandem/internal/vault/dir"
)

// hands is a clock whose time since boot can jump ahead, as after a suspension.
type hands struct {
	tandem.SystemClock
	ahead atomic.Int64
}

func (h *hands) Boottime() time.Duration {
	return h.SystemClock.Boottime() + time.Duration(h.ahead.Load())
}

const groupID = "/subscriptions/s/resourceGroups/g/providers/Tandem.Recovery/groups/shop"

func serviceID(n failover.Service) string {
	return "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/" + [...]string{"west", "east"}[n]
}

// place is one region with its node.
type place struct {
	t       testing.TB
	w       *world
	index   failover.Service
	store   store.Store
	clock   *hands
	ops     *arm.Operations
	apim    *apim.Provider
	fakes   *gateways
	agent   *Agent
	server  *httptest.Server
	arm     http.Handler
	stop    func()
	handler atomic.Pointer[http.Handler]
}

// world is two regions and a controller that is failover.Step with nothing around it but a lock.
type world struct {
	t       testing.TB
	master  *keys.Master
	id      *age.X25519Identity
	vault   vault.Vault
	places  [2]*place
	config  failover.Config
	mode    recovery.Mode
	overlay []recovery.OverlayRule

	mu      sync.Mutex
	state   failover.State
	version uint64
	dead    bool // the controller does not answer
	facts   []failover.Fact
	todo    []failover.Action
}

func newWorld(t testing.TB, change ...func(*failover.Config)) *world {
	t.Helper()
	master, err := keys.OpenMaster(filepath.Join(t.TempDir(), "master"), keys.MasterOptions{Create: true, Clock: tandem.SystemClock{}})
	must(t, err)
	id, err := age.GenerateX25519Identity()
	must(t, err)
	v, err := dir.Open(t.TempDir())
	must(t, err)
	w := &world{t: t, master: master, id: id, vault: v, mode: recovery.Continuous}
	// Lengths are long, since the machine may be slow: what ends a lease here is a clock that jumps.
	w.config = failover.Config{Witnesses: 1, Quorum: 1, Lease: 60_000, Margin: 1000, Fresh: 60_000, FailAfter: 0, Objective: 120_000, Retry: 1000, Attempts: 100, Reprove: 1000}
	for _, c := range change {
		c(&w.config)
	}
	must(t, w.config.Validate())
	w.state = failover.New(w.config, 1, w.tick())
	for i := range w.places {
		w.places[i] = w.newPlace(failover.Service(i))
	}
	t.Cleanup(func() {
		for _, p := range w.places {
			p.close()
		}
	})
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) newPlace(n failover.Service) *place {
	p := &place{t: w.t, w: w, index: n, store: storetest.Memory(), clock: &hands{}, fakes: &gateways{}}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h := p.handler.Load(); h != nil {
			(*h).ServeHTTP(rw, r)
			return
		}
		http.Error(rw, "the node is down", http.StatusServiceUnavailable)
	}))
	p.server.EnableHTTP2 = true
	p.server.StartTLS()
	// The service as a creation leaves it.
	rec, err := json.Marshal(map[string]any{"id": serviceID(n), "location": "West Europe", "sku": map[string]any{"name": "Standard", "capacity": 1},
		"properties": map[string]any{"publisherEmail": "a@contoso.test", "publisherName": "Contoso"}, "created": "2026-01-01T00:00:00Z", "state": "Succeeded", "space": fmt.Sprintf("apim/%d", n)})
	must(w.t, err)
	key := "services/s/g/" + [...]string{"west", "east"}[n]
	_, err = p.store.Commit(w.t.Context(), store.Batch{Put: []store.Write{{Key: key, Value: rec}}})
	must(w.t, err)
	p.start()
	return p
}

// start starts the node, on the store that is there.
func (p *place) start() {
	p.t.Helper()
	log := slog.New(slog.DiscardHandler)
	p.ops = arm.NewOperations(arm.OperationsConfig{Store: resources.OperationStore(p.store, "operations/"), Clock: p.clock, Log: log, Runner: "test", Region: "west", RetryAfter: time.Millisecond})
	p.apim = apim.New(apim.Config{Store: p.store, Sealer: p.w.master, Clock: p.clock, Log: log, Region: "westeurope", Operations: p.ops, Policies: anyPolicy{}, URLs: func(string) apim.URLs { return apim.URLs{} }})
	client := p.server.Client()
	if other := p.w.places[p.index.Other()]; other != nil {
		client = other.server.Client() // of the same test authority
	}
	var err error
	p.agent, err = New(p.t.Context(), Config{Store: p.store, APIM: p.apim, Sealer: p.w.master, Clock: p.clock, Log: log, Region: "westeurope", Control: p.w, Client: client, Gateways: p.fakes,
		Vault: func(context.Context, string) (vault.Vault, error) { return p.w.vault, nil }, Recipients: []age.Recipient{p.w.id.Recipient()}, Identities: []age.Identity{p.w.id}, Heartbeat: 20 * time.Millisecond})
	must(p.t, err)
	p.arm, err = arm.NewServer(arm.ServerConfig{Providers: []arm.Provider{p.agent.Gate(p.apim)}, Authoriser: everyone{}, Clock: p.clock, Log: log, Region: "westeurope"})
	must(p.t, err)
	h := p.agent.Handler()
	p.handler.Store(&h)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.agent.Run(ctx); !errors.Is(err, context.Canceled) {
			p.t.Errorf("the agent ended with %v", err)
		}
	}()
	p.stop = func() { cancel(); <-done; p.ops.Close() }
}

// kill ends the node as a crash does: nothing is told to anybody, and the store keeps what it has.
func (p *place) kill() {
	p.handler.Store(nil)
	p.server.CloseClientConnections()
	p.stop()
}

func (p *place) restart() { p.kill(); p.start() }

func (p *place) close() {
	p.stop()
	p.server.CloseClientConnections()
	p.server.Close()
	must(p.t, p.store.Close())
}

// call does a management call and gives its status and code.
func (p *place) call(method, path, body string) (int, string) {
	p.t.Helper()
	r := httptest.NewRequest(method, "https://management.test"+serviceID(p.index)+"/"+path+"?api-version=2024-05-01", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("If-Match", "*")
	if method == http.MethodPut {
		r.Header.Del("If-Match")
	}
	rec := httptest.NewRecorder()
	p.arm.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// put writes a named value and tells whether it was acknowledged.
func (p *place) put(name, value string) bool {
	code, _ := p.call(http.MethodPut, "namedValues/"+name, fmt.Sprintf(`{"properties":{"displayName":%q,"value":%q}}`, name, value))
	return code == http.StatusOK || code == http.StatusCreated
}

func (p *place) mustPut(name, value string) {
	p.t.Helper()
	await(p.t, "the write of "+name+" is acknowledged", func() bool { return p.put(name, value) })
}

// values are the named values as the region has them.
func (p *place) values() map[string]string {
	p.t.Helper()
	id, err := tandem.ParseResourceID(serviceID(p.index))
	must(p.t, err)
	s, _, err := p.apim.Find(p.t.Context(), id)
	must(p.t, err)
	docs, err := s.List(p.t.Context(), "namedvalues", nil)
	must(p.t, err)
	out := map[string]string{}
	for _, d := range docs {
		out[d.Name()] = d.String("value")
	}
	return out
}

func (p *place) text() string {
	b, _ := json.Marshal(p.values())
	return string(b)
}

// await polls until the condition holds, with patience for a slow machine.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	clock := tandem.SystemClock{}
	for end := clock.Now().Add(time.Minute); !ok(); {
		if clock.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
		_ = clock.Sleep(t.Context(), 5*time.Millisecond)
	}
}

type everyone struct{}

func (everyone) Authenticate(context.Context, string) (arm.Principal, error) {
	return arm.Principal{}, nil
}

func (everyone) Authorise(context.Context, arm.Principal, string, string) error { return nil }

type anyPolicy struct{}

func (anyPolicy) CheckPolicy(string, bool) []apim.PolicyProblem { return nil }

func (anyPolicy) Rewrite(text, _ string) (string, error) { return text, nil }

// gateways serve at once, and compile what they are given.
type gateways struct {
	mu     sync.Mutex
	detail gateway.Detail
}

func (g *gateways) Prepare(_ context.Context, _ tandem.ResourceID, docs iter.Seq2[store.Document, error]) ([]gateway.Problem, error) {
	for d, err := range docs {
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(d.Value), "not to be compiled") {
			return []gateway.Problem{{Document: d.Key, Line: 3, Message: "it does not compile", Fatal: true}}, nil
		}
	}
	return nil, nil
}

func (g *gateways) WaitFor(context.Context, tandem.ResourceID, tandem.Generation, tandem.Revision) error {
	return nil
}

func (g *gateways) Detail(context.Context, tandem.ResourceID) (gateway.Detail, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.detail
	if d.KeyCheck == "" {
		d.KeyCheck = "ok"
	}
	if d.FullDetail == nil {
		d.FullDetail = &gateway.FullDetail{}
	}
	return d, nil
}

func (g *gateways) Address(tandem.ResourceID) (string, error) {
	return "", &tandem.Error{Op: "find gateway", Kind: tandem.Unavailable}
}
