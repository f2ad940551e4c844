package workflow

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
	"tandem/internal/workflow/value"
)

// reversed is a sealer whose output does not show what went in, and which checks the context.
type reversed struct{}

func (reversed) Seal(plain, ctx []byte) (string, error) {
	b := bytes.Clone(plain)
	for i := range b {
		b[i] ^= 0x5a
	}
	return fmt.Sprintf("%x.", len(ctx)) + string(ctx) + "." + base64.RawStdEncoding.EncodeToString(b), nil
}

func (reversed) Open(sealed string, ctx []byte) ([]byte, error) {
	text, ok := strings.CutPrefix(sealed, fmt.Sprintf("%x.", len(ctx))+string(ctx)+".")
	if !ok {
		return nil, errors.New("sealed for another place")
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	for i := range b {
		b[i] ^= 0x5a
	}
	return b, err
}

type anyone struct{}

func (anyone) Authenticate(_ context.Context, token string) (arm.Principal, error) {
	if token != "t" {
		return arm.Principal{}, tandem.Unauthenticated
	}
	return arm.Principal{ObjectID: "o"}, nil
}
func (anyone) Authorise(context.Context, arm.Principal, string, string) error { return nil }

// world is a store, the management API over HTTP, and an engine that can be stopped and started.
type world struct {
	t      *testing.T
	store  store.Store
	config Config
	server *httptest.Server
	stop   func()
}

func newWorld(t *testing.T, config Config) *world {
	s := storetest.Memory()
	t.Cleanup(func() { s.Close() })
	w := &world{t: t, store: s, config: config}
	w.config.Store, w.config.Sealer = s, reversed{}
	if w.config.Clock == nil {
		w.config.Clock = tandem.SystemClock{}
	}
	mux := http.NewServeMux()
	w.server = httptest.NewServer(mux)
	t.Cleanup(w.server.Close)
	w.config.BaseURL = w.server.URL
	p, err := NewProvider(w.config)
	if err != nil {
		t.Fatal(err)
	}
	front, err := arm.NewServer(arm.ServerConfig{Providers: []arm.Provider{p}, Authoriser: anyone{}, Clock: w.config.Clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", front)
	return w
}

// start runs an engine until the returned function is called.
func (w *world) start() {
	e, err := New(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.t.Errorf("the engine ended with %v", err)
		}
		w.stop = func() {}
	}
	w.t.Cleanup(func() { w.stop() })
}

const testID = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Logic/workflows/"

// call does a management call and decodes the answer.
func (w *world) call(method, path string, body string, want int) *value.Object {
	w.t.Helper()
	url := path
	if strings.HasPrefix(path, "/") {
		url = w.server.URL + path + map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "api-version=2016-06-01"
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if strings.HasPrefix(path, "/") {
		req.Header.Set("Authorization", "Bearer t")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != want {
		w.t.Fatalf("%s %s: %d, want %d\n%s", method, path, resp.StatusCode, want, text)
	}
	out := value.New("run", resp.Header.Get("X-Ms-Workflow-Run-Id"))
	if v, err := value.Decode(text); err == nil {
		if o, ok := v.(*value.Object); ok {
			return o
		}
		out.Set("text", v)
		return out
	}
	out.Set("text", string(text))
	return out
}

// save puts a workflow whose definition is given.
func (w *world) save(name, definition string, more string) {
	w.t.Helper()
	w.call("PUT", testID+name, `{"location":"Central India","properties":{"definition":`+definition+more+`}}`, 201)
}

// wait reads a run until it has ended.
func (w *world) wait(name, run string) *value.Object {
	w.t.Helper()
	for range 2000 {
		r := w.call("GET", testID+name+"/runs/"+run, "", 200).Object("properties")
		if Status(r.String("status")).Finished() {
			return r
		}
		w.config.Clock.Sleep(w.t.Context(), 5*time.Millisecond)
	}
	w.t.Fatal("the run did not end")
	return nil
}

func (w *world) runOf(name, trigger string) string {
	w.t.Helper()
	return w.call("POST", testID+name+"/triggers/"+trigger+"/run", "", 202).String("run")
}

func definitionOf(t testing.TB, file []byte) string {
	var v struct{ Definition json.RawMessage }
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	return string(v.Definition)
}
