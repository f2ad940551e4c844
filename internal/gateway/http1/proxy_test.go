package http1

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// proxy is the handler that the gateway would be without policies.
type proxy struct {
	pool    *Pool
	options Options
	before  func(x *exchange.Exchange)

	mu    sync.Mutex
	errs  []error // of the calls
	dones []error // of the exchanges
}

func (p *proxy) ServeExchange(x *exchange.Exchange) {
	if p.before != nil {
		p.before(x)
	}
	o := p.options
	o.Inform = x.Inform
	if err := p.pool.Do(x.Context, &x.Request, &x.Response, o); err != nil {
		p.mu.Lock()
		p.errs = append(p.errs, err)
		p.mu.Unlock()
		x.Response.Status = 502
		if r := RefusalOf(err); r != nil {
			x.Response.Status = r.Status
			x.Response.Header = x.Response.Header[:0]
			x.Response.Body = exchange.Bytes(errorBody(r.Status, r.Message))
			return
		}
		x.Response.Header = exchange.Header{{Name: "X-Reason", Value: string(ReasonOf(err))}}
		x.Response.Body = exchange.Body{}
	}
}

func (p *proxy) ExchangeDone(x *exchange.Exchange, _ int64, err error) {
	p.mu.Lock()
	p.dones = append(p.dones, err)
	p.mu.Unlock()
}

// rig is a server before a backend, on loopback.
type rig struct {
	*proxy
	addr    string
	config  Config
	stop    func() // ends Serve and waits
	backend Backend
}

func newRig(t *testing.T, backend string, change func(*rig)) *rig {
	t.Helper()
	r := &rig{proxy: &proxy{}, config: Config{Clock: tandem.SystemClock{}}, backend: Backend{Address: backend}}
	r.config.Handler = r.proxy
	r.config.Report = func(err error) { t.Errorf("reported: %v", err) }
	if change != nil {
		change(r)
	}
	client := NewClient(tandem.SystemClock{})
	r.pool = client.Pool(r.backend)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- NewServer(r.config).Serve(ctx, l) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		r.stop()
		r.pool.Close()
		client.Close()
	})
	return r
}

func TestProxyPlain(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Method+" "+r.RequestURI+" "+r.Host)
		w.Write(append([]byte("got:"), body...))
	}))
	defer backend.Close()
	r := newRig(t, backend.Listener.Addr().String(), nil)
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	for _, body := range []string{"", "small", strings.Repeat("large ", 100000)} {
		for range 3 {
			req, _ := http.NewRequest("POST", "http://"+r.addr+"/a%20b?q=1", strings.NewReader(body))
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(got) != "got:"+body || res.StatusCode != 200 {
				t.Fatalf("got %d %d bytes %v", res.StatusCode, len(got), err)
			}
			if want := "POST /a%20b?q=1 " + r.addr; res.Header.Get("X-Seen") != want {
				t.Fatalf("backend saw %q, want %q", res.Header.Get("X-Seen"), want)
			}
		}
	}
}
