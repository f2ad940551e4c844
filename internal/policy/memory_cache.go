package policy

import (
	"bytes"
	"context"
	"time"

	"github.com/maypok86/otter/v2"

	"tandem"
)

// MemoryCache is a cache inside this process, bounded by the bytes it holds.
type MemoryCache struct {
	clock tandem.Clock
	c     *otter.Cache[string, cached]
}

type cached struct {
	value []byte
	until time.Time
}

// NewMemoryCache makes a cache of at most size bytes.
func NewMemoryCache(clock tandem.Clock, size int64) *MemoryCache {
	c := otter.Must(&otter.Options[string, cached]{
		MaximumWeight: uint64(max(size, 1)),
		Weigher: func(k string, v cached) uint32 {
			return uint32(min(len(k)+len(v.value)+64, 1<<30))
		},
	})
	return &MemoryCache{clock: clock, c: c}
}

// Get implements Cache.
func (m *MemoryCache) Get(_ context.Context, key string) ([]byte, bool, error) {
	v, ok := m.c.GetIfPresent(key)
	if !ok {
		return nil, false, nil
	}
	if !m.clock.Now().Before(v.until) {
		m.c.Invalidate(key)
		return nil, false, nil
	}
	return bytes.Clone(v.value), true, nil
}

// Set implements Cache.
func (m *MemoryCache) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	m.c.Set(key, cached{bytes.Clone(value), m.clock.Now().Add(ttl)})
	return nil
}

// Delete implements Cache.
func (m *MemoryCache) Delete(_ context.Context, key string) error {
	m.c.Invalidate(key)
	return nil
}
