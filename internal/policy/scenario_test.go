package policy

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"tandem/internal/exchange"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata")

// fakeClock stands still unless told, and sleeps at once.
type fakeClock struct{ now time.Time }

func (c *fakeClock) Now() time.Time { return c.now }
func (c *fakeClock) After(d time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	c.now = c.now.Add(d)
	ch <- c.now
	return ch
}
func (c *fakeClock) Sleep(_ context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return nil
}

func newClock() *fakeClock {
	return &fakeClock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

// lender is the rest of a host: tokens, backends, loggers and metrics that write down what they are given.
type lender struct{ notes []string }

func (l *lender) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}
func (l *lender) Token(_ context.Context, resource, client string) (string, error) {
	if resource == "bad" {
		return "", errors.New("no such resource")
	}
	return "token(" + resource + "," + client + ")", nil
}
func (l *lender) Backend(id string) (BackendInfo, bool) {
	switch id {
	case "one":
		return BackendInfo{ID: "one", URL: "https://one.example/base"}, true
	case "pool":
		return BackendInfo{ID: "pool", Pool: true}, true
	case "ai":
		return BackendInfo{ID: "ai", URL: "https://ai.example"}, true
	}
	return BackendInfo{}, false
}
func (l *lender) Has(logger string) bool { return logger == "hub" }
func (l *lender) Log(_ context.Context, logger string, e LogEvent) error {
	l.note("log %s %s %s %s", logger, e.Data, e.PartitionKey, e.PartitionID)
	return nil
}
func (l *lender) Emit(ns, name string, v float64, dims []Dimension) {
	l.note("metric %s %s %v %v", ns, name, v, dims)
}
func (l *lender) Authorization(_ context.Context, p, id, kind, identity string) (Authorization, error) {
	if id == "bad" {
		return Authorization{}, errors.New("no such authorization")
	}
	return Authorization{AccessToken: "access(" + p + "," + id + "," + kind + "," + identity + ")"}, nil
}
func (l *lender) SendMessage(_ context.Context, ns, queue, topic, client string, props []Dimension, payload string) error {
	l.note("message %s %s%s %v %s", ns, queue, topic, props, payload)
	return nil
}
func (l *lender) Publish(_ context.Context, id string, payload []byte) error {
	l.note("event %s %s", id, payload)
	return nil
}

// TestScenarios runs testdata/*.txt: documents, requests, answers, and all that came of them.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScenario(t, a)
			for i, f := range a.Files {
				if f.Name != "want" {
					continue
				}
				if want := string(f.Data); got != want {
					if *update {
						a.Files[i].Data = []byte(got)
						if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
							t.Fatal(err)
						}
						return
					}
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				return
			}
			t.Error("the scenario has no want section")
		})
	}
}

func runScenario(t *testing.T, a *txtar.Archive) string {
	clock, lend := newClock(), &lender{}
	var in DebugInput
	var requests []string
	named, fragments := map[string]string{}, map[string]string{}
	in.Calls = map[string]string{}
	in.Clock = clock
	flags := string(a.Comment)
	for _, f := range a.Files {
		text := string(f.Data)
		kind, rest, _ := strings.Cut(f.Name, " ")
		switch kind {
		case "global", "workspace", "product", "api", "operation":
			in.Sources = append(in.Sources, Source{Name: kind, Scope: Scope(kind), Text: text})
		case "fragment":
			fragments[rest] = text
		case "named":
			named[rest] = strings.TrimSuffix(text, "\n")
		case "request":
			requests = append(requests, text)
		case "answer":
			in.Answers = append(in.Answers, text)
		case "call":
			in.Calls[rest] = text
		}
	}
	in.NamedValue = func(n string) (string, bool) { v, ok := named[n]; return v, ok }
	in.Fragment = func(id string) (Source, bool) {
		v, ok := fragments[id]
		return Source{Name: "fragment " + id, Text: v}, ok
	}
	counters, cache, vectors := NewMemoryCounters(clock), NewMemoryCache(clock, 1<<20), NewMemoryVectors(clock, 100)
	in.Setup = func(s *State, h *Host) {
		h.Counters, h.Gates, h.Cache, h.Vectors = counters, counters, cache, vectors
		if strings.Contains(flags, "bare host") {
			return
		}
		h.Tokens, h.Backends, h.Loggers, h.Metrics, h.Authorization, h.Bus, h.Subscribers = lend, lend, lend, lend, lend, lend, lend
		h.Dapr = "http://localhost:3500"
		scenarioContext(s)
	}
	var b strings.Builder
	for i, r := range requests {
		if first, rest, ok := strings.Cut(r, "\n"); ok && strings.HasPrefix(first, "after ") {
			d, err := time.ParseDuration(strings.TrimPrefix(first, "after "))
			if err != nil {
				t.Fatal(err)
			}
			clock.now = clock.now.Add(d)
			r = rest
		}
		in.Request = r
		out, err := Debug(in)
		if err != nil {
			t.Fatal(err)
		}
		if len(requests) > 1 {
			fmt.Fprintf(&b, "request %d\n", i+1)
		}
		describe(&b, out)
		if i == 0 {
			continue
		}
	}
	for _, n := range lend.notes {
		fmt.Fprintf(&b, "%s\n", n)
	}
	return b.String()
}

func scenarioContext(s *State) {
	s.RequestID = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	s.API = &APIInfo{ID: "echo", Name: "Echo", Path: "echo", Revision: "1", Current: true, KeyHeader: "Ocp-Apim-Subscription-Key", KeyQuery: "subscription-key",
		ServiceURL: exchange.URL{Scheme: "https", Host: "backend.example", Path: "/svc"}, Protocols: []string{"https"}}
	s.Base = s.API.ServiceURL
	s.Operation = &OperationInfo{ID: "get", Name: "Get", Method: "GET", URLTemplate: "/items/{id}",
		Path:    []Parameter{{Name: "id", Required: true, Type: "integer"}},
		Query:   []Parameter{{Name: "size", Type: "integer"}, {Name: "color", Values: []string{"red", "blue"}, Required: true}},
		Headers: []Parameter{{Name: "X-Need", Required: true}},
		Request: []Representation{{ContentType: "application/json", Schema: NewSchema(`{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"n":{"type":"integer","nullable":true}}}`, "")}},
		Responses: []ResponseInfo{{Status: 200, Headers: []Parameter{{Name: "X-Count", Type: "integer"}},
			Representations: []Representation{{ContentType: "application/json", Example: `{"id":1}`}, {ContentType: "text/plain", Example: "one"}}},
			{Status: 201, Representations: []Representation{{ContentType: "application/json", Schema: NewSchema(`{"type":"object","properties":{"id":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"}}}}`, "")}}}}}
	s.Product = &ProductInfo{ID: "starter", Name: "Starter", State: "Published", SubscriptionRequired: true}
	s.Subscription = &SubscriptionInfo{ID: "sub1", Name: "First", Key: "k", PrimaryKey: "k", SecondaryKey: "k2"}
	s.User = &UserInfo{ID: "u1", FirstName: "Ann", LastName: "Lee", Email: "ann@example.com", Groups: []GroupInfo{{"dev", "Developers"}}}
	s.Deployment = &DeploymentInfo{GatewayID: "managed", Managed: true, Region: "West Europe", ServiceID: "svc", ServiceName: "svc.example"}
	s.Matched = []Param{{"id", "7"}}
	path := strings.TrimPrefix(s.Request.URL.Path, "/echo")
	if s.Request.URL.Path = path; path == "" {
		s.Request.URL.Path = "/"
	}
}

func describe(b *strings.Builder, out *DebugOutput) {
	for _, p := range out.Problems {
		fmt.Fprintf(b, "problem %s %s\n", p.Kind, p)
	}
	if out.Problems.Failed() {
		return
	}
	for _, m := range out.Sent {
		fmt.Fprintf(b, "%s %s\n", m.Kind, m.Line)
		if m.Extra != nil {
			fmt.Fprintf(b, "\tbackend %s\n", m.Extra["backend"])
		}
		if m.Proxy != "" {
			fmt.Fprintf(b, "\tthrough %s\n", m.Proxy)
		}
		for _, h := range m.Header {
			fmt.Fprintf(b, "\t%s: %s\n", h.Name, h.Value)
		}
		if m.Body != "" {
			fmt.Fprintf(b, "\t| %s\n", strings.ReplaceAll(m.Body, "\n", "\n\t| "))
		}
	}
	fmt.Fprintf(b, "%s\n", out.Response.Line)
	for _, h := range out.Response.Header {
		fmt.Fprintf(b, "\t%s: %s\n", h.Name, h.Value)
	}
	if out.Response.Body != "" {
		fmt.Fprintf(b, "\t| %s\n", strings.ReplaceAll(out.Response.Body, "\n", "\n\t| "))
	}
	for _, st := range out.Steps {
		if st.Message != "" {
			fmt.Fprintf(b, "trace %s\n", st.Message)
		}
	}
	var vars []string
	for k := range out.Variables {
		vars = append(vars, k)
	}
	sort.Strings(vars)
	for _, k := range vars {
		fmt.Fprintf(b, "%s = %v (%T)\n", k, out.Variables[k], out.Variables[k])
	}
	if e := out.Error; e != nil {
		fmt.Fprintf(b, "error %s %s %q scope=%s section=%s path=%s id=%s\n", e.Source, e.Reason, e.Message, e.Scope, e.Section, e.Path, e.Policy)
	}
}
