package lab

import (
	"errors"
	"fmt"
	"time"

	"tandem/test/sites/relay"
)

// Cut cuts a link in both directions: packets vanish, nobody is told.
func (l *Lab) Cut(a, b string) error {
	return l.both(a, b, func(s *relay.Settings) { s.Cut = true })
}

// CutOneWay cuts one direction of a link.
func (l *Lab) CutOneWay(from, to string) error {
	return l.Change(from, to, func(s *relay.Settings) { s.Cut = true })
}

// Isolate cuts all links of a site: to all others it has vanished.
func (l *Lab) Isolate(site string) error {
	return l.each(func(from, to string) bool { return from == site || to == site }, func(s *relay.Settings) { s.Cut = true })
}

// Heal mends all links: no cut, no loss. Delays stay.
func (l *Lab) Heal() error {
	return l.each(func(string, string) bool { return true }, func(s *relay.Settings) { s.Cut, s.Loss = false, 0 })
}

// SetDelay sets how long packets take in each direction of a link.
func (l *Lab) SetDelay(a, b string, delay, jitter time.Duration) error {
	return l.both(a, b, func(s *relay.Settings) { s.Delay, s.Jitter = delay, jitter })
}

// SetDelays sets how long packets take on every link.
func (l *Lab) SetDelays(delay, jitter time.Duration) error {
	return l.each(func(string, string) bool { return true }, func(s *relay.Settings) { s.Delay, s.Jitter = delay, jitter })
}

// SetLoss sets the share of packets that are lost in each direction of a link.
func (l *Lab) SetLoss(a, b string, share float64) error {
	return l.both(a, b, func(s *relay.Settings) { s.Loss = share })
}

// SetRate limits each direction of a link to bits per second.
func (l *Lab) SetRate(a, b string, bits int64) error {
	return l.both(a, b, func(s *relay.Settings) { s.Rate = bits })
}

func (l *Lab) both(a, b string, f func(*relay.Settings)) error {
	return errors.Join(l.Change(a, b, f), l.Change(b, a, f))
}

// each changes all directions of all links that which picks.
func (l *Lab) each(which func(from, to string) bool, f func(*relay.Settings)) error {
	var errs []error
	for _, a := range l.Sites() {
		for _, b := range l.Sites() {
			if a != b && which(a.Name, b.Name) {
				errs = append(errs, l.Change(a.Name, b.Name, f))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("change links: %w", err)
	}
	return nil
}
