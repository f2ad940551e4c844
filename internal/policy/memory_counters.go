package policy

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
)

// maxCounters bounds how many keys a process counts; beyond it the ones unused for longest go.
const maxCounters = 1 << 20

// MemoryCounters counts in this process. It implements Counters and Gates, and gives what it counted to be kept or to be
// counted on elsewhere: see Export, Import, Changed and Restore.
type MemoryCounters struct {
	clock  tandem.Clock
	shards [64]counterShard
	learnt learnt
	follow [2]atomic.Bool // whether changes are noted for each of the followers
}

type counterShard struct {
	mu      sync.Mutex
	keys    map[string]*counter
	open    map[string]int // gates
	changed [2][]*counter  // since each follower asked
}

// counter holds the count of the current period and of the one before it: a sliding window is estimated from both, so
// that a key costs the same however many calls it sees.
type counter struct {
	start   time.Time // of the current period
	current int64
	before  int64
	used    time.Time

	name   [sha256.Size]byte
	window Window // as it was asked for last
	noted  [2]bool
	seen   uint64 // how much of what was learnt it has taken up
}

// NewMemoryCounters makes counters for one process.
func NewMemoryCounters(clock tandem.Clock) *MemoryCounters {
	m := &MemoryCounters{clock: clock}
	for i := range m.shards {
		m.shards[i].keys, m.shards[i].open = map[string]*counter{}, map[string]int{}
	}
	return m
}

func (m *MemoryCounters) shard(key string) *counterShard {
	h := uint32(2166136261)
	for i := 0; i < len(key); i++ {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return &m.shards[h%uint32(len(m.shards))]
}

// Take implements Counters.
func (m *MemoryCounters) Take(key string, n int64, w Window, force bool) Count {
	now := m.clock.Now()
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.keys[key]
	if c == nil {
		if len(s.keys) >= maxCounters/len(m.shards) {
			s.evict(now)
		}
		c = &counter{start: firstStart(w, now), name: CounterKey(key)}
		s.keys[key] = c
	}
	c.used, c.window = now, w
	end := c.advance(w, now)
	if c.seen != m.learnt.epoch.Load() {
		m.learnt.tell(c, w, now)
		end = c.advance(w, now)
	}
	used := c.sum(w, now)
	ask := max(n, 1)
	allowed := used+ask <= w.Limit
	if n == 0 {
		allowed = used < w.Limit
	}
	if n != 0 && (allowed || force) {
		c.current += n
		used += n
		m.note(s, c)
	}
	out := Count{Allowed: allowed, Used: used, Remaining: max(0, w.Limit-used)}
	if !allowed {
		out.After = c.wait(w, now, end, ask)
	}
	return out
}

func firstStart(w Window, now time.Time) time.Time {
	switch {
	case w.Kind == Calendar:
		start, _ := calendar(w.Period, now)
		return start
	case w.Kind == Fixed && !w.Start.IsZero() && w.Period > 0:
		// Durations reach only 292 years, and Azure's periods begin in year 1: count in seconds.
		since := now.Unix() - w.Start.Unix()
		period := int64(w.Period / time.Second)
		if since < 0 || period == 0 {
			return now
		}
		return now.Add(-time.Duration(since%period)*time.Second - time.Duration(now.Nanosecond()))
	}
	return now
}

// advance moves the counter to the period that holds now, and gives that period's end.
func (c *counter) advance(w Window, now time.Time) time.Time {
	if w.Kind == Calendar {
		start, end := calendar(w.Period, now)
		if c.start.Before(start) {
			c.start, c.current, c.before = start, 0, 0
		}
		return end
	}
	if w.Period <= 0 {
		return time.Time{}
	}
	if passed := now.Sub(c.start) / w.Period; passed > 0 {
		c.before = c.current
		if passed > 1 || w.Kind == Fixed {
			c.before = 0
		}
		c.current = 0
		c.start = c.start.Add(passed * w.Period)
	}
	return c.start.Add(w.Period)
}

func (c *counter) sum(w Window, now time.Time) int64 {
	if w.Kind != Sliding || w.Period <= 0 {
		return c.current
	}
	left := w.Period - now.Sub(c.start)
	return c.current + int64(float64(c.before)*float64(left)/float64(w.Period))
}

// wait estimates when ask more would be allowed.
func (c *counter) wait(w Window, now, end time.Time, ask int64) time.Duration {
	if end.IsZero() {
		return 0
	}
	toEnd := end.Sub(now)
	if w.Kind != Sliding || c.current+ask > w.Limit || c.before == 0 {
		return toEnd
	}
	// The part of the earlier period fades linearly: find when it leaves room.
	room := float64(w.Limit - c.current - ask)
	left := time.Duration(room / float64(c.before) * float64(w.Period))
	return max(0, toEnd-left)
}

// evict drops the counters that were unused for longest: a sixteenth of the shard at least.
func (s *counterShard) evict(now time.Time) {
	for age := 64 * time.Minute; ; age /= 4 {
		before := len(s.keys)
		for k, c := range s.keys {
			if now.Sub(c.used) >= age {
				delete(s.keys, k)
			}
		}
		if len(s.keys) <= before-before/16 || age < time.Second {
			return
		}
	}
}

// calendar gives the period of the calendar, in UTC, that holds now; period names it by its shortest length.
func calendar(period time.Duration, now time.Time) (start, end time.Time) {
	now = now.UTC()
	y, m, d := now.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	switch {
	case period <= time.Hour:
		start = now.Truncate(time.Hour)
		return start, start.Add(time.Hour)
	case period <= 24*time.Hour:
		return day, day.AddDate(0, 0, 1)
	case period <= 7*24*time.Hour:
		start = day.AddDate(0, 0, -int(day.Weekday()))
		return start, start.AddDate(0, 0, 7)
	case period <= 31*24*time.Hour:
		start = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
		return start, start.AddDate(0, 1, 0)
	}
	start = time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
	return start, start.AddDate(1, 0, 0)
}

// Enter implements Gates.
func (m *MemoryCounters) Enter(key string, limit int) (func(), bool) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] >= limit {
		return nil, false
	}
	s.open[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[key]--; s.open[key] <= 0 {
			delete(s.open, key)
		}
	}, true
}
