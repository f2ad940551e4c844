package auditlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/arm/auditlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock stands still until it is moved.
type clock struct {
	tandem.SystemClock
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func open(t testing.TB, c auditlog.Config) *auditlog.Log {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	if c.Node == "" {
		c.Node = "west"
	}
	l, err := auditlog.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func write(l *auditlog.Log, at time.Time, n int) {
	l.Audit(context.Background(), arm.AuditRecord{Time: at, Principal: arm.Principal{TenantID: "t", ObjectID: "o", AppID: "a", Name: "who"}, Action: "x/write", Scope: "/s",
		Method: "PUT", Path: fmt.Sprintf("/s/%d", n), APIVersion: "v", Remote: "192.0.2.1:5", RequestID: "r", CorrelationID: "c", Status: 201, Duration: 1500 * time.Millisecond})
}

func paths(t testing.TB, entries iter.Seq2[auditlog.Entry, error]) string {
	t.Helper()
	var out []string
	for e, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimPrefix(e.Path, "/s/"))
	}
	return strings.Join(out, " ")
}

var always time.Time

func TestLogKeepsWhatChanges(t *testing.T) {
	c := newClock()
	l := open(t, auditlog.Config{Dir: t.TempDir(), Clock: c})
	for _, r := range []arm.AuditRecord{{Method: "GET"}, {Method: "HEAD"}, {Method: "POST", Action: "A/b/read"},
		{Method: "POST", Action: "A/b/listSecrets/action", Path: "/s/secrets"}, {Method: "DELETE", Status: 403, Code: "AuthorizationFailed", Path: "/s/denied"}} {
		l.Audit(t.Context(), r)
	}
	if got := paths(t, l.Entries(t.Context(), always, always)); got != "denied secrets" {
		t.Errorf("kept are %q", got)
	}
	write(l, c.Now(), 1)
	for e, err := range l.Entries(t.Context(), always, always) {
		want := auditlog.Entry{Sequence: 3, Node: "west", Time: c.Now(), Caller: "who", ObjectID: "o", AppID: "a", TenantID: "t", Action: "x/write", Scope: "/s", Method: "PUT", Path: "/s/1", APIVersion: "v",
			Remote: "192.0.2.1:5", RequestID: "r", CorrelationID: "c", Status: 201, Duration: 1.5}
		if err != nil || e != want {
			t.Errorf("got %+v, %v", e, err)
		}
		if back := e.Record(); back.Duration != 1500*time.Millisecond || back.Principal.ObjectID != "o" {
			t.Errorf("as a record it is %+v", back)
		}
		break
	}
}

// TestLogSurvivesItsProcess: what was recorded is there without Close, and a line that was cut off is not.
func TestLogSurvivesItsProcess(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	dead := open(t, auditlog.Config{Dir: dir, Clock: c})
	for n := 1; n <= 3; n++ {
		write(dead, c.Now(), n)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	f, err := os.OpenFile(files[0], os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(`{"sequence":4,"path":"/s/to`)
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	l := open(t, auditlog.Config{Dir: dir, Clock: c})
	write(l, c.Now(), 4)
	if got := paths(t, l.Entries(t.Context(), always, always)); got != "4 3 2 1" {
		t.Errorf("after the crash there are %q", got)
	}
	for e := range l.Entries(t.Context(), always, always) {
		if e.Sequence != 4 {
			t.Errorf("the newest is number %d", e.Sequence)
		}
		break
	}
}

func TestLogIsBounded(t *testing.T) {
	size := func(dir string) (files int, total int64) {
		all, _ := os.ReadDir(dir)
		for _, f := range all {
			if info, err := f.Info(); err == nil {
				files, total = files+1, total+info.Size()
			}
		}
		return files, total
	}
	t.Run("by size", func(t *testing.T) {
		c, dir := newClock(), t.TempDir()
		l := open(t, auditlog.Config{Dir: dir, Clock: c, SegmentBytes: 2000, MaxBytes: 10_000})
		for n := range 500 {
			write(l, c.move(time.Second), n)
		}
		if files, total := size(dir); files < 4 || total > 13_000 {
			t.Errorf("%d files of %d bytes", files, total)
		}
		if got := paths(t, l.Entries(t.Context(), always, always)); !strings.HasPrefix(got, "499 498") || strings.HasSuffix(got, " 0") {
			t.Errorf("kept are %.30s", got)
		}
	})
	t.Run("by age", func(t *testing.T) {
		c, dir := newClock(), t.TempDir()
		l := open(t, auditlog.Config{Dir: dir, Clock: c, MaxAge: 10 * 24 * time.Hour})
		for day := range 30 {
			write(l, c.move(24*time.Hour), day)
		}
		got := strings.Fields(paths(t, l.Entries(t.Context(), always, always)))
		if len(got) < 10 || len(got) > 12 {
			t.Errorf("of 30 days %d are kept: %v", len(got), got)
		}
	})
}

// TestLogReadsATime: entries of a time come from several segments and runs, newest first in Entries and oldest first in Export.
func TestLogReadsATime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c, dir := newClock(), t.TempDir()
		var l *auditlog.Log
		reopen := func() {
			if l != nil {
				_ = l.Close()
			}
			l = open(t, auditlog.Config{Dir: dir, Clock: c, SegmentBytes: 1000})
		}
		reopen()
		var times []time.Time
		for n := range rapid.IntRange(0, 40).Draw(rt, "entries") {
			at := c.move(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(rt, "later")))
			times = append(times, at)
			write(l, at, n)
			if rapid.IntRange(0, 9).Draw(rt, "again") == 0 {
				reopen()
			}
		}
		pick := func(name string) time.Time {
			if len(times) == 0 || rapid.Bool().Draw(rt, name+" open") {
				return always
			}
			return times[rapid.IntRange(0, len(times)-1).Draw(rt, name)]
		}
		from, to := pick("from"), pick("to")
		var want []string
		for n, at := range times {
			if (from.IsZero() || !at.Before(from)) && (to.IsZero() || !at.After(to)) {
				want = append(want, fmt.Sprint(n))
			}
		}
		var export bytes.Buffer
		if err := l.Export(t.Context(), &export, from, to); err != nil {
			rt.Fatal(err)
		}
		var exported []string
		for in := json.NewDecoder(&export); ; {
			var e auditlog.Entry
			if err := in.Decode(&e); err == io.EOF {
				break
			} else if err != nil {
				rt.Fatal(err)
			}
			exported = append(exported, strings.TrimPrefix(e.Path, "/s/"))
		}
		if !slices.Equal(exported, want) {
			rt.Fatalf("exported are %v, want %v", exported, want)
		}
		slices.Reverse(want)
		if got := paths(t, l.Entries(t.Context(), from, to)); got != strings.Join(want, " ") {
			rt.Fatalf("read are %s, want %v", got, want)
		}
		_ = l.Close()
	})
}

func TestLogOfSeveralNodes(t *testing.T) {
	c := newClock()
	west, east := open(t, auditlog.Config{Dir: t.TempDir(), Clock: c}), open(t, auditlog.Config{Dir: t.TempDir(), Clock: c, Node: "east"})
	for n := range 10 {
		write([]*auditlog.Log{west, east}[n%3%2], c.move(time.Minute), n)
	}
	server := httptest.NewServer(east.Handler())
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	all := auditlog.Merge(west.Entries, auditlog.Remote(client, server.URL))
	if got := paths(t, all(t.Context(), always, always)); got != "9 8 7 6 5 4 3 2 1 0" {
		t.Errorf("together they have %s", got)
	}
	end := c.Now()
	if got := paths(t, all(t.Context(), end.Add(-4*time.Minute), end.Add(-2*time.Minute))); got != "7 6 5" {
		t.Errorf("of a time they have %s", got)
	}
	for range all(t.Context(), always, always) { // who stops early leaves nothing behind
		break
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"sequence":1,"path":"/s/x"}`)
	}))
	defer broken.Close()
	var failed error
	for _, err := range auditlog.Merge(west.Entries, auditlog.Remote(client, broken.URL))(t.Context(), always, always) {
		failed = err
	}
	if tandem.KindOf(failed) != tandem.Unavailable {
		t.Errorf("an answer that was cut off gives %v", failed)
	}
	var missing auditlog.Missing
	rest := auditlog.Merge(west.Entries, auditlog.Optional("east", auditlog.Remote(client, broken.URL)))
	if got := paths(t, rest(auditlog.WithMissing(t.Context(), &missing), always, end)); got != "9 8 6 5 3 2 0 x" || !slices.Equal(missing.Nodes(), []string{"east"}) {
		t.Errorf("without the other node there are %q, missing are %v", got, missing.Nodes())
	}
}

func TestLogTellsWhatItCannotKeep(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	l := open(t, auditlog.Config{Dir: dir, Clock: c})
	write(l, c.Now(), 1)
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if err := os.WriteFile(files[0], []byte("not json\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := auditlog.Open(auditlog.Config{Dir: dir, Clock: c, Log: slog.New(slog.DiscardHandler)}); tandem.KindOf(err) != tandem.Corrupt {
		t.Errorf("a spoilt segment gives %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	write(l, c.Now(), 2)
	if l.Lost() != 1 {
		t.Errorf("%d are lost", l.Lost())
	}
}

func TestLogOfManyWriters(t *testing.T) {
	c := newClock()
	l := open(t, auditlog.Config{Dir: t.TempDir(), Clock: c, SegmentBytes: 3000})
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for n := range 50 {
				write(l, c.Now(), w*50+n)
			}
		})
	}
	all.Wait()
	seen, last := map[string]bool{}, uint64(401)
	for e, err := range l.Entries(t.Context(), always, always) {
		if err != nil || e.Sequence != last-1 {
			t.Fatalf("%d comes after %d, %v", e.Sequence, last, err)
		}
		seen[e.Path], last = true, e.Sequence
	}
	if len(seen) != 400 {
		t.Errorf("%d calls of 400", len(seen))
	}
}
