package health

import (
	"slices"
	"strings"
	"time"
)

// Seen is what a place sees of an endpoint, in the words of those who decide by a quorum of their own.
type Seen uint8

// Unclear is for an endpoint that was not looked at yet, or by a place that suspects itself, or too long ago.
const (
	Unclear Seen = iota
	Up
	Down
)

// Sight is what one vantage point sees of one endpoint.
type Sight struct {
	Vantage string // empty: this one
	Seen    Seen
	Held    time.Duration // how long it has been seen so
	Age     time.Duration // the longest that the report can be old, on this place's monotonic clock; 0 for its own
	Sick    bool          // the place suspects itself
}

// Sights gives what each place sees of an endpoint, this one's first, the others by name. A place that never spoke of it is
// absent. Verdicts older than the quorum's Fresh are Unclear.
func (m *Monitor) Sights(id string) []Sight {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watched[id]
	if w == nil {
		return nil
	}
	fresh := m.config.Quorum.Fresh
	own := sightOf(w.verdict(id, m.config.Clock.Now()), fresh)
	if w.state.Awaiting && own.Seen == Down {
		own.Seen = Up // it answers; that clients are not sent there until somebody lets it back is no verdict about its health
	}
	out := []Sight{own}
	if m.config.Peers != nil {
		for _, v := range m.config.Peers.Heard(id) {
			out = append(out, sightOf(v, fresh))
		}
	}
	slices.SortFunc(out[1:], func(a, b Sight) int { return strings.Compare(a.Vantage, b.Vantage) })
	return out
}

func sightOf(v Verdict, fresh time.Duration) Sight {
	s := Sight{Vantage: v.Vantage, Held: v.Held, Age: v.Age, Sick: v.Suspect}
	switch {
	case v.Suspect || v.Age > fresh:
	case v.Status == Online:
		s.Seen = Up
	case v.Status == Degraded:
		s.Seen = Down
	}
	return s
}

// Sick tells that this place suspects itself about any endpoint.
func (m *Monitor) Sick() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.watched {
		if w.suspect {
			return true
		}
	}
	return false
}

// Subscribe gives a channel that receives after any place's sight of any endpoint changed; many changes may make one
// signal. end releases it.
func (m *Monitor) Subscribe() (signal <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	m.subscribers.mu.Lock()
	defer m.subscribers.mu.Unlock()
	if m.subscribers.all == nil {
		m.subscribers.all = map[chan struct{}]bool{}
	}
	m.subscribers.all[c] = true
	return c, func() {
		m.subscribers.mu.Lock()
		defer m.subscribers.mu.Unlock()
		delete(m.subscribers.all, c)
	}
}

// stirred signals the subscribers.
func (m *Monitor) stirred() {
	m.subscribers.mu.Lock()
	defer m.subscribers.mu.Unlock()
	for c := range m.subscribers.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
