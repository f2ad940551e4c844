package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everyone lets all in.
type everyone struct{}

func (everyone) Authenticate(context.Context, string) (arm.Principal, error) {
	return arm.Principal{TenantID: "t", ObjectID: "o"}, nil
}
func (everyone) Authorise(context.Context, arm.Principal, string, string) error { return nil }

// plane is a management plane with a service behind it.
type plane struct {
	t       *testing.T
	store   store.Store
	service *Service
	web     *httptest.Server
}

func newPlane(t *testing.T, with func(*Config)) *plane {
	t.Helper()
	p := &plane{t: t, store: storetest.Memory()}
	t.Cleanup(func() { p.store.Close() })
	p.service = startService(t, p.store, with)
	p.serve(NewProvider(ProviderConfig{Store: p.store, Clock: tandem.SystemClock{}, Health: p.service}))
	return p
}

// serve puts a provider on the wire.
func (p *plane) serve(provider *Provider) {
	t := p.t
	t.Helper()
	server, err := arm.NewServer(arm.ServerConfig{Providers: []arm.Provider{provider}, Authoriser: everyone{}, Clock: tandem.SystemClock{}, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewTLSServer(server)
	p.web = web
	t.Cleanup(func() { web.Client().CloseIdleConnections(); web.Close() })
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func startService(t *testing.T, s store.Store, with func(*Config)) *Service {
	t.Helper()
	c := Config{Store: s, Clock: tandem.SystemClock{}, Log: quiet(), Listen: "127.0.0.1:0"}
	if with != nil {
		with(&c)
	}
	service, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Stop(); err != nil {
			t.Error(err)
		}
	})
	return service
}

const profilesPath = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/trafficmanagerprofiles/"

// call makes one request; body may be a string of JSON.
func (p *plane) call(method, path, body string) (int, map[string]any) {
	p.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = profilesPath + path
	}
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	r, err := http.NewRequest(method, p.web.URL+path+sep+"api-version=2022-04-01", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("Content-Type", "application/json")
	answer, err := p.web.Client().Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, _ := io.ReadAll(answer.Body)
	var out map[string]any
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			p.t.Fatalf("%s %s: %d %s: %v", method, path, answer.StatusCode, raw, err)
		}
	}
	return answer.StatusCode, out
}

// must makes a request that has to end with a status.
func (p *plane) must(want int, method, path, body string) map[string]any {
	p.t.Helper()
	status, out := p.call(method, path, body)
	if status != want {
		p.t.Fatalf("%s %s: %d, want %d: %v", method, path, status, want, out)
	}
	return out
}

// dig walks a decoded document.
func dig(v any, path ...any) any {
	for _, p := range path {
		switch at := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[at]
		case int:
			l, _ := v.([]any)
			if at >= len(l) {
				return nil
			}
			v = l[at]
		}
	}
	return v
}

// ask sends a question to the service over UDP.
func ask(t *testing.T, s *Service, name string, typ uint16, change ...func(*dns.Msg)) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), typ)
	for _, f := range change {
		f(m)
	}
	answer, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// first gives the data of the first answer record, or the code where there is none.
func first(m *dns.Msg) string {
	if len(m.Answer) == 0 {
		return dns.RcodeToString[m.Rcode]
	}
	return strings.TrimPrefix(m.Answer[0].String(), m.Answer[0].Header().String())
}

// eventually waits for a condition; the bound is only there to end a failing test.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !ok() {
		if (tandem.SystemClock{}).Sleep(ctx, 5*time.Millisecond) != nil {
			t.Fatalf("it did not come to pass that %s", what)
		}
	}
}

// backend is a web server that can be broken.
type backend struct {
	address netip.AddrPort
	mu      sync.Mutex
	server  *http.Server
	status  int
	hang    chan struct{} // not nil: requests wait for it to be closed
}

// newBackend listens on an address of 127.0.0.0/8 with the port given; 0 picks one.
func newBackend(t *testing.T, host string, port int) *backend {
	t.Helper()
	b := &backend{status: http.StatusOK}
	b.address = netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port))
	b.start(t)
	t.Cleanup(b.kill)
	return b
}

func (b *backend) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", b.address.String())
	if err != nil {
		t.Fatal(err)
	}
	b.address = netip.MustParseAddrPort(l.Addr().String())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = &http.Server{Handler: http.HandlerFunc(b.serve)}
	go b.server.Serve(l)
}

func (b *backend) serve(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	status, hang := b.status, b.hang
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			return
		}
	}
	w.WriteHeader(status)
	fmt.Fprint(w, "ok")
}

// kill closes the listener and every connection, as the end of a process does.
func (b *backend) kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server.Close()
	if b.hang != nil {
		close(b.hang)
		b.hang = nil
	}
}

func (b *backend) say(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

func (b *backend) setHang(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case on && b.hang == nil:
		b.hang = make(chan struct{})
	case !on && b.hang != nil:
		close(b.hang)
		b.hang = nil
	}
}
