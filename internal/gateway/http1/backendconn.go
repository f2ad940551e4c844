package http1

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"time"
)

// backendConn is one connection to a backend; the goroutine of the call that has it reads and writes it directly.
type backendConn struct {
	pool      *Pool
	nc        net.Conn
	in        input // its buffer is borrowed while a call has the connection
	reads     phase
	writes    phase
	reused    bool
	spoiled   bool // a deadline has been set: no other call can use it
	idleSince int64
}

// secure does TLS where the backend wants it.
func (p *Pool) secure(ctx context.Context, nc net.Conn) (*backendConn, error) {
	b := &backendConn{pool: p, nc: nc}
	if p.settings.TLS == nil {
		return b, nil
	}
	tc := tls.Client(nc, p.settings.TLS)
	b.nc = tc
	if d := p.settings.Timeouts.Handshake; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	return b, tc.HandshakeContext(ctx)
}

// check implements watched.
func (b *backendConn) check(now int64) {
	switch kind, word := b.reads.due(now); kind {
	case phaseNone, phaseExpired:
	case phaseIdle:
		if b.reads.become(word, phaseExpired) {
			b.pool.client.wg.Go(func() { b.pool.reap(b) }) // it takes the warden's lock
		}
	default:
		if b.reads.become(word, phaseExpired) {
			b.nc.SetDeadline(past)
		}
	}
	if kind, word := b.writes.due(now); kind == phaseWrite && b.writes.become(word, phaseExpired) {
		b.nc.SetDeadline(past)
	}
}

// read reads once within d.
func (b *backendConn) read(p []byte, kind uint64, d time.Duration) (int, error) {
	b.reads.enter(b.pool.client.warden, kind, d)
	n, err := b.nc.Read(p)
	if b.leaveRead() && n == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return n, err
}

// leaveRead ends a phase of reading; it tells whether that took too long.
func (b *backendConn) leaveRead() bool {
	if b.reads.leave() != phaseExpired {
		return false
	}
	b.spoiled = true
	return true
}

// write writes p in slices, each within the backend's time to take it.
func (b *backendConn) write(p []byte) error {
	for len(p) > 0 {
		part := p[:min(len(p), writeSlice)]
		b.writes.enter(b.pool.client.warden, phaseWrite, b.pool.settings.Timeouts.Write)
		_, err := b.nc.Write(part)
		if b.writes.leave() == phaseExpired {
			return os.ErrDeadlineExceeded
		}
		if err != nil {
			return err
		}
		p = p[len(part):]
	}
	return nil
}

// alive looks, without waiting, whether the backend has closed an idle connection or said something out of turn.
func (b *backendConn) alive() bool {
	tc, secure := b.nc.(*tls.Conn)
	nc := b.nc
	if secure {
		nc = tc.NetConn()
	}
	state := peek(nc)
	return state == peekNothing || secure && state == peekData // TLS sends session tickets at its own time
}
