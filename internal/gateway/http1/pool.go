package http1

import (
	"context"
	"errors"
	"slices"

	"tandem"
)

var errBusy error = &tandem.Error{Op: "wait for connection", Kind: tandem.Unavailable,
	Remedy: "all connections to the backend are in use"}

// take gives a connection: an idle one, or a new one. fresh asks for a new one, after an idle one proved stale.
func (p *Pool) take(ctx context.Context, fresh bool) (b *backendConn, err error) {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 || fresh {
			break
		}
		b = p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		since := b.idleSince
		if b.reads.leave() == phaseIdle && (p.client.warden.now.Load()-since < int64(wardenPeriod) || b.alive()) {
			b.reused = true
			return b, nil
		}
		p.drop(b)
	}
	if most := p.settings.MaxConns; most > 0 && p.open >= most {
		if b, err = p.wait(ctx); b != nil || err != nil {
			return b, err
		}
	} else {
		p.open++
		p.mu.Unlock()
	}
	b, err = p.connect(ctx)
	if err != nil {
		p.forget()
		return nil, err
	}
	return b, nil
}

// wait is called with the lock held, and gives it back. A nil connection is leave to make one.
func (p *Pool) wait(ctx context.Context) (*backendConn, error) {
	turn := make(chan *backendConn, 1)
	p.waiters = append(p.waiters, turn)
	p.mu.Unlock()
	var err error
	select {
	case b := <-turn:
		if b != nil {
			b.reads.leave()
			b.reused = true
		}
		return b, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-p.client.clock.After(p.settings.Timeouts.Dial):
		err = &Failure{Reason: ReasonBusy, Backend: p.settings.Address, Err: errBusy}
	}
	p.mu.Lock()
	if at := slices.Index(p.waiters, turn); at >= 0 {
		p.waiters = slices.Delete(p.waiters, at, at+1)
		p.mu.Unlock()
		return nil, err
	}
	p.mu.Unlock()
	if b := <-turn; b != nil { // it came too late: pass it on
		p.put(b)
	} else {
		p.forget()
	}
	return nil, err
}

// put gives back a connection that can carry another request.
func (p *Pool) put(b *backendConn) {
	w := p.client.warden
	b.idleSince = w.now.Load()
	p.mu.Lock()
	switch {
	case len(p.waiters) > 0:
		turn := p.waiters[0]
		p.waiters = p.waiters[1:]
		p.mu.Unlock()
		turn <- b
		return
	case p.closed || len(p.idle) >= p.settings.MaxIdle:
		p.mu.Unlock()
		p.drop(b)
		return
	}
	b.reads.enter(w, phaseIdle, p.settings.Timeouts.Idle)
	p.idle = append(p.idle, b)
	p.mu.Unlock()
}

// reap takes a connection out of the idle ones that the warden found unused for too long.
func (p *Pool) reap(b *backendConn) {
	p.mu.Lock()
	at := slices.Index(p.idle, b)
	if at >= 0 {
		p.idle = slices.Delete(p.idle, at, at+1)
	}
	p.mu.Unlock()
	if at >= 0 {
		p.drop(b)
	}
}

// drop closes a connection for good.
func (p *Pool) drop(b *backendConn) {
	p.client.warden.remove(b)
	b.nc.Close()
	p.forget()
}

// forget gives a closed connection's place to who waits for it.
func (p *Pool) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) > 0 {
		turn := p.waiters[0]
		p.waiters = p.waiters[1:]
		turn <- nil
		return
	}
	p.open--
}

// connect makes a connection.
func (p *Pool) connect(ctx context.Context) (*backendConn, error) {
	s := &p.settings
	dialCtx, cancel := ctx, context.CancelFunc(func() {})
	if s.Timeouts.Dial > 0 {
		dialCtx, cancel = context.WithTimeout(ctx, s.Timeouts.Dial)
	}
	defer cancel()
	nc, err := s.Dial(dialCtx, "tcp", s.Address)
	if err == nil {
		var b *backendConn
		if b, err = p.secure(ctx, nc); err == nil {
			p.client.warden.add(b)
			return b, nil
		}
		nc.Close()
	}
	f := p.failure(err)
	switch {
	case ctx.Err() != nil:
		f = &Failure{Reason: ReasonClient, Backend: s.Address, Err: context.Cause(ctx)}
	case f.Reason != ReasonTimeout && !errors.Is(err, context.Canceled):
		f = &Failure{Reason: ReasonConnect, Backend: s.Address, Err: err}
	}
	return nil, f
}
