package relay

import (
	"fmt"
	"time"
)

// Settings is what one direction of a link does to packets. The zero value hands them on at once.
type Settings struct {
	// Delay is how long every packet takes. Jitter is added on top, evenly spread over [0, Jitter); packets keep their order.
	Delay, Jitter time.Duration
	// Loss is the share of packets that are lost, each by itself: 0 to 1.
	Loss float64
	// Rate is in bits per second of IP packets; 0: no limit.
	Rate int64
	// Queue is how many bytes wait for Rate at most, what comes on top is dropped; 0: 200 ms of Rate, at least 64 KiB.
	Queue int
	// Cut drops everything, also what is under way. The sender is told nothing.
	Cut bool
}

func (s Settings) check() error {
	switch {
	case s.Delay < 0 || s.Jitter < 0:
		return fmt.Errorf("delay %s and jitter %s: times are not negative", s.Delay, s.Jitter)
	case s.Loss < 0 || s.Loss > 1:
		return fmt.Errorf("loss %g is not between 0 and 1", s.Loss)
	case s.Rate < 0 || s.Queue < 0:
		return fmt.Errorf("rate %d and queue %d are not negative", s.Rate, s.Queue)
	}
	return nil
}

// queueBytes is how much may wait. Without a rate it bounds what is under way, far above what a test sends.
func (s Settings) queueBytes() int {
	switch {
	case s.Queue > 0:
		return s.Queue
	case s.Rate > 0:
		return max(int(s.Rate/8/5), 64<<10)
	}
	return 256 << 20
}

// Counters tells what became of the packets of one direction of a link.
type Counters struct {
	Packets, Bytes uint64 // delivered
	Lost           uint64 // by chance
	Cut            uint64 // while the link was cut
	Overflowed     uint64 // for which the queue had no room
}
