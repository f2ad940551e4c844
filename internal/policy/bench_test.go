package policy

import (
	"context"
	"syscall"
	"testing"
	"time"

	"tandem"
	"tandem/internal/exchange"
)

// tenStatements is an effective policy of ten common statements.
const tenStatements = `<policies><inbound>
<set-variable name="user" value="@(context.Request.Headers.GetValueOrDefault("X-User", "nobody"))" />
<set-header name="X-Correlation" exists-action="skip"><value>@(context.RequestId.ToString())</value></set-header>
<set-header name="X-User" exists-action="override"><value>@((string)context.Variables["user"])</value></set-header>
<set-header name="X-Static" exists-action="override"><value>one</value></set-header>
<choose><when condition="@(context.Request.Method == "POST")"><set-header name="X-Post"><value>1</value></set-header></when><otherwise><set-header name="X-Get"><value>1</value></set-header></otherwise></choose>
<set-backend-service base-url="https://backend.example/v1" />
<set-query-parameter name="api-version" exists-action="override"><value>2024-01-01</value></set-query-parameter>
<rate-limit-by-key calls="1000000000" renewal-period="60" counter-key="@(context.Subscription.Id)" />
</inbound><backend><forward-request /></backend><outbound>
<set-header name="X-Powered-By" exists-action="delete" />
<set-header name="X-Status"><value>@("status " + context.Response.StatusCode)</value></set-header>
</outbound></policies>`

type nullForwarder struct{}

func (nullForwarder) Forward(s *State, _ ForwardOptions) error {
	s.Response.Status = 200
	return nil
}

// The difference of these two is what the statements add to a request.
func BenchmarkNoStatements(b *testing.B)  { benchmark(b, `<policies><inbound/></policies>`) }
func BenchmarkTenStatements(b *testing.B) { benchmark(b, tenStatements) }

func benchmark(b *testing.B, doc string) {
	clock := tandem.SystemClock{}
	host := &Host{Clock: clock, Forwarder: nullForwarder{}, Counters: NewMemoryCounters(clock)}
	p, _, err := Compile([]Source{{Name: "bench", Scope: API, Text: doc}}, Options{Host: host})
	if err != nil {
		b.Fatal(err)
	}
	sub := &SubscriptionInfo{ID: "sub1"}
	header := exchange.Header{{Name: "Host", Value: "gw"}, {Name: "X-User", Value: "ann"}, {Name: "Accept", Value: "*/*"}}
	ctx := context.Background()
	var x exchange.Exchange
	b.ReportAllocs()
	before, n := cpuTime(b), 0
	for b.Loop() {
		n++
		x = exchange.Exchange{Request: exchange.Request{Method: "GET", URL: exchange.URL{Scheme: "https", Host: "gw", Path: "/items/7", Query: "a=b"}}}
		x.Request.Header = append(make(exchange.Header, 0, 8), header...)
		s := &State{Exchange: &x, Host: host, Subscription: sub}
		if err := p.Run(ctx, s); err != nil || s.LastError != nil {
			b.Fatal(err, s.LastError)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(n), "cpu-ns/op")
}

// cpuTime is the processor time that this process took, which other work on the machine does not change.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCompile(b *testing.B) {
	clock := tandem.SystemClock{}
	host := &Host{Clock: clock, Forwarder: nullForwarder{}, Counters: NewMemoryCounters(clock)}
	for b.Loop() {
		if _, ps := CompileUnit(Source{Name: "bench", Scope: API, Text: tenStatements}, Options{Host: host}); ps.Failed() {
			b.Fatal(ps)
		}
	}
}
