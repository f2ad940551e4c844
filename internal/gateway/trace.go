package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// Header fields of tracing, as API Management names them.
const (
	debugHeader        = "Apim-Debug-Authorization"
	debugHeaderExpired = "Apim-Debug-Authorization-Expired"
	debugHeaderOther   = "Apim-Debug-Authorization-WrongAPI"
	traceHeader        = "Apim-Trace-Id"
)

// LongestDebug is how long a debug credential may live (Azure: one hour).
const LongestDebug = time.Hour

// debugger signs debug credentials and keeps traces. Both live in this process: a gateway that starts anew knows neither.
type debugger struct {
	key [32]byte

	mu     sync.Mutex
	traces map[string]*Trace
	order  []string // oldest first
	bytes  int
}

// Bounds of what is kept.
const (
	mostTraces     = 200
	mostTraceBytes = 16 << 20
	mostEntries    = 1000 // of one trace
	mostText       = 8 << 10
)

func newDebugger() *debugger {
	d := &debugger{traces: map[string]*Trace{}}
	_, _ = rand.Read(d.key[:]) // never fails, by its documentation
	return d
}

// Trace is what listTrace answers.
type Trace struct {
	Service string                  `json:"serviceName"`
	ID      string                  `json:"traceId"`
	Entries map[string][]TraceEntry `json:"traceEntries"` // by section

	api   string
	bytes int
}

// TraceEntry is one step of a request.
type TraceEntry struct {
	Source    string         `json:"source"`
	Timestamp time.Time      `json:"timestamp"`
	Elapsed   string         `json:"elapsed"` // hh:mm:ss.fffffff since the request came
	Data      map[string]any `json:"data"`
}

// DebugCredentials makes a token with which requests to one API are traced, for as long as an hour. apiID is the API's name
// or its full resource id.
func (g *Gateway) DebugCredentials(apiID string, live time.Duration) (string, error) {
	name := rootName(apiID)
	gen := g.current.Load()
	if gen == nil || gen.apis[name] == nil {
		return "", &tandem.Error{Op: "make debug credentials for", Subject: name, Kind: tandem.NotFound, Remedy: "name an API of this service by its full resource id"}
	}
	if live <= 0 || live > LongestDebug {
		return "", &tandem.Error{Op: "make debug credentials for", Subject: name, Kind: tandem.Invalid, Err: fmt.Errorf("they cannot live %v", live), Remedy: "ask for at most PT1H"}
	}
	claim := name + "\n" + strconv.FormatInt(g.clock.Now().Add(live).Unix(), 10)
	return base64.RawURLEncoding.EncodeToString([]byte(claim)) + "." + g.debugger.sign(claim), nil
}

func rootName(apiID string) string {
	name, _ := apim.SplitRevision(apiID[strings.LastIndexByte(apiID, '/')+1:])
	return strings.ToLower(name)
}

func (d *debugger) sign(claim string) string {
	mac := hmac.New(sha256.New, d.key[:])
	mac.Write([]byte(claim))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// verify reads a token. ok is false where this gateway did not make it.
func (d *debugger) verify(token string) (api string, until time.Time, ok bool) {
	encoded, signature, _ := strings.Cut(token, ".")
	claim, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || !hmac.Equal([]byte(signature), []byte(d.sign(string(claim)))) {
		return "", until, false
	}
	api, at, _ := strings.Cut(string(claim), "\n")
	unix, err := strconv.ParseInt(at, 10, 64)
	return api, time.Unix(unix, 0), err == nil
}

// Trace gives a trace that was taken; NotFound where there is none, or it made room for newer ones.
func (g *Gateway) Trace(id string) (*Trace, error) {
	d := g.debugger
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.traces[id]; t != nil {
		return t, nil
	}
	return nil, &tandem.Error{Op: "find trace", Subject: id, Kind: tandem.NotFound, Remedy: "send the request again and ask within a few minutes; the last 200 traces are kept"}
}

func (d *debugger) keep(t *Trace) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.traces[t.ID] = t
	d.order = append(d.order, t.ID)
	d.bytes += t.bytes
	for len(d.order) > mostTraces || d.bytes > mostTraceBytes && len(d.order) > 1 {
		oldest := d.traces[d.order[0]]
		d.bytes -= oldest.bytes
		delete(d.traces, oldest.ID)
		d.order = d.order[1:]
	}
}

// trace is a trace under way. It implements policy.Tracer.
type trace struct {
	*Trace
	g     *Gateway
	r     *run
	mu    sync.Mutex // wait runs policies beside each other
	count int
	note  exchange.Field // told to the client in place of a trace; empty: there is a trace
}

// beginTrace traces a request whose token allows it. The token itself goes no further.
func (g *Gateway) beginTrace(r *run, token string) {
	s := &r.state
	s.Request.Header.Del(debugHeader)
	api, until, ok := g.debugger.verify(token)
	if !ok {
		return
	}
	t := &trace{g: g, r: r}
	r.trace = t
	switch now := g.began(s); {
	case !now.Before(until):
		t.note = exchange.Field{Name: debugHeaderExpired, Value: until.UTC().Format(time.RFC3339)}
		return
	case s.API == nil || rootName(s.API.ID) != api:
		t.note = exchange.Field{Name: debugHeaderOther, Value: "1"}
		return
	}
	t.Trace = &Trace{Service: g.Service, ID: s.RequestIDText(), Entries: map[string][]TraceEntry{}, api: api}
	s.Tracing, s.Tracer = true, t
	t.add(policy.Inbound, "api-inspector", map[string]any{"request": map[string]any{"method": s.OriginalMethod, "url": t.url(s.Original), "headers": t.headers(s.Request.Header)}})
	config := map[string]any{"api": map[string]any{"from": "/" + s.API.Path, "version": s.API.Version, "revision": s.API.Revision}}
	if s.Operation != nil {
		config["operation"] = map[string]any{"method": s.Operation.Method, "uriTemplate": s.Operation.URLTemplate}
	}
	if s.Product != nil {
		config["product"] = map[string]any{"id": s.Product.ID, "name": s.Product.Name}
	}
	if s.Subscription != nil {
		config["subscription"] = map[string]any{"id": s.Subscription.ID, "name": s.Subscription.Name}
	}
	t.add(policy.Inbound, "api-inspector", map[string]any{"configuration": config})
}

// endTrace keeps the trace and tells the client its id.
func (g *Gateway) endTrace(r *run) {
	t, s := r.trace, &r.state
	if t.Trace == nil {
		s.Response.Header.Add(t.note.Name, t.note.Value)
		return
	}
	section := policy.Outbound
	if e := s.LastError; e != nil {
		section = policy.OnError
		t.add(section, "error", map[string]any{"source": e.Source, "reason": e.Reason, "message": t.clean(e.Message), "section": string(e.Section), "path": e.Path})
	}
	t.add(section, "transfer-response", map[string]any{"response": map[string]any{"status": map[string]any{"code": s.Response.Status, "reason": s.Response.Reason}, "headers": t.headers(s.Response.Header)}})
	s.Tracer = nil
	t.Trace.bytes += t.count * 64
	g.debugger.keep(t.Trace)
	s.Response.Header.Add(traceHeader, t.ID)
}

// Step implements policy.Tracer.
func (t *trace) Step(st policy.TraceStep) {
	data := map[string]any{"path": st.Path, "scope": string(st.Scope)}
	if st.Message != "" {
		data["message"] = t.clean(st.Message)
	}
	if st.Error != "" {
		data["error"] = t.clean(st.Error)
	}
	for name, v := range st.Set {
		raw, err := json.Marshal(v)
		if err != nil {
			raw = []byte(`"?"`)
		}
		set, _ := data["variables"].(map[string]any)
		if set == nil {
			set = map[string]any{}
			data["variables"] = set
		}
		set[name] = t.clean(string(raw))
	}
	if st.Policy == "forward-request" && st.Error == "" {
		s := &t.r.state
		data["request"] = map[string]any{"method": t.r.sent.Method, "url": t.url(t.r.sent.URL)}
		data["response"] = map[string]any{"status": map[string]any{"code": s.Response.Status}, "headers": t.headers(s.Response.Header)}
	}
	t.add(st.Section, st.Policy, data)
}

func (t *trace) add(section policy.Section, source string, data map[string]any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count++; t.count > mostEntries {
		return
	}
	now := t.g.clock.Now()
	raw, _ := json.Marshal(data) // maps of texts and numbers always encode
	t.Trace.bytes += len(raw) + len(source)
	key := string(section)
	t.Entries[key] = append(t.Entries[key], TraceEntry{Source: source, Timestamp: now.UTC(), Elapsed: elapsed(now.Sub(t.g.began(&t.r.state))), Data: data})
}

// elapsed writes a duration as .NET does.
func elapsed(d time.Duration) string {
	d = max(d, 0)
	return fmt.Sprintf("%02d:%02d:%02d.%07d", d/time.Hour, d/time.Minute%60, d/time.Second%60, d%time.Second/100)
}
