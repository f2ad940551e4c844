package failover

// HoldDownConfig damps roles that go back and forth.
type HoldDownConfig struct {
	Base  Tick // the hold-down after the first move
	Most  Tick // the longest; each move within Quiet of the last doubles it up to here
	Quiet Tick // after so long without a move the count starts again
}

// HoldDown is the memory of moves. People may act through it; automatic moves wait until it is over.
type HoldDown struct {
	Moves uint8
	Last  Tick // when the last move was
	Until Tick // no automatic move before
}

// Moved notes a move at now and gives the hold-down that follows.
func (h HoldDown) Moved(c HoldDownConfig, now Tick) HoldDown {
	if h.Moves == 0 || now-h.Last > h.length(c)+c.Quiet {
		h.Moves = 0
	}
	if h.Moves < 63 {
		h.Moves++
	}
	h.Last = now
	h.Until = now + h.length(c)
	return h
}

// Over is whether an automatic move may happen at now.
func (h HoldDown) Over(now Tick) bool { return h.Moves == 0 || now >= h.Until }

// restart begins the running hold-down anew on another clock.
func (h HoldDown) restart(c HoldDownConfig, now Tick) HoldDown {
	if h.Moves == 0 {
		return h
	}
	h.Last, h.Until = now, now+h.length(c)
	return h
}

func (h HoldDown) length(c HoldDownConfig) Tick {
	d := c.Base
	for i := uint8(1); i < h.Moves && d < c.Most; i++ {
		d *= 2
	}
	return min(d, c.Most)
}
