package balance

import (
	"sync"
	"time"
)

// Member is one backend of a pool.
type Member struct {
	ID       string
	Priority int      // the lowest number is used first
	Weight   int      // share among the members of one priority; 0: one
	Breaker  *Breaker // nil: it has none
}

// Pool spreads requests over its members: those of the best priority that has a member whose breaker is not tripped, by
// weight. Its methods may be called from many goroutines.
type Pool struct {
	members []Member // sorted by priority
	mu      sync.Mutex
	credit  []int // of the smooth weighted turn: who waited longest for its share comes next
}

// NewPool makes a pool. Members are kept in their order within a priority.
func NewPool(members []Member) *Pool {
	p := &Pool{credit: make([]int, len(members))}
	for _, m := range members {
		m.Weight = max(m.Weight, 1)
		at := len(p.members)
		for at > 0 && p.members[at-1].Priority > m.Priority {
			at--
		}
		p.members = append(p.members, Member{})
		copy(p.members[at+1:], p.members[at:])
		p.members[at] = m
	}
	return p
}

// Pick chooses the member for a request; prefer is the member of the client's session, or "". Where every member is
// tripped, ok is false and wait tells when the first will be back.
func (p *Pool) Pick(now time.Time, prefer string) (id string, wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	best, total, first := -1, 0, true
	for i := range p.members {
		m := &p.members[i]
		if best >= 0 && m.Priority != p.members[best].Priority {
			break
		}
		if left, open := m.Breaker.Open(now); open {
			if first || left < wait {
				wait, first = left, false
			}
			continue
		}
		p.credit[i] += m.Weight
		total += m.Weight
		if best < 0 || p.credit[i] > p.credit[best] {
			best = i
		}
	}
	if best < 0 {
		return "", wait, false
	}
	if prefer != "" {
		if at, there := p.session(now, prefer); there {
			p.undo(now, p.members[best].Priority)
			return p.members[at].ID, 0, true
		}
	}
	p.credit[best] -= total
	return p.members[best].ID, 0, true
}

// session finds the member of a session; a tripped one is left for another.
func (p *Pool) session(now time.Time, id string) (int, bool) {
	for i := range p.members {
		if p.members[i].ID == id {
			_, open := p.members[i].Breaker.Open(now)
			return i, !open
		}
	}
	return 0, false
}

// undo takes back the credit of a turn that the session decided.
func (p *Pool) undo(now time.Time, priority int) {
	for i := range p.members {
		m := &p.members[i]
		if m.Priority != priority {
			continue
		}
		if _, open := m.Breaker.Open(now); !open {
			p.credit[i] -= m.Weight
		}
	}
}
