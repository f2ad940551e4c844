package traffic

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tandem/internal/traffic/nameserver"
)

// A delegated name is one that its owner hands to this server whole (NS records), so that a profile answers for it without
// a CNAME. Endpoints by name are then answered by address, which this node looks up and keeps.

// resolveEvery is the time between look-ups of endpoints by name, and resolveTimeout bounds one.
const (
	resolveEvery   = 5 * time.Second
	resolveTimeout = 3 * time.Second
)

// newDelegated makes the zones of delegated names.
func newDelegated(c Config, keys *nameserver.Keys) (map[string]*nameserver.Zone, error) {
	servers := c.NameServers
	if len(servers) == 0 {
		servers = []string{"ns1." + c.Zone}
	}
	out := map[string]*nameserver.Zone{}
	for name := range c.Delegated {
		z, err := nameserver.NewZone(nameserver.ZoneConfig{Name: name, NameServers: servers, NegativeTTL: negativeTTL, Keys: keys})
		if err != nil {
			return nil, err
		}
		out[name] = z
	}
	return out, nil
}

// compileDelegated gives each delegated name the answers of its profile, by address. Called with mu held.
func (s *Service) compileDelegated(c compiler, looks map[string]*outlook) {
	c.flatten = func(host string) []netip.Addr { return s.flat[strings.ToLower(host)] }
	for name, zone := range s.delegated {
		var node *nameserver.Node
		var err error
		for _, o := range looks {
			if strings.EqualFold(o.profile.Properties.DNSConfig.RelativeName, s.config.Delegated[name]) && o.profile.Properties.ProfileStatus != disabled {
				node, err = c.compile(o)
			}
		}
		if err == nil {
			err = zone.SetApex(node)
		}
		s.note("delegated name "+name, err)
	}
}

// resolve keeps the addresses of endpoints by name; an address that cannot be found any more stays, since a resolver that
// is away must not take an endpoint out of DNS: probes do that.
func (s *Service) resolve(ctx context.Context) {
	look := s.config.Resolve
	if look == nil {
		look = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	for {
		changed := false
		for _, host := range s.namedTargets() {
			one, cancel := context.WithTimeout(ctx, resolveTimeout)
			addrs, err := look(one, host)
			cancel()
			if err != nil || len(addrs) == 0 {
				continue
			}
			for i := range addrs {
				addrs[i] = addrs[i].Unmap()
			}
			slices.SortFunc(addrs, netip.Addr.Compare)
			s.mu.Lock()
			if !slices.Equal(s.flat[host], addrs) {
				s.flat[host], changed = addrs, true
			}
			s.mu.Unlock()
		}
		if changed {
			s.mu.Lock()
			s.compile()
			s.mu.Unlock()
			s.dirty()
		}
		select {
		case <-ctx.Done():
			return
		case <-s.targetsChanged:
		case <-s.config.Clock.After(resolveEvery):
		}
	}
}

// namedTargets are all endpoints' targets that are names, in lower case.
func (s *Service) namedTargets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, p := range s.profiles {
		for _, e := range p.Properties.Endpoints {
			if t := strings.ToLower(e.target()); t != "" && !recordOf(e).Addr.IsValid() {
				out = append(out, t)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
