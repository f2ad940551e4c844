package node

import (
	"context"
	"slices"
	"strings"
	"sync"

	"tandem/internal/arm"
)

// activityKept is how many changes a node remembers.
const activityKept = 256

// activity remembers the newest management calls that could change something. It implements arm.Auditor.
type activity struct {
	mu   sync.Mutex
	ring []arm.AuditRecord
	next int // where the next one goes once the ring is full
}

var _ arm.Auditor = (*activity)(nil)

// Audit implements arm.Auditor. A POST whose action is to read changes nothing.
func (a *activity) Audit(_ context.Context, r arm.AuditRecord) {
	if !r.Write() || strings.HasSuffix(strings.ToLower(r.Action), "/read") {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ring) < activityKept {
		a.ring = append(a.ring, r)
		return
	}
	a.ring[a.next] = r
	a.next = (a.next + 1) % activityKept
}

// newest gives what is remembered, the newest first.
func (a *activity) newest() []arm.AuditRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	return newestFirst(slices.Clone(a.ring))
}

// newestFirst sorts by the clocks of the regions: for people's eyes alone (law 11).
func newestFirst(all []arm.AuditRecord) []arm.AuditRecord {
	slices.SortStableFunc(all, func(a, b arm.AuditRecord) int { return b.Time.Compare(a.Time) })
	return all[:min(len(all), activityKept)]
}
