package sink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tandem"
)

// taker takes batches, unless it fails.
type taker struct {
	mu    sync.Mutex
	fails int
	got   []string
	calls int
}

func (t *taker) Send(_ context.Context, batch []Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	if t.fails > 0 {
		t.fails--
		return errors.New("busy")
	}
	for _, e := range batch {
		t.got = append(t.got, string(e.Body))
	}
	return nil
}

// Events come in order, in batches; a sender that fails is tried again, and what nobody takes is counted.
func TestSink(t *testing.T) {
	for name, c := range map[string]struct {
		events, fails, calls, taken, lost int
	}{
		"one batch":      {events: 3, calls: 1, taken: 3},
		"several":        {events: batchEvents + 1, calls: 2, taken: batchEvents + 1},
		"tried again":    {events: 2, fails: 2, calls: 3, taken: 2},
		"lost":           {events: 2, fails: 3, calls: 3, lost: 2},
		"more than room": {events: mostWaiting + 5, calls: mostWaiting / batchEvents, taken: mostWaiting, lost: 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to, told := &taker{fails: c.fails}, 0
				g := NewGroup(tandem.SystemClock{})
				s := g.New(to, time.Second, func(error) { told++ })
				for i := range c.events {
					s.Add(Event{Body: fmt.Append(nil, i)})
				}
				_ = tandem.SystemClock{}.Sleep(t.Context(), time.Minute)
				g.Close()
				if len(to.got) != c.taken || to.calls != c.calls || s.Sent.Load() != int64(c.taken) || s.Dropped.Load() != int64(c.lost) {
					t.Errorf("%d taken in %d calls, %d sent, %d lost", len(to.got), to.calls, s.Sent.Load(), s.Dropped.Load())
				}
				if len(to.got) > 1 && (to.got[0] != "0" || to.got[1] != "1") {
					t.Errorf("the order is %v", to.got[:2])
				}
				if s.Add(Event{Body: []byte("late")}); s.Dropped.Load() != int64(c.lost)+1 {
					t.Error("an event was taken after the end")
				}
			})
		})
	}
}

// What waits when the gateway stops is sent.
func TestClose(t *testing.T) {
	defer goleak.VerifyNone(t)
	to := &taker{}
	g := NewGroup(tandem.SystemClock{})
	s := g.New(to, time.Hour, nil)
	s.Add(Event{Body: []byte("last")})
	g.Close()
	if len(to.got) != 1 {
		t.Errorf("got %v", to.got)
	}
}

func TestConnections(t *testing.T) {
	for text, ok := range map[string]bool{"11-22": true, "InstrumentationKey=11;IngestionEndpoint=https://in.example/": true, "IngestionEndpoint=https://in.example/": false, "InstrumentationKey=1;IngestionEndpoint=::": false} {
		if _, err := NewInsights(nil, text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	const hub = "Endpoint=sb://ns.example/;SharedAccessKeyName=n;SharedAccessKey=k"
	for _, c := range []struct {
		text, name string
		ok         bool
	}{{hub, "h", true}, {hub + ";EntityPath=h", "", true}, {hub, "", false}, {"Endpoint=sb://ns.example/", "h", false}} {
		h, err := NewEventHub(nil, tandem.SystemClock{}, c.text, c.name)
		if (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.text, c.name, err)
		}
		if err == nil && h.base.String() != "https://ns.example/h" {
			t.Errorf("the hub is at %s", h.base)
		}
	}
}
