package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"tandem/internal/arm"
	"tandem/internal/arm/auditlog"
)

// activityKept is how many changes a node remembers.
const activityKept = 256

// activity remembers the newest management calls that could change something. It implements arm.Auditor.
type activity struct {
	mu   sync.Mutex
	ring []arm.AuditRecord
	next int           // where the next one goes once the ring is full
	log  *auditlog.Log // keeps all of them on disk; set before calls are served
}

var _ arm.Auditor = (*activity)(nil)

// keepIn has a log keep what comes, and remembers its newest entries.
func (a *activity) keepIn(log *auditlog.Log) error {
	var known []arm.AuditRecord
	for e, err := range log.Entries(context.Background(), time.Time{}, time.Time{}) {
		if err != nil {
			return err
		}
		if known = append(known, e.Record()); len(known) == activityKept {
			break
		}
	}
	for _, r := range slices.Backward(known) {
		a.remember(r)
	}
	a.log = log
	return nil
}

// Audit implements arm.Auditor.
func (a *activity) Audit(ctx context.Context, r arm.AuditRecord) {
	if !auditlog.Keeps(r) {
		return
	}
	a.remember(r)
	if a.log != nil {
		a.log.Audit(ctx, r)
	}
}

func (a *activity) remember(r arm.AuditRecord) {
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
