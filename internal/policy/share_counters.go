package policy

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"
)

// Counter is one key's count in its period, as it travels to another gateway. How far the period has run is a duration, so
// that the clocks of the two sides need not agree.
type Counter struct {
	Key     [sha256.Size]byte // CounterKey: nobody learns whom it counts
	Current int64             // in the period that runs
	Before  int64             // in the one before, of a sliding window
	Elapsed time.Duration     // since the period began
}

// CounterKey hashes the key of a counter.
func CounterKey(key string) [sha256.Size]byte { return sha256.Sum256([]byte(key)) }

// KeptCounter is one quota's count as it is kept over a restart of this gateway.
type KeptCounter struct {
	Key     [sha256.Size]byte
	Current int64
	Start   time.Time // of the period
	End     time.Time // of the period; zero: never
}

// Those who follow changes.
const (
	followExport = iota
	followKeep
)

// note remembers a change for those who follow.
func (m *MemoryCounters) note(s *counterShard, c *counter) {
	for f := range m.follow {
		if !c.noted[f] && m.follow[f].Load() && (f == followExport || c.window.Kind != Sliding) {
			c.noted[f] = true
			s.changed[f] = append(s.changed[f], c)
		}
	}
}

// changes visits what changed since the last call, at most so many; the first call visits all there is.
func (m *MemoryCounters) changes(f, most int, visit func(*counter)) {
	first := !m.follow[f].Swap(true)
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		if first {
			for _, c := range s.keys {
				m.note(s, c)
			}
		}
		n := min(most, len(s.changed[f]))
		for _, c := range s.changed[f][:n] {
			c.noted[f] = false
			visit(c)
		}
		if s.changed[f] = append(s.changed[f][:0], s.changed[f][n:]...); cap(s.changed[f]) > 1024 && len(s.changed[f]) == 0 {
			s.changed[f] = nil
		}
		most -= n
		s.mu.Unlock()
	}
}

// Export gives the counters that changed since the last Export, at most so many; what is left comes with the next one.
func (m *MemoryCounters) Export(most int) (out []Counter) {
	now := m.clock.Now()
	m.changes(followExport, most, func(c *counter) {
		out = append(out, Counter{Key: c.name, Current: c.current, Before: c.before, Elapsed: max(0, now.Sub(c.start))})
	})
	return out
}

// Import takes what another gateway counted: a count never falls below what is known here in the same period, so that what
// comes twice or late is counted once.
func (m *MemoryCounters) Import(all []Counter) {
	now := m.clock.Now()
	told := make([]told, 0, len(all))
	for _, c := range all {
		told = append(told, toldOf(c.Key, now.Add(-c.Elapsed), c.Current, c.Before))
	}
	m.learnt.add(told)
}

// Changed gives the quotas, those of fixed periods and of the calendar, that changed since the last call.
func (m *MemoryCounters) Changed() (out []KeptCounter) {
	m.changes(followKeep, maxCounters, func(c *counter) {
		k := KeptCounter{Key: c.name, Current: c.current, Start: c.start}
		switch w := c.window; {
		case w.Kind == Calendar:
			_, k.End = calendar(w.Period, c.start)
		case w.Period > 0:
			k.End = c.start.Add(w.Period)
		}
		out = append(out, k)
	})
	return out
}

// Restore takes up quotas that were kept.
func (m *MemoryCounters) Restore(kept []KeptCounter) {
	all := make([]told, 0, len(kept))
	for _, k := range kept {
		all = append(all, toldOf(k.Key, k.Start, k.Current, 0))
	}
	m.learnt.add(all)
}

// learnt is what was counted elsewhere or before, by hashed key: which key it is shows when the key is used here.
type learnt struct {
	epoch atomic.Uint64 // grows with each addition
	mu    sync.Mutex
	by    map[[sha256.Size]byte]*told
}

type told struct {
	key [sha256.Size]byte
	period
	earlier period // what was known when news of a later period came: that may be a late message of the same period
}

type period struct {
	start           time.Time
	current, before int64
}

func toldOf(key [sha256.Size]byte, start time.Time, current, before int64) told {
	return told{key: key, period: period{start, max(0, current), max(0, before)}}
}

// lateMost is how late a message may be without making a count fall.
const lateMost = time.Minute

// slack is how much the beginnings of one period may differ by the time that a message takes.
const slack = 500 * time.Millisecond

func (l *learnt) add(all []told) {
	if len(all) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[[sha256.Size]byte]*told{}
	}
	for _, t := range all {
		old := l.by[t.key]
		switch {
		case old == nil:
			if len(l.by) >= maxCounters { // any of them makes room: which is used next is not known
				for key := range l.by {
					delete(l.by, key)
					break
				}
			}
			l.by[t.key] = &t
		case t.start.Sub(old.start) > slack:
			if old.current >= old.earlier.current || old.start.Sub(old.earlier.start) > lateMost {
				old.earlier = old.period
			}
			old.period = t.period
		case old.start.Sub(t.start) > slack:
		default:
			if t.start.Before(old.start) {
				old.start = t.start
			}
			old.current, old.before = max(old.current, t.current), max(old.before, t.before)
		}
	}
	l.epoch.Add(1)
}

// tell gives a counter that is used what was learnt of it, where that is more than it knows itself.
func (l *learnt) tell(c *counter, w Window, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.seen = l.epoch.Load()
	t := l.by[c.name]
	if t == nil {
		return
	}
	for _, p := range []period{t.period, t.earlier} {
		if p.start.IsZero() {
			continue
		}
		other := counter{start: p.start, current: p.current, before: p.before}
		if w.Kind == Calendar || w.Kind == Fixed && !w.Start.IsZero() {
			// These periods begin where the clock says: the beginning that is nearest is meant.
			other.start = firstStart(w, p.start.Add(w.Period/2))
		}
		if other.start.After(now) {
			other.start = now
		}
		other.advance(w, now)
		if known := c.sum(w, now); other.sum(w, now) > known || known == 0 && other.start.Before(c.start) { // its period began earlier
			c.start, c.current, c.before = other.start, other.current, other.before
		}
	}
}

// CalendarPeriod gives the period of the calendar, in UTC, that holds now; period names it by its shortest length.
func CalendarPeriod(period time.Duration, now time.Time) (start, end time.Time) {
	return calendar(period, now)
}
