package health

import "time"

// listen takes in what the others say, and looks again at endpoints on which this place waited for votes.
func (m *Monitor) listen() {
	news := m.config.Peers.News()
	beat := max(m.config.Quorum.Alone/2, 50*time.Millisecond)
	for {
		select {
		case <-m.ctx.Done():
			return
		case id, ok := <-news:
			switch {
			case !ok:
				news = nil
			case id == "": // the network to another place stands: what was put down to this one's is looked at again
				m.mu.Lock()
				m.pokeSuspects()
				m.mu.Unlock()
			default:
				m.recount(id)
				m.stirred()
			}
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

// recount counts the votes on an endpoint anew, and has it looked at here where another place sees it otherwise.
func (m *Monitor) recount(id string) {
	m.mu.Lock()
	w := m.watched[id]
	if w == nil {
		m.mu.Unlock()
		return
	}
	now := m.config.Clock.Now()
	heard := m.config.Peers.Heard(id)
	for _, v := range heard {
		// A place that looks at a failure again does not make others look: they would make it look.
		if w.state.Failures == 0 && !v.Suspect && v.Age <= m.config.Quorum.Fresh && (v.Failing || v.Status == Degraded) && w.state.Status != Degraded ||
			w.state.Status == Degraded && w.state.Successes == 0 && v.Status == Online && !v.Failing {
			w.now()
		}
	}
	if Agree(m.rule(), w.verdict(id, now), heard, w.effective) == w.effective {
		m.mu.Unlock()
		return
	}
	m.agree(id, w, now, "by the votes of the vantage points; here: "+w.state.Why)
}

// rule is the quorum's, with the number of places that there are.
func (m *Monitor) rule() QuorumRule {
	r := m.config.Quorum
	if r.Vantages == 0 && m.config.Peers != nil {
		others, _ := m.config.Peers.Contact()
		r.Vantages = others + 1
	}
	return r
}

// now has an endpoint probed at once.
func (w *watched) now() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

// verdict is this place's own.
func (w *watched) verdict(id string, now time.Time) Verdict {
	return Verdict{Endpoint: id, Status: w.state.Status, Suspect: w.suspect, Failing: w.state.Failures > 0 && w.state.Status != Degraded, Held: now.Sub(w.state.Since)}
}

// tell gives the own verdict to the others where they do not have it. Called with mu held.
func (m *Monitor) tell(id string, w *watched, now time.Time) {
	v := w.verdict(id, now)
	key := Verdict{Status: v.Status, Suspect: v.Suspect, Failing: v.Failing}
	if w.told == key {
		return
	}
	w.told = key
	if m.config.Peers != nil {
		m.config.Peers.Tell(v)
	}
	m.stirred()
}
