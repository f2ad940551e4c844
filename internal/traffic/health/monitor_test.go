package health

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tandem"
)

// site is a web server whose answers can be changed.
type site struct {
	server  *httptest.Server
	handler atomic.Value // http.HandlerFunc
}

func newSite(t *testing.T, host string, secure bool) *site {
	t.Helper()
	s := &site{}
	s.say(200, "fine")
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handler.Load().(http.HandlerFunc)(w, r) }))
	s.server.Listener.Close()
	s.server.Listener = l
	s.server.Config.ErrorLog = nil
	if secure {
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	t.Cleanup(func() { s.server.CloseClientConnections(); s.server.Close() })
	return s
}

func (s *site) say(status int, body string) {
	s.handler.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
}

// kill ends the site as the end of a process does.
func (s *site) kill() {
	s.server.Listener.Close()
	s.server.CloseClientConnections()
}

func (s *site) target(change func(*Target)) Target {
	a := netip.MustParseAddrPort(s.server.Listener.Addr().String())
	t := Target{Host: a.Addr().String(), Port: int(a.Port()), Protocol: HTTP, Path: "/status-0123456789abcdef", Timeout: 10 * time.Second,
		Rules: Rules{Strikes: 3, Recover: 2, SteadyRun: 10, FlapWindow: time.Minute, Recheck: 5 * time.Millisecond, Interval: 50 * time.Millisecond}}
	if change != nil {
		change(&t)
	}
	return t
}

func newMonitor(t *testing.T, c Config) *Monitor {
	c.Clock = tandem.SystemClock{}
	m := New(c)
	t.Cleanup(m.Stop)
	return m
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !ok() {
		if (tandem.SystemClock{}).Sleep(ctx, 2*time.Millisecond) != nil {
			t.Fatalf("it did not come to pass that %s", what)
		}
	}
}

func becomes(t *testing.T, m *Monitor, id string, want Status) {
	t.Helper()
	eventually(t, id+" is "+string(want), func() bool { return m.Views()[id].Status == want })
}

// TestProbeVerdicts holds what counts as health, by the reason that is remembered.
func TestProbeVerdicts(t *testing.T) {
	plain, secure := newSite(t, "127.0.0.1", false), newSite(t, "127.0.0.1", true)
	echo := newSite(t, "127.0.0.1", false)
	echo.handler.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "host=%s custom=%s path=%s", r.Host, r.Header.Get("X-Probe"), r.RequestURI)
	}))
	redirect := newSite(t, "127.0.0.1", false)
	redirect.handler.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", 302) }))
	tandemGateway := newSite(t, "127.0.0.1", false)
	tandemGateway.say(200, `{"generation":7,"keyCheck":"ok","certificate":"ok"}`)
	empty := newSite(t, "127.0.0.1", false)
	empty.say(200, `{"generation":0,"keyCheck":"ok","certificate":"ok"}`)
	slow := newSite(t, "127.0.0.1", false)
	slow.handler.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for _, c := range []struct {
		name   string
		target Target
		ok     bool
		reason string
	}{
		{"200", plain.target(nil), true, ""},
		{"a range of statuses", plain.target(func(t *Target) { t.Expected = []StatusRange{{201, 299}} }), false, "status 200"},
		{"302 within a range", redirect.target(func(t *Target) { t.Expected = []StatusRange{{200, 200}, {300, 399}} }), true, ""},
		{"a redirect is a failure", redirect.target(nil), false, "status 302"},
		{"body", plain.target(func(t *Target) { t.BodyMatch = "fine" }), true, ""},
		{"another body", plain.target(func(t *Target) { t.BodyMatch = "superb" }), false, "does not contain"},
		{"Host and headers", echo.target(func(t *Target) {
			t.Headers = []Header{{"host", "api.contoso.example"}, {"X-Probe", "7"}}
			t.BodyMatch = "host=api.contoso.example custom=7 path=/status-0123456789abcdef"
		}), true, ""},
		{"HTTPS with any certificate", secure.target(func(t *Target) { t.Protocol = HTTPS }), true, "certificate is not valid"},
		{"HTTPS asserted", secure.target(func(t *Target) { t.Protocol, t.Certificate = HTTPS, true }), false, "certificate: "},
		{"HTTPS to a plain server", plain.target(func(t *Target) { t.Protocol = HTTPS }), false, "TLS handshake"},
		{"TCP", plain.target(func(t *Target) { t.Protocol = TCP }), true, ""},
		{"refused", plain.target(func(t *Target) { t.Port = 1 }), false, "connection refused"},
		{"hangs", slow.target(func(t *Target) { t.Timeout = 30 * time.Millisecond }), false, "no answer within 30ms"},
		{"detail", tandemGateway.target(func(t *Target) { t.Detail = true }), true, ""},
		{"detail of an empty gateway", empty.target(func(t *Target) { t.Detail = true }), false, "no generation"},
		{"detail of another server", plain.target(func(t *Target) { t.Detail = true }), false, "not JSON"},
	} {
		o := probe(t.Context(), tandem.SystemClock{}, c.target, nil, c.target.Timeout)
		if o.ok != c.ok || !strings.Contains(o.reason, c.reason) || c.reason == "" && o.reason != "" {
			t.Errorf("%s: ok %v, %q", c.name, o.ok, o.reason)
		}
		o.keep.drop()
	}
}

// TestTripWire: the end of a process is seen at once, however long the interval is.
func TestTripWire(t *testing.T) {
	for _, protocol := range []Protocol{HTTP, HTTPS, TCP} {
		t.Run(string(protocol), func(t *testing.T) {
			s := newSite(t, "127.0.0.1", protocol == HTTPS)
			m := newMonitor(t, Config{})
			m.Set(map[string]Target{"e": s.target(func(t *Target) { t.Protocol, t.Rules.Interval, t.Timeout = protocol, time.Hour, 5*time.Second })}, nil)
			becomes(t, m, "e", Online)
			s.kill()
			becomes(t, m, "e", Degraded) // an hour would be too long for the test's bound
			events := m.Events()
			last := events[len(events)-1]
			if last.To != Degraded || !strings.Contains(last.Why, "3 failures in a row") || len(last.Evidence) < 3 {
				t.Errorf("the event is %+v", last)
			}
			tripped := false
			for _, r := range m.Results("e") {
				tripped = tripped || r.Tripped
			}
			if !tripped {
				t.Error("no result says that the trip-wire went")
			}
		})
	}
}

// TestIdleCloseIsNoFailure: a server may close idle connections; that is no strike.
func TestIdleCloseIsNoFailure(t *testing.T) {
	s := newSite(t, "127.0.0.1", false)
	m := newMonitor(t, Config{})
	m.Set(map[string]Target{"e": s.target(nil)}, nil)
	becomes(t, m, "e", Online)
	for n := 1; n <= 20; n++ {
		s.server.CloseClientConnections()
		before := len(m.Results("e"))
		eventually(t, "it is probed again", func() bool { return len(m.Results("e")) > before })
	}
	for _, r := range m.Results("e") {
		if !r.OK {
			t.Errorf("a closed idle connection became a failure: %+v", r)
		}
	}
}

// TestSelfSuspicion: when all of three hosts fall silent at once, this place learns nothing; when one of them answers,
// the verdicts on the others fall.
func TestSelfSuspicion(t *testing.T) {
	m := newMonitor(t, Config{})
	sites, targets := map[string]*site{}, map[string]Target{}
	for i, id := range []string{"a", "b", "c"} {
		sites[id] = newSite(t, fmt.Sprintf("127.0.0.%d", 21+i), false)
		targets[id] = sites[id].target(nil)
	}
	m.Set(targets, nil)
	for id := range sites {
		becomes(t, m, id, Online)
	}
	for _, s := range sites {
		s.say(503, "")
	}
	eventually(t, "all are suspect", func() bool {
		for _, v := range m.Views() {
			if !v.Suspect {
				return false
			}
		}
		return true
	})
	for id, v := range m.Views() {
		if v.Status != Online {
			t.Errorf("%s became %s", id, v.Status)
		}
	}
	sites["a"].say(200, "")
	becomes(t, m, "b", Degraded)
	becomes(t, m, "c", Degraded)
	becomes(t, m, "a", Online)
}

// TestOneOfManyFails: evidence from the others is fetched, and the verdict falls.
func TestOneOfManyFails(t *testing.T) {
	m := newMonitor(t, Config{})
	targets := map[string]Target{}
	var broken *site
	for i := range 4 {
		s := newSite(t, fmt.Sprintf("127.0.0.%d", 31+i), false)
		targets[fmt.Sprint(i)] = s.target(func(t *Target) { t.Rules.Interval = time.Hour })
		broken = s
	}
	m.Set(targets, nil)
	for id := range targets {
		becomes(t, m, id, Online)
	}
	broken.kill()
	becomes(t, m, "3", Degraded)
}

// TestQuorum: three vantage points, each with its own way to one endpoint. A cut way moves nobody; all ways cut move all;
// a place that is cut off from the others and from the endpoint decides alone after its bound.
func TestQuorum(t *testing.T) {
	h := &hall{}
	rule := QuorumRule{Vantages: 3, Fresh: time.Hour, Alone: time.Hour}
	var places []*Monitor
	var seats []*seat
	var ways []*site
	var moves atomic.Int64
	for i, name := range []string{"a", "b", "c"} {
		seats = append(seats, h.join(name))
		ways = append(ways, newSite(t, fmt.Sprintf("127.0.0.%d", 41+i), false))
		r := rule
		if name == "c" {
			r.Alone = 200 * time.Millisecond
		}
		m := newMonitor(t, Config{Peers: seats[i], Quorum: r, OnChange: func(c Change) {
			if c.From == Online && c.To == Degraded {
				moves.Add(1)
			}
		}})
		targets := map[string]Target{"e": ways[i].target(nil)}
		if name == "c" { // something that answers it, else it would suspect itself
			targets["f"] = newSite(t, "127.0.0.44", false).target(nil)
		}
		m.Set(targets, nil)
		places = append(places, m)
	}
	for _, m := range places {
		becomes(t, m, "e", Online)
	}
	ways[0].say(503, "")
	eventually(t, "the first place sees it down", func() bool { return places[0].Views()["e"].State.Status == Degraded })
	eventually(t, "the others hear of it", func() bool {
		v := places[1].Views()["e"].Verdicts
		return len(v) == 2 && (v[0].Status == Degraded || v[1].Status == Degraded)
	})
	if n := moves.Load(); n != 0 {
		t.Errorf("one cut way made %d moves", n)
	}
	for _, w := range ways {
		w.say(503, "")
	}
	for _, m := range places {
		becomes(t, m, "e", Degraded)
	}
	for _, w := range ways {
		w.say(200, "")
	}
	for _, m := range places {
		becomes(t, m, "e", Online)
	}
	if n := moves.Load(); n != 3 {
		t.Errorf("one outage made %d moves at three places", n)
	}
	h.mu.Lock()
	seats[2].cut = true
	h.mu.Unlock()
	ways[2].say(503, "")
	becomes(t, places[2], "e", Degraded)
	if got := places[0].Views()["e"].Status; got != Online {
		t.Errorf("a place that is cut off moved another: %s", got)
	}
}

// TestSetKeepsState: a change of rules keeps what is known, a change of address does not.
func TestSetKeepsState(t *testing.T) {
	s := newSite(t, "127.0.0.1", false)
	m := newMonitor(t, Config{})
	m.Set(map[string]Target{"e": s.target(nil)}, map[string]State{"e": {Status: Degraded, Proven: true, Why: "from disk"}})
	if got := m.Views()["e"]; got.State.Why == "" {
		t.Errorf("the restored state was lost: %+v", got)
	}
	becomes(t, m, "e", Online)
	m.Set(map[string]Target{"e": s.target(func(t *Target) { t.Rules.Interval = time.Hour })}, nil)
	if got := m.Views()["e"].Status; got != Online {
		t.Errorf("a change of the interval made it %s", got)
	}
	dead := s.target(func(t *Target) { t.Port = 1 })
	m.Set(map[string]Target{"e": dead}, nil)
	becomes(t, m, "e", Degraded)
	m.Set(nil, nil)
	if len(m.Views()) != 0 {
		t.Error("an endpoint that was taken out is still watched")
	}
}

// TestCertificateOfAName: SNI is the target's name.
func TestCertificateOfAName(t *testing.T) {
	s := newSite(t, "127.0.0.1", true)
	var asked atomic.Value
	s.server.TLS.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		asked.Store(h.ServerName)
		return nil, nil
	}
	target := s.target(func(t *Target) { t.Protocol, t.Headers = HTTPS, []Header{{"Host", "gw.contoso.example:8443"}} })
	o := probe(t.Context(), tandem.SystemClock{}, target, nil, time.Second)
	o.keep.drop()
	if !o.ok || asked.Load() != "gw.contoso.example" {
		t.Errorf("SNI was %v, %+v", asked.Load(), o)
	}
}
