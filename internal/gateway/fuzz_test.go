package gateway

import (
	"log/slog"
	"testing"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// FuzzRequestPath sends any method, path, query and key through a gateway: it answers with a status, whatever comes.
func FuzzRequestPath(f *testing.F) {
	for _, s := range [][4]string{{"GET", "/a/things/7", "q=1", "k"}, {"OPTIONS", "/a/;rev=1", "", ""}, {"*", "//a/%zz/..", "subscription-key=%", "x"}, {"POST", "/v/x", "v=1&v=2", "k"}} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	clock := tandem.SystemClock{}
	counters := policy.NewMemoryCounters(clock)
	g := New(Config{Service: "s", Sealer: open{}, Clock: clock, Log: slog.New(slog.DiscardHandler), Host: policy.Host{Forwarder: teller{}, Counters: counters, Gates: counters}})
	f.Cleanup(g.Close)
	docs := map[string]*apim.Document{}
	for _, d := range []*apim.Document{
		doc("apis", []string{"a;rev=1"}, map[string]any{"path": "a", "subscriptionRequired": true, "serviceUrl": "http://backend/base"}), doc(apim.RootType, []string{"a"}, map[string]any{"current": "1"}),
		doc(typeOperations, []string{"a;rev=1", "one"}, map[string]any{"method": "GET", "urlTemplate": "/things/{id}?q={q}"}),
		doc(typeOperations, []string{"a;rev=1", "mixed"}, map[string]any{"method": "GET", "urlTemplate": "/m({key}).json"}),
		doc(typeOperations, []string{"a;rev=1", "rest"}, map[string]any{"method": "*", "urlTemplate": "/{*rest}"}),
		doc("apis", []string{"v;rev=1"}, map[string]any{"path": "v", "subscriptionRequired": false, "serviceUrl": "http://backend/v", "apiVersion": "1", "apiVersionSetId": "/apiVersionSets/set", "type": "soap"}), doc(apim.RootType, []string{"v"}, map[string]any{"current": "1"}),
		doc("apiVersionSets", []string{"set"}, map[string]any{"versioningScheme": "Query", "versionQueryName": "v"}),
		doc("subscriptions", []string{"s"}, map[string]any{"scope": "/apis", "state": "active"}, "primaryKey", "k"),
	} {
		docs[d.Key] = d
	}
	g.compiler.reset(docs)
	g.swap(everything(), 1, 1)
	f.Fuzz(func(t *testing.T, method, path, query, key string) {
		if path == "" || path[0] != '/' {
			path = "/" + path
		}
		x := &exchange.Exchange{Request: exchange.Request{Method: method, URL: exchange.URL{Scheme: "http", Host: "gw", Path: path, Query: query},
			Message: exchange.Message{Header: exchange.Header{{Name: "Ocp-Apim-Subscription-Key", Value: key}, {Name: "Access-Control-Request-Method", Value: method}}}}}
		if err := g.ServeExchange(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if s := x.Response.Status; s < 200 || s > 599 {
			t.Errorf("status %d", s)
		}
		g.done(x, 0, nil)
	})
}

// FuzzDuration: a duration that is read is positive.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"PT1M", "P1DT2H3M4.5S", "PT", "P1M", "PT1D", "P-1D", "PT1e9H"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDuration(s); err == nil && d <= 0 {
			t.Errorf("%q is %v", s, d)
		}
	})
}

// TestDuration pins what durations mean.
func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"PT1M": time.Minute, "P1D": 24 * time.Hour, "PT1M30S": 90 * time.Second, "P1DT1H": 25 * time.Hour, "PT0.5S": time.Second / 2,
		"P1M": 0, "PT1D": 0, "PT": 0, "1m": 0, "": 0, "P": 0, "PT-1S": 0, "PT0S": 0} {
		if got, err := ParseDuration(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
}
