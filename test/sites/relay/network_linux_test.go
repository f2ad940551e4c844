package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"tandem"
)

// patience bounds every wait of a test: a machine may be slow.
const patience = time.Minute

func open(t *testing.T, sites ...string) *Network {
	t.Helper()
	n, err := New(Config{Clock: tandem.SystemClock{}, Sites: sites, Seed: 7})
	if errors.Is(err, ErrNotPermitted) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return n
}

func change(t *testing.T, n *Network, from, to string, f func(*Settings)) {
	t.Helper()
	if err := n.Change(from, to, f); err != nil {
		t.Fatal(err)
	}
}

// udp opens a socket in b, and one in a that is connected to it.
func udp(t *testing.T, n *Network, a, b string) (from net.Conn, to net.PacketConn) {
	t.Helper()
	to, err := n.Site(b).ListenPacket(net.JoinHostPort(n.Site(b).Addr.String(), "7"))
	if err != nil {
		t.Fatal(err)
	}
	from, err = n.Site(a).DialContext(t.Context(), "udp", to.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = from.Close(), to.Close() })
	late := tandem.SystemClock{}.Now().Add(patience)
	_, _ = from.SetDeadline(late), to.SetDeadline(late)
	return from, to
}

func TestDelayIsMeasuredBothWays(t *testing.T) {
	n, clock := open(t, "a", "b"), tandem.SystemClock{}
	change(t, n, "a", "b", func(s *Settings) { s.Delay = 30 * time.Millisecond })
	change(t, n, "b", "a", func(s *Settings) { s.Delay = 10 * time.Millisecond })
	from, to := udp(t, n, "a", "b")
	go func() {
		buf := make([]byte, 100)
		for {
			size, peer, err := to.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = to.WriteTo(buf[:size], peer)
		}
	}()
	buf := make([]byte, 100)
	best := patience
	for range 20 {
		began := clock.Now()
		if _, err := from.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		if _, err := from.Read(buf); err != nil {
			t.Fatal(err)
		}
		took := clock.Now().Sub(began)
		if took < 40*time.Millisecond {
			t.Errorf("a round trip took %s; the links take 40 ms", took)
		}
		best = min(best, took)
	}
	t.Logf("best round trip %s of 40 ms", best)
	if _, err := n.Site("a").DialContext(t.Context(), "tcp", "localhost:7"); err == nil {
		t.Error("a name was resolved inside a site")
	}
	if err := from.Close(); err != nil {
		t.Error(err)
	}
	if err := to.Close(); err != nil {
		t.Error(err)
	}
}

func TestAsymmetricCutIsSilent(t *testing.T) {
	n := open(t, "a", "b")
	from, to := udp(t, n, "a", "b")
	buf := make([]byte, 100)
	send := func(text string) {
		if _, err := from.Write([]byte(text)); err != nil {
			t.Fatalf("a cut link told its sender: %v", err)
		}
	}
	send("before")
	size, peer, err := to.ReadFrom(buf)
	if err != nil || string(buf[:size]) != "before" {
		t.Fatal(err)
	}
	change(t, n, "a", "b", func(s *Settings) { s.Cut = true })
	send("lost")
	if _, err := to.WriteTo([]byte("back"), peer); err != nil {
		t.Fatal(err)
	}
	if size, err := from.Read(buf); err != nil || string(buf[:size]) != "back" {
		t.Fatalf("the other direction is cut as well: %v", err)
	}
	until(t, "the cut packet is counted", func() bool { return n.Counters("a", "b").Cut == 1 })
	change(t, n, "a", "b", func(s *Settings) { s.Cut = false })
	send("after")
	if size, _, err := to.ReadFrom(buf); err != nil || string(buf[:size]) != "after" {
		t.Fatalf("after the cut %q arrived: %v", buf[:size], err)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	clock := tandem.SystemClock{}
	for late := clock.Now().Add(patience); !ok(); {
		if clock.Now().After(late) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		_ = clock.Sleep(t.Context(), 5*time.Millisecond)
	}
}

func TestMTU(t *testing.T) {
	n := open(t, "a", "b")
	from, to := udp(t, n, "a", "b")
	raw, err := from.(*net.UDPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
	})
	if err = errors.Join(err, set); err != nil {
		t.Fatal(err)
	}
	const headers = 28
	if _, err := from.Write(make([]byte, 1500-headers)); err != nil {
		t.Fatal(err)
	}
	if size, _, err := to.ReadFrom(make([]byte, 2000)); err != nil || size != 1500-headers {
		t.Fatalf("%d bytes arrived: %v", size, err)
	}
	if _, err := from.Write(make([]byte, 1501-headers)); !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("a packet above the MTU gave %v", err)
	}
}

// transfer sends bytes over TCP from a to b and gives the time.
func transfer(t testing.TB, n *Network, size int64) time.Duration {
	t.Helper()
	clock := tandem.SystemClock{}
	l, err := n.Site("b").Listen(net.JoinHostPort(n.Site("b").Addr.String(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was read
	got := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- -1
			return
		}
		size, _ := io.Copy(io.Discard, c)
		_ = c.Close()
		got <- size
	}()
	began := clock.Now()
	c, err := n.Site("a").DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(c, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if arrived := <-got; arrived != size {
		t.Fatalf("%d of %d bytes arrived", arrived, size)
	}
	return clock.Now().Sub(began)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestRateHoldsTCPBack(t *testing.T) {
	n := open(t, "a", "b")
	change(t, n, "a", "b", func(s *Settings) { s.Rate = 8_000_000 })
	if took := transfer(t, n, 1<<20); took < time.Second {
		t.Errorf("a mebibyte at a megabyte per second took %s", took)
	}
}

func TestTCPSurvivesLossDelayAndACut(t *testing.T) {
	n := open(t, "a", "b")
	for _, way := range [][2]string{{"a", "b"}, {"b", "a"}} {
		change(t, n, way[0], way[1], func(s *Settings) {
			s.Delay, s.Jitter, s.Loss = 5*time.Millisecond, 2*time.Millisecond, 0.01
		})
	}
	healed := make(chan error, 1)
	go func() {
		clock := tandem.SystemClock{}
		_ = clock.Sleep(t.Context(), 100*time.Millisecond)
		err := n.Change("a", "b", func(s *Settings) { s.Cut = true })
		_ = clock.Sleep(t.Context(), 300*time.Millisecond)
		healed <- errors.Join(err, n.Change("a", "b", func(s *Settings) { s.Cut = false }))
	}()
	t.Logf("4 MiB in %s; counted %+v", transfer(t, n, 4<<20), n.Counters("a", "b"))
	if err := <-healed; err != nil {
		t.Fatal(err)
	}
}

func TestSitesAreApartAndLeaveNothing(t *testing.T) {
	before := descriptors(t)
	n, err := New(Config{Clock: tandem.SystemClock{}, Sites: []string{"a", "b", "c"}})
	if errors.Is(err, ErrNotPermitted) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Site("b").Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := n.Site("a").DialContext(t.Context(), "tcp", l.Addr().String()); err == nil {
		t.Errorf("the loopback of b is reached from a: %v", c.RemoteAddr())
	}
	if c, err := n.Site("a").DialContext(t.Context(), "udp", "192.0.2.1:9"); err == nil {
		t.Errorf("there is a way out of a site: %v", c.LocalAddr())
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := n.Change("a", "nowhere", func(*Settings) {}); err == nil {
		t.Error("a link to nowhere was changed")
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t)
	if after := descriptors(t); after > before {
		t.Errorf("%d file descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

func TestRefusesNonsense(t *testing.T) {
	for _, c := range []Config{{}, {Clock: tandem.SystemClock{}}, {Clock: tandem.SystemClock{}, Sites: []string{"a"}, MTU: 100}, {Clock: tandem.SystemClock{}, Sites: []string{"a", "a"}}} {
		if n, err := New(c); err == nil {
			t.Errorf("%+v was accepted: %v", c, n.Close())
		}
	}
}

// BenchmarkTCP sends a gibibyte's share through an unhindered link; the rate is in MB/s.
func BenchmarkTCP(b *testing.B) {
	for name, s := range map[string]Settings{"direct": {}, "delay 2 ms": {Delay: 2 * time.Millisecond}} {
		b.Run(name, func(b *testing.B) {
			n, err := New(Config{Clock: tandem.SystemClock{}, Sites: []string{"a", "b"}})
			if err != nil {
				b.Skip(err)
			}
			defer n.Close() //nolint:errcheck // it was measured
			if err := n.Change("a", "b", func(set *Settings) { *set = s }); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(1 << 20)
			b.ResetTimer()
			transfer(b, n, int64(b.N)<<20)
		})
	}
}
