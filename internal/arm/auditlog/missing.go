package auditlog

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

// Missing collects the nodes whose logs could not be read, for a caller that wants the others' all the same: in a disaster
// the log of what is left is worth more than an error.
type Missing struct {
	mu    sync.Mutex
	nodes []string
}

// Nodes are the names, each once.
func (m *Missing) Nodes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.nodes)
}

type missingKey struct{}

// WithMissing makes readers below Optional go on without what cannot be read, and tell m of it.
func WithMissing(ctx context.Context, m *Missing) context.Context {
	return context.WithValue(ctx, missingKey{}, m)
}

// Optional is a reader that ends quietly where it fails, if the caller is told through WithMissing; else it gives the error.
func Optional(node string, r Reader) Reader {
	return func(ctx context.Context, from, to time.Time) iter.Seq2[Entry, error] {
		return func(yield func(Entry, error) bool) {
			for e, err := range r(ctx, from, to) {
				m, told := ctx.Value(missingKey{}).(*Missing)
				if err != nil && told && ctx.Err() == nil {
					m.mu.Lock()
					if !slices.Contains(m.nodes, node) {
						m.nodes = append(m.nodes, node)
					}
					m.mu.Unlock()
					return
				}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}
