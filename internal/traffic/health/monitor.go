package health

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"tandem"
)

// ringSize is how many results of each endpoint are remembered, and eventsSize how many changes in all.
const (
	ringSize   = 128
	eventsSize = 1024
)

// Change is one change of an endpoint's state, with its evidence.
type Change struct {
	Number   uint64    `json:"number"` // grows by one with each change
	At       time.Time `json:"at"`
	Endpoint string    `json:"endpoint"`
	From     Status    `json:"from"`
	To       Status    `json:"to"`
	Why      string    `json:"why"`
	Evidence []Result  `json:"evidence,omitempty"` // the last results before it
	Votes    []Verdict `json:"votes,omitempty"`    // what the other vantage points said
}

// View is what is known of one endpoint now.
type View struct {
	State      State     // of this vantage point
	Status     Status    // after the others were heard; what DNS goes by
	Suspect    bool      // this vantage point suspects itself and learns nothing
	Verdicts   []Verdict // of the other vantage points
	LastResult Result
}

// Config of a Monitor.
type Config struct {
	Clock tandem.Clock
	// OnChange is called after a status changed, from any goroutine, one call at a time, perhaps out of order (Number tells):
	// who cares for the present looks at Views. It must not call Set or Stop, nor wait for somebody who does.
	OnChange func(Change)
	// Peers are the other vantage points; nil where this one stands alone.
	Peers  Peers
	Quorum QuorumRule
}

// Monitor watches a set of endpoints.
type Monitor struct {
	config Config
	ctx    context.Context
	cancel context.CancelFunc

	set     sync.Mutex // one Set at a time
	mu      sync.Mutex
	watched map[string]*watched
	events  []Change
	number  uint64
	telling sync.Mutex
	work    sync.WaitGroup

	suspects    int // endpoints of which this place suspects itself
	subscribers struct {
		mu  sync.Mutex
		all map[chan struct{}]bool
	}
}

type watched struct {
	target    Target
	state     State
	effective Status
	suspect   bool
	told      Verdict   // what the others were told
	suspectAt time.Time // of the first strike under way
	success   time.Time // of the last good probe
	ring      []Result
	next      int
	poke      chan struct{}
	cancel    context.CancelFunc
	done      chan struct{}
}

// New makes a monitor that watches nothing.
func New(c Config) *Monitor {
	m := &Monitor{config: c, watched: map[string]*watched{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	if c.Peers != nil {
		m.work.Go(m.listen)
	}
	return m
}

// Set makes targets, by endpoint id, all that is watched. Endpoints that stay keep their state; changed targets are probed
// at once. restored gives states for endpoints that are new here, from disk.
func (m *Monitor) Set(targets map[string]Target, restored map[string]State) {
	m.set.Lock()
	defer m.set.Unlock()
	var ended []*watched
	m.mu.Lock()
	for id, w := range m.watched {
		if t, ok := targets[id]; !ok || !t.Equal(w.target) {
			w.cancel()
			ended = append(ended, w)
			if !ok {
				m.suspected(w, false)
				delete(m.watched, id)
				if m.config.Peers != nil {
					m.config.Peers.Tell(Verdict{Endpoint: id})
				}
			}
		}
	}
	m.mu.Unlock()
	for _, w := range ended {
		<-w.done
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(targets)) {
		t, w := targets[id], m.watched[id]
		if w != nil && t.Equal(w.target) {
			continue
		}
		fresh := &watched{target: t, state: Fresh(m.config.Clock.Now()), poke: make(chan struct{}, 1), done: make(chan struct{})}
		if w != nil {
			m.suspected(w, false)
			fresh.state, fresh.ring, fresh.next, fresh.told = w.state, w.ring, w.next, w.told
		} else if s, ok := restored[id]; ok {
			fresh.state = s.within(t.Rules, m.config.Clock.Now())
		}
		fresh.state.Failures, fresh.state.Successes = 0, 0
		fresh.effective = fresh.state.Status
		if w != nil && w.target.address() != t.address() { // another server: what was known says nothing of it
			fresh.state = Fresh(m.config.Clock.Now())
			fresh.effective = Checking
		}
		m.tell(id, fresh, m.config.Clock.Now())
		var ctx context.Context
		ctx, fresh.cancel = context.WithCancel(m.ctx)
		m.watched[id] = fresh
		p := &prober{id: id, target: t, clock: m.config.Clock, report: m.report, poke: fresh.poke}
		m.work.Go(func() {
			defer close(fresh.done)
			p.run(ctx)
		})
	}
}

// Stop ends all probing and waits for it.
func (m *Monitor) Stop() {
	m.cancel()
	m.work.Wait()
}

// report takes a result into the state; it is called by probers.
func (m *Monitor) report(id string, r Result) Decision {
	m.mu.Lock()
	w := m.watched[id]
	if w == nil {
		m.mu.Unlock()
		return Decision{}
	}
	if len(w.ring) < ringSize {
		w.ring = append(w.ring, r)
	} else {
		w.ring[w.next] = r
	}
	w.next = (w.next + 1) % ringSize
	e := Event{Kind: Failure, Reason: r.Reason}
	switch {
	case r.OK:
		e.Kind, w.success = Success, r.At
		if m.suspects > 0 {
			m.pokeSuspects()
		}
	case r.Took > w.target.Timeout+lagBound: // this process was not run in time: its own fault
		e.Kind = Abstain
		m.suspected(w, true)
		m.tell(id, w, r.At)
		m.mu.Unlock()
		return Decision{}
	}
	next, d := Step(w.target.Rules, w.state, e, r.At)
	if e.Kind == Failure && w.state.Status != Degraded {
		if w.state.Failures == 0 {
			w.suspectAt = r.At
			m.pokeOthers(w)
		}
		if next.Status == Degraded && m.alone(w) {
			// Nothing else answers this place either: the fault may be here. Look again, decide nothing.
			m.suspected(w, true)
			m.tell(id, w, r.At)
			m.mu.Unlock()
			return Decision{Next: w.target.Rules.again(8)}
		}
	}
	m.suspected(w, false)
	w.state = next
	m.tell(id, w, r.At)
	if !d.Changed {
		m.mu.Unlock()
		return d
	}
	m.agree(id, w, r.At, d.Why)
	return d
}

// Readmit lets a recovered endpoint back that is kept out; false where there is nothing to let back.
func (m *Monitor) Readmit(id string) bool {
	m.mu.Lock()
	w := m.watched[id]
	if w == nil {
		m.mu.Unlock()
		return false
	}
	now := m.config.Clock.Now()
	next, d := Step(w.target.Rules, w.state, Event{Kind: Readmit}, now)
	if !d.Changed {
		m.mu.Unlock()
		return false
	}
	w.state = next
	m.agree(id, w, now, d.Why)
	return true
}

// agree finds the effective status, records a change and tells of it. It is called with mu held and releases it.
func (m *Monitor) agree(id string, w *watched, now time.Time, why string) {
	m.tell(id, w, now)
	var others []Verdict
	if m.config.Peers != nil {
		others = m.config.Peers.Heard(id)
	}
	from := w.effective
	w.effective = Agree(m.rule(), w.verdict(id, now), others, from)
	m.number++
	c := Change{Number: m.number, At: now, Endpoint: id, From: from, To: w.effective, Why: why, Evidence: w.last(5), Votes: others}
	if len(m.events) == eventsSize {
		m.events = slices.Delete(m.events, 0, 1)
	}
	m.events = append(m.events, c)
	m.mu.Unlock()
	m.telling.Lock()
	defer m.telling.Unlock()
	if m.config.OnChange != nil {
		m.config.OnChange(c)
	}
}

// last gives the newest n results, oldest first.
func (w *watched) last(n int) []Result {
	all := append(slices.Clone(w.ring[min(w.next, len(w.ring)):]), w.ring[:min(w.next, len(w.ring))]...)
	if len(w.ring) < ringSize {
		all = slices.Clone(w.ring)
	}
	return all[max(0, len(all)-n):]
}

// Views gives what is known of all endpoints.
func (m *Monitor) Views() map[string]View {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]View, len(m.watched))
	for id, w := range m.watched {
		v := View{State: w.state, Status: w.effective, Suspect: w.suspect}
		if last := w.last(1); len(last) == 1 {
			v.LastResult = last[0]
		}
		if m.config.Peers != nil {
			v.Verdicts = m.config.Peers.Heard(id)
		}
		out[id] = v
	}
	return out
}

// Results gives the remembered results of one endpoint, oldest first.
func (m *Monitor) Results(id string) []Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.watched[id]; w != nil {
		return w.last(ringSize)
	}
	return nil
}

// Events gives the remembered changes, oldest first.
func (m *Monitor) Events() []Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}
