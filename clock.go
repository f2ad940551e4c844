package tandem

import (
	"context"
	"time"
)

// Clock tells time. It is the only way to time in Tandem, so that tests decide what time it is. Durations are measured
// with the monotonic reading that Now carries; no safety property compares the wall clocks of two machines (law 11).
type Clock interface {
	// Now is the current time, with a monotonic reading.
	Now() time.Time
	// After sends the time once, after d has passed.
	After(d time.Duration) <-chan time.Time
	// Sleep waits for d or until ctx is done, and then returns ctx's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the clock of the machine. Inside a testing/synctest bubble it is the bubble's clock.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// After implements Clock.
func (SystemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Sleep implements Clock.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
