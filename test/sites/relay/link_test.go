package relay

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"tandem"
)

// arrival is a packet that came out of a link.
type arrival struct {
	after time.Duration
	first byte
}

// through sends packets of 1000 bytes, one every gap, through a link in simulated time.
func through(t *testing.T, s Settings, packets int, gap time.Duration, at map[int]func(*link)) (out []arrival, c Counters) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clock := tandem.SystemClock{}
		ctx, cancel := context.WithCancel(t.Context())
		began := clock.Now()
		l := newLink(clock, 1, 2, func(p []byte) { out = append(out, arrival{clock.Now().Sub(began), p[0]}) })
		if err := l.change(func(set *Settings) { *set = s }); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); l.run(ctx) }()
		buf := make([]byte, 1000)
		for i := range packets {
			if f := at[i]; f != nil {
				f(l)
			}
			buf[0] = byte(i)
			l.send(buf)
			if gap > 0 {
				_ = clock.Sleep(ctx, gap)
			}
		}
		_ = clock.Sleep(ctx, time.Minute)
		cancel()
		<-done
		c = l.counted()
	})
	return out, c
}

func TestLinkDelaysEachPacketByItsDelay(t *testing.T) {
	out, c := through(t, Settings{Delay: 40 * time.Millisecond}, 5, 10*time.Millisecond, nil)
	if len(out) != 5 || c.Packets != 5 || c.Bytes != 5000 {
		t.Fatalf("%d arrived, counted %+v", len(out), c)
	}
	for i, a := range out {
		if want := time.Duration(i)*10*time.Millisecond + 40*time.Millisecond; a.after != want || a.first != byte(i) {
			t.Errorf("arrival %d is packet %d after %s, want after %s", i, a.first, a.after, want)
		}
	}
}

func TestLinkJitterKeepsOrderAndBounds(t *testing.T) {
	out, _ := through(t, Settings{Delay: 40 * time.Millisecond, Jitter: 20 * time.Millisecond}, 200, time.Millisecond, nil)
	if len(out) != 200 {
		t.Fatalf("%d of 200 arrived", len(out))
	}
	different := map[time.Duration]bool{}
	for i, a := range out {
		took := a.after - time.Duration(i)*time.Millisecond
		if a.first != byte(i) || took < 40*time.Millisecond || took >= 60*time.Millisecond {
			t.Errorf("arrival %d is packet %d and took %s", i, a.first, took)
		}
		different[took] = true
	}
	if len(different) < 20 {
		t.Errorf("only %d different delays among 200 packets", len(different))
	}
}

func TestLinkRateSpacesPackets(t *testing.T) {
	// 1000 bytes at 1 Mbit/s take 8 ms on the wire.
	out, c := through(t, Settings{Rate: 1_000_000, Queue: 5000}, 10, 0, nil)
	if len(out) != 5 || c.Overflowed != 5 {
		t.Fatalf("%d arrived, counted %+v; want 5 and 5 that found no room", len(out), c)
	}
	for i, a := range out {
		if want := time.Duration(i+1) * 8 * time.Millisecond; a.after != want {
			t.Errorf("packet %d arrived after %s, want %s", i, a.after, want)
		}
	}
}

func TestLinkLosesItsShare(t *testing.T) {
	out, c := through(t, Settings{Loss: 0.3}, 5000, 0, nil)
	if c.Lost < 1400 || c.Lost > 1600 || len(out)+int(c.Lost) != 5000 {
		t.Errorf("%d of 5000 arrived, %d lost; want about 30 %%", len(out), c.Lost)
	}
}

func TestLinkCutLosesWhatIsUnderWay(t *testing.T) {
	cut := func(on bool) func(*link) {
		return func(l *link) {
			if err := l.change(func(s *Settings) { s.Cut = on }); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Packets 0 to 4 go out every 10 ms with 100 ms to go; the cut comes before packet 5 and ends before packet 8.
	out, c := through(t, Settings{Delay: 100 * time.Millisecond}, 10, 10*time.Millisecond, map[int]func(*link){5: cut(true), 8: cut(false)})
	if len(out) != 2 || out[0].first != 8 || c.Cut != 8 {
		t.Errorf("arrived %v, counted %+v; want packets 8 and 9 alone", out, c)
	}
}

func TestLinkRefusesNonsense(t *testing.T) {
	l := newLink(tandem.SystemClock{}, 1, 2, func([]byte) {})
	for _, s := range []Settings{{Delay: -1}, {Jitter: -1}, {Loss: -0.1}, {Loss: 1.1}, {Rate: -1}, {Queue: -1}} {
		if err := l.change(func(set *Settings) { *set = s }); err == nil {
			t.Errorf("%+v was accepted", s)
		}
		if l.settings() != (Settings{}) {
			t.Errorf("%+v was refused and kept", s)
		}
	}
}
