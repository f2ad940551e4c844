package rehearsal

import (
	"context"
	"strconv"
	"sync"
	"time"
)

// writer changes the named value every 100 ms and remembers when each change was acknowledged.
type writer struct {
	w     *World
	mu    sync.Mutex
	acked map[int]time.Time
	last  int
}

// writeEvery is the pause between changes.
const writeEvery = 100 * time.Millisecond

func (w *World) newWriter() *writer { return &writer{w: w, acked: map[int]time.Time{}} }

// run writes to a service until ctx ends. A change that is refused, as while a restore runs, is not counted.
func (wr *writer) run(ctx context.Context, service string) {
	for ctx.Err() == nil {
		began := wr.w.clock.Now()
		wr.write(ctx, service)
		if rest := writeEvery - wr.w.clock.Now().Sub(began); rest > 0 {
			_ = wr.w.clock.Sleep(ctx, rest) // ended by ctx, which the loop looks at
		}
	}
}

// write makes one change and tells whether it was acknowledged.
func (wr *writer) write(ctx context.Context, service string) error {
	wr.mu.Lock()
	wr.last++
	n := wr.last
	wr.mu.Unlock()
	err := put(ctx, wr.w.clients.operator, wr.w.service(service)+"/namedValues/"+sequenceValue, map[string]any{"properties": map[string]any{"displayName": sequenceValue, "value": strconv.Itoa(n)}})
	if err == nil {
		wr.mu.Lock()
		wr.acked[n] = wr.w.clock.Now()
		wr.mu.Unlock()
	}
	return err
}

// newest is the last change that was acknowledged, and when.
func (wr *writer) newest() (n int, at time.Time) {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	for k, t := range wr.acked {
		if k > n {
			n, at = k, t
		}
	}
	return n, at
}

// ackedAt tells when a change was acknowledged.
func (wr *writer) ackedAt(n int) (time.Time, bool) {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	t, ok := wr.acked[n]
	return t, ok
}
