package failover

import "tandem"

// Lease is the holder's side of the right to acknowledge. It is a value: each method gives the lease that follows. All ticks
// are of the holder's own monotonic clock, which runs through suspension, so a pause of any length ends the right in time.
//
// Invariants:
//  1. The right ends at the SENDING of the renewal that was granted last, plus the grant's length.
//  2. A grant counts only for the question asked last, by this start of the process, for this epoch, and not before the
//     last Drop. A grant from before a restart would be timed from a question that was never answered.
//  3. A new epoch begins without any right.
type Lease struct {
	Boot  uint64 // the start of the process that owns the lease
	Epoch tandem.Epoch
	seq   uint64
	sent  Tick
	asked bool
	until Tick
	held  bool
	limit Tick // with Config.Refuse, how far behind the standby may be; 0: no limit

	confirmed Tick // the holder's own time up to which the standby has applied everything
	applied   bool
}

// Renewal is a question for the right. Boot and Seq make it one of its kind; Sent is on the holder's clock.
type Renewal struct {
	Epoch tandem.Epoch
	Seq   uint64
	Sent  Stamp
}

// NewLease is the lease of a process that has just started: no right.
func NewLease(boot uint64) Lease { return Lease{Boot: boot} }

// Ask makes the next question. The epoch is the one the service was promoted to.
func (l Lease) Ask(epoch tandem.Epoch, now Tick) (Lease, Renewal) {
	if epoch != l.Epoch {
		l = Lease{Boot: l.Boot, Epoch: epoch, seq: l.seq}
	}
	l.seq++
	l.sent, l.asked = now, true
	return l, Renewal{epoch, l.seq, Stamp{l.Boot, now}}
}

// Granted takes the answer. now is the time of its receipt; the right is not counted from it.
func (l Lease) Granted(g Grant, now Tick) Lease { return rules{}.granted(l, g, now) }

func (r rules) granted(l Lease, g Grant, now Tick) Lease {
	if !l.asked || g.Renewal.Epoch != l.Epoch || g.Renewal.Seq != l.seq || g.Renewal.Sent.Boot != l.Boot && !r.anyBoot {
		return l
	}
	from := l.sent
	if r.fromReceipt {
		from = now
	}
	l.until, l.held, l.limit = from+g.Length, true, g.Limit
	return l
}

// Confirmed notes that the standby has applied everything up to a stamp of this process.
func (l Lease) Confirmed(s Stamp) Lease {
	if s.Boot == l.Boot && (!l.applied || s.At > l.confirmed) {
		l.confirmed, l.applied = s.At, true
	}
	return l
}

// Drop gives the right up. Answers to questions asked before are void; asking again is allowed, and a grant lifts the drop.
func (l Lease) Drop() Lease { return rules{}.drop(l) }

func (r rules) drop(l Lease) Lease {
	l.held = false
	l.asked = l.asked && r.lateGrants
	return l
}

// MayAcknowledge is whether a write may be acknowledged at now. Ask after the commit, right before the answer goes out.
func (l Lease) MayAcknowledge(now Tick) bool {
	if !l.held || now >= l.until {
		return false
	}
	return l.limit == 0 || l.applied && now-l.confirmed <= l.limit
}

// Grant is the answer to a Renewal. It is given only after the state that notes it is committed.
type Grant struct {
	Renewal Renewal
	Length  Tick // how long the right lasts, from the sending
	Limit   Tick // how far behind the standby may be, 0: no limit
}

// Tenure is the successor's side: what the leader knows of the rights it has given out in the current epoch.
//
// Invariants:
//  1. Ends is on the leader's clock and never before the end of the holder's right: a question is handled after it is sent.
//  2. End and Free are on the holder's clock: the same end, and the same for grants without a limit on the lag.
type Tenure struct {
	Given   bool // a grant was given in this epoch; without one nothing was acknowledged in it
	Longest Tick // the longest grant of the epoch
	Ends    Tick
	End     Stamp
	Free    Stamp // Boot 0: every grant had a limit
	Limit   Tick  // the widest limit that was granted
}

// granted is the tenure after g was given at now.
func (t Tenure) granted(g Grant, now Tick) Tenure {
	t.Given = true
	t.Longest = max(t.Longest, g.Length)
	t.Ends = max(t.Ends, now+g.Length)
	end := Stamp{g.Renewal.Sent.Boot, g.Renewal.Sent.At + g.Length}
	if t.End.before(end) {
		t.End = end
	}
	if g.Limit == 0 && t.Free.before(end) {
		t.Free = end
	}
	t.Limit = max(t.Limit, g.Limit)
	return t
}

// takenOver is the tenure for a leader with another clock: all of the longest lease is waited for again.
func (t Tenure) takenOver(now Tick) Tenure {
	if t.Given {
		t.Ends = now + t.Longest
	}
	return t
}

// Over is whether the holder's right has surely ended at now, when no grant was given since.
func (t Tenure) Over(margin, now Tick) bool { return !t.Given || now >= t.Ends+margin }
