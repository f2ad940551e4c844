package traffic

import (
	"cmp"
	"net/netip"
	"slices"

	"tandem/internal/traffic/geo"
	"tandem/internal/traffic/nameserver"
)

// compiler turns outlooks into what the DNS server answers.
type compiler struct {
	places *geo.Table // never nil
	home   geo.Point  // where unknown clients are taken to be: this node's region
	homeOK bool
	// lastGood gives the names of endpoints that were up when last any was.
	lastGood func(profile string) map[string]bool
	draining func(endpoint string) bool
	step     func(p *Profile, e *Endpoint) int // how far a drain has come, 0 to drainSteps-1; 0 where none is under way
	// flatten, where it is set, gives the addresses to answer for a name.
	flatten func(host string) []netip.Addr
}

// drainTTL is the TTL in seconds of a profile while one of its endpoints drains: resolvers must come back soon.
const drainTTL = 1

// compile gives the tree of a profile for its own name.
func (c *compiler) compile(o *outlook) (*nameserver.Node, error) {
	ttl := uint32(value(o.profile.Properties.DNSConfig.TTL, 60))
	if c.anyDraining(o) {
		ttl = min(ttl, drainTTL)
	}
	return c.tree(o, ttl)
}

func (c *compiler) stepOf(p *Profile, e *Endpoint) int {
	if c.step == nil {
		return 0
	}
	return c.step(p, e)
}

func (c *compiler) anyDraining(o *outlook) bool {
	for _, e := range o.endpoints {
		if c.draining != nil && c.draining(endpointID(o.profile, e.endpoint)) || e.child != nil && c.anyDraining(e.child) {
			return true
		}
	}
	return false
}

// tree compiles a profile with the TTL of the outermost one, since the answer is one record with that name.
func (c *compiler) tree(o *outlook, ttl uint32) (*nameserver.Node, error) {
	if o.profile.Properties.ProfileStatus == disabled {
		return nameserver.Absent(), nil
	}
	if o.only >= 0 {
		return c.node(o.endpoints[o.only], ttl)
	}
	switch o.profile.Properties.TrafficRoutingMethod {
	case methodGeographic:
		return c.geographic(o, ttl)
	case methodSubnet:
		return c.subnet(o, ttl)
	}
	chosen := c.candidates(o)
	if len(chosen) == 0 {
		return nameserver.NoData(), nil
	}
	switch o.profile.Properties.TrafficRoutingMethod {
	case methodWeighted:
		kids, err := c.nodes(chosen, ttl)
		weights := make([]uint32, len(chosen))
		for i, e := range chosen {
			weights[i] = uint32(value(e.endpoint.Properties.Weight, 1)) * uint32(drainSteps-c.stepOf(o.profile, e.endpoint))
		}
		return nameserver.Weighted(kids, weights), err
	case methodPerformance:
		return c.performance(chosen, ttl)
	case methodMultiValue:
		return multiValue(chosen, int(value(o.profile.Properties.MaxReturn, 2)), ttl)
	}
	return c.node(slices.MinFunc(chosen, byPriority), ttl)
}

func byPriority(a, b endpointOutlook) int {
	return cmp.Compare(value(a.endpoint.Properties.Priority, 1000), value(b.endpoint.Properties.Priority, 1000))
}

// candidates are the endpoints to choose among: those that are up; else those that are healthy but kept out; else what
// the policy for such a case says.
func (c *compiler) candidates(o *outlook) []endpointOutlook {
	pick := func(want func(endpointOutlook) bool) (out []endpointOutlook) {
		for _, e := range o.endpoints {
			if e.eligible && want(e) {
				out = append(out, e)
			}
		}
		return out
	}
	if up := pick(func(e endpointOutlook) bool { return e.up }); len(up) > 0 {
		return up
	}
	if held := pick(func(e endpointOutlook) bool { return e.held }); len(held) > 0 {
		return held
	}
	switch o.profile.Properties.AllDownPolicy {
	case allDownNone:
		return nil
	case allDownLast:
		good := c.lastGood(o.profile.key())
		if last := pick(func(e endpointOutlook) bool { return good[e.endpoint.Name] }); len(last) > 0 {
			return last
		}
	}
	return pick(func(endpointOutlook) bool { return true })
}

func (c *compiler) nodes(list []endpointOutlook, ttl uint32) ([]*nameserver.Node, error) {
	out := make([]*nameserver.Node, len(list))
	for i, e := range list {
		n, err := c.node(e, ttl)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// node is what choosing an endpoint answers.
func (c *compiler) node(e endpointOutlook, ttl uint32) (*nameserver.Node, error) {
	if e.child != nil {
		return c.tree(e.child, ttl)
	}
	if e.endpoint.kind() == kindNested {
		return nameserver.NoData(), nil
	}
	r := recordOf(e.endpoint)
	if r.Addr.IsValid() || c.flatten == nil {
		return nameserver.Leaf(ttl, r)
	}
	var records []nameserver.Record
	for _, a := range c.flatten(r.Target) {
		records = append(records, nameserver.Record{Addr: a})
	}
	return nameserver.Leaf(ttl, records...)
}

func recordOf(e *Endpoint) nameserver.Record {
	if a, err := netip.ParseAddr(e.target()); err == nil {
		return nameserver.Record{Addr: a}
	}
	return nameserver.Record{Target: e.target()}
}

// multiValue prepares every rotation of the addresses, so that each gets its share.
func multiValue(list []endpointOutlook, most int, ttl uint32) (*nameserver.Node, error) {
	var four, six []nameserver.Record
	for _, e := range list {
		if r := recordOf(e.endpoint); r.Addr.Is4() {
			four = append(four, r)
		} else if r.Addr.IsValid() {
			six = append(six, r)
		}
	}
	variants := max(len(four), len(six))
	kids, weights := make([]*nameserver.Node, variants), make([]uint32, variants)
	for v := range variants {
		var records []nameserver.Record
		for _, family := range [][]nameserver.Record{four, six} {
			for i := range min(most, len(family)) {
				records = append(records, family[(v+i)%len(family)])
			}
		}
		n, err := nameserver.Leaf(ttl, records...)
		if err != nil {
			return nil, err
		}
		kids[v], weights[v] = n, 1
	}
	return nameserver.Weighted(kids, weights), nil
}
