package http1

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
)

// wardenPeriod is how often the warden looks; all timeouts are late by at most this.
const wardenPeriod = 50 * time.Millisecond

// past is a deadline that has always been: setting it wakes a blocked read or write.
var past = time.Unix(1, 0)

// watched is a connection that the warden looks at. check must not block and not call the warden.
type watched interface{ check(now int64) }

// warden keeps coarse time and acts on the connections whose phase has lasted too long.
type warden struct {
	clock tandem.Clock
	start time.Time
	now   atomic.Int64 // nanoseconds since start
	date  atomic.Pointer[string]
	unix  int64

	mu    sync.Mutex
	conns map[watched]struct{}
}

func newWarden(clock tandem.Clock) *warden {
	w := &warden{clock: clock, start: clock.Now(), conns: make(map[watched]struct{})}
	w.keepDate(w.start)
	return w
}

// run looks at the connections until ctx ends.
func (w *warden) run(ctx context.Context) {
	for w.clock.Sleep(ctx, wardenPeriod) == nil {
		t := w.clock.Now()
		now := int64(t.Sub(w.start))
		w.now.Store(now)
		w.keepDate(t)
		w.mu.Lock()
		for c := range w.conns {
			c.check(now)
		}
		w.mu.Unlock()
	}
}

// keepDate renews the value of the Date field once a second.
func (w *warden) keepDate(t time.Time) {
	if u := t.Unix(); u != w.unix {
		w.unix = u
		s := t.UTC().Format(http.TimeFormat)
		w.date.Store(&s)
	}
}

func (w *warden) add(c watched) {
	w.mu.Lock()
	w.conns[c] = struct{}{}
	w.mu.Unlock()
}

func (w *warden) remove(c watched) {
	w.mu.Lock()
	delete(w.conns, c)
	w.mu.Unlock()
}

// The kinds of phase a connection's reading or writing side can be in.
const (
	phaseNone      uint64 = iota // nothing that time limits
	phaseIdle                    // waiting for the next request, or in a pool
	phaseHandshake               // TLS
	phaseHead                    // a head has begun to arrive
	phaseBody                    // waiting for more of a body
	phaseWrite                   // waiting for the peer to take bytes
	phaseWait                    // the handler works; the client is looked after once this lasts
	phaseWatched                 // a goroutine reads, to see the client go
	phaseUpgraded                // joined to a backend after an upgrade
	phaseExpired                 // time is up; deadlines in the past wake whoever waits
)

// phase is a kind and the coarse time when it has lasted too long, in one word so that the warden and the connection
// settle races by compare-and-swap. A time of zero never comes.
type phase struct{ word atomic.Uint64 }

// enter begins a phase that may last for d (zero: for ever) and tells which one ended.
func (p *phase) enter(w *warden, kind uint64, d time.Duration) (before uint64) {
	if d > 0 {
		kind |= uint64(w.now.Load()+int64(d)) << 4
	}
	return p.word.Swap(kind) & 15
}

// leave ends a phase.
func (p *phase) leave() (before uint64) { return p.word.Swap(phaseNone) & 15 }

func (p *phase) kind() uint64 { return p.word.Load() & 15 }

// due gives the kind of a phase that has lasted too long, for expire to end.
func (p *phase) due(now int64) (kind, word uint64) {
	word = p.word.Load()
	if at := int64(word >> 4); at == 0 || now < at {
		return phaseNone, word
	}
	return word & 15, word
}

// become replaces the phase that due saw, unless it has ended meanwhile.
func (p *phase) become(word, kind uint64) bool { return p.word.CompareAndSwap(word, kind) }
