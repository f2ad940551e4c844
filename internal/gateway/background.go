package gateway

import (
	"context"
	"sync"
)

// mostBackground is how many pieces of work run at once that no request waits for; what comes beyond is done by its request.
const mostBackground = 256

// background runs work that no request waits for, until the gateway is closed.
type background struct {
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{}
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func (b *background) start() {
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.slots = make(chan struct{}, mostBackground)
}

// run implements policy.Host's Go.
func (b *background) run(work func(context.Context)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	select {
	case b.slots <- struct{}{}:
	default:
		b.mu.Unlock()
		work(b.ctx)
		b.mu.Lock()
		return
	}
	b.wg.Go(func() {
		defer func() { <-b.slots }()
		work(b.ctx)
	})
}

func (b *background) stop() {
	if b.cancel == nil {
		return
	}
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.wg.Wait()
}
