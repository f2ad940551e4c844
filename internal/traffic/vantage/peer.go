package vantage

import (
	"cmp"
	"slices"
	"time"

	"tandem/internal/traffic/health"
)

// memory is how many of the last messages' times are known; an echo of an older one is of no use.
const memory = 256

// peer is another place, as this one knows it. The exchange's lock guards it.
type peer struct {
	Peer
	wake chan struct{} // there is something to tell
	stop func()        // ends its sender

	sequence uint64
	sent     [memory]time.Time // of our messages, by sequence
	acked    uint64            // the version of ours up to which they have all

	boot      string // of theirs
	heard     uint64 // their newest sequence
	top       uint64 // up to which version of theirs we have all
	verdicts  map[string]kept
	confirmed time.Time // when the newest message that they echoed was sent; zero: never
}

// kept is a verdict with the time it was heard.
type kept struct {
	said
	at time.Time
}

// write makes the next message to p. Called with the lock held.
func (x *Exchange) write(p *peer, now time.Time) *message {
	p.sequence++
	p.sent[p.sequence%memory] = now
	m := &message{Vantage: x.config.Name, Boot: x.boot, Sequence: p.sequence, Base: p.acked, Top: p.acked}
	if p.boot != "" {
		m.Echo, m.Known = &mark{p.boot, p.heard}, &mark{p.boot, p.top}
	}
	for _, o := range x.own {
		if o.Version > p.acked {
			v := o.said
			v.Held = now.Sub(o.at).Milliseconds()
			m.Verdicts = append(m.Verdicts, v)
		}
	}
	slices.SortFunc(m.Verdicts, func(a, b said) int { return cmp.Compare(a.Version, b.Version) })
	m.Top = max(m.Top, x.version) // versions between that were overwritten are covered as well
	if len(m.Verdicts) > maxSaid {
		m.Verdicts = m.Verdicts[:maxSaid]
		m.Top = m.Verdicts[maxSaid-1].Version
	}
	return m
}

// take reads a message of p and gives the endpoints on which something new was heard. Called with the lock held.
func (x *Exchange) take(p *peer, m *message, now time.Time) (news []string) {
	sent, proven := x.echoed(p, m.Echo)
	if !proven || m.Boot != p.boot && sent.Before(p.confirmed) {
		return nil // it may be old: the answer echoes it, so that the next one can be believed
	}
	if m.Boot != p.boot {
		p.boot, p.heard, p.top, p.verdicts = m.Boot, 0, 0, map[string]kept{}
	}
	if known := x.known(m); known > p.acked || m.Sequence > p.heard {
		p.acked = known
		x.prune()
	}
	p.heard = max(p.heard, m.Sequence)
	if sent.After(p.confirmed) {
		p.confirmed = sent
	}
	if m.Base > p.top { // something between is missing; Known tells them so
		return nil
	}
	for _, v := range m.Verdicts {
		old, ok := p.verdicts[v.Endpoint]
		if ok && old.Version >= v.Version || !ok && len(p.verdicts) >= maxKept {
			continue
		}
		p.verdicts[v.Endpoint] = kept{v, now}
		news = append(news, v.Endpoint)
	}
	p.top = max(p.top, m.Top)
	return news
}

// known is up to which version of ours the speaker has all.
func (x *Exchange) known(m *message) uint64 {
	if m.Known != nil && m.Known.Boot == x.boot && m.Known.Number <= x.version {
		return m.Known.Number
	}
	return 0
}

// echoed gives the time of our message that was echoed; false where it is none of this run or too old.
func (x *Exchange) echoed(p *peer, echo *mark) (time.Time, bool) {
	if echo == nil || echo.Boot != x.boot || echo.Number == 0 || echo.Number > p.sequence || p.sequence-echo.Number >= memory {
		return time.Time{}, false
	}
	return p.sent[echo.Number%memory], true
}

// verdict is what the peer says of an endpoint; false where it says nothing.
func (p *peer) verdict(endpoint string, now time.Time) (health.Verdict, bool) {
	v, ok := p.verdicts[endpoint]
	if !ok || v.Status == "" || p.confirmed.IsZero() {
		return health.Verdict{}, false
	}
	return health.Verdict{Vantage: p.Name, Endpoint: endpoint, Status: v.Status, Suspect: v.Suspect, Failing: v.Failing, Age: now.Sub(p.confirmed),
		Held: time.Duration(v.Held)*time.Millisecond + now.Sub(v.at)}, true
}
