package health

import "time"

// lagBound is how late a prober may be run before its failures are its own.
const lagBound = 100 * time.Millisecond

// enoughHosts is how many hosts must be watched before silence from all of them speaks against the watcher.
const enoughHosts = 3

// alone tells whether nothing else has answered this place since w began to fail, though enough is watched: then the
// fault may be this place's own network, and it abstains. Where too few hosts are watched to tell, the other vantage points
// count as hosts. Called with mu held.
func (m *Monitor) alone(w *watched) bool {
	hosts := map[string]bool{w.target.Host: true}
	for _, o := range m.watched {
		if o.state.Status == Degraded || o.target.Host == w.target.Host {
			continue // what is known to be down, or is the same machine, tells nothing
		}
		hosts[o.target.Host] = true
		if !o.success.Before(w.suspectAt) {
			return false
		}
	}
	if len(hosts) >= enoughHosts || m.config.Peers == nil {
		return len(hosts) >= enoughHosts
	}
	others, contact := m.config.Peers.Contact()
	return len(hosts)+others >= enoughHosts && contact.Before(w.suspectAt)
}

// pokeOthers has a few others on other hosts probed now, so that there is evidence by the time a verdict is due. Called
// with mu held.
func (m *Monitor) pokeOthers(w *watched) {
	n := 0
	for _, o := range m.watched { // map order picks at random
		if o.target.Host == w.target.Host || o.state.Status == Degraded {
			continue
		}
		o.now()
		if n++; n == 4 {
			return
		}
	}
}

// pokeSuspects has the endpoints looked at again at once whose failures were put down to this place. Called with mu held.
func (m *Monitor) pokeSuspects() {
	for _, o := range m.watched {
		if o.suspect {
			o.now()
		}
	}
}

// suspected keeps count of the endpoints of which this place suspects itself. Called with mu held.
func (m *Monitor) suspected(w *watched, suspect bool) {
	switch {
	case suspect && !w.suspect:
		m.suspects++
	case !suspect && w.suspect:
		m.suspects--
	}
	w.suspect = suspect
}
