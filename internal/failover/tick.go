package failover

import "strconv"

// Tick is a reading of one machine's monotonic clock, or a length of time on it, in milliseconds. The clock runs through
// suspension (CLOCK_BOOTTIME). Ticks of two machines never compare (law 11).
type Tick int64

// Stamp is a Tick with the clock it was read from. Boot counts the starts of that process, ever growing, kept on its disk:
// stamps of two boots have an order but no distance.
type Stamp struct {
	Boot uint64 // 0: no stamp
	At   Tick
}

func (s Stamp) before(t Stamp) bool { return s.Boot < t.Boot || s.Boot == t.Boot && s.At < t.At }

// String writes boot@tick.
func (s Stamp) String() string {
	if s.Boot == 0 {
		return "-"
	}
	return strconv.FormatUint(s.Boot, 10) + "@" + strconv.FormatInt(int64(s.At), 10)
}

// Bound is the most that may be lost, in time. The zero Bound is not known, which is worse than any number.
type Bound struct {
	Known bool
	Most  Tick
}

// Covers is whether someone who accepted b has accepted c.
func (b Bound) Covers(c Bound) bool { return !b.Known || c.Known && c.Most <= b.Most }

// String writes the bound in milliseconds, or "unknown".
func (b Bound) String() string {
	if !b.Known {
		return "unknown"
	}
	return strconv.FormatInt(int64(b.Most), 10) + "ms"
}

func worse(a, b Bound) Bound {
	if a.Covers(b) {
		return a
	}
	return b
}
