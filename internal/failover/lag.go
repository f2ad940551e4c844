package failover

import "tandem"

// Position is how far the standby has come.
type Position struct {
	Known    bool
	Source   Stamp           // the primary's clock at the last commit or heartbeat that was applied
	Revision tandem.Revision // the primary's revision then
}

// loss bounds what was acknowledged by the holder and not applied by the standby, if no grant is given any more.
// Both stamps are of the holder's clock (law 11).
func (r rules) loss(s State, now Tick) Bound {
	if s.Config.Unfenceable[s.Holder&1] {
		// Nothing ends an unfenceable service's right. What it takes after this moment is found by watching it; the lag
		// until now is measured on the leader's own clock, which stamped the capture.
		return gap(Stamp{s.Term, now}, s.Standby)
	}
	if s.Apart {
		return Bound{} // the standby follows another history
	}
	t := s.Tenure
	if !t.Given {
		return Bound{Known: s.InStep} // nothing was acknowledged in this epoch
	}
	if r.lagWithoutLease {
		t.End.At -= t.Longest
		t.Free.At -= t.Longest
	}
	plain := gap(t.End, s.Standby)
	if t.Free != t.End && t.End.Boot != 0 {
		// The newest grants were limited: past Free the holder acknowledged only what was at most Objective behind.
		limited := Bound{true, t.Limit}
		if t.Free.Boot != 0 {
			limited = worse(limited, gap(t.Free, s.Standby))
		}
		if plain.Covers(limited) {
			plain = limited
		}
	}
	return plain
}

// gap is how much time lies between what was applied and end. Everything of earlier boots was applied before anything of a
// later one; a boot of which nothing was applied has no distance.
func gap(end Stamp, p Position) Bound {
	switch {
	case !p.Known || p.Source.Boot < end.Boot:
		return Bound{}
	case p.Source.Boot > end.Boot:
		return Bound{Known: true}
	default:
		return Bound{true, max(0, end.At-p.Source.At)}
	}
}
