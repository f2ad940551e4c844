package remote

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem"
	"tandem/internal/policy"
)

// Server is a Redis-compatible server as one service uses it. It connects when it is first used.
type Server struct {
	Connection string // what it was opened with; a secret

	client redis.UniversalClient
	clock  tandem.Clock
	prefix string // of all keys
	local  policy.Counters
	down   atomic.Int64 // until when it is not asked, since it failed, in nanoseconds since 1970
	failed atomic.Int64
}

// pause is how long a server that failed is not asked.
const pause = time.Second

// Open prepares the use of the server that a connection string names. service is part of all keys. local counts while the
// server does not answer.
func Open(connection, service string, clock tandem.Clock, local policy.Counters) (*Server, error) {
	o, err := ParseConnection(connection)
	if err != nil {
		return nil, err
	}
	// A cluster's slot is chosen by what is in braces, so that a key is always where its scripts look.
	return &Server{Connection: connection, client: redis.NewUniversalClient(o), clock: clock, prefix: "tandem:" + service + ":", local: local}, nil
}

// Close ends the connections.
func (s *Server) Close() error { return s.client.Close() }

// Failures is how often the server could not be asked.
func (s *Server) Failures() int64 { return s.failed.Load() }

var errDown = errors.New("the external cache does not answer")

// asked runs one call, unless the server has just failed.
func (s *Server) asked(call func() error) error {
	now := s.clock.Now()
	if now.UnixNano() < s.down.Load() {
		return errDown
	}
	err := call()
	if err == nil || errors.Is(err, redis.Nil) || errors.Is(err, context.Canceled) {
		return err
	}
	s.failed.Add(1)
	s.down.Store(now.Add(pause).UnixNano())
	return err
}

// Get implements policy.Cache.
func (s *Server) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	err = s.asked(func() error {
		value, err = s.client.Get(ctx, s.prefix+"c:"+key).Bytes()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	return value, err == nil, err
}

// Set implements policy.Cache.
func (s *Server) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl < time.Millisecond {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	return s.asked(func() error { return s.client.Set(ctx, s.prefix+"c:"+key, value, ttl).Err() })
}

// Delete implements policy.Cache.
func (s *Server) Delete(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	return s.asked(func() error { return s.client.Del(ctx, s.prefix+"c:"+key).Err() })
}
