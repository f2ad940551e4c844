package etcd

import (
	"context"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"
)

// Leading says whether this process leads now: of embedded members the one that raft elected, a single member always, and of
// those that share an etcd outside the one whose Campaign holds. It is a hint: another may lead already while this one does
// not know yet. What must happen once is guarded by a condition of its commit.
func (s *Store) Leading() bool {
	if s.engine == nil {
		return s.elected.Load() && s.life.Err() == nil
	}
	if s.life.Err() != nil {
		return false
	}
	server := s.engine.etcd.Server
	return server.Leader() == server.MemberID()
}

// HasLeader says whether the cluster has a leader as far as this process knows: without one nothing can be written.
func (s *Store) HasLeader() bool {
	return s.life.Err() == nil && (s.engine == nil || s.engine.etcd.Server.Lead() != 0)
}

// lookEvery is how often Await looks: etcd tells of a new leader, but not of the loss of one.
const lookEvery = 100 * time.Millisecond

// Await waits until Leading is as given; it returns an error when ctx ends or the store closes.
func (s *Store) Await(ctx context.Context, leading bool) error {
	for {
		var changed <-chan struct{}
		if s.engine != nil {
			changed = s.engine.etcd.Server.LeaderChangedNotify()
		}
		if s.Leading() == leading {
			return nil
		}
		select {
		case <-changed:
		case <-s.clock.After(lookEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.life.Done():
			if leading {
				return context.Cause(s.life)
			}
			return nil
		}
	}
}

// campaignTTL is how long, in seconds, the leadership of a process that died stands, in an etcd outside.
const campaignTTL = 5

// Campaign stands for the leadership among the processes that share an etcd outside, until ctx ends or the store closes.
// Embedded members need none. It returns when it is over, and has given the leadership back.
func (s *Store) Campaign(ctx context.Context, name string) {
	if s.engine != nil {
		return
	}
	ctx, done, err := s.begin(ctx, "campaign", name)
	defer done()
	if err != nil {
		return
	}
	for ctx.Err() == nil {
		s.campaignOnce(ctx, name)
		_ = s.clock.Sleep(ctx, rewatchPause) // its end is the loop's
	}
}

func (s *Store) campaignOnce(ctx context.Context, name string) {
	session, err := concurrency.NewSession(s.client, concurrency.WithTTL(campaignTTL), concurrency.WithContext(ctx))
	if err != nil {
		return
	}
	defer session.Close() //nolint:errcheck // the lease ends by itself
	election := concurrency.NewElection(session, s.prefix+"leader")
	if election.Campaign(ctx, name) != nil {
		return
	}
	s.elected.Store(true)
	defer s.elected.Store(false)
	select {
	case <-session.Done():
	case <-ctx.Done():
	}
}
