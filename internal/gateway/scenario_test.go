package gateway

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/exchange"
	"tandem/internal/policy"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

var rewrite = flag.Bool("rewrite", false, "write what scenarios tell into their files")

// shifted is a clock that a test moves on.
type shifted struct {
	tandem.SystemClock
	by atomic.Int64
}

// Now implements tandem.Clock.
func (c *shifted) Now() time.Time { return c.SystemClock.Now().Add(time.Duration(c.by.Load())) }

// stage is one scenario under way: a gateway, and backends on loopback that tell what they were asked.
type stage struct {
	f        *fixture
	clock    *shifted
	backends map[string]*echo
}

// echo is a backend that answers what it was asked.
type echo struct {
	*httptest.Server
	status atomic.Int64
	after  atomic.Pointer[string]
}

func newEcho(name string) *echo {
	e := &echo{}
	e.status.Store(200)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if after := e.after.Load(); after != nil && *after != "" {
			w.Header().Set("Retry-After", *after)
		}
		w.WriteHeader(int(e.status.Load()))
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", name, r.Method, r.URL.RequestURI())
		for _, h := range strings.Split(r.Header.Get("X-Show"), ",") {
			switch {
			case h == "Host":
				fmt.Fprintf(w, " host=%s", strings.ReplaceAll(r.Host, e.Listener.Addr().String(), "backend"))
			case h != "":
				fmt.Fprintf(w, " %s=%s", h, strings.Join(r.Header.Values(h), ","))
			}
		}
		if len(body) > 0 {
			fmt.Fprintf(w, " body=%s", body)
		}
	}))
	return e
}

// TestScenarios runs testdata/scenarios/*.txt: commands up to a line "----", then what they told; parts are parted by an
// empty line. Run with -rewrite to write what they tell, and read the difference in review.
//
//	doc TYPE ID[/ID] JSON            a document; $a in it is the address of the backend a
//	secret TYPE ID[/ID] NAME VALUE   a sealed property of the document before
//	drop KEY                         a document is deleted
//	ask METHOD TARGET [| Field: value]... [> Field,Field]
//	fail BACKEND STATUS [RETRY-AFTER]
//	close BACKEND                    it listens no more
//	later DURATION                   the clock moves on
//	problems                         what cannot be honoured
func TestScenarios(t *testing.T) {
	defer goleak.VerifyNone(t)
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, part := range strings.Split(strings.TrimSpace(string(raw)), "\n\n") {
				commands, want, _ := strings.Cut(part, "\n----")
				got := strings.TrimSpace(play(t, commands))
				if got != strings.TrimSpace(want) && !*rewrite {
					t.Errorf("%s\ntells\n%s\nwant\n%s", commands, got, strings.TrimSpace(want))
				}
				out = append(out, commands+"\n----\n"+got)
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func play(t *testing.T, commands string) string {
	t.Helper()
	s := &stage{clock: &shifted{}, backends: map[string]*echo{}}
	for _, name := range []string{"a", "b", "c"} {
		s.backends[name] = newEcho(name)
		defer s.backends[name].Close()
	}
	space, err := store.OpenSpace(t.Context(), storetest.Memory(), "apim/test")
	if err != nil {
		t.Fatal(err)
	}
	counters := policy.NewMemoryCounters(s.clock)
	s.f = &fixture{t: t, space: space}
	s.f.g = New(Config{Service: "apim-test", Space: space, Sealer: open{}, Clock: s.clock, Log: slog.New(slog.DiscardHandler), Host: policy.Host{Cache: policy.NewMemoryCache(s.clock, 1<<20), Counters: counters, Gates: counters}})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.f.g.Run(ctx) })
	defer func() { cancel(); wg.Wait(); s.f.g.Close() }()
	var out strings.Builder
	var last *apim.Document
	dirty := true
	for line := range strings.SplitSeq(commands, "\n") {
		verb, rest, _ := strings.Cut(line, " ")
		if verb == "" || strings.HasPrefix(verb, "#") {
			continue
		}
		words := strings.Fields(rest)
		switch verb {
		case "doc":
			props := map[string]any{}
			if i := strings.IndexByte(rest, '{'); i >= 0 {
				d := json.NewDecoder(strings.NewReader(s.fill(rest[i:])))
				d.UseNumber()
				if err := d.Decode(&props); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
			}
			last = doc(words[0], strings.Split(words[1], "/"), props)
			s.f.put(last)
			dirty = true
		case "secret":
			if err := last.SealSecret(open{}, words[0], words[1]); err != nil {
				t.Fatal(err)
			}
			s.f.put(last)
			dirty = true
		case "drop":
			if _, err := space.Commit(t.Context(), store.Batch{Delete: words}); err != nil {
				t.Fatal(err)
			}
			s.f.put(doc("tags", []string{"after"}, map[string]any{"at": len(out.String())}))
			dirty = true
		case "fail":
			status := 0
			_, _ = fmt.Sscan(words[1], &status)
			after := strings.Join(words[2:], " ")
			s.backends[words[0]].after.Store(&after)
			s.backends[words[0]].status.Store(int64(status))
		case "close":
			s.backends[words[0]].Close()
		case "later":
			d, err := time.ParseDuration(words[0])
			if err != nil {
				t.Fatal(err)
			}
			s.clock.by.Add(int64(d))
		case "ask", "problems":
			if dirty {
				s.f.settle()
				dirty = false
			}
			if verb == "ask" {
				out.WriteString(s.clean(s.ask(t, rest)) + "\n")
				continue
			}
			for _, p := range s.f.g.Status().Problems {
				fmt.Fprintf(&out, "%s: %s\n", p.Document, s.clean(p.Message))
			}
		default:
			t.Fatalf("unknown command %q", line)
		}
	}
	return out.String()
}

func (s *stage) fill(text string) string {
	for name, b := range s.backends {
		text = strings.ReplaceAll(text, "$"+name, b.URL)
	}
	return text
}

func (s *stage) clean(text string) string {
	for name, b := range s.backends {
		text = strings.ReplaceAll(text, b.URL, "$"+name)
		text = strings.ReplaceAll(text, b.Listener.Addr().String(), "$"+name)
	}
	return text
}

func (s *stage) ask(t *testing.T, request string) string {
	request, show, _ := strings.Cut(request, " > ")
	head, fields, _ := strings.Cut(request, " | ")
	method, target, _ := strings.Cut(head, " ")
	header := exchange.Header{{Name: "Host", Value: "gw.example"}}
	for f := range strings.SplitSeq(fields, " | ") {
		if name, value, ok := strings.Cut(f, ": "); ok {
			header.Add(name, strings.TrimSpace(value))
		}
	}
	path, query, _ := strings.Cut(strings.TrimSpace(target), "?")
	x := &exchange.Exchange{Context: t.Context(), Start: s.clock.Now(), Remote: netip.MustParseAddrPort("192.0.2.7:4711"), Request: exchange.Request{Method: method, Proto: "HTTP/1.1", URL: exchange.URL{Scheme: "https", Host: "gw.example", Path: path, Query: query}, Message: exchange.Message{Header: header}}}
	if err := s.f.g.ServeExchange(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	body := text(t, &x.Response)
	if i := strings.Index(body, `"activityId"`); i >= 0 {
		body = body[:i] + "…"
	}
	line := fmt.Sprint(x.Response.Status)
	for name := range strings.SplitSeq(show, ",") {
		if name != "" {
			line += " " + name + "=" + strings.Join(x.Response.Header.Values(name), ",")
		}
	}
	s.f.g.done(x, int64(len(body)), nil)
	return line + " " + body
}
