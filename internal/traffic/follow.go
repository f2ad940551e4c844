package traffic

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/traffic/geo"
	"tandem/internal/traffic/health"
)

// retryAfter is the pause after the store failed; DNS does not notice.
const retryAfter = time.Second

// follow keeps the profiles as the store has them: a list, then changes from there.
func (s *Service) follow(ctx context.Context) {
	told := false
	for ctx.Err() == nil {
		err := s.followOnce(ctx, func() { told = false })
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, tandem.Compacted) && !told {
			told = true // once for each outage
			s.config.Log.Warn("traffic profiles cannot be read; DNS goes on with the last ones known", "error", err)
		}
		if s.config.Clock.Sleep(ctx, retryAfter) != nil {
			return
		}
	}
}

func (s *Service) followOnce(ctx context.Context, alive func()) error {
	list, err := s.config.Store.List(ctx, prefix, store.ListOptions{})
	if err != nil {
		return err
	}
	alive()
	profiles := make(map[string]*Profile, len(list.Documents))
	var orders []store.Document
	for _, d := range list.Documents {
		switch {
		case strings.HasPrefix(d.Key, steerPrefix):
			orders = append(orders, d)
		case strings.HasPrefix(d.Key, profilePrefix):
			if p := s.decode(d); p != nil {
				profiles[d.Key] = p
			}
		}
	}
	s.dropOrders(orders)
	s.take(profiles, list.Revision, nil, orders...)
	return s.config.Store.Watch(ctx, prefix, list.Revision, func(e store.Event) error {
		var orders []store.Document
		s.mu.Lock()
		next := make(map[string]*Profile, len(s.profiles)+1)
		for k, p := range s.profiles {
			next[k] = p
		}
		s.mu.Unlock()
		for _, c := range e.Changes {
			switch {
			case strings.HasPrefix(c.Key, steerPrefix):
				if !c.Deleted { // an order ends with its profile
					orders = append(orders, c.Document)
				}
			case !strings.HasPrefix(c.Key, profilePrefix):
			case c.Deleted:
				delete(next, c.Key)
			default:
				if p := s.decode(c.Document); p != nil {
					next[c.Key] = p
				}
			}
		}
		s.take(next, e.Revision, nil, orders...)
		return nil
	})
}

// decode reads a document; a broken one is told and leaves the profile as it was.
func (s *Service) decode(d store.Document) *Profile {
	p, err := decodeProfile(d)
	if err != nil {
		s.config.Log.Error("a traffic profile cannot be read and keeps its last state", "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.profiles[d.Key]
	}
	return p
}

// take makes profiles what is probed and answered. It is called at start and then by follow alone, never by two at once.
func (s *Service) take(profiles map[string]*Profile, revision tandem.Revision, restored map[string]health.State, orders ...store.Document) {
	targets := map[string]health.Target{}
	for _, p := range profiles {
		if p.Properties.ProfileStatus == disabled {
			continue
		}
		for _, e := range p.Properties.Endpoints {
			q := &e.Properties
			if e.kind() == kindNested || q.EndpointStatus == disabled || q.AlwaysServe == enabled || e.target() == "" {
				continue
			}
			targets[endpointID(p, e)] = p.probeTarget(e)
		}
	}
	s.monitor.Set(targets, restored)
	s.mu.Lock()
	s.profiles, s.revision = profiles, revision
	var readmit []string
	now := s.config.Clock.Now()
	present := map[string]bool{}
	for _, p := range profiles {
		for _, e := range p.Properties.Endpoints {
			id := endpointID(p, e)
			present[id] = true
			if was, ok := s.failback[id]; ok && e.Properties.Failback != was {
				readmit = append(readmit, id)
			}
			s.failback[id] = e.Properties.Failback
			if e.Properties.Drain != enabled {
				delete(s.drains, id)
				delete(s.drained, id)
			} else if _, ok := s.drains[id]; !ok {
				s.drains[id] = now
			}
		}
	}
	forget(s.failback, present)
	forget(s.drains, present)
	forget(s.drained, present)
	for _, d := range orders {
		s.ordered(d)
	}
	for key := range s.steered {
		if profiles[key] == nil {
			delete(s.steered, key)
		}
	}
	s.compile()
	s.mu.Unlock()
	for _, id := range readmit {
		s.monitor.Readmit(id)
	}
	select {
	case s.targetsChanged <- struct{}{}:
	default:
	}
	s.dirty()
}

func forget[V any](m map[string]V, present map[string]bool) {
	for id := range m {
		if !present[id] {
			delete(m, id)
		}
	}
}

// compile brings the zone up to date with settings and health. Called with mu held. Profiles that stand as they stood when
// they were last compiled are passed over. A profile that cannot be compiled keeps answering what it did and is told in
// Problems.
func (s *Service) compile() {
	at := s.situation()
	s.expiry = expires(s.profiles, at.now)
	looks := evaluate(s.profiles, at)
	home, homeOK := geo.RegionPoint(s.config.Region)
	c := &compiler{places: s.places, home: home, homeOK: homeOK, lastGood: func(key string) map[string]bool { return s.good[key] },
		draining: func(id string) bool { _, ok := s.drains[id]; return ok },
		step: func(p *Profile, e *Endpoint) int {
			since, ok := s.drains[endpointID(p, e)]
			if !ok {
				return 0
			}
			return drainStep(since, at.now, drainLength(p, e))
		}}
	for key, was := range s.compiled {
		if p := s.profiles[key]; p == nil || !strings.EqualFold(was.name, p.Properties.DNSConfig.RelativeName) {
			s.note(key, s.zone.Set(was.name, nil))
			delete(s.compiled, key)
			delete(s.good, key)
			delete(s.problems, key)
		}
	}
	for key, o := range looks {
		s.remember(key, o)
		var ignored error
		if o.ignored != "" {
			ignored = errors.New(o.ignored)
		}
		s.note("order for "+key, ignored)
		stand := c.stand(o)
		if was, ok := s.compiled[key]; ok && was.stand == stand {
			continue
		}
		n, err := c.compile(o)
		name := o.profile.Properties.DNSConfig.RelativeName
		if err == nil {
			err = s.zone.Set(name, n)
		}
		s.note(key, err)
		if err == nil {
			s.compiled[key] = compiled{name: name, stand: stand}
		} else if was, ok := s.compiled[key]; ok {
			s.compiled[key] = compiled{name: was.name} // to be tried again with the next change
		}
	}
	s.compileDelegated(*c, looks)
}

// compiled is what the zone holds of a profile.
type compiled struct {
	name  string // relative
	stand string // what it was compiled from
}

// remember keeps the endpoints that were up, for the time when none is.
func (s *Service) remember(key string, o *outlook) {
	up := map[string]bool{}
	for _, e := range o.endpoints {
		if e.up {
			up[e.endpoint.Name] = true
		}
	}
	if len(up) > 0 {
		s.good[key] = up
	}
}

// stand puts all that compiling depends on into a string to compare by: two that are equal compile to the same.
func (c *compiler) stand(o *outlook) string {
	var b strings.Builder
	var add func(o *outlook)
	add = func(o *outlook) {
		fmt.Fprintf(&b, "%p %d{", o.profile, o.only) // a changed profile is another value
		for _, e := range o.endpoints {
			fmt.Fprintf(&b, "%s %t %t %t %t %d,", e.status, e.eligible, e.up, e.held, c.draining(endpointID(o.profile, e.endpoint)), c.stepOf(o.profile, e.endpoint))
			if e.child != nil {
				add(e.child)
			}
		}
		b.WriteString("}")
	}
	add(o)
	return b.String()
}

// note remembers a profile's problem, or that it has none.
func (s *Service) note(key string, err error) {
	if err == nil {
		delete(s.problems, key)
		return
	}
	if s.problems[key] == nil {
		s.config.Log.Error("a traffic profile cannot be answered and keeps its last answer", "profile", key, "error", err)
	}
	s.problems[key] = err
}
