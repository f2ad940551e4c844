package traffic

import (
	"time"

	"tandem/internal/traffic/health"
)

// situation is what endpoints' statuses follow from beside the settings.
type situation struct {
	views   map[string]health.View
	drained func(endpoint string) bool // the second step of a drain was reached; nil: none
	steered func(profile string) steered
	now     time.Time
}

// situation is this server's. Called with mu held, and to be used so.
func (s *Service) situation() situation {
	return situation{views: s.monitor.Views(), drained: func(id string) bool { return s.drained[id] }, steered: func(key string) steered { return s.steered[key] }, now: s.config.Clock.Now()}
}

// forced is the override in force at a time: one that has ended is none. The end is a time on the wall, as the person who set
// it reads it; each server goes by its own clock.
func (q *EndpointProperties) forced(now time.Time) string {
	if end, ok := q.overrideEnd(); ok && !now.Before(end) {
		return ""
	}
	return q.Override
}

func (q *EndpointProperties) overrideEnd() (time.Time, bool) {
	if q.Override == "" || q.OverrideUntil == "" {
		return time.Time{}, false
	}
	end, err := time.Parse(time.RFC3339, q.OverrideUntil)
	return end, err == nil
}

// expires gives the next end of an override after a time; zero where none ends.
func expires(profiles map[string]*Profile, now time.Time) time.Time {
	var next time.Time
	for _, p := range profiles {
		for _, e := range p.Properties.Endpoints {
			if end, ok := e.Properties.overrideEnd(); ok && now.Before(end) && (next.IsZero() || end.Before(next)) {
				next = end
			}
		}
	}
	return next
}

// drainLength is how long an endpoint stays in DNS after its drain began: the time for which clients may hold the old
// answer, or longer where the settings say so.
func drainLength(p *Profile, e *Endpoint) time.Duration {
	return time.Duration(max(value(p.Properties.DNSConfig.TTL, 60), value(e.Properties.DrainInSeconds, 0))) * time.Second
}

// drainSteps is in how many steps the weight of a draining endpoint falls.
const drainSteps = 10

// drainStep is how far a drain has come, from 0 to drainSteps-1.
func drainStep(since, now time.Time, length time.Duration) int {
	if length <= 0 {
		return drainSteps - 1
	}
	return int(min(max(now.Sub(since)*drainSteps/length, 0), drainSteps-1))
}
