package workflow

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// azure is a small server that answers as the token endpoint and as API Management's backup and restore do.
type azure struct {
	*httptest.Server
	mu     sync.Mutex
	polls  int            // how many polls say "not yet"
	calls  []string       // method and path, in order
	bodies map[string]any // of the backup and restore calls, by operation
	agents map[string]bool
	fail   int // how many token requests fail with 503 first
	fault  func(w http.ResponseWriter, r *http.Request) bool
}

const testToken = "eyJ0eXAi.eyJhdWQi.c2lnbmF0dXJl"

func newAzure(t *testing.T, polls int) *azure {
	a := &azure{polls: polls, bodies: map[string]any{}, agents: map[string]bool{}}
	a.Server = httptest.NewTLSServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *azure) hosts() map[string]Endpoint {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate())
	e := Endpoint{Address: a.Listener.Addr().String(), ServerName: "example.com", RootCAs: pool}
	return map[string]Endpoint{"login.microsoftonline.com": e, "management.azure.com": e}
}

func (a *azure) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string{}, a.calls...)
}

func (a *azure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	a.calls = append(a.calls, r.Method+" "+r.Host+r.URL.Path)
	a.agents[r.Header.Get("User-Agent")] = true
	if a.fault != nil && a.fault(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/oauth2/token"):
		if a.fail > 0 {
			a.fail--
			w.WriteHeader(503)
			return
		}
		// The secret is not escaped in the form: its plus sign reaches the server as it is.
		if string(body) != "client_id=0b8f9c7a-5f51-4a1c-9f3e-3f2f0a6c1d11&client_secret=s3cr3t~value+1&grant_type=client_credentials&resource=https://management.azure.com" {
			w.WriteHeader(400)
			io.WriteString(w, `{"error":"invalid_request"}`)
			return
		}
		io.WriteString(w, `{"token_type":"Bearer","expires_in":"3599","access_token":"`+testToken+`"}`)
	case r.Header.Get("Authorization") != "Bearer "+testToken:
		w.WriteHeader(401)
		io.WriteString(w, `{"error":{"code":"InvalidAuthenticationToken","message":"no"}}`)
	case r.Method == "POST" && (strings.HasSuffix(path, "/backup") || strings.HasSuffix(path, "/restore")) && r.URL.Query().Get("api-version") == "2014-02-14":
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			w.WriteHeader(400)
			return
		}
		a.bodies[path[strings.LastIndex(path, "/")+1:]] = v
		w.Header().Set("Location", "https://"+r.Host+path[:strings.LastIndex(path, "/")]+"/operationresults/Y2VudHJhbGluZGlhOmFwaW0=?api-version=2014-02-14")
		w.WriteHeader(202)
	case strings.Contains(path, "/operationresults/"):
		if a.polls > 0 {
			a.polls--
			w.Header().Set("Location", "https://"+r.Host+path+"?api-version=2014-02-14")
			w.WriteHeader(202)
			return
		}
		io.WriteString(w, `{"name":"apim-primary","properties":{"provisioningState":"Succeeded"}}`)
	default:
		w.WriteHeader(404)
	}
}

func seed(t testing.TB) []byte {
	b, err := os.ReadFile("testdata/backup.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func restoreSeed(t testing.TB) []byte {
	s := strings.Replace(string(seed(t)), `"operation": "backup"`, `"operation": "restore"`, 1)
	return []byte(strings.NewReplacer("APIMPrimaryRG", "APIMDRRG", "apim-primary", "apim-dr").Replace(s))
}

// TestSeedByHand runs the backup workflow and the restore workflow against servers behind the names of Azure.
func TestSeedByHand(t *testing.T) {
	for operation, file := range map[string][]byte{"backup": seed(t), "restore": restoreSeed(t)} {
		t.Run(operation, func(t *testing.T) {
			a := newAzure(t, 2)
			res, err := Run(t.Context(), file, RunOptions{Hosts: a.hosts(), Clock: tandem.SystemClock{}, PollInterval: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if res.Status != Succeeded || len(res.Actions) != 5 {
				t.Fatalf("%+v\n%v", res, a.seen())
			}
			for _, action := range res.Actions {
				if action.Status != Succeeded || action.Code != "OK" {
					t.Errorf("%+v", action)
				}
			}
			got, _ := json.Marshal(a.bodies[operation])
			if string(got) != `{"accessKey":"c3RvcmFnZS1hY2NvdW50LWtleQ==","backupname":"nightly","containerName":"backups","storageAccount":"drstorage"}` {
				t.Errorf("the server got %s", got)
			}
			if calls := a.seen(); len(calls) != 5 || !strings.HasPrefix(calls[4], "GET management.azure.com/") {
				t.Errorf("calls: %q", calls)
			}
		})
	}
}

// TestSeedFails: a wrong secret ends the run at the token, and the rest is skipped; nothing secret is in the result.
func TestSeedFails(t *testing.T) {
	a := newAzure(t, 0)
	file := []byte(strings.Replace(string(seed(t)), "s3cr3t~value+1", "wrong-secret", 1))
	res, err := Run(t.Context(), file, RunOptions{Hosts: a.hosts(), Clock: tandem.SystemClock{}})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(res)
	want := map[string]Status{"Parse_JSON": Succeeded, "Create_Authentication_Body": Succeeded, "Request_Authentication_Token": Failed,
		"Create_Authentication_Header_-Initialize_variable_step": Skipped, "Invoke_REST_API_-_For_backup": Skipped}
	for _, action := range res.Actions {
		if want[action.Name] != action.Status {
			t.Errorf("%+v", action)
		}
	}
	if res.Status != Failed || strings.Contains(string(text), "wrong-secret") {
		t.Errorf("%s", text)
	}
}

// answerOnce counts calls below /once/ by their last segment, and answers /async in the asynchronous way.
func answerOnce(counts map[string]int, polls *int) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "text/plain")
		if name, ok := strings.CutPrefix(r.URL.Path, "/once/"); ok {
			counts[name]++
			io.WriteString(w, name)
			return true
		}
		switch r.URL.Path {
		case "/async":
			counts["async"]++
			w.Header().Set("Location", "/poll")
			w.WriteHeader(202)
		case "/poll":
			if *polls++; *polls < 3 {
				w.WriteHeader(202)
				return true
			}
			io.WriteString(w, "end")
		default:
			return false
		}
		return true
	}
}
