package health

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"tandem"
)

// Result is one probe as it is remembered.
type Result struct {
	At      time.Time     `json:"at"`
	OK      bool          `json:"ok"`
	Reason  string        `json:"reason,omitempty"`
	Took    time.Duration `json:"tookNanoseconds"`
	Strike  int           `json:"strike,omitempty"` // failures in a row with this one
	Fresh   bool          `json:"freshConnection"`
	Tripped bool          `json:"tripped,omitempty"` // the kept connection broke, so the probe came early
}

// prober watches one endpoint; one goroutine runs it.
type prober struct {
	id           string
	target       Target
	clock        tandem.Clock
	report       func(id string, r Result) Decision
	poke         chan struct{} // a request to probe now
	kept         *conn
	failures     int           // in a row
	srtt, rttvar time.Duration // of successful probes, as TCP smooths them
	connect      time.Duration // the longest lately of a successful probe on a new connection, which takes more round trips
	calm         time.Duration // the least time between two alarms of the trip-wire, grown by false ones
}

// run probes until ctx ends.
func (p *prober) run(ctx context.Context) {
	defer func() { p.kept.drop() }()
	wait := time.Duration(0) // the first look is at once: a start must not be blind
	first := true
	for {
		tripped, err := p.idle(ctx, wait)
		if err != nil {
			return
		}
		again := p.look(ctx, tripped)
		if ctx.Err() != nil {
			return
		}
		switch {
		case again > 0:
			wait = again
		case first: // spread endpoints over the interval, each at its own place
			wait, first = p.phase(), false
		default:
			wait = jitter(p.target.Rules.Interval)
		}
	}
}

// idle waits for the next probe or until the trip-wire goes.
func (p *prober) idle(ctx context.Context, wait time.Duration) (tripped bool, err error) {
	var wire <-chan struct{}
	if p.kept != nil && wait > p.calm {
		p.kept.watch()
		wire = p.kept.tripped
		if p.calm > 0 { // a server that closes often is looked at no more often than calm allows
			select {
			case <-p.clock.After(p.calm):
				wait -= p.calm
			case <-p.poke:
				return false, nil
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}
	}
	if wait <= 0 {
		return false, ctx.Err()
	}
	select {
	case <-p.clock.After(wait):
		return false, nil
	case <-wire:
		return true, nil
	case <-p.poke:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// look probes once, twice where a kept connection turned out closed, and reports.
func (p *prober) look(ctx context.Context, tripped bool) time.Duration {
	use := p.kept
	p.kept = nil
	if use != nil && (tripped || !use.release() || p.target.Protocol == TCP) {
		use.drop()
		use = nil
	}
	rechecking := p.failures > 0
	timeout := p.timeout(rechecking && p.failures <= p.target.Rules.Strikes)
	fresh := use == nil
	o := probe(ctx, p.clock, p.target, use, timeout)
	if o.stale {
		fresh = true
		o = probe(ctx, p.clock, p.target, nil, timeout)
	}
	if ctx.Err() != nil {
		o.keep.drop()
		return 0
	}
	if o.ok {
		p.learn(o.took)
		if fresh {
			p.connect = max(o.took, p.connect-p.connect/8)
		}
		p.failures = 0
	} else {
		p.failures++
	}
	if tripped {
		p.calmDown(o.ok)
	}
	d := p.report(p.id, Result{At: p.clock.Now(), OK: o.ok, Reason: o.reason, Took: o.took, Fresh: fresh, Tripped: tripped, Strike: p.failures})
	if !o.ok { // strikes are counted on fresh connections
		o.keep.drop()
		o.keep = nil
	}
	p.kept = o.keep
	return d.Next
}

// calmDown doubles the pause after a false alarm and forgets it after a true one.
func (p *prober) calmDown(ok bool) {
	if !ok {
		p.calm = 0
		return
	}
	p.calm = min(max(2*p.calm, 50*time.Millisecond), p.target.Rules.Interval)
}

// timeout of the next probe. A re-check of an endpoint whose pace is known need not wait as long as the first look: it is made on a
// new connection, so it gets half as much again as one took lately. Once the strikes have fallen nothing is gained by haste, and the
// endpoint gets the whole timeout to show that it is back.
func (p *prober) timeout(rechecking bool) time.Duration {
	t := p.target.Timeout
	if !rechecking || p.srtt == 0 {
		return t
	}
	return min(t, max(t/2, p.srtt+8*p.rttvar, p.connect+p.connect/2, 10*time.Millisecond))
}

func (p *prober) learn(took time.Duration) {
	if p.srtt == 0 {
		p.srtt, p.rttvar = took, took/2
		return
	}
	diff := p.srtt - took
	if diff < 0 {
		diff = -diff
	}
	p.rttvar += (diff - p.rttvar) / 4
	p.srtt += (took - p.srtt) / 8
}

func (p *prober) phase() time.Duration {
	h := fnv.New64a()
	h.Write([]byte(p.id))
	return max(time.Duration(h.Sum64()%1024)*p.target.Rules.Interval/1024, p.target.Rules.Interval/10)
}

// jitter spreads probes: they come up to a seventh early and never late, so that the interval bounds what goes unseen.
func jitter(d time.Duration) time.Duration {
	return d - rand.N(d/7+1)
}
