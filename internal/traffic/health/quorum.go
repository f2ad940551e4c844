package health

import "time"

// Verdict is what one vantage point holds of one endpoint.
type Verdict struct {
	Vantage  string        `json:"vantage"` // who says so; empty: this one
	Endpoint string        `json:"endpoint"`
	Status   Status        `json:"status"`
	Suspect  bool          `json:"suspect"` // it suspects itself: no vote
	Age      time.Duration `json:"age"`     // since it was heard, by the listener's own clock; of the own verdict, how long it has held
}

// Peers exchanges verdicts with the other vantage points.
type Peers interface {
	// Tell gives this place's newest verdict on an endpoint to the others. It must not block; a verdict that is lost is told
	// again with the next change or on the implementation's own beat.
	Tell(v Verdict)
	// Heard gives the others' newest verdicts on an endpoint, one for each vantage point.
	Heard(endpoint string) []Verdict
	// News receives an endpoint's id after a verdict on it was heard. It is closed when the exchange ends.
	News() <-chan string
}

// QuorumRule says how verdicts are counted.
type QuorumRule struct {
	Vantages int           // how many vantage points there are, this one counted; 0 or 1: it stands alone
	Fresh    time.Duration // an older verdict is no vote
	Alone    time.Duration // after so long with too few votes this place decides alone
}

// Agree gives the status that DNS goes by. An endpoint is down, or up again, when more than half of those who vote say so
// and more than half of all vantage points vote; with too few votes things stay as they are until the own verdict has held
// for Alone. The first verdict after Checking needs no quorum: it replaces no knowledge.
func Agree(r QuorumRule, own Verdict, others []Verdict, now Status) Status {
	if r.Vantages <= 1 {
		return own.Status
	}
	votes := map[Status]int{}
	n := 0
	vote := func(v Verdict) {
		if !v.Suspect && v.Status != Checking {
			votes[v.Status]++
			n++
		}
	}
	vote(own)
	for _, v := range others {
		if v.Age <= r.Fresh {
			vote(v)
		}
	}
	switch {
	case 2*n > r.Vantages && 2*votes[Degraded] > n:
		return Degraded
	case 2*n > r.Vantages && 2*votes[Online] > n:
		return Online
	case own.Suspect || own.Status == Checking:
		return now
	case now == Checking || 2*n <= r.Vantages && own.Age >= r.Alone:
		return own.Status
	}
	return now
}

// listen takes in what the others say, and looks again at endpoints on which this place waited for votes.
func (m *Monitor) listen() {
	news := m.config.Peers.News()
	beat := max(m.config.Quorum.Alone/2, 50*time.Millisecond)
	for {
		select {
		case <-m.ctx.Done():
			return
		case id, ok := <-news:
			if !ok {
				news = nil
				continue
			}
			m.recount(id)
		case <-m.config.Clock.After(beat):
			m.mu.Lock()
			var ids []string
			for id, w := range m.watched {
				if w.effective != w.state.Status {
					ids = append(ids, id)
				}
			}
			m.mu.Unlock()
			for _, id := range ids {
				m.recount(id)
			}
		}
	}
}

func (m *Monitor) recount(id string) {
	m.mu.Lock()
	w := m.watched[id]
	if w == nil {
		m.mu.Unlock()
		return
	}
	now := m.config.Clock.Now()
	own := Verdict{Endpoint: id, Status: w.state.Status, Suspect: w.suspect, Age: now.Sub(w.state.Since)}
	if Agree(m.config.Quorum, own, m.config.Peers.Heard(id), w.effective) == w.effective {
		m.mu.Unlock()
		return
	}
	m.agree(id, w, now, "by the votes of the vantage points; here: "+w.state.Why)
}
