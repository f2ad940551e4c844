package gateway

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/exchange"
)

// collector takes what is posted to it.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	got   []posted
	await chan struct{}
}

type posted struct {
	path, auth string
	body       []byte
}

func newCollector() *collector {
	c := &collector{await: make(chan struct{}, 100)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		c.got = append(c.got, posted{r.URL.Path, r.Header.Get("Authorization"), body})
		c.mu.Unlock()
		c.await <- struct{}{}
	}))
	return c
}

func (c *collector) next(t *testing.T) posted {
	t.Helper()
	select {
	case <-c.await:
	case <-tandem.SystemClock{}.After(time.Minute):
		t.Fatal("nothing came")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.got[0]
	c.got = c.got[1:]
	return p
}

// echoing is an API that passes POST /x on to a backend which tells what it got.
func echoing(backend, inbound string) []*apim.Document {
	return []*apim.Document{
		doc("apis", []string{"a;rev=1"}, map[string]any{"path": "a", "displayName": "a", "subscriptionRequired": false, "serviceUrl": backend}),
		doc(apim.RootType, []string{"a"}, map[string]any{"current": "1"}),
		doc("apis.operations", []string{"a;rev=1", "post"}, map[string]any{"method": "POST", "urlTemplate": "/x", "displayName": "post"}),
		doc("apis.policies", []string{"a;rev=1", "policy"}, map[string]any{"value": `<policies><inbound><base />` + inbound + `</inbound><backend><base /></backend><outbound><base /></outbound></policies>`}),
	}
}

// send asks POST /a/x with a body, and ends the exchange as a front does.
func (f *fixture) send(target, body string, header ...exchange.Field) (*exchange.Response, string) {
	f.t.Helper()
	path, query, _ := strings.Cut(target, "?")
	x := &exchange.Exchange{Context: f.t.Context(), Start: tandem.SystemClock{}.Now(), Request: exchange.Request{Method: "POST", Proto: "HTTP/1.1",
		URL: exchange.URL{Scheme: "https", Host: "gw", Path: path, Query: query}, Message: exchange.Message{Header: header, Body: exchange.Stream(strings.NewReader(body), int64(len(body)))}}}
	handler{f.g}.ServeExchange(x)
	answer := text(f.t, &x.Response)
	handler{f.g}.ExchangeDone(x, int64(len(answer)), nil)
	return &x.Response, answer
}

func traceBackend() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Back", "b")
		w.Header().Set("X-Parent", r.Header.Get("traceparent"))
		_, _ = w.Write(append([]byte("got "), body...))
	}))
}

const clientParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// A request is told to Application Insights as its diagnostic says: with headers, bodies' beginnings, the call to the
// backend in the same trace, messages of the trace policy, and without what is masked or secret.
func TestDiagnostics(t *testing.T) {
	defer goleak.VerifyNone(t)
	back, insights := traceBackend(), newCollector()
	defer back.Close()
	defer insights.Close()
	message := func(bytes int, headers ...any) map[string]any {
		return map[string]any{"headers": headers, "body": map[string]any{"bytes": bytes}}
	}
	masking := message(5, "X-One", "X-Two", "X-Three", "Authorization")
	masking["dataMasking"] = map[string]any{"headers": []any{map[string]any{"value": "X-Two", "mode": "Mask"}, map[string]any{"value": "x-three", "mode": "Hide"}}, "queryParams": []any{map[string]any{"value": "secret", "mode": "Mask"}, map[string]any{"value": "gone", "mode": "Hide"}}}
	docs := append(echoing(back.URL, `<trace source="here" severity="error"><message>noted</message></trace><trace source="here" severity="verbose"><message>too much</message></trace>`),
		doc("namedvalues", []string{"cs"}, map[string]any{"displayName": "cs"}, "value", "InstrumentationKey=11-22;IngestionEndpoint="+insights.URL+"/"),
		doc("loggers", []string{"ai"}, map[string]any{"loggerType": "applicationInsights"}),
		doc("diagnostics", []string{"applicationinsights"}, map[string]any{"loggerId": "/loggers/ai", "sampling": map[string]any{"samplingType": "fixed", "percentage": 0}}),
		doc("apis.diagnostics", []string{"a;rev=1", "applicationinsights"}, map[string]any{"loggerId": "/loggers/ai", "sampling": map[string]any{"samplingType": "fixed", "percentage": 100}, "httpCorrelationProtocol": "W3C", "logClientIp": true, "verbosity": "information",
			"frontend": map[string]any{"request": masking, "response": message(4, "X-Back")}, "backend": map[string]any{"request": message(3, "traceparent"), "response": message(2, "X-Back")}}))
	if err := docs[5].SealSecret(open{}, "credentials", map[string]any{"connectionString": "{{cs}}"}); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, "", docs...)
	defer f.stop()
	if p := f.g.Status().Problems; len(p) != 0 {
		t.Fatal(p)
	}
	r, answer := f.send("/a/x?secret=1&open=2&gone=3", "hello, world", exchange.Field{Name: "X-One", Value: "one"}, exchange.Field{Name: "X-Two", Value: "two"}, exchange.Field{Name: "X-Three", Value: "three"},
		exchange.Field{Name: "Authorization", Value: "Bearer token"}, exchange.Field{Name: "traceparent", Value: clientParent})
	if r.Status != 200 || answer != "got hello, world" {
		t.Fatalf("%d %s", r.Status, answer)
	}
	p := insights.next(t)
	var envelopes []struct {
		Name, IKey string
		Tags       map[string]string
		Data       struct {
			BaseType string
			BaseData map[string]any
		}
	}
	if err := json.Unmarshal(p.body, &envelopes); err != nil || p.path != "/v2.1/track" || len(envelopes) != 3 {
		t.Fatalf("%s %v\n%s", p.path, err, p.body)
	}
	request, dependency, noted := envelopes[0].Data.BaseData, envelopes[1].Data.BaseData, envelopes[2].Data.BaseData
	properties := request["properties"].(map[string]any)
	for name, want := range map[string]any{"Request-X-One": "one", "Request-X-Two": masked, "Request-X-Three": nil, "Request-Authorization": masked, "Request-Body": "hello", "Response-Body": "got ", "Response-X-Back": "b", "API Name": "a", "Operation Name": "post"} {
		if properties[name] != want {
			t.Errorf("%s is %v, want %v", name, properties[name], want)
		}
	}
	if request["url"] != "https://gw/a/x?secret=***&open=2" || request["responseCode"] != "200" || request["name"] != "a;rev=1 - post" {
		t.Errorf("request %v", request)
	}
	about := dependency["properties"].(map[string]any)
	parts := strings.Split(r.Header.Get("X-Parent"), "-")
	if len(parts) != 4 || parts[1] != clientParent[3:35] || parts[2] != dependency["id"] || about["Request-Body"] != "hel" || about["Response-Body"] != "go" || about["Response-X-Back"] != "b" {
		t.Errorf("dependency %v, traceparent %v", dependency, parts)
	}
	if tags := envelopes[0].Tags; tags["ai.operation.id"] != clientParent[3:35] || tags["ai.operation.parentId"] != clientParent[36:52] || envelopes[1].Tags["ai.operation.parentId"] != request["id"] || envelopes[0].IKey != "11-22" {
		t.Errorf("tags %v", tags)
	}
	if noted["message"] != "noted" {
		t.Errorf("message %v", noted)
	}
	if strings.Contains(string(p.body), "Bearer token") || strings.Contains(string(p.body), "three") {
		t.Errorf("a secret is told: %s", p.body)
	}
	// The service's own diagnostic samples nothing, unless errors are always logged.
	f.put(doc("apis.diagnostics", []string{"a;rev=1", "applicationinsights"}, map[string]any{"loggerId": "/loggers/ai", "sampling": map[string]any{"percentage": 0}, "alwaysLog": "allErrors"}))
	f.settle()
	f.send("/a/x", "")
	f.send("/a/nothing", "")
	if p := insights.next(t); !strings.Contains(string(p.body), `"responseCode":"404"`) || strings.Contains(string(p.body), `"responseCode":"200"`) {
		t.Errorf("told %s", p.body)
	}
}

// log-to-eventhub reaches the hub with a signature; a logger that is missing is a problem when the policy is loaded.
func TestEventHub(t *testing.T) {
	defer goleak.VerifyNone(t)
	hub := newCollector()
	defer hub.Close()
	docs := append(withPolicy(`<log-to-eventhub logger-id="hub" partition-key="p">@("event " + context.Operation.Id)</log-to-eventhub><return-response><set-status code="200" /></return-response>`),
		doc("loggers", []string{"hub"}, map[string]any{"loggerType": "azureEventHub", "isBuffered": false}))
	if err := docs[4].SealSecret(open{}, "credentials", map[string]any{"name": "events", "connectionString": "Endpoint=" + hub.URL + ";SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0"}); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, "", docs...)
	defer f.stop()
	if r := f.ask("GET", "/a/x"); r.Status != 200 {
		t.Fatal(r.Status, text(t, r))
	}
	if p := hub.next(t); p.path != "/events/messages" || string(p.body) != `[{"Body":"event get","BrokerProperties":{"PartitionKey":"p"}}]` || !strings.HasPrefix(p.auth, "SharedAccessSignature sr=http%3A%2F%2F127.0.0.1") {
		t.Errorf("%s %s %s", p.path, p.auth, p.body)
	}
	f.put(doc("apis.policies", []string{"a;rev=1", "policy"}, map[string]any{"value": `<policies><inbound><log-to-eventhub logger-id="other">x</log-to-eventhub></inbound></policies>`}))
	f.settle()
	if p := f.g.Status().Problems; len(p) != 1 || !strings.Contains(p[0].Message, "there is no logger other") {
		t.Errorf("problems %v", p)
	}
}

// Spans of a request and of its call to the backend belong to the client's trace; without a provider, headers go through
// as they came.
func TestSpans(t *testing.T) {
	back := traceBackend()
	defer back.Close()
	f := newFixture(t, "", echoing(back.URL, "")...)
	defer f.stop()
	if r, _ := f.send("/a/x", "b", exchange.Field{Name: "traceparent", Value: clientParent}); r.Header.Get("X-Parent") != clientParent {
		t.Errorf("without spans the backend got %q", r.Header.Get("X-Parent"))
	}
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	defer provider.Shutdown(context.Background()) //nolint:errcheck // it has nothing to send
	f.g.tracer = provider.Tracer("test")
	r, _ := f.send("/a/x?key=1", "b", exchange.Field{Name: "traceparent", Value: clientParent}, exchange.Field{Name: "tracestate", Value: "v=1"})
	spans := recorder.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	call, request := spans[0], spans[1]
	want := "00-" + clientParent[3:35] + "-" + call.SpanContext().SpanID().String() + "-01"
	if got := r.Header.Get("X-Parent"); got != want || call.Parent().SpanID() != request.SpanContext().SpanID() || request.Parent().SpanID().String() != clientParent[36:52] {
		t.Errorf("the backend got %s, want %s; request's parent %v", got, want, request.Parent().SpanID())
	}
	if request.Name() != "POST /a/x" {
		t.Errorf("name %q", request.Name())
	}
	found := map[attribute.Key]string{}
	for _, a := range append(request.Attributes(), call.Attributes()...) {
		found[a.Key] = a.Value.Emit()
	}
	if found["http.route"] != "/a/x" || found["tandem.api"] != "a" || found["http.response.status_code"] != "200" || !strings.HasSuffix(found["url.full"], "/x?key=***") {
		t.Errorf("attributes %v", found)
	}
	unsampled := strings.TrimSuffix(clientParent, "01") + "00"
	if r, _ := f.send("/a/x", "b", exchange.Field{Name: "traceparent", Value: unsampled}); !strings.HasSuffix(r.Header.Get("X-Parent"), "-00") || len(recorder.Ended()) != 2 {
		t.Errorf("a trace that its sender does not sample: %s, %d spans", r.Header.Get("X-Parent"), len(recorder.Ended()))
	}
}

// Spans reach a collector by OTLP.
func TestOTLP(t *testing.T) {
	c := newCollector()
	defer c.Close()
	provider, err := OpenTraces(t.Context(), TracesConfig{Endpoint: c.URL}, "node", "southindia")
	if err != nil {
		t.Fatal(err)
	}
	_, span := provider.Tracer("t").Start(t.Context(), "a request")
	span.End()
	if err := provider.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if p := c.next(t); p.path != "/v1/traces" || !strings.Contains(string(p.body), "a request") {
		t.Errorf("%s %q", p.path, p.body)
	}
}
