package agent

import (
	"context"
	"net/http"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/failover"
	"tandem/internal/recovery"
)

// defaultRenew is how often the right is asked for where the membership says nothing.
const defaultRenew = failover.Tick(1000)

// renew asks for the right again and again until ctx ends.
func (m *member) renew(ctx context.Context, now recovery.Membership) {
	every := now.Renew
	if every <= 0 {
		every = defaultRenew
	}
	for ctx.Err() == nil {
		asked := m.a.tick()
		m.ask(ctx, now, duration(max(every, now.Lease/2)))
		// The next question goes out one period after this one did, however long the answer took.
		rest := max(duration(every)/4, duration(every-(m.a.tick()-asked)))
		_ = m.a.Clock.Sleep(ctx, rest) // ended by ctx, which the loop looks at
	}
}

// ask sends one question and takes its answer. Nothing waits for an answer longer than it is of use.
func (m *member) ask(ctx context.Context, now recovery.Membership, patience time.Duration) {
	m.mu.Lock()
	var r failover.Renewal
	m.lease, r = m.lease.Ask(now.Epoch, m.a.tick())
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	g, err := m.a.Control.Renew(ctx, now.Group, now.Index, r)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.trouble = err.Error()
		return
	}
	m.trouble = ""
	m.lease = m.lease.Granted(g, m.a.tick())
}

// acknowledged is told by the stream's server how far a follower is.
func (a *Agent) acknowledged(service, follower string, age time.Duration) {
	m := a.member(service)
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if keyOf(m.now.Peer) == keyOf(follower) {
		m.lease = m.lease.Confirmed(failover.Stamp{Boot: a.boot, At: tickOf(age)})
	}
}

// MayWrite tells whether a management write to the service may begin: nil for a service of no group and for the holder of a
// right that is good now. The error is what a client is to see.
func (a *Agent) MayWrite(service string) error {
	m := a.member(service)
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mayWrite()
}

// MayAcknowledge is MayWrite for after the commit: without the right the write stays as an orphan and is not acknowledged.
func (a *Agent) MayAcknowledge(service string) error {
	m := a.member(service)
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mayAcknowledge()
}

func (m *member) mayWrite() error {
	switch {
	case m.now.Left:
		return nil
	case !holds(m.now):
		return arm.Errorf(http.StatusConflict, "NotPrimary", "The API Service %s is the standby of the recovery group %s and takes no changes. Send them to %s, or promote this service by a switchover.",
			m.id.Name(), m.now.Group, m.now.Peer)
	case m.draining > 0:
		return again(arm.Errorf(http.StatusServiceUnavailable, "SwitchoverInProgress", "The API Service %s hands its role over to %s. Please try again after '1' seconds.", m.id.Name(), m.now.Peer))
	}
	return m.mayAcknowledge()
}

func (m *member) mayAcknowledge() error {
	if m.now.Left || holds(m.now) && m.lease.MayAcknowledge(m.a.tick()) {
		return nil
	}
	why := m.trouble
	if why == "" {
		why = "its right to take changes is not renewed, or the standby is too far behind"
	}
	return again(arm.Errorf(http.StatusServiceUnavailable, "PrimaryNotConfirmed", "The API Service %s cannot prove that it is the primary of the recovery group %s now: %s. "+
		"The change is not confirmed. Try again shortly; when %s was promoted, send changes there; `tandem status` shows who is the primary.", m.id.Name(), m.now.Group, why, m.now.Peer))
}

func again(e *arm.Error) *arm.Error {
	e.Header = http.Header{"Retry-After": {"1"}}
	return e
}

// Begin opens one management write; end closes it and says whether it may be acknowledged. A drain waits for all that were
// begun.
func (a *Agent) Begin(service string) (end func() error, err error) {
	m := a.member(service)
	if m == nil {
		return func() error { return nil }, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.mayWrite(); err != nil {
		return nil, err
	}
	m.writes++
	return m.finish, nil
}

func (m *member) finish() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.mayAcknowledge()
	if m.writes--; m.writes == 0 && m.idle != nil {
		close(m.idle)
		m.idle = nil
	}
	return err
}

// quiet waits until no write is under way.
func (m *member) quiet(ctx context.Context) error {
	for {
		m.mu.Lock()
		if m.writes == 0 {
			m.mu.Unlock()
			return nil
		}
		if m.idle == nil {
			m.idle = make(chan struct{})
		}
		idle := m.idle
		m.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return &tandem.Error{Op: "drain", Subject: m.id.String(), Kind: tandem.Unavailable, Err: context.Cause(ctx), Remedy: "wait for the writes under way, a restore for instance, and try again"}
		}
	}
}
