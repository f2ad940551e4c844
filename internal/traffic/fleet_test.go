package traffic

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
	"tandem/internal/traffic/health"
	"tandem/internal/traffic/vantage"
)

// fleet is several places on one shared store that exchange their verdicts over HTTP.
type fleet struct {
	t        *testing.T
	store    store.Store
	places   []*Service
	provider *Provider

	mu  sync.Mutex
	cut map[string]bool
}

// wire is a place's way to the others, which can be cut.
type wire struct {
	fleet *fleet
	name  string
	base  http.RoundTripper
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.fleet.mu.Lock()
	cut := w.fleet.cut[w.name] || w.fleet.cut[r.Header.Get("To")]
	w.fleet.mu.Unlock()
	if cut {
		return nil, errors.New("the line is cut")
	}
	r = r.Clone(r.Context())
	r.Header.Set("From", w.name)
	return w.base.RoundTrip(r)
}

func newFleet(t *testing.T, with func(i int, c *Config)) *fleet {
	t.Helper()
	f := &fleet{t: t, store: storetest.Memory(), cut: map[string]bool{}}
	t.Cleanup(func() { f.store.Close() })
	var peers []vantage.Peer
	var exchanges [3]*vantage.Exchange
	for i := range exchanges {
		name := string(rune('a' + i))
		base := &http.Transport{}
		x, err := vantage.New(vantage.Config{Name: name, Client: &http.Client{Transport: wire{f, name, base}}, Clock: tandem.SystemClock{}, Log: quiet(),
			Identify: func(r *http.Request) (string, error) {
				f.mu.Lock()
				defer f.mu.Unlock()
				if f.cut[name] {
					return "", errors.New("the line is cut")
				}
				return r.Header.Get("From"), nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		web := httptest.NewServer(x)
		t.Cleanup(func() { x.Close(); base.CloseIdleConnections(); web.Close() })
		exchanges[i] = x
		peers = append(peers, vantage.Peer{Name: name, URL: web.URL})
	}
	for i, x := range exchanges {
		x.SetPeers(peers)
		f.places = append(f.places, startService(t, f.store, func(c *Config) {
			c.Peers, c.Quorum = x, health.QuorumRule{Fresh: time.Minute, Alone: time.Hour}
			if with != nil {
				with(i, c)
			}
		}))
	}
	f.provider = NewProvider(ProviderConfig{Store: f.store, Clock: tandem.SystemClock{}, Health: f.places[0]})
	return f
}

// answer is what all places answer, once.
func (f *fleet) answer() string {
	var all []string
	for _, s := range f.places {
		all = append(all, first(ask(f.t, s, "api.trafficmanager.net", dns.TypeA)))
	}
	return strings.Join(all, " ")
}

func (f *fleet) answers(what, want string) {
	f.t.Helper()
	eventually(f.t, what, func() bool { return f.answer() == want })
}

// put writes a profile into the store as the provider does.
func (f *fleet) put(body string) tandem.ResourceID {
	f.t.Helper()
	p := &plane{t: f.t, store: f.store}
	p.serve(f.provider)
	p.must(201, "PUT", "p1", body)
	id, err := tandem.ParseResourceID(profilesPath + "p1")
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

const allPrimary, allStandby = "127.0.0.11 127.0.0.11 127.0.0.11", "127.0.0.12 127.0.0.12 127.0.0.12"

// online waits until all places see both endpoints up, their own eyes and those of the others.
func (f *fleet) online(id tandem.ResourceID) {
	f.t.Helper()
	eventually(f.t, "all see both up", func() bool {
		for _, s := range f.places {
			for _, e := range []string{"primary", "standby"} {
				sights := s.Sights(id, e)
				if len(sights) != 3 || sights[0].Seen != health.Up || sights[1].Seen != health.Up || sights[2].Seen != health.Up {
					return false
				}
			}
		}
		return true
	})
}

// TestSharedStore: three places follow one configuration, move together by their votes, and hear each other's sights.
func TestSharedStore(t *testing.T) {
	f := newFleet(t, nil)
	primary, _ := pair(t)
	signal, end := f.places[2].Subscribe()
	defer end()
	id := f.put(pairProfile(int(primary.address.Port()), ""))
	f.answers("all answer the primary", allPrimary)
	f.online(id)
	if got := f.places[0].Sights(id, "primary"); got[0].Vantage != "" || got[1].Vantage != "b" || got[2].Vantage != "c" || got[1].Sick {
		t.Errorf("sights are %+v", got)
	}
	select {
	case <-signal:
	default:
		t.Error("a subscriber heard nothing")
	}
	primary.say(503)
	f.answers("all move to the standby", allStandby)
	sights := f.places[1].Sights(id, "primary")
	down := 0
	for _, s := range sights {
		if s.Seen == health.Down {
			down++
		}
	}
	if down < 2 {
		t.Errorf("they moved by %+v", sights)
	}
	primary.say(200)
	f.answers("all come back", allPrimary)
	if _, err := f.provider.Steering(t.Context(), id); err != nil {
		t.Error(err)
	}
	change := `{"properties":{"override":"Down"}}`
	p := &plane{t: t, store: f.store}
	p.serve(f.provider)
	p.must(200, "PATCH", "p1/externalEndpoints/primary", change)
	f.answers("an override is followed by all", allStandby)
}

// TestOnePlaceCutOff: a place that is cut off from the others and from the primary moves nobody, itself neither, while its
// standby answers; the others' votes still move what they see.
func TestOnePlaceCutOff(t *testing.T) {
	f := newFleet(t, nil)
	primary, standby := pair(t)
	id := f.put(pairProfile(int(primary.address.Port()), ""))
	f.answers("all answer the primary", allPrimary)
	f.online(id)
	f.mu.Lock()
	f.cut["c"] = true
	f.mu.Unlock()
	_ = standby
	primary.say(503)
	eventually(t, "c sees it down", func() bool { return f.places[2].Sights(id, "primary")[0].Seen == health.Down })
	eventually(t, "a and b move by two of three", func() bool { return strings.HasPrefix(f.answer(), "127.0.0.12 127.0.0.12") })
}

// TestSteering: an order is followed by all, beats what is measured and is told apart from it; a lower number is refused; a
// server's own order counts at once and gives way to a newer one; Hold freezes; the order ends with the profile.
func TestSteering(t *testing.T) {
	dir := t.TempDir()
	f := newFleet(t, func(i int, c *Config) { c.Dir = fmt.Sprintf("%s/%d", dir, i) })
	primary, _ := pair(t)
	id := f.put(pairProfile(int(primary.address.Port()), ""))
	f.answers("all answer the primary", allPrimary)
	f.online(id)
	p := &plane{t: t, store: f.store}
	p.serve(f.provider)

	order, err := f.provider.Steer(t.Context(), id, Steering{Mode: SteerOnly, Endpoint: "STANDBY", By: "group orders", Reason: "switchover"})
	if err != nil || order.Number != 1 || order.Endpoint != "standby" {
		t.Fatalf("%+v, %v", order, err)
	}
	f.answers("all answer the standby alone", allStandby)
	told := p.must(200, "GET", "p1", "")
	if got := dig(told, "properties", "steering", "mode"); got != "Only" || dig(told, "properties", "endpoints", 0, "properties", "endpointMonitorStatus") != "Online" {
		t.Errorf("the profile is told as %v", told)
	}
	health := p.must(200, "POST", "p1/listHealth", "")
	if dig(health, "endpoints", 0, "inDns") != false || dig(health, "endpoints", 1, "inDns") != true || dig(health, "steering", "by") != "group orders" {
		t.Errorf("health is told as %v", health)
	}
	p.must(200, "PATCH", "p1", `{"tags":{"a":"b"}}`) // a client's change leaves the order
	if _, err := f.provider.Steer(t.Context(), id, Steering{Mode: SteerAutomatic, Number: 5}); err != nil {
		t.Fatal(err)
	}
	f.answers("all are automatic again", allPrimary)
	if _, err := f.provider.Steer(t.Context(), id, Steering{Mode: SteerOnly, Endpoint: "standby", Number: 4}); !errors.Is(err, tandem.Precondition) {
		t.Errorf("a late order: %v", err)
	}

	// A server's own order is in force when the call returns.
	for _, s := range f.places {
		if err := s.Steer(id, Steering{Mode: SteerPrefer, Endpoint: "standby", Number: 6}); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.answer(); got != allStandby {
		t.Errorf("after direct orders: %s", got)
	}
	if err := f.places[0].Steer(id, Steering{Mode: SteerAutomatic, Number: 5}); !errors.Is(err, tandem.Precondition) {
		t.Errorf("a late order to a server: %v", err)
	}
	if err := f.places[0].Steer(id, Steering{Mode: SteerOnly, Endpoint: "nobody"}); err == nil {
		t.Error("an endpoint that is not there was taken")
	}

	// Hold: what is measured moves nothing.
	if _, err := f.provider.Steer(t.Context(), id, Steering{Mode: SteerAutomatic, Number: 7}); err != nil {
		t.Fatal(err)
	}
	f.answers("the newer order from the store wins", allPrimary)
	p.must(200, "POST", "p1/steer", `{"mode":"hold","reason":"a test"}`)
	eventually(t, "all hold", func() bool {
		for _, s := range f.places {
			if o, held := s.Steered(profileKey(id.Subscription, id.ResourceGroup, "p1")); o.Mode != SteerHold || !held["primary"] {
				return false
			}
		}
		return true
	})
	primary.kill()
	eventually(t, "the primary is measured down", func() bool {
		return dig(p.must(200, "POST", "p1/listHealth", ""), "endpoints", 0, "endpointMonitorStatus") == "Degraded"
	})
	if got := f.answer(); got != allPrimary {
		t.Errorf("a held profile answers %s", got)
	}
	if err := f.places[1].Stop(); err != nil {
		t.Fatal(err)
	}
	again := startService(t, f.store, func(c *Config) { c.Dir = dir + "/1" })
	if got := first(ask(t, again, "api.trafficmanager.net", dns.TypeA)); got != "127.0.0.11" {
		t.Errorf("after a restart a held profile answers %s", got)
	}
	p.must(409, "POST", "p1/steer", `{"mode":"Automatic","number":3}`)
	p.must(400, "POST", "p1/steer", `{"mode":"Sideways"}`)
	p.must(200, "POST", "p1/steer", `{"mode":"Automatic"}`)
	eventually(t, "the servers move when the hold ends", func() bool {
		return first(ask(t, f.places[0], "api.trafficmanager.net", dns.TypeA)) == "127.0.0.12"
	})
	p.must(200, "DELETE", "p1", "")
	if order, err := f.provider.Steering(t.Context(), id); err != nil || order.Mode != SteerAutomatic || order.Number != 0 {
		t.Errorf("the order outlived its profile: %+v, %v", order, err)
	}
}

// TestSteeringPrefers: a preferred endpoint is answered while it is up, and the routing method goes on while it is not.
func TestSteeringPrefers(t *testing.T) {
	p := newPlane(t, nil)
	_, standby := pair(t)
	p.must(201, "PUT", "p1", pairProfile(int(standby.address.Port()), ""))
	answer := p.answers("api")
	p.must(200, "POST", "p1/steer", `{"mode":"Prefer","endpoint":"standby"}`)
	eventually(t, "the standby is answered", func() bool { return answer() == "127.0.0.12" })
	standby.kill()
	eventually(t, "the primary is answered", func() bool { return answer() == "127.0.0.11" })
	p.must(200, "POST", "p1/steer", `{"mode":"Only","endpoint":"standby"}`)
	eventually(t, "the standby is answered though it is down", func() bool { return answer() == "127.0.0.12" })
	p.must(200, "PATCH", "p1/externalEndpoints/standby", `{"properties":{"endpointStatus":"Disabled"}}`)
	eventually(t, "what is disabled stays out", func() bool { return answer() == "127.0.0.11" })
	eventually(t, "the order that cannot be followed is told", func() bool {
		for key, err := range p.service.Problems() {
			if strings.HasPrefix(key, "order for ") && strings.Contains(err.Error(), "standby") {
				return true
			}
		}
		return false
	})
}
