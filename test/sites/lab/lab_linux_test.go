package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"tandem"
)

// patience bounds every wait.
const patience = time.Minute

// TestMain is also the program that the tests run inside sites: a page and a name server on the addresses given, or a lab
// that is left behind.
func TestMain(m *testing.M) {
	switch os.Getenv("LAB_PROGRAM") {
	case "page":
		fmt.Println(page(os.Getenv("LAB_ADDRESS")))
	case "crash":
		fmt.Println(crash())
	default:
		os.Exit(m.Run())
	}
}

func page(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	names := &dns.Server{Addr: address, Net: "udp", Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		r := new(dns.Msg).SetReply(q)
		r.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(10, 77, 2, 1)}}
		_ = w.WriteMsg(r) // the asker asks again
	})}
	go func() { fmt.Println(names.ListenAndServe()) }()
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		_, _ = io.WriteString(w, "hello "+host)
	}))
}

// crash starts a process in a site, says its number, and is killed.
func crash() error {
	l, err := Open(Config{Sites: []string{"a"}, Dir: os.TempDir(), Clock: tandem.SystemClock{}})
	if err != nil {
		return err
	}
	p, err := l.Start(context.Background(), "a", fmt.Sprintf("lab-crash-%d", os.Getpid()), nil, "sleep", "600")
	if err != nil {
		return err
	}
	fmt.Println(p.PID(), p.LogFile)
	select {}
}

// start runs the page in a site and waits until it answers from another one.
func start(t *testing.T, l *Lab, site, from string) (p *Process, get func(within time.Duration) (string, error)) {
	t.Helper()
	address := l.At(site, 80)
	p, err := l.Start(t.Context(), site, "page-"+site, nil, "env", "LAB_PROGRAM=page", "LAB_ADDRESS="+address, os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	get = func(within time.Duration) (string, error) {
		c := l.HTTP(from, nil, within)
		defer c.CloseIdleConnections()
		resp, err := c.Get("http://" + address + "/")
		if err != nil {
			return "", err
		}
		defer resp.Body.Close() //nolint:errcheck // it is read to its end
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	until(t, l, "the page answers", func() bool { _, err := get(patience); return err == nil })
	return p, get
}

// open makes a lab that leaves no goroutine behind.
func open(t *testing.T, sites ...string) *Lab {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	return New(t, sites...)
}

func until(t *testing.T, l *Lab, what string, ok func() bool) {
	t.Helper()
	for late := l.Clock.Now().Add(patience); !ok(); {
		if l.Clock.Now().After(late) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		_ = l.Clock.Sleep(t.Context(), 10*time.Millisecond)
	}
}

// silent is how long a call is given that must not be answered.
const silent = 300 * time.Millisecond

func TestProcessesOfASiteDieHangAndComeBack(t *testing.T) {
	l := open(t, "a", "b")
	p, get := start(t, l, "b", "a")
	if text, err := get(patience); err != nil || text != "hello 10.77.1.1" {
		t.Fatalf("%q, %v", text, err)
	}
	if err := l.PauseSite("b"); err != nil {
		t.Fatal(err)
	}
	if text, err := get(silent); err == nil {
		t.Errorf("a paused site says %q", text)
	}
	if err := l.ResumeSite("b"); err != nil {
		t.Fatal(err)
	}
	if _, err := get(patience); err != nil {
		t.Error(err)
	}
	l.KillSite("b")
	if _, err := get(patience); err == nil || !strings.Contains(err.Error(), "refused") || p.Alive() {
		t.Errorf("a killed site: %v, alive %t", err, p.Alive())
	}
	if err := l.RestartSite(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	until(t, l, "the page is back", func() bool { _, err := get(patience); return err == nil })
	if err := p.Start(t.Context(), nil); err == nil {
		t.Error("a running process was started again")
	}
}

func TestCutsVanishAndHeal(t *testing.T) {
	l := open(t, "a", "b", "c")
	_, get := start(t, l, "b", "a")
	for name, do := range map[string]func() error{
		"cut": func() error { return l.Cut("a", "b") }, "one way": func() error { return l.CutOneWay("b", "a") }, "isolate": func() error { return l.Isolate("b") },
		"loss": func() error { return l.SetLoss("a", "b", 1) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if text, err := get(silent); err == nil || !strings.Contains(err.Error(), "deadline") && !strings.Contains(err.Error(), "Timeout") {
			t.Errorf("%s: %q, %v; want silence", name, text, err)
		}
		if err := l.Heal(); err != nil {
			t.Fatal(err)
		}
		if _, err := get(patience); err != nil {
			t.Errorf("%s, healed: %v", name, err)
		}
	}
	if err := l.Cut("a", "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := get(patience); err != nil {
		t.Errorf("the cut of another link: %v", err)
	}
	if l.Cut("a", "nowhere") == nil || l.SetLoss("a", "b", 2) == nil {
		t.Error("nonsense was accepted")
	}
}

func TestNamesAreAskedFromInsideASite(t *testing.T) {
	l := open(t, "a", "b", "c")
	start(t, l, "b", "a")
	if err := l.SetDelays(20*time.Millisecond, 0); err != nil {
		t.Fatal(err)
	}
	began := l.Clock.Now()
	// c answers nothing: its kernel refuses, and the next server is asked.
	ips, err := l.Resolve(t.Context(), "a", "api.example", patience, l.At("c", 80), l.At("b", 80))
	if err != nil || len(ips) != 1 || ips[0] != netip.MustParseAddr("10.77.2.1") {
		t.Fatalf("%v, %v", ips, err)
	}
	if took := l.Clock.Now().Sub(began); took < 80*time.Millisecond {
		t.Errorf("two round trips of 40 ms took %s", took)
	}
	if err := l.Isolate("b"); err != nil {
		t.Fatal(err)
	}
	if ips, err := l.Resolve(t.Context(), "a", "api.example", silent, l.At("b", 80)); err == nil {
		t.Errorf("a site that vanished answers %v", ips)
	}
}

func TestNothingOutlivesACrash(t *testing.T) {
	New(t, "a") // skips where it is not permitted
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LAB_PROGRAM=crash")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var log string
	if _, err := fmt.Fscan(out, &pid, &log); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(log) //nolint:errcheck // it is empty
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	clock := tandem.SystemClock{}
	for late := clock.Now().Add(patience); ; {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
		if clock.Now().After(late) {
			t.Fatalf("the process %d outlives the lab: %s", pid, state)
		}
		_ = clock.Sleep(t.Context(), 10*time.Millisecond)
	}
}
