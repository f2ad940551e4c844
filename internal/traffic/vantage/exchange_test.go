package vantage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/traffic/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lan joins exchanges by calls that take oneWay there and back, and can be cut. It runs on a bubble's time.
type lan struct {
	oneWay time.Duration
	mu     sync.Mutex
	hosts  map[string]*Exchange
	cut    map[string]bool
	lost   int // messages that were not carried
}

func (l *lan) carries(a, b string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut[a] || l.cut[b] {
		l.lost++
		return false
	}
	return true
}

func (l *lan) setCut(name string, on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut[name] = on
}

// port is one place's network card.
type port struct {
	lan  *lan
	name string
}

func (p port) RoundTrip(r *http.Request) (*http.Response, error) {
	to := r.URL.Hostname()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	clock := tandem.SystemClock{}
	travel := func() error {
		if !p.lan.carries(p.name, to) {
			<-r.Context().Done() // a cut line says nothing
			return r.Context().Err()
		}
		return clock.Sleep(r.Context(), p.lan.oneWay)
	}
	if err := travel(); err != nil {
		return nil, err
	}
	p.lan.mu.Lock()
	x := p.lan.hosts[to]
	p.lan.mu.Unlock()
	if x == nil {
		return nil, errors.New("connection refused")
	}
	there := httptest.NewRequest(r.Method, r.URL.Path, bytes.NewReader(body))
	there.Header.Set("From", p.name)
	w := httptest.NewRecorder()
	x.ServeHTTP(w, there)
	if err := travel(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (l *lan) join(t *testing.T, name string, others ...string) *Exchange {
	t.Helper()
	c := Config{Name: name, Client: &http.Client{Transport: port{l, name}}, Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler),
		Identify: func(r *http.Request) (string, error) { return r.Header.Get("From"), nil }}
	for _, o := range others {
		c.Peers = append(c.Peers, Peer{o, "https://" + o})
	}
	x, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[name] = x
	return x
}

func newLan(oneWay time.Duration) *lan {
	return &lan{oneWay: oneWay, hosts: map[string]*Exchange{}, cut: map[string]bool{}}
}

// drain throws news away, so that the exchange does not wait for a reader.
func drain(x *Exchange) {
	go func() {
		for range x.News() {
		}
	}()
}

func says(t *testing.T, x *Exchange, vantage, endpoint string) (health.Verdict, bool) {
	t.Helper()
	for _, v := range x.Heard(endpoint) {
		if v.Vantage == vantage {
			return v, true
		}
	}
	return health.Verdict{}, false
}

// TestOneWay: a change is heard after one way, however far the last message has come, and a place that is new to the other
// is believed after a round trip.
func TestOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const oneWay = 40 * time.Millisecond
		l := newLan(oneWay)
		a, b := l.join(t, "a", "b", "c"), l.join(t, "b", "a", "c")
		defer a.Close()
		defer b.Close()
		drain(b)
		drain(a)
		clock := tandem.SystemClock{}
		a.Tell(health.Verdict{Endpoint: "e", Status: health.Online})
		clock.Sleep(t.Context(), 3*oneWay+time.Millisecond) // to learn of each other, and one way
		if v, ok := says(t, b, "a", "e"); !ok || v.Status != health.Online {
			t.Fatalf("b hears %+v, %v", v, ok)
		}
		clock.Sleep(t.Context(), 10*time.Second)
		for i := range 50 { // at every phase of the beat
			clock.Sleep(t.Context(), time.Duration(i)*7*time.Millisecond)
			status := []health.Status{health.Degraded, health.Online}[i%2]
			a.Tell(health.Verdict{Endpoint: "e", Status: status, Held: time.Second})
			clock.Sleep(t.Context(), oneWay+time.Millisecond)
			v, _ := says(t, b, "a", "e")
			if v.Status != status {
				t.Fatalf("change %d was not heard after one way: %+v", i, v)
			}
			if v.Held < time.Second || v.Held > time.Second+oneWay+2*time.Millisecond {
				t.Errorf("it is said to have held for %v", v.Held)
			}
			if v.Age < oneWay || v.Age > DefaultBeat+2*oneWay {
				t.Errorf("its age is at most %v", v.Age)
			}
		}
	})
}

// TestCut: what is heard ages while a place is cut off, and is fresh again soon after; news tell of both ends.
func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLan(5 * time.Millisecond)
		a, b, c := l.join(t, "a", "b", "c"), l.join(t, "b", "a", "c"), l.join(t, "c", "a", "b")
		for _, x := range []*Exchange{a, b, c} {
			defer x.Close()
			drain(x)
			x.Tell(health.Verdict{Endpoint: "e", Status: health.Online})
		}
		clock := tandem.SystemClock{}
		clock.Sleep(t.Context(), 5*time.Second)
		if others, last := a.Contact(); others != 2 || clock.Now().Sub(last) > 2*DefaultBeat {
			t.Fatalf("a has contact to %d, last %v ago", others, clock.Now().Sub(last))
		}
		l.setCut("c", true)
		c.Tell(health.Verdict{Endpoint: "e", Status: health.Degraded})
		clock.Sleep(t.Context(), 10*time.Second)
		if v, _ := says(t, a, "c", "e"); v.Age < 9*time.Second || v.Status != health.Online {
			t.Errorf("of the place that was cut off a holds %+v", v)
		}
		if v, _ := says(t, a, "b", "e"); v.Age > 2*DefaultBeat {
			t.Errorf("b's verdict is up to %v old", v.Age)
		}
		if _, last := c.Contact(); clock.Now().Sub(last) < 9*time.Second {
			t.Errorf("c, cut off, had contact %v ago", clock.Now().Sub(last))
		}
		l.setCut("c", false)
		clock.Sleep(t.Context(), 2*DefaultBeat+20*time.Millisecond)
		if v, _ := says(t, a, "c", "e"); v.Age > time.Second || v.Status != health.Degraded {
			t.Errorf("after the cut a holds %+v", v)
		}
	})
}

// TestRestart: a place that began anew is believed, with what it says now alone; what is no longer watched is forgotten.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLan(5 * time.Millisecond)
		a, b := l.join(t, "a", "b"), l.join(t, "b", "a")
		drain(a)
		drain(b)
		defer a.Close()
		clock := tandem.SystemClock{}
		b.Tell(health.Verdict{Endpoint: "e", Status: health.Online})
		b.Tell(health.Verdict{Endpoint: "f", Status: health.Degraded})
		a.Tell(health.Verdict{Endpoint: "e", Status: health.Degraded})
		clock.Sleep(t.Context(), 2*time.Second)
		if _, ok := says(t, a, "b", "f"); !ok {
			t.Fatal("f was not heard of")
		}
		b.Close()
		b = l.join(t, "b", "a")
		defer b.Close()
		drain(b)
		b.Tell(health.Verdict{Endpoint: "e", Status: health.Degraded})
		clock.Sleep(t.Context(), 2*time.Second)
		if v, _ := says(t, a, "b", "e"); v.Status != health.Degraded || v.Age > 2*DefaultBeat {
			t.Errorf("after the restart: %+v", v)
		}
		if v, ok := says(t, a, "b", "f"); ok {
			t.Errorf("a still holds %+v", v)
		}
		if v, ok := says(t, b, "a", "e"); !ok || v.Status != health.Degraded {
			t.Errorf("b was not told again: %+v", v)
		}
		b.Tell(health.Verdict{Endpoint: "e"})
		clock.Sleep(t.Context(), 2*time.Second)
		if v, ok := says(t, a, "b", "e"); ok {
			t.Errorf("an endpoint that is no longer watched: %+v", v)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.own) != 0 {
			t.Errorf("%d endpoints are kept for good", len(b.own))
		}
	})
}

// TestManyVerdicts: more than one message holds.
func TestManyVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLan(time.Millisecond)
		a, b := l.join(t, "a", "b"), l.join(t, "b", "a")
		defer a.Close()
		defer b.Close()
		drain(a)
		drain(b)
		for i := range 3*maxSaid + 7 {
			a.Tell(health.Verdict{Endpoint: string(rune('a'+i%26)) + time.Duration(i).String(), Status: health.Online})
		}
		tandem.SystemClock{}.Sleep(t.Context(), 5*time.Second)
		b.mu.Lock()
		defer b.mu.Unlock()
		if n := len(b.peers["a"].verdicts); n != 3*maxSaid+7 {
			t.Errorf("%d verdicts arrived", n)
		}
	})
}

// TestStrangers: only a place that is known, by its certificate, is heard.
func TestStrangers(t *testing.T) {
	l := newLan(0)
	x := l.join(t, "a", "b")
	defer x.Close()
	const fine = `{"vantage":"b","boot":"1","sequence":1,"base":0,"top":0}`
	for _, c := range []struct {
		from, method, body string
		want               int
	}{
		{"b", "POST", fine, 200},
		{"b", "GET", "", 405},
		{"c", "POST", fine, 403},
		{"c", "POST", `{"vantage":"c","boot":"1","sequence":1,"base":0,"top":0}`, 403},
		{"b", "POST", `{`, 400},
		{"b", "POST", `{"vantage":"b","boot":"1","sequence":0}`, 400},
		{"b", "POST", `{"vantage":"b","boot":"1","sequence":1,"base":3,"top":2}`, 400},
		{"b", "POST", `{"vantage":"b","boot":"1","sequence":1,"top":1,"verdicts":[{"endpoint":"e","status":"Lovely","version":1}]}`, 400},
		{"b", "POST", `{"vantage":"b","boot":"1","sequence":1,"top":1,"verdicts":[{"endpoint":"e","status":"Online","version":2}]}`, 400},
	} {
		r := httptest.NewRequest(c.method, Path, bytes.NewReader([]byte(c.body)))
		r.Header.Set("From", c.from)
		w := httptest.NewRecorder()
		x.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s %s: %d, want %d", c.from, c.method, c.body, w.Code, c.want)
		}
	}
	if _, err := New(Config{Name: "a"}); !errors.Is(err, tandem.Invalid) {
		t.Errorf("an exchange without its parts: %v", err)
	}
}

// TestLeavingPeer: a place that is taken out says nothing any more.
func TestLeavingPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLan(time.Millisecond)
		a, b := l.join(t, "a", "b"), l.join(t, "b", "a")
		defer a.Close()
		defer b.Close()
		drain(b)
		b.Tell(health.Verdict{Endpoint: "e", Status: health.Online})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		heard := false
		for !heard {
			select {
			case id := <-a.News():
				heard = id == "e"
			case <-ctx.Done():
				t.Fatal("e was not heard of")
			}
		}
		a.SetPeers([]Peer{{"a", "https://a"}})
		if others, _ := a.Contact(); others != 0 || len(a.Heard("e")) != 0 || len(a.Ages()) != 0 {
			t.Errorf("%d others, %v", others, a.Heard("e"))
		}
		for id := range a.News() {
			if id == "e" {
				break
			}
		}
		drain(a)
	})
}
