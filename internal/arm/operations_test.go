package arm

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tandem"
)

// memoryOperations is an OperationStore in memory.
type memoryOperations struct {
	mu   sync.Mutex
	all  map[string]Operation
	fail int // how many puts to refuse
}

func (m *memoryOperations) PutOperation(_ context.Context, op Operation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail > 0 && op.Status != InProgress {
		m.fail--
		return tandem.Unavailable
	}
	// As a real store does: through its stored form.
	b, err := json.Marshal(op)
	if err != nil {
		return err
	}
	var copied Operation
	if err := json.Unmarshal(b, &copied); err != nil {
		return err
	}
	m.all[op.ID] = copied
	return nil
}

func (m *memoryOperations) GetOperation(_ context.Context, id string) (Operation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	op, ok := m.all[id]
	if !ok {
		return op, tandem.NotFound
	}
	return op, nil
}

func (m *memoryOperations) ListOperations(context.Context) ([]Operation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Operation
	for _, op := range m.all {
		out = append(out, op)
	}
	return out, nil
}

func (m *memoryOperations) DeleteOperation(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, id)
	return nil
}

const oneThing = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Things/things/a"

// operated is a server with one long-running action, whose end the test decides.
type operated struct {
	ops    *Operations
	server *Server
	end    chan error
	store  *memoryOperations
}

func newOperated(t *testing.T, store *memoryOperations, async bool, kind OperationKind) *operated {
	t.Helper()
	o := &operated{end: make(chan error), store: store}
	o.ops = NewOperations(OperationsConfig{Store: store, Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler), Runner: "r1", Region: "westus", RetryAfter: 300 * time.Millisecond})
	kind.Code = "Backup"
	o.ops.Register(kind)
	const pattern = things + "/{n}"
	routes := append(o.ops.Routes(pattern), o.ops.OwnRoutes("/subscriptions/{s}")...)
	routes = append(routes, o.ops.Routes("/subscriptions/{s}/providers/Microsoft.Things/locations/{l}")...)
	routes = append(routes, Route{Method: "POST", Pattern: pattern + "/backup", Handler: func(ctx context.Context, r *Request) (*Response, error) {
		return o.ops.Start(ctx, r, Start{Code: "Backup", Resource: strings.TrimSuffix(r.Path, "/backup"), Async: async,
			Run: func(ctx context.Context) (json.RawMessage, error) {
				select {
				case err := <-o.end:
					return json.RawMessage(`{"name":"a"}`), err
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}})
	}})
	var err error
	o.server, err = NewServer(ServerConfig{Providers: []Provider{table{namespace: "Microsoft.Things", routes: routes}}, Authoriser: gate{},
		Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *operated) start(t *testing.T) http.Header {
	t.Helper()
	w := send(o.server, "POST", oneThing+"/backup?api-version=2024-05-01", "Bearer good", "")
	if w.Code != 202 || w.Body.Len() > 0 || w.Header().Get("Retry-After") != "1" || w.Header().Get("Retry-After-Ms") != "300" {
		t.Fatalf("start gave %d %q %v", w.Code, w.Body, w.Header())
	}
	return w.Header()
}

func (o *operated) poll(t *testing.T, link string) *httptest.ResponseRecorder {
	t.Helper()
	path, ok := strings.CutPrefix(link, "https://arm.example")
	if !ok {
		t.Fatalf("link %q", link)
	}
	return send(o.server, "GET", path, "Bearer good", "")
}

func TestOperationByLocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperated(t, &memoryOperations{all: map[string]Operation{}, fail: 2}, false, OperationKind{})
		defer o.ops.Close()
		h := o.start(t)
		link := h.Get("Location")
		if !strings.HasPrefix(link, "https://arm.example"+oneThing+"/operationresults/") || !strings.HasSuffix(link, "?api-version=2024-05-01") || h.Get("Azure-Asyncoperation") != "" {
			t.Fatalf("headers %v", h)
		}
		w := o.poll(t, link)
		if w.Code != 202 || w.Body.Len() > 0 || w.Header().Get("Location") != link {
			t.Fatalf("running: %d %v", w.Code, w.Header())
		}
		o.end <- nil
		_ = tandem.SystemClock{}.Sleep(t.Context(), time.Second) // the store refuses the end twice
		w = o.poll(t, link)
		if w.Code != 200 || w.Body.String() != `{"name":"a"}` || w.Header().Get("Location") != "" {
			t.Fatalf("done: %d %s", w.Code, w.Body)
		}
		// Below another resource the operation is unknown.
		if w := o.poll(t, strings.Replace(link, "/things/a/", "/things/b/", 1)); w.Code != 404 {
			t.Fatalf("elsewhere: %d", w.Code)
		}
		if w := o.poll(t, strings.Replace(link, "/operationresults/", "/operationresults/x", 1)); w.Code != 404 {
			t.Fatalf("unknown: %d", w.Code)
		}
		// By whoever started it, below the subscription.
		own := "https://arm.example/subscriptions/s1/operationresults" + strings.TrimPrefix(link, "https://arm.example"+oneThing+"/operationresults")
		if w := o.poll(t, own); w.Code != 200 {
			t.Fatalf("own: %d", w.Code)
		}
		located := strings.Replace(own, "/operationresults/", "/providers/Microsoft.Things/locations/westus/operationResults/", 1)
		if w := o.poll(t, located); w.Code != 200 {
			t.Fatalf("by location: %d", w.Code)
		}
		if w := o.poll(t, strings.Replace(located, "/s1/", "/s2/", 1)); w.Code != 404 {
			t.Fatalf("in another subscription: %d", w.Code)
		}
	})
}

func TestOperationByStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperated(t, &memoryOperations{all: map[string]Operation{}}, true, OperationKind{})
		defer o.ops.Close()
		link := o.start(t).Get("Azure-Asyncoperation")
		state := func() (s operationState) {
			w := o.poll(t, link)
			if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Code != 200 {
				t.Fatalf("%d %s: %v", w.Code, w.Body, err)
			}
			return s
		}
		if s := state(); s.Status != InProgress || s.ResourceID != oneThing {
			t.Fatalf("running: %+v", s)
		}
		o.end <- Errorf(400, "RestoreFailed", "Cannot restore: backup expired")
		synctest.Wait()
		if s := state(); s.Status != Failed || s.Error.Code != "RestoreFailed" || s.EndTime == "" {
			t.Fatalf("failed: %+v", s)
		}
	})
}

func TestOperationFailures(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{Errorf(400, "RestoreFailed", "no"), 400, "RestoreFailed"},
		{&tandem.Error{Op: "x", Kind: tandem.NotFound}, 404, "ResourceNotFound"},
		{errors.New("secret"), 409, "InternalServerError"},
		{&tandem.Error{Op: "x", Kind: tandem.Unavailable}, 409, "ServiceUnavailable"},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := newOperated(t, &memoryOperations{all: map[string]Operation{}}, false, OperationKind{})
			defer o.ops.Close()
			link := o.start(t).Get("Location")
			o.end <- c.err
			synctest.Wait()
			w := o.poll(t, link)
			if e := envelope(t, w); w.Code != c.status || e.Code != c.code {
				t.Errorf("%v gave %d %s", c.err, w.Code, e.Code)
			}
		})
	}
}

func TestOperationAcrossARestart(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := &memoryOperations{all: map[string]Operation{}}
			o := newOperated(t, store, false, OperationKind{})
			link := o.start(t).Get("Location")
			o.ops.Close() // as a crash: the operation stays InProgress
			if w := o.poll(t, link); w.Code != 202 {
				t.Fatalf("after the end of the process: %d", w.Code)
			}
			if w := send(o.server, "POST", oneThing+"/backup?api-version=2024-05-01", "Bearer good", ""); w.Code != 503 {
				t.Fatalf("start after Close: %d", w.Code)
			}
			kind := OperationKind{}
			if resumed {
				kind.Resume = func(_ context.Context, op Operation) (json.RawMessage, error) {
					return json.RawMessage(`{"resumed":"` + op.Code + `"}`), nil
				}
			}
			o = newOperated(t, store, false, kind)
			defer o.ops.Close()
			store.all["other"] = Operation{ID: "other", Resource: oneThing, Code: "Backup", Status: InProgress, Runner: "r2"}
			store.all["old"] = Operation{ID: "old", Resource: oneThing, Status: Succeeded, Ended: tandem.SystemClock{}.Now().Add(-48 * time.Hour)}
			if err := o.ops.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w := o.poll(t, link)
			if resumed {
				if w.Code != 200 || w.Body.String() != `{"resumed":"Backup"}` {
					t.Fatalf("resumed: %d %s", w.Code, w.Body)
				}
			} else if e := envelope(t, w); w.Code != 409 || e.Code != "OperationInterrupted" {
				t.Fatalf("interrupted: %d %s", w.Code, w.Body)
			}
			if store.all["other"].Status != InProgress {
				t.Error("the operation of another runner was touched")
			}
			if _, there := store.all["old"]; there {
				t.Error("an old operation was kept")
			}
		})
	}
}

func TestOperationThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryOperations{all: map[string]Operation{}}
		ops := NewOperations(OperationsConfig{Store: store, Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler), Runner: "r1"})
		defer ops.Close()
		r := &Request{HTTP: httptest.NewRequest("POST", "/", nil), APIVersion: "2024-05-01"}
		if _, err := ops.Start(t.Context(), r, Start{Code: "X", Resource: oneThing, Run: func(context.Context) (json.RawMessage, error) { panic("boom") }}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, op := range store.all {
			if op.Status != Failed || op.Failure.Error.Code != "InternalServerError" {
				t.Errorf("%+v", op)
			}
		}
	})
}
