package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"testing"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// large is a service of 1,000 APIs with 20 operations each and 10,000 subscriptions; the policy of the service limits the
// rate by key and sets a header, that of each API sets another.
func large(apis, operations, subscriptions int) map[string]*apim.Document {
	docs := map[string]*apim.Document{}
	add := func(d *apim.Document) { docs[d.Key] = d }
	add(doc("policies", []string{"policy"}, map[string]any{"value": `<policies><inbound><rate-limit-by-key calls="1000000000" renewal-period="60" counter-key="@(context.Subscription.Id)" /><set-header name="X-Subscription" exists-action="override"><value>@(context.Subscription.Id)</value></set-header></inbound><backend><forward-request /></backend><outbound /></policies>`}))
	for i := range apis {
		name := fmt.Sprintf("api-%d", i)
		rev := name + ";rev=1"
		add(doc("apis", []string{rev}, map[string]any{"path": "area/" + name, "displayName": name, "subscriptionRequired": true, "serviceUrl": "http://127.0.0.1:9/base"}))
		add(doc(apim.RootType, []string{name}, map[string]any{"current": "1"}))
		add(doc("apis.policies", []string{rev, "policy"}, map[string]any{"value": apiPolicy("one")}))
		for k := range operations {
			add(doc("apis.operations", []string{rev, "op-" + strconv.Itoa(k)}, map[string]any{"method": "GET", "urlTemplate": fmt.Sprintf("/things%d/{id}", k), "displayName": "op"}))
		}
	}
	for i := range subscriptions {
		name := fmt.Sprintf("sub-%d", i)
		add(doc("subscriptions", []string{name}, map[string]any{"scope": "/apis", "state": "active", "displayName": name}, "primaryKey", "primary-"+name, "secondaryKey", "secondary-"+name))
	}
	return docs
}

func apiPolicy(value string) string {
	return `<policies><inbound><base /></inbound><backend><base /></backend><outbound><base /><set-header name="X-Gateway" exists-action="override"><value>` + value + `</value></set-header></outbound></policies>`
}

// memoryBackend answers without a network.
type memoryBackend struct{ body []byte }

// Forward implements policy.Forwarder.
func (m memoryBackend) Forward(s *policy.State, _ policy.ForwardOptions) error {
	r := s.Kept.(*run)
	s.Response.Status = 200
	s.Response.Header = append(r.room[:0], exchange.Field{Name: "Content-Type", Value: "application/json"})
	s.Response.Body = exchange.Bytes(m.body)
	return nil
}

func benchGateway(b *testing.B, docs map[string]*apim.Document, f policy.Forwarder) *Gateway {
	clock := tandem.SystemClock{}
	counters := policy.NewMemoryCounters(clock)
	g := New(Config{Service: "bench", Sealer: open{}, Clock: clock, Log: slog.New(slog.DiscardHandler), Host: policy.Host{Forwarder: f, Counters: counters, Gates: counters, Cache: policy.NewMemoryCache(clock, 1<<20)}})
	b.Cleanup(g.Close)
	g.compiler.reset(docs)
	g.swap(everything(), 1, 1)
	if p := g.Status().Problems; len(p) > 0 {
		b.Fatal(p)
	}
	return g
}

// BenchmarkServeExchange is the gateway's own cost of one request: route among 1,000 APIs, key among 10,000, rate limit by
// key, two header edits, metrics, a backend in memory.
func BenchmarkServeExchange(b *testing.B) {
	g := benchGateway(b, large(1000, 20, 10000), memoryBackend{make([]byte, 1024)})
	x := &exchange.Exchange{}
	header := exchange.Header{{Name: "Host", Value: "gw"}, {Name: "User-Agent", Value: "bench"}, {Name: "Accept", Value: "*/*"}, {Name: "Ocp-Apim-Subscription-Key", Value: ""}}
	ctx := context.Background()
	clock := tandem.SystemClock{}
	keys, paths := make([]string, 4096), make([]string, 4096)
	for i := range keys {
		keys[i], paths[i] = fmt.Sprintf("primary-sub-%d", i*2), fmt.Sprintf("/area/api-%d/things%d/%d", i%1000, i%20, i)
	}
	b.ReportAllocs()
	before := cpuTime()
	for i := 0; b.Loop(); i++ {
		x.Reset()
		x.Context, x.Start = ctx, clock.Now()
		x.Request.Method, x.Request.Proto = "GET", "HTTP/1.1"
		x.Request.URL = exchange.URL{Scheme: "http", Host: "gw", Path: paths[i%len(paths)]}
		x.Request.Header = append(x.Request.Header, header...)
		x.Request.Header[3].Value = keys[i%len(keys)]
		if err := g.ServeExchange(ctx, x); err != nil || x.Response.Status != 200 {
			b.Fatal(x.Response.Status, err)
		}
		g.done(x, 1024, nil)
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}

// BenchmarkChange is the time from a changed document to the generation that serves it, with 1,000 APIs of 20 operations
// and 10,000 subscriptions loaded.
func BenchmarkChange(b *testing.B) {
	docs := large(1000, 20, 10000)
	g := benchGateway(b, docs, nil)
	change := func(b *testing.B, make func(i int) *apim.Document) {
		before := cpuTime()
		for i := 0; b.Loop(); i++ {
			d := make(i)
			g.compiler.source.put(d)
			g.swap(g.compiler.source.touched([]string{d.Key}), 1, tandem.Revision(i))
		}
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e6, "cpu-ms/op")
	}
	b.Run("policy of one API", func(b *testing.B) {
		change(b, func(i int) *apim.Document {
			return doc("apis.policies", []string{"api-7;rev=1", "policy"}, map[string]any{"value": apiPolicy("v" + strconv.Itoa(i))})
		})
	})
	b.Run("policy of the service", func(b *testing.B) {
		text := docs["policies/policy"].String("value")
		change(b, func(i int) *apim.Document {
			return doc("policies", []string{"policy"}, map[string]any{"value": text + "<!-- " + strconv.Itoa(i) + " -->"})
		})
	})
	b.Run("one subscription", func(b *testing.B) {
		change(b, func(i int) *apim.Document {
			return doc("subscriptions", []string{"sub-5"}, map[string]any{"scope": "/apis", "state": "active"}, "primaryKey", "new-"+strconv.Itoa(i))
		})
	})
	b.Run("everything", func(b *testing.B) {
		before := cpuTime()
		for i := 0; b.Loop(); i++ {
			g.newCompiler(docs).compile(everything(), 1, tandem.Revision(i))
		}
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e6, "cpu-ms/op")
	})
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.Logf("heap with the service loaded: %d MiB", m.HeapAlloc>>20)
}
