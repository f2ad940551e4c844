package remote

import (
	"bufio"
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"tandem"
	"tandem/internal/policy"
)

// servers are an in-process one, whose time a test moves, and a real one where it is installed.
func servers(t *testing.T, test func(t *testing.T, address string, pass func(time.Duration))) {
	t.Run("in process", func(t *testing.T) {
		m := miniredis.RunT(t)
		now := time.Date(2026, 3, 4, 15, 30, 0, 0, time.UTC)
		m.SetTime(now)
		test(t, m.Addr(), func(d time.Duration) {
			now = now.Add(d)
			m.SetTime(now)
			m.FastForward(d)
		})
	})
	t.Run("real", func(t *testing.T) {
		tool := ""
		for _, name := range []string{"valkey-server", "redis-server"} {
			if path, err := exec.LookPath(name); err == nil {
				tool = path
			}
		}
		if tool == "" {
			t.Skip("neither valkey-server nor redis-server is installed; apt-get install redis-server")
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(tool, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // it has nothing to keep
			_ = cmd.Wait()
		})
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "Ready to accept") {
				break
			}
		}
		test(t, "127.0.0.1:"+port, nil)
	})
}

func open(t *testing.T, connection string) *Server {
	clock := tandem.SystemClock{}
	s, err := Open(connection, "service", clock, policy.NewMemoryCounters(clock))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Two gateways together let a limit through, and no more.
func TestCountersAreShared(t *testing.T) {
	servers(t, func(t *testing.T, address string, pass func(time.Duration)) {
		a, b := open(t, address), open(t, address)
		for name, w := range map[string]policy.Window{
			"sliding": {Limit: 10, Period: time.Hour}, "fixed": {Limit: 10, Period: time.Hour, Kind: policy.Fixed, Start: time.Unix(0, 0)},
			"first": {Limit: 10, Period: time.Hour, Kind: policy.Fixed}, "calendar": {Limit: 10, Period: 365 * 24 * time.Hour, Kind: policy.Calendar}, "ever": {Limit: 10, Kind: policy.Fixed}} {
			allowed := 0
			for i := range 15 {
				gateway := []*Server{a, b}[i%2]
				c := gateway.Take(name, 1, w, false)
				if c.Allowed {
					allowed++
				} else if c.After <= 0 && w.Period > 0 || c.Remaining != 0 {
					t.Errorf("%s: refused with %+v", name, c)
				}
			}
			if allowed != 10 {
				t.Errorf("%s: %d of 10 calls were allowed", name, allowed)
			}
			if c := a.Take(name, 3, w, true); c.Used != 13 {
				t.Errorf("%s: forced: %+v", name, c)
			}
			if c := b.Take(name, 0, w, false); c.Allowed || c.Used != 13 {
				t.Errorf("%s: asked: %+v", name, c)
			}
		}
		if n := a.Failures() + b.Failures(); n != 0 {
			t.Errorf("%d calls failed", n)
		}
		if pass == nil {
			return
		}
		pass(90 * time.Minute) // half of the next period: the window still counts half of the one before
		if c := a.Take("sliding", 0, policy.Window{Limit: 10, Period: time.Hour}, false); c.Used != 6 || !c.Allowed {
			t.Errorf("after a period and a half: %+v", c)
		}
		if c := a.Take("first", 1, policy.Window{Limit: 10, Period: time.Hour, Kind: policy.Fixed}, false); c.Used != 1 {
			t.Errorf("a new period: %+v", c)
		}
	})
}

func TestCache(t *testing.T) {
	servers(t, func(t *testing.T, address string, pass func(time.Duration)) {
		ctx := context.Background()
		a, b := open(t, "redis://"+address), open(t, address+",abortConnect=False")
		if _, ok, err := a.Get(ctx, "k"); ok || err != nil {
			t.Errorf("nothing is there, and %v %v", ok, err)
		}
		if err := a.Set(ctx, "k", []byte("value\x00"), time.Minute); err != nil {
			t.Fatal(err)
		}
		if v, ok, err := b.Get(ctx, "k"); string(v) != "value\x00" || !ok || err != nil {
			t.Errorf("got %q %v %v", v, ok, err)
		}
		if err := b.Delete(ctx, "k"); err != nil {
			t.Fatal(err)
		}
		if _, ok, _ := a.Get(ctx, "k"); ok {
			t.Error("it was not deleted")
		}
		if pass != nil {
			if err := a.Set(ctx, "k", []byte("v"), time.Minute); err != nil {
				t.Fatal(err)
			}
			pass(2 * time.Minute)
			if _, ok, _ := a.Get(ctx, "k"); ok {
				t.Error("it outlived its time")
			}
		}
	})
}

// A server that is gone fails no request: counters count here, the cache has nothing.
func TestServerGone(t *testing.T) {
	m := miniredis.RunT(t)
	s := open(t, m.Addr())
	w := policy.Window{Limit: 2, Period: time.Hour}
	if c := s.Take("k", 1, w, false); !c.Allowed {
		t.Fatal("refused")
	}
	m.Close()
	for i, want := range []bool{true, true, false} {
		if c := s.Take("k", 1, w, false); c.Allowed != want {
			t.Errorf("call %d without the server: %+v", i, c)
		}
	}
	if _, ok, err := s.Get(context.Background(), "k"); ok || err == nil {
		t.Error("a cache that is gone has something")
	}
	if s.Failures() == 0 {
		t.Error("no failure was counted")
	}
}

func TestParseConnection(t *testing.T) {
	for text, want := range map[string]string{
		"cache.example:6380,password=p=,ssl=True,abortConnect=False": "cache.example:6380 p= cache.example 0",
		"cache.example,ssl=true":                                     "cache.example:6380  cache.example 0",
		"127.0.0.1,defaultDatabase=3":                                "127.0.0.1:6379   3",
		"a:1,b:2,user=u":                                             "a:1 b:2   0",
		"redis://:secret@h:7/2":                                      "h:7 secret  2",
		"":                                                           "!",
		"password=secret":                                            "!",
		"h:1,defaultDatabase=x":                                      "!",
		"h:1,unknownOption=1":                                        "!",
		"redis://:secret@h:notaport/%zz":                             "!",
	} {
		o, err := ParseConnection(text)
		got := "!"
		if err == nil {
			name := ""
			if o.TLSConfig != nil {
				name = o.TLSConfig.ServerName
			}
			got = strings.Join(o.Addrs, " ") + " " + o.Password + " " + name + " " + string(rune('0'+o.DB))
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells a password: %v", text, err)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
