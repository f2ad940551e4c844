package policy

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"tandem"
	"tandem/internal/exchange"
)

// DebugInput is a run of documents against a request without a server: "tandem policy run".
type DebugInput struct {
	Sources    []Source
	NamedValue func(name string) (string, bool)
	Fragment   func(id string) (Source, bool)
	Request    string            // as in an .http file: a request line, headers, an empty line, a body
	Answers    []string          // of the backend, one for each forward: "200 OK", headers, an empty line, a body
	Calls      map[string]string // answers to policies' own requests, by "METHOD URL"
	Variables  map[string]string // context variables that are there at the start
	Clock      tandem.Clock
	Setup      func(*State, *Host) // changes what the run sees: the API, the user, parts of the host
}

// DebugOutput is what happened.
type DebugOutput struct {
	Problems  Problems       `json:"problems,omitempty"`
	Steps     []TraceStep    `json:"steps"`
	Sent      []Message      `json:"sent"` // requests to the backend and of policies' own, in order
	Response  Message        `json:"response"`
	Variables map[string]any `json:"variables"`
	Error     *DebugError    `json:"error,omitempty"`
}

// Message is a request or an answer as text.
type Message struct {
	Kind   string            `json:"kind"` // "backend", "send-request" or "response"
	Line   string            `json:"line"` // "GET http://..." or "200 OK"
	Header exchange.Header   `json:"headers,omitempty"`
	Body   string            `json:"body,omitempty"`
	Proxy  string            `json:"proxy,omitempty"`
	Extra  map[string]string `json:"extra,omitempty"`
}

// DebugError is context.LastError.
type DebugError struct {
	Source  string `json:"source"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Scope   string `json:"scope"`
	Section string `json:"section"`
	Path    string `json:"path"`
	Policy  string `json:"policyId,omitempty"`
}

// debugger is an offline host: it records what would be sent and gives the answers it was told.
type debugger struct {
	mu      sync.Mutex
	in      *DebugInput
	out     *DebugOutput
	forward int
}

// Step implements Tracer.
func (d *debugger) Step(t TraceStep) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range t.Set {
		if strings.HasPrefix(name, "\x00") {
			delete(t.Set, name)
		}
	}
	d.out.Steps = append(d.out.Steps, t)
}

// Forward implements Forwarder.
func (d *debugger) Forward(s *State, o ForwardOptions) error {
	body, err := s.Request.Body.Bytes(s.Host.maxBody())
	if err != nil {
		return bodyFailure(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	m := Message{Kind: "backend", Line: s.Request.Method + " " + s.Target().String(), Header: s.Request.Header.Clone(), Body: string(body)}
	if s.BackendID != "" {
		m.Extra = map[string]string{"backend": s.BackendID}
	}
	if o.Proxy != nil {
		m.Proxy = o.Proxy.URL
	}
	d.out.Sent = append(d.out.Sent, m)
	text := "200 OK"
	if n := len(d.in.Answers); n > 0 {
		text = d.in.Answers[min(d.forward, n-1)]
	}
	d.forward++
	r, err := parseAnswer(text)
	if err != nil {
		return err
	}
	s.Response = *r
	return nil
}

// Do implements Client.
func (d *debugger) Do(ctx context.Context, r *exchange.Request, o SendOptions) (*exchange.Response, error) {
	body, err := r.Body.Bytes(1 << 30)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	line := r.Method + " " + r.URL.String()
	m := Message{Kind: "send-request", Line: line, Header: r.Header.Clone(), Body: string(body)}
	if o.Proxy != nil {
		m.Proxy = o.Proxy.URL
	}
	d.out.Sent = append(d.out.Sent, m)
	text, ok := d.in.Calls[line]
	if !ok {
		return nil, fmt.Errorf("no answer is given for %s: %w", line, ErrConnection)
	}
	return parseAnswer(text)
}

// Debug runs documents against a request and tells every step. A failing compilation is in Problems; the error is of an
// input that cannot be read.
func Debug(in DebugInput) (*DebugOutput, error) {
	out := &DebugOutput{Steps: []TraceStep{}, Sent: []Message{}, Variables: map[string]any{}}
	if in.Clock == nil {
		in.Clock = tandem.SystemClock{}
	}
	d := &debugger{in: &in, out: out}
	counters := NewMemoryCounters(in.Clock)
	host := &Host{Clock: in.Clock, Client: d, Forwarder: d, Cache: NewMemoryCache(in.Clock, 1<<20), Counters: counters, Gates: counters}
	host.OpenID = NewOpenID(d, in.Clock)
	x, err := parseRequest(in.Request)
	if err != nil {
		return nil, err
	}
	x.Start = in.Clock.Now()
	s := &State{Exchange: x, Host: host, Tracer: d, Tracing: true, Original: x.Request.URL, OriginalMethod: x.Request.Method}
	if _, err := rand.Read(s.RequestID[:]); err != nil {
		return nil, err
	}
	s.Base = exchange.URL{Scheme: "http", Host: "backend"}
	for name, v := range in.Variables {
		s.SetVariable(name, v)
	}
	if in.Setup != nil {
		in.Setup(s, host)
	}
	p, problems, err := Compile(in.Sources, Options{Host: host, NamedValue: in.NamedValue, Fragment: in.Fragment})
	out.Problems = problems
	if err != nil {
		return out, nil
	}
	if err := p.Run(context.Background(), s); err != nil {
		return nil, err
	}
	return out, out.complete(s)
}

func (out *DebugOutput) complete(s *State) error {
	body, err := s.Response.Body.Bytes(s.Host.maxBody())
	if err != nil {
		return err
	}
	reason := s.Response.Reason
	if reason == "" {
		reason = statusText(s.Response.Status)
	}
	out.Response = Message{Kind: "response", Line: strconv.Itoa(s.Response.Status) + " " + reason, Header: s.Response.Header, Body: string(body)}
	for _, v := range s.vars.list {
		if !strings.HasPrefix(v.name, "\x00") {
			out.Variables[v.name] = traceValue(v.value)
		}
	}
	if e := s.LastError; e != nil {
		out.Error = &DebugError{e.Source, e.Reason, e.Message, string(e.Scope), string(e.Section), e.Path, e.PolicyID}
	}
	return nil
}

// parseRequest reads a request as .http files have it.
func parseRequest(text string) (*exchange.Exchange, error) {
	head, body, header, err := parseMessage(text)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	f := strings.Fields(head)
	if len(f) < 2 {
		return nil, fmt.Errorf("read the request: its first line must be a method and a URL, for example GET https://host/path")
	}
	x := &exchange.Exchange{Context: context.Background(), Remote: netip.MustParseAddrPort("127.0.0.1:40000")}
	u, ok := parseURL(f[1])
	if !ok {
		host := header.Get("Host")
		if host == "" {
			host = "localhost"
		}
		path, query, _ := strings.Cut(f[1], "?")
		u = exchange.URL{Scheme: "https", Host: host, Path: path, Query: query}
	}
	if u.Path == "" {
		u.Path = "/"
	}
	x.Request = exchange.Request{Method: f[0], Proto: "HTTP/1.1", URL: u}
	x.Request.Header = header
	if body != "" {
		x.Request.Body = exchange.Bytes([]byte(body))
	}
	return x, nil
}

// parseAnswer reads an answer: "[HTTP/1.1] 200 OK", headers, an empty line, a body; or "timeout", "unreachable".
func parseAnswer(text string) (*exchange.Response, error) {
	head, body, header, err := parseMessage(text)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	switch head {
	case "timeout":
		return nil, ErrTimeout
	case "unreachable":
		return nil, ErrConnection
	}
	if strings.HasPrefix(head, "HTTP/") {
		_, head, _ = strings.Cut(head, " ")
	}
	code, reason, _ := strings.Cut(head, " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		return nil, fmt.Errorf("read the answer: its first line must be a status, for example 200 OK")
	}
	r := &exchange.Response{Status: status, Reason: reason}
	r.Header = header
	if body != "" {
		r.Body = exchange.Bytes([]byte(body))
	}
	return r, nil
}

func parseMessage(text string) (head, body string, header exchange.Header, err error) {
	text = strings.TrimLeft(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	top, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimRight(top, "\n"), "\n")
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			return "", "", nil, fmt.Errorf("the line %q is no header", l)
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return strings.TrimSpace(lines[0]), strings.TrimSuffix(body, "\n"), header, nil
}
