package failover

// MaxWitnesses is how many places can watch one group.
const MaxWitnesses = 5

// View is what one witness reported last.
type View struct {
	Heard bool
	Sick  bool // it suspects itself: its canary fails, its timers are late
	Seen  [2]Verdict
	At    Tick // when the report was heard, on the hearer's clock
}

// vote is the view's verdict of a service, as far as it counts. A witness that sees both services down more likely sees
// its own trouble, so it abstains (after Lifeguard's local health and Envoy's panic threshold).
func (v View) vote(s Service, fresh, now Tick) Verdict {
	if !v.Heard || v.Sick || now-v.At > fresh || v.Seen[First] == Down && v.Seen[Second] == Down {
		return Inconclusive
	}
	return v.Seen[s]
}

// Panel is what all witnesses reported last. A DNS server keeps its own from what it hears directly.
type Panel [MaxWitnesses]View

// Heard is the panel after witness w reported at now. Reports of witnesses that the group does not have are dropped.
func (p Panel) Heard(c Config, w int, seen [2]Verdict, sick bool, now Tick) Panel {
	if w >= 0 && w < int(c.Witnesses) && w < MaxWitnesses {
		p[w] = View{Heard: true, Sick: sick, Seen: seen, At: now}
	}
	return p
}

// Verdict is what a quorum of the panel says about a service; without a quorum it is Inconclusive (law 9).
func (p Panel) Verdict(c Config, s Service, now Tick) Verdict { return rules{}.verdict(p, c, s, now) }

func (r rules) verdict(p Panel, c Config, s Service, now Tick) Verdict {
	var ups, downs uint8
	for _, v := range p[:min(int(c.Witnesses), MaxWitnesses)] {
		switch v.vote(s, c.Fresh, now) {
		case Up:
			ups++
		case Down:
			downs++
		}
	}
	quorum := c.Quorum
	if r.quorumOfOne {
		quorum = 1
	}
	switch {
	case downs >= quorum:
		return Down
	case ups >= quorum:
		return Up
	default:
		return Inconclusive
	}
}

// Direct is where traffic should go, by the quorum alone and without a commit: away from a service that is down to one that
// is up, and back to the holder of the epoch once it has been up for Config.Steady. Whatever is not clear changes nothing.
// trend is the hearer's own memory of Verdict; held is whether a hold is on.
func Direct(c Config, trend [2]Trend, current, holder Service, held bool, now Tick) Service {
	other := current.Other()
	switch {
	case held || c.HoldTraffic:
		return current
	case trend[current].Verdict == Down && trend[other].Verdict == Up:
		return other
	case current != holder && trend[holder].stood(Up, c.Steady, now):
		return holder
	default:
		return current
	}
}
