// Package etcd is the store on etcd: embedded in this process (Open), one of several embedded members (OpenMember), or a
// cluster that others run (Connect). All are the same Store; what holds for one holds for the others, and all pass the suite
// of package storetest.
package etcd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"

	"tandem"
	"tandem/internal/store"
)

// Store is a store.Store on etcd.
type Store struct {
	client *clientv3.Client
	prefix string // before every key, in an etcd that is shared; else empty
	clock  tandem.Clock
	engine *engine // nil for an etcd outside

	life   context.Context // ends when the store closes or its engine fails; its cause is the error that calls get
	end    context.CancelCauseFunc
	once   sync.Once
	closed error
	work   sync.WaitGroup // what a member of a cluster runs; it ends with life

	elected atomic.Bool // by Campaign
}

var _ store.Store = (*Store)(nil)

func newStore(client *clientv3.Client, prefix string, clock tandem.Clock) *Store {
	s := &Store{client: client, prefix: prefix, clock: clock}
	s.life, s.end = context.WithCancelCause(context.Background())
	return s
}

// Close ends all calls with kind Closed and stops the engine, if it is embedded. It may be called more than once.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.end(&tandem.Error{Op: "use store", Kind: tandem.Closed, Remedy: "open it again"})
		s.work.Wait()
		if err := s.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
			s.closed = &tandem.Error{Op: "close client of etcd", Kind: tandem.Unavailable, Err: err}
		}
		if s.engine != nil {
			s.closed = errors.Join(s.closed, s.engine.close())
		}
	})
	return s.closed
}

// begin joins the caller's context with the store's life, so that Close ends the call; it fails where either has ended,
// since etcd may not look. The caller calls the function it returns in any case.
func (s *Store) begin(ctx context.Context, op, subject string) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	done := func() { stop(); cancel(nil) }
	if s.life.Err() != nil || ctx.Err() != nil {
		return ctx, done, s.failed(ctx, op, subject, nil)
	}
	return ctx, done, nil
}
