package relay

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"tandem"
)

// link is one direction between two sites.
type link struct {
	clock   tandem.Clock
	deliver func(packet []byte) // may be called from two goroutines, never at once
	wake    chan struct{}       // something was put into an empty queue

	mu       sync.Mutex
	set      Settings
	random   *rand.Rand
	counters Counters
	queue    []flying
	waiting  int       // bytes in queue
	free     time.Time // when the wire has sent what came before
	last     time.Time // when the packet before is due
}

// flying is a packet under way.
type flying struct {
	packet []byte
	due    time.Time
}

func newLink(clock tandem.Clock, seed1, seed2 uint64, deliver func([]byte)) *link {
	return &link{clock: clock, deliver: deliver, wake: make(chan struct{}, 1), random: rand.New(rand.NewPCG(seed1, seed2))}
}

// send takes one packet, which it does not keep.
func (l *link) send(packet []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.set
	switch {
	case s.Cut:
		l.counters.Cut++
		return
	case s.Loss > 0 && l.random.Float64() < s.Loss:
		l.counters.Lost++
		return
	case l.waiting+len(packet) > s.queueBytes():
		l.counters.Overflowed++
		return
	case s.Delay == 0 && s.Jitter == 0 && s.Rate == 0 && len(l.queue) == 0:
		l.count(packet)
		l.deliver(packet)
		return
	}
	now := l.clock.Now()
	sent := now
	if s.Rate > 0 {
		if l.free.After(now) {
			sent = l.free
		}
		sent = sent.Add(time.Duration(int64(len(packet)) * 8 * int64(time.Second) / s.Rate))
		l.free = sent
	}
	due := sent.Add(s.Delay)
	if s.Jitter > 0 {
		due = due.Add(time.Duration(l.random.Int64N(int64(s.Jitter))))
	}
	if due.Before(l.last) { // packets of one link do not overtake each other
		due = l.last
	}
	l.last = due
	l.queue = append(l.queue, flying{append([]byte(nil), packet...), due})
	l.waiting += len(packet)
	if len(l.queue) == 1 {
		l.rouse()
	}
}

func (l *link) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *link) count(packet []byte) {
	l.counters.Packets++
	l.counters.Bytes += uint64(len(packet))
}

// run delivers what is due until ctx ends.
func (l *link) run(ctx context.Context) {
	for {
		wait, idle := l.due()
		if idle {
			select {
			case <-l.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		if l.clock.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// due delivers all that is due, and gives the time until the next packet is; idle: there is none.
func (l *link) due() (wait time.Duration, idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	n := 0
	for ; n < len(l.queue); n++ {
		f := l.queue[n]
		if f.due.After(now) {
			break
		}
		l.waiting -= len(f.packet)
		if l.set.Cut {
			l.counters.Cut++
			continue
		}
		l.count(f.packet)
		l.deliver(f.packet)
	}
	clear(l.queue[:n])
	l.queue = l.queue[n:]
	if len(l.queue) == 0 {
		l.queue = nil
		return 0, true
	}
	return l.queue[0].due.Sub(now), false
}

// change gives the link other settings. Packets under way keep their times; a cut loses them.
func (l *link) change(f func(*Settings)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.set
	f(&s)
	if err := s.check(); err != nil {
		return err
	}
	l.set = s
	if s.Cut {
		l.counters.Cut += uint64(len(l.queue))
		l.queue, l.waiting, l.last, l.free = nil, 0, time.Time{}, time.Time{}
	}
	return nil
}

func (l *link) settings() Settings {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.set
}

func (l *link) counted() Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counters
}
