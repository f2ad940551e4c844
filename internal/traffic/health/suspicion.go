package health

import "time"

// lagBound is how late a prober may be run before its failures are its own.
const lagBound = 100 * time.Millisecond

// enoughHosts is how many hosts must be watched before silence from all of them speaks against the watcher.
const enoughHosts = 3

// alone tells whether nothing else has answered this place since w began to fail, though enough is watched: then the
// fault may be this place's own network, and it abstains. Called with mu held.
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
	return len(hosts) >= enoughHosts
}

// pokeOthers has a few others on other hosts probed now, so that there is evidence by the time a verdict is due. Called
// with mu held.
func (m *Monitor) pokeOthers(w *watched) {
	n := 0
	for _, o := range m.watched { // map order picks at random
		if o.target.Host == w.target.Host || o.state.Status == Degraded {
			continue
		}
		select {
		case o.poke <- struct{}{}:
		default:
		}
		if n++; n == 4 {
			return
		}
	}
}
