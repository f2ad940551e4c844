package tandem

import "time"

// BootClock is a clock that also reads a monotonic time which runs on while the machine is suspended. Leases are timed by
// it: a holder that slept must find its right over (law 4).
type BootClock interface {
	Clock
	// Boottime is the time since some fixed moment, the same until the machine restarts. It never goes back.
	Boottime() time.Duration
}

// Boottime reads the clock's Boottime. A clock without one is read by Now, whose monotonic part stands still during a
// suspension: good for tests, whose machine does not sleep.
func Boottime(c Clock) time.Duration {
	if b, ok := c.(BootClock); ok {
		return b.Boottime()
	}
	return c.Now().Sub(time.Unix(0, 0))
}
