package replica

import (
	"sync"
	"time"

	"tandem"
)

// Lag is how far a standby is behind its primary.
type Lag struct {
	// Known is false until the first proof. A standby that restarts while its primary is dead does not know its lag; its
	// State tells the source's time of what it holds.
	Known bool
	// Commits is how many revisions of the source's store the standby is behind, as far as was heard. Commits to other
	// services of the store count.
	Commits int64
	// Seconds is the age of the oldest state that may be newer than the standby's; zero where nothing newer was heard of.
	Seconds float64
	// Bound is the time since a moment at which the standby, as is proven now, had all that was committed: more than this
	// cannot be lost.
	Bound    time.Duration
	Applied  tandem.Revision
	Newest   tandem.Revision // of the source's store, as far as was heard
	Attached bool            // the stream runs
}

// lagMeter measures on one machine, with its own monotonic clock and differences of the other's readings (law 11).
type lagMeter struct {
	clock tandem.Clock
	begin time.Time

	mu       sync.Mutex
	attached bool
	epoch    tandem.Epoch
	newest   tandem.Revision
	newestAt time.Time     // own clock
	newAge   time.Duration // source's clock at newest
	applied  tandem.Revision
	age      time.Duration // source's clock at applied
	proven   time.Duration // own clock: everything committed until then is applied
	known    bool
}

func newLagMeter(clock tandem.Clock) *lagMeter { return &lagMeter{clock: clock, begin: clock.Now()} }

// reading is the own clock, never zero.
func (m *lagMeter) reading() time.Duration { return m.clock.Now().Sub(m.begin) + 1 }

func (m *lagMeter) attach(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.attached = on; on { // readings of another run of the source do not compare
		m.newAge, m.age = 0, 0
	}
}

// heard notes what an entry tells of the source, before it is applied.
func (m *lagMeter) heard(e Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Epoch != m.epoch {
		m.epoch, m.newest, m.applied = e.Epoch, 0, 0
	}
	m.newest = max(m.newest, e.Newest)
	m.newestAt, m.newAge = m.clock.Now(), e.Age
}

// done notes that an entry is applied.
func (m *lagMeter) done(e Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied, m.age = max(m.applied, e.Revision), e.Age
	if e.Kind == EntryBeat && e.Mark > 0 {
		m.proven, m.known = max(m.proven, e.Mark), true
	}
}

func (m *lagMeter) lag() Lag {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := Lag{Known: m.known, Commits: max(0, int64(m.newest-m.applied)), Applied: m.applied, Newest: m.newest, Attached: m.attached}
	now := m.clock.Now()
	if l.Commits > 0 {
		l.Seconds = (max(0, m.newAge-m.age) + now.Sub(m.newestAt)).Seconds()
	}
	if m.known {
		l.Bound = now.Sub(m.begin) + 1 - m.proven
	}
	return l
}
