package traffic

import (
	"strings"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/traffic/health"
)

// Steer gives an order to this server alone: it is followed before Steer returns, is kept on disk, and waits for no store.
// It holds until another one with the same or a higher number arrives, here or from the store. This is how every server moves
// traffic by the vantage points' direct quorum, before anything is committed.
func (s *Service) Steer(profile tandem.ResourceID, order Steering) error {
	key, err := profileID(profile)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.profiles[key]
	if p == nil {
		return &tandem.Error{Op: "steer traffic profile", Subject: key, Kind: tandem.NotFound, Remedy: "name a profile that exists"}
	}
	if err := order.check(p); err != nil {
		return err
	}
	old := s.steered[key]
	switch {
	case order.Number == 0:
		order.Number = old.Number
	case order.Number < old.Number:
		return late(key, order.Number, old.Number)
	}
	if order.At.IsZero() {
		order.At = s.config.Clock.Now().UTC()
	}
	s.steer(key, order, old.Written)
	s.compile()
	s.dirty()
	return nil
}

// steer puts an order in force. Called with mu held.
func (s *Service) steer(key string, order Steering, written tandem.Revision) {
	next := steered{Steering: order, Written: written}
	if old := s.steered[key]; order.Mode == SteerHold && old.Mode == SteerHold {
		next.Frozen = old.Frozen
	} else if order.Mode == SteerHold {
		next.Frozen = s.upNow(key)
	}
	s.steered[key] = next
	s.config.Log.Info("traffic profile is steered", "profile", key, "mode", order.Mode, "endpoint", order.Endpoint, "by", order.By, "reason", order.Reason, "number", order.Number)
}

// upNow gives the names of the endpoints of a profile that are taken to be up. Called with mu held.
func (s *Service) upNow(key string) map[string]bool {
	up := map[string]bool{}
	if o := evaluate(s.profiles, s.situation())[key]; o != nil {
		for i, e := range o.endpoints {
			if e.up && (o.only < 0 || o.only == i) {
				up[e.endpoint.Name] = true
			}
		}
	}
	return up
}

// ordered takes an order from the store where it is newer than what is in force. Called with mu held.
func (s *Service) ordered(d store.Document) {
	key := profilePrefix + strings.TrimPrefix(d.Key, steerPrefix)
	order, err := decodeSteering(d)
	s.note("order for "+key, err)
	old := s.steered[key]
	if err != nil || d.Revision <= old.Written || order.Number < old.Number {
		return
	}
	s.steer(key, order, d.Revision)
}

// Steered implements Health.
func (s *Service) Steered(profile string) (order Steering, held map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.steered[profile]; ok {
		return o.Steering, o.Frozen
	}
	return Steering{Mode: SteerAutomatic}, nil
}

// Sights gives what each vantage point sees of an endpoint of a profile, this one's first; empty where it is not probed.
func (s *Service) Sights(profile tandem.ResourceID, endpoint string) []health.Sight {
	key, err := profileID(profile)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	id := ""
	if p := s.profiles[key]; p != nil {
		for _, e := range p.Properties.Endpoints {
			if strings.EqualFold(e.Name, endpoint) {
				id = endpointID(p, e)
			}
		}
	}
	s.mu.Unlock()
	if id == "" {
		return nil
	}
	return s.monitor.Sights(id)
}

// Sick tells that this vantage point suspects itself.
func (s *Service) Sick() bool { return s.monitor.Sick() }

// Subscribe gives a channel that receives after a change of any Sights; see health.Monitor.
func (s *Service) Subscribe() (signal <-chan struct{}, end func()) { return s.monitor.Subscribe() }

// dropOrders forgets orders that came from the store and are not among those it has: their profile was deleted, and perhaps
// made anew, while the store was away.
func (s *Service) dropOrders(listed []store.Document) {
	present := map[string]bool{}
	for _, d := range listed {
		present[profilePrefix+strings.TrimPrefix(d.Key, steerPrefix)] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, o := range s.steered {
		if o.Written > 0 && !present[key] {
			delete(s.steered, key)
		}
	}
}
