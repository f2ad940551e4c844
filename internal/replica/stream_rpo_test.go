package replica

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/etcd"
)

// TestRPO measures what a sudden loss of the primary would lose: 50 writes a second, mutual TLS, 80 ms each way, embedded
// etcd on both sides. It prints; only that all arrives decides.
func TestRPO(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes ten seconds")
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, clock := t.Context(), tandem.SystemClock{}
	open := func() *etcd.Store {
		s, err := etcd.Open(ctx, etcd.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, two := open(), open()
	defer one.Close() //nolint:errcheck // the test is over
	defer two.Close() //nolint:errcheck // the test is over
	space, standby := openSpace(t, one, "apim/primary"), openSpace(t, two, "apim/standby")
	server, client := mutual(t)
	s := newSite(t, NewSource(SourceConfig{Space: space, Clock: clock}), server)
	defer s.close()
	r := newRelay(t, s.http.Listener.Addr().String(), 80*time.Millisecond, 1)
	defer r.close()
	f, stop := follow(t, r.address(), client, NewApplier(ApplierConfig{Space: standby, Clock: clock}))
	defer func() { _ = stop() }()
	await(t, 10*time.Second, "the stream runs", func() bool { return f.Lag().Known })

	const writes = 500
	begin := clock.Now()
	var bounds []time.Duration
	lags := make(chan []time.Duration, 1)
	go func() { lags <- sentinelLags(t, space, standby) }()
	for i := range writes {
		_, err := space.Commit(ctx, store.Batch{Put: []store.Write{{Key: fmt.Sprintf("apis/%03d", i%200), Value: fmt.Appendf(nil, `{"n":%d}`, i)}}})
		if err != nil {
			t.Fatal(err)
		}
		bounds = append(bounds, f.Lag().Bound)
		_ = clock.Sleep(ctx, begin.Add(time.Duration(i+1)*20*time.Millisecond).Sub(clock.Now()))
	}
	measured := <-lags
	want, _, err := flat(ctx, space)
	if err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "all arrives", func() bool {
		got, _, err := flat(ctx, standby)
		return err == nil && got == want
	})
	report := func(name string, all []time.Duration) {
		slices.Sort(all)
		t.Logf("%s: median %s, p99 %s, max %s", name, all[len(all)/2].Round(time.Millisecond), all[len(all)*99/100].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
	}
	report("proven bound on the loss", bounds)
	report("lag of a commit, acknowledged to served", measured)
}

// sentinelLags writes 100 sentinels and reads them at the standby.
func sentinelLags(t *testing.T, space, standby *store.Space) []time.Duration {
	s := Sentinel{Clock: tandem.SystemClock{}, Every: 2 * time.Millisecond,
		Write: func(ctx context.Context, text string) error {
			_, err := space.Commit(ctx, store.Batch{Put: []store.Write{{Key: "apis/sentinel", Value: []byte(text)}}})
			return err
		},
		Read: func(ctx context.Context) (string, error) {
			d, err := standby.Get(ctx, "apis/sentinel", 0)
			return string(d.Value), err
		}}
	var out []time.Duration
	for range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		m, err := s.Measure(ctx)
		cancel()
		if err != nil {
			t.Error(err)
			return out
		}
		out = append(out, m.Lag)
	}
	return out
}

// TestSentinel: the lag is what passes from the acknowledgement until the standby serves the text, on one clock.
func TestSentinel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := tandem.SystemClock{}
		var text string
		var served time.Time
		s := Sentinel{Clock: clock, Every: 100 * time.Millisecond,
			Write: func(ctx context.Context, v string) error {
				text, served = v, clock.Now().Add(2*time.Second)
				return clock.Sleep(ctx, 300*time.Millisecond)
			},
			Read: func(context.Context) (string, error) {
				if clock.Now().Before(served) {
					return "older", nil
				}
				return text, nil
			}}
		m, err := s.Measure(t.Context())
		if want := (Measurement{300 * time.Millisecond, 1700 * time.Millisecond, 18}); err != nil || m != want {
			t.Errorf("measured %+v, %v, want %+v", m, err, want)
		}
		s.Read = func(context.Context) (string, error) { return "", errors.New("no gateway") }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if m, err := s.Measure(ctx); tandem.KindOf(err) != tandem.Unavailable || m.Lag < 700*time.Millisecond {
			t.Errorf("a dead standby measures %+v, %v", m, err)
		}
		s.Write = func(context.Context, string) error { return errors.New("fenced") }
		if _, err := s.Measure(t.Context()); tandem.KindOf(err) != tandem.Unavailable {
			t.Errorf("a dead primary: %v", err)
		}
	})
}

// TestLag: a bound is known from the first proof on, grows with the own clock alone, and never says less than the truth.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := tandem.SystemClock{}
		m := newLagMeter(clock)
		if l := m.lag(); l.Known {
			t.Errorf("before any proof: %+v", l)
		}
		_ = clock.Sleep(t.Context(), 5*time.Second)
		mark := m.reading()
		_ = clock.Sleep(t.Context(), time.Second)
		// The source's clock is years away: only its differences count.
		beat := Entry{Kind: EntryBeat, Position: Position{Revision: 10}, Newest: 10, Age: 900 * time.Hour, Mark: mark}
		m.attach(true)
		m.heard(beat)
		m.done(beat)
		if l := m.lag(); !l.Known || l.Bound != time.Second || l.Commits != 0 || l.Seconds != 0 || !l.Attached {
			t.Errorf("after the proof: %+v", l)
		}
		m.heard(Entry{Kind: EntryCommit, Position: Position{Revision: 12}, Newest: 15, Age: 900*time.Hour + 2*time.Second})
		_ = clock.Sleep(t.Context(), 3*time.Second)
		m.attach(false)
		if l := m.lag(); l.Bound != 4*time.Second || l.Commits != 5 || l.Seconds != 5 || l.Attached {
			t.Errorf("with unapplied commits, cut off: %+v", l)
		}
	})
}

type counting struct {
	mu    sync.Mutex
	queue []Counter
	got   []Counter
}

func (c *counting) Export(n int) []Counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, len(c.queue))
	out := c.queue[:n]
	c.queue = c.queue[n:]
	return out
}

func (c *counting) Import(all []Counter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, all...)
}

func (c *counting) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.got)
}

// TestCounters: counts arrive under hashed keys, in bounded requests.
func TestCounters(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	from, to := &counting{}, &counting{}
	for i := range maxCounters + 10 {
		from.queue = append(from.queue, Counter{Key: CounterKey(fmt.Sprint("caller ", i)), Current: int64(i), Before: 3, Elapsed: time.Duration(i) * time.Second})
	}
	want := slices.Clone(from.queue)
	site := httptest.NewServer(CounterHandler(func(_ context.Context, service string) (Counters, error) {
		if service != "/a b" {
			return nil, &tandem.Error{Op: "find service", Subject: service, Kind: tandem.NotFound}
		}
		return to, nil
	}))
	defer site.Close()
	ctx, cancel := context.WithCancel(t.Context())
	s := CounterSender{Address: site.URL + CountersPath, Service: "/a b", Client: site.Client(), Counters: from, Clock: tandem.SystemClock{}, Every: time.Millisecond}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, func(err error) { t.Error(err) }) }()
	await(t, 10*time.Second, "the counters are sent", func() bool { return to.count() >= len(want) })
	cancel()
	<-done
	site.Close()
	if !reflect.DeepEqual(to.got, want) {
		t.Errorf("%d counters arrived of %d, or others", len(to.got), len(want))
	}
}
