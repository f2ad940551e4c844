package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"tandem/internal/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type forwarderFunc func(*State, ForwardOptions) error

func (f forwarderFunc) Forward(s *State, o ForwardOptions) error { return f(s, o) }

type clientFunc func(context.Context, *exchange.Request) (*exchange.Response, error)

func (f clientFunc) Do(ctx context.Context, r *exchange.Request, _ SendOptions) (*exchange.Response, error) {
	return f(ctx, r)
}

func newState(h *Host) *State {
	return &State{Exchange: &exchange.Exchange{Request: exchange.Request{Method: "GET", URL: exchange.URL{Scheme: "https", Host: "gw", Path: "/"}}}, Host: h}
}

func mustCompile(t *testing.T, h *Host, doc string) *Pipeline {
	t.Helper()
	p, _, err := Compile([]Source{{Name: "t", Scope: API, Text: doc}}, Options{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A request that no pipeline may serve (no operation, no key) goes through on-error with its predefined error.
func TestFail(t *testing.T) {
	h := &Host{Clock: newClock(), Forwarder: nullForwarder{}}
	p := mustCompile(t, h, `<policies><on-error><set-header name="Why"><value>@(context.LastError.Reason)</value></set-header></on-error></policies>`)
	for _, c := range []struct {
		e    *LastError
		want string
	}{
		{KeyMissing(), `{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }`},
		{KeyInvalid(), `{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }`},
		{NoOperation(), `{ "statusCode": 404, "message": "Resource not found" }`},
	} {
		s := newState(h)
		if err := p.Fail(context.Background(), s, c.e); err != nil {
			t.Fatal(err)
		}
		b, _ := s.Response.Body.Bytes(1 << 20)
		if string(b) != c.want || s.Response.Header.Get("Why") != c.e.Reason || s.Response.Status != c.e.Status {
			t.Errorf("got %d %s %v", s.Response.Status, b, s.Response.Header)
		}
	}
}

// A fault of ours in a policy fails its request and nothing else.
func TestFaultIsContained(t *testing.T) {
	h := &Host{Clock: newClock(), Forwarder: forwarderFunc(func(*State, ForwardOptions) error { panic("fault") })}
	s := newState(h)
	if err := mustCompile(t, h, `<policies/>`).Run(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	if s.Response.Status != 500 || s.LastError == nil {
		t.Errorf("status %d, error %v", s.Response.Status, s.LastError)
	}
	b, _ := s.Response.Body.Bytes(1 << 20)
	if strings.Contains(string(b), "fault") {
		t.Errorf("the client was told of the fault: %s", b)
	}
}

// A fault in one of the branches of a wait is contained too.
func TestFaultInBranchIsContained(t *testing.T) {
	h := &Host{Clock: newClock(), Forwarder: nullForwarder{}, Client: clientFunc(func(context.Context, *exchange.Request) (*exchange.Response, error) { panic("fault") })}
	s := newState(h)
	p := mustCompile(t, h, `<policies><inbound><wait for="all"><send-request response-variable-name="a"><set-url>http://x/</set-url></send-request></wait></inbound></policies>`)
	if err := p.Run(context.Background(), s); err != nil || s.Response.Status != 500 {
		t.Errorf("status %d, %v", s.Response.Status, err)
	}
}

// wait for="any" takes the first answer and cancels the others.
func TestWaitForAny(t *testing.T) {
	var cancelled atomic.Bool
	h := &Host{Clock: newClock(), Forwarder: nullForwarder{}}
	h.Client = clientFunc(func(ctx context.Context, r *exchange.Request) (*exchange.Response, error) {
		if r.URL.Host == "slow" {
			<-ctx.Done()
			cancelled.Store(true)
			return nil, ctx.Err()
		}
		return &exchange.Response{Status: 200}, nil
	})
	p := mustCompile(t, h, `<policies><inbound><wait for="any"><send-request response-variable-name="a"><set-url>http://slow/</set-url></send-request><send-request response-variable-name="b"><set-url>http://fast/</set-url></send-request></wait></inbound></policies>`)
	s := newState(h)
	if err := p.Run(context.Background(), s); err != nil || s.LastError != nil {
		t.Fatal(err, s.LastError)
	}
	if _, ok := s.Variable("b"); !ok || !cancelled.Load() {
		t.Errorf("the first answer was not taken, or the other not cancelled")
	}
	if _, ok := s.Variable("a"); ok {
		t.Error("the cancelled branch left a variable")
	}
}

// Events of a streamed answer go on as they come, and their usage is counted at the end.
func TestUsageOfEvents(t *testing.T) {
	m := &metricSink{}
	events := "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: {\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n\ndata: [DONE]\n\n"
	h := &Host{Clock: newClock(), Metrics: m, Forwarder: forwarderFunc(func(s *State, _ ForwardOptions) error {
		s.Response.Status = 200
		s.Response.Header.Add("Content-Type", "text/event-stream")
		s.Response.Body = exchange.Stream(strings.NewReader(events), -1)
		return nil
	})}
	s := newState(h)
	if err := mustCompile(t, h, `<policies><inbound><llm-emit-token-metric namespace="n"/></inbound></policies>`).Run(context.Background(), s); err != nil || s.LastError != nil {
		t.Fatal(err, s.LastError)
	}
	if len(m.got) != 0 {
		t.Error("counted before the stream's end")
	}
	b, err := io.ReadAll(s.Response.Body.Reader())
	if err != nil || string(b) != events {
		t.Errorf("the client got %q, %v", b, err)
	}
	if got := fmt.Sprint(m.got); got != "[Total Tokens=7 Prompt Tokens=3 Completion Tokens=4]" {
		t.Errorf("metrics %s", got)
	}
}

type metricSink struct{ got []string }

func (m *metricSink) Emit(_, name string, v float64, _ []Dimension) {
	m.got = append(m.got, fmt.Sprintf("%s=%v", name, v))
}

func TestResolver(t *testing.T) {
	h := &Host{Clock: newClock(), Subscribers: &lender{}}
	h.Client = clientFunc(func(_ context.Context, r *exchange.Request) (*exchange.Response, error) {
		b, _ := r.Body.Bytes(1 << 20)
		return &exchange.Response{Status: 200, Message: exchange.Message{Body: exchange.Bytes([]byte(r.Method + " " + r.URL.String() + " " + r.Header.Get("H") + " " + string(b)))}}, nil
	})
	u, ps := CompileUnit(Source{Name: "r", Text: `<http-data-source><http-request><set-method>POST</set-method><set-url>https://data.example/x</set-url><set-header name="H"><value>v</value></set-header><set-body>in</set-body></http-request>
<http-response><find-and-replace from="POST" to="post"/><publish-event><targets><graphql-subscription id="s"/></targets></publish-event></http-response></http-data-source>`}, Options{Host: h})
	if ps.Failed() {
		t.Fatal(ps)
	}
	s := newState(h)
	if err := u.Resolve(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	b, _ := s.Response.Body.Bytes(1 << 20)
	if string(b) != "post https://data.example/x v in" {
		t.Errorf("the field is %q", b)
	}
	if notes := h.Subscribers.(*lender).notes; len(notes) != 1 || !strings.HasPrefix(notes[0], "event s post") {
		t.Errorf("events %v", notes)
	}
	for _, doc := range []string{`<sql-data-source><connection-info/></sql-data-source>`, `<cosmosdb-data-source><connection-info/></cosmosdb-data-source>`} {
		if _, ps := CompileUnit(Source{Text: doc}, Options{Host: h}); !ps.Failed() {
			t.Errorf("%s was taken", doc)
		}
	}
}

func TestFindReferences(t *testing.T) {
	r, err := FindReferences(`<policies><inbound><include-fragment fragment-id="f"/><set-backend-service backend-id="b"/><set-header name="x"><value>{{nv}}</value></set-header><set-body template="liquid">{{body.x}}</set-body></inbound></policies>`)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(r)
	if want := `{"NamedValues":["nv","body.x"],"Fragments":["f"],"Backends":["b"],"Certificates":null,"Loggers":null}`; string(b) != want {
		t.Errorf("got %s", b)
	}
}

// FuzzCompile: no document may make the compiler panic, nor the pipeline that comes of it.
func FuzzCompile(f *testing.F) {
	f.Add(`<policies><inbound><base/><choose><when condition="@(context.Request.Method == "GET")"><set-header name="a"><value>b</value></set-header></when></choose></inbound></policies>`)
	f.Add(`<policies><inbound><rate-limit-by-key calls="1" renewal-period="1" counter-key="k"/><cors><allowed-origins><origin>*</origin></allowed-origins></cors><return-response><set-body template="liquid">{{ body }}</set-body></return-response></inbound></policies>`)
	f.Add(`<policies><outbound><retry condition="@(true)" count="1" interval="0"><xml-to-json kind="direct" apply="always"/><json-to-xml apply="always"/></retry></outbound></policies>`)
	clock := newClock()
	counters := NewMemoryCounters(clock)
	h := &Host{Clock: clock, Forwarder: nullForwarder{}, Counters: counters, Gates: counters, Cache: NewMemoryCache(clock, 1<<16)}
	f.Fuzz(func(t *testing.T, doc string) {
		if len(doc) > 2000 {
			return
		}
		p, _, err := Compile([]Source{{Name: "fuzz", Scope: API, Text: doc}}, Options{Host: h})
		if err != nil {
			return
		}
		_ = p.Run(context.Background(), newState(h))
	})
}
