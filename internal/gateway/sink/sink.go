// Package sink sends what a gateway tells of its requests to where it is kept: Application Insights, an event hub. Requests
// never wait for it: events are queued, sent in batches, and dropped, counted, where nobody takes them in time.
package sink

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
)

// Event is one event as it goes over the wire, with where it belongs.
type Event struct {
	Body                      []byte
	PartitionKey, PartitionID string // of an event hub; empty: any
}

// Sender sends a batch. It is called by one goroutine at a time.
type Sender interface {
	Send(ctx context.Context, batch []Event) error
}

// Bounds of what waits, and of a batch.
const (
	mostWaiting      = 10_000
	mostWaitingBytes = 16 << 20
	batchBytes       = 200 << 10
	batchEvents      = 500
	tries            = 3
)

// Sink is a queue with its sender. It has a goroutine while there is something to send.
type Sink struct {
	sender Sender
	clock  tandem.Clock
	every  time.Duration
	failed func(error)
	wg     *sync.WaitGroup
	ctx    context.Context

	Sent, Dropped atomic.Int64

	mu    sync.Mutex
	queue []Event
	bytes int
	busy  bool
}

// Group owns the goroutines of sinks.
type Group struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	clock  tandem.Clock
}

// NewGroup makes a group.
func NewGroup(clock tandem.Clock) *Group {
	g := &Group{clock: clock}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// Close sends what waits, for a few seconds at most, and ends all goroutines.
func (g *Group) Close() {
	g.cancel()
	g.wg.Wait()
}

// New makes a sink that sends after every so long. failed, which may be nil, is told of batches that nobody took.
func (g *Group) New(s Sender, every time.Duration, failed func(error)) *Sink {
	if failed == nil {
		failed = func(error) {}
	}
	return &Sink{sender: s, clock: g.clock, every: every, failed: failed, wg: &g.wg, ctx: g.ctx}
}

// Add queues an event; it never waits.
func (s *Sink) Add(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= mostWaiting || s.bytes+len(e.Body) > mostWaitingBytes || s.ctx.Err() != nil {
		s.Dropped.Add(1)
		return
	}
	s.queue = append(s.queue, e)
	s.bytes += len(e.Body)
	if !s.busy {
		s.busy = true
		s.wg.Go(s.work)
	}
}

// take gives the next batch; nil ends the work.
func (s *Sink) take() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.queue) && n < batchEvents && (n == 0 || size+len(s.queue[n].Body) <= batchBytes) {
		size += len(s.queue[n].Body)
		n++
	}
	if n == 0 {
		s.busy, s.queue = false, nil
		return nil
	}
	batch := s.queue[:n:n]
	s.queue = s.queue[n:]
	s.bytes -= size
	return batch
}

func (s *Sink) work() {
	_ = s.clock.Sleep(s.ctx, s.every) // its end is no reason to lose what waits
	for {
		batch := s.take()
		if batch == nil {
			return
		}
		if err := s.send(batch); err != nil {
			s.Dropped.Add(int64(len(batch)))
			s.failed(err)
			continue
		}
		s.Sent.Add(int64(len(batch)))
	}
}

// lastTry is how long a batch may take once the gateway stops.
const lastTry = 2 * time.Second

func (s *Sink) send(batch []Event) (err error) {
	wait := time.Second
	for range tries {
		ctx, cancel := s.ctx, context.CancelFunc(func() {})
		if ctx.Err() != nil {
			ctx, cancel = context.WithTimeout(context.Background(), lastTry)
		}
		err = s.sender.Send(ctx, batch)
		cancel()
		if err == nil || s.clock.Sleep(s.ctx, wait) != nil {
			return err
		}
		wait *= 4
	}
	return err
}
