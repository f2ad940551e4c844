package policy

import (
	"context"
	"math"
	"sync"
	"time"

	"tandem"
)

// MemoryVectors is a vector store inside this process, bounded by the number of entries of each partition and in all.
type MemoryVectors struct {
	clock tandem.Clock
	mu    sync.Mutex
	parts map[string][]vectorEntry
	count int
	limit int
}

type vectorEntry struct {
	vector []float32
	value  []byte
	until  time.Time
}

// NewMemoryVectors makes a store of at most limit entries.
func NewMemoryVectors(clock tandem.Clock, limit int) *MemoryVectors {
	return &MemoryVectors{clock: clock, parts: map[string][]vectorEntry{}, limit: max(limit, 1)}
}

// Nearest implements Vectors.
func (m *MemoryVectors) Nearest(_ context.Context, partition string, vector []float32, threshold float64) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, best := m.clock.Now(), threshold
	var value []byte
	for _, e := range m.parts[partition] {
		if d := distanceOf(e.vector, vector); d <= best && now.Before(e.until) {
			best, value = d, e.value
		}
	}
	return value, value != nil, nil
}

// Store implements Vectors.
func (m *MemoryVectors) Store(_ context.Context, partition string, vector []float32, value []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	if m.count >= m.limit {
		m.sweep(now)
	}
	m.parts[partition] = append(m.parts[partition], vectorEntry{vector, value, now.Add(ttl)})
	m.count++
	return nil
}

// sweep drops what is over, and then, if nothing was, the older half of every partition.
func (m *MemoryVectors) sweep(now time.Time) {
	for pass := range 2 {
		m.count = 0
		for name, list := range m.parts {
			kept := list[:0]
			for i, e := range list {
				if now.Before(e.until) && (pass == 0 || i >= (len(list)+1)/2) {
					kept = append(kept, e)
				}
			}
			if len(kept) == 0 {
				delete(m.parts, name)
				continue
			}
			m.parts[name] = kept
			m.count += len(kept)
		}
		if m.count < m.limit {
			return
		}
	}
}

// distanceOf is one minus the cosine of two vectors.
func distanceOf(a, b []float32) float64 {
	if len(a) != len(b) {
		return 2
	}
	var dot, x, y float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		x += float64(a[i]) * float64(a[i])
		y += float64(b[i]) * float64(b[i])
	}
	if x == 0 || y == 0 {
		return 2
	}
	return 1 - dot/math.Sqrt(x*y)
}
