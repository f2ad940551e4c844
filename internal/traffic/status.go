package traffic

import (
	"net/netip"
	"strings"

	"tandem"
	"tandem/internal/traffic/health"
)

// Monitor statuses that follow from settings (Azure, traffic-manager-monitoring).
const (
	statusInactive          = "Inactive"
	statusDisabled          = "Disabled"
	statusStopped           = "Stopped"
	statusUnmonitored       = "Unmonitored"
	statusOnline            = string(health.Online)
	statusDegraded          = string(health.Degraded)
	statusChecking          = string(health.Checking)
	profileCheckingEndpoint = "CheckingEndpoints"
)

// maxNesting is how deep profiles may nest, as in Azure.
const maxNesting = 10

// outlook is a profile as it stands: its monitor status and that of each endpoint, in their order.
type outlook struct {
	profile   *Profile
	status    string
	endpoints []endpointOutlook
	only      int    // the endpoint that an order names, to be answered alone; -1: none
	ignored   string // why an order is not followed; empty: it is, or there is none
}

type endpointOutlook struct {
	endpoint *Endpoint
	status   string
	eligible bool // may be in DNS at all
	up       bool // eligible and taken to be healthy
	held     bool // healthy again and kept out until it is let back
	child    *outlook
}

// endpointID is the key of an endpoint among all.
func endpointID(p *Profile, e *Endpoint) string {
	return strings.ToLower(p.resourceID() + "/" + e.kind() + "/" + e.Name)
}

// EndpointID is the id of an endpoint in Health, in lower case: profile is its profile's, kind its type's last part.
func EndpointID(profile tandem.ResourceID, kind, name string) string {
	return strings.ToLower(profile.String() + "/" + kind + "/" + name)
}

// evaluation works out statuses of profiles, each once, children first.
type evaluation struct {
	situation
	profiles map[string]*Profile // by key
	done     map[string]*outlook
}

func evaluate(profiles map[string]*Profile, at situation) map[string]*outlook {
	v := &evaluation{situation: at, profiles: profiles, done: map[string]*outlook{}}
	for key := range profiles {
		v.profile(key, 0)
	}
	return v.done
}

func (v *evaluation) profile(key string, depth int) *outlook {
	if o := v.done[key]; o != nil {
		return o
	}
	p := v.profiles[key]
	if p == nil || depth > maxNesting { // the provider refuses loops; a deeper one cannot answer
		return nil
	}
	o := &outlook{profile: p, only: -1}
	for _, e := range p.Properties.Endpoints {
		o.endpoints = append(o.endpoints, v.endpoint(p, e, depth))
	}
	o.status = profileStatus(p, o.endpoints)
	if v.steered != nil {
		o.follow(v.steered(key))
	}
	v.done[key] = o
	return o
}

func (v *evaluation) endpoint(p *Profile, e *Endpoint, depth int) endpointOutlook {
	q, id := &e.Properties, endpointID(p, e)
	o := endpointOutlook{endpoint: e}
	switch {
	case q.EndpointStatus == disabled:
		o.status = statusDisabled
		return o
	case p.Properties.ProfileStatus == disabled:
		o.status = statusInactive
		return o
	case e.kind() == kindNested:
		if child, err := tandem.ParseResourceID(value(q.TargetResourceID, "")); err == nil {
			o.child = v.profile(profileKey(child.Subscription, child.ResourceGroup, child.Name()), depth+1)
		}
		o.status = nestedStatus(q, o.child)
	case q.AlwaysServe == enabled:
		o.status = statusUnmonitored
	default:
		o.status = statusChecking
		if view, ok := v.views[id]; ok {
			o.status, o.held = string(view.Status), view.State.Awaiting
		}
	}
	forced := q.forced(v.now)
	o.eligible = o.status != statusStopped && forced != overrideDown
	o.up = o.eligible && (o.status != statusDegraded || forced == overrideUp)
	if v.drained != nil && v.drained(id) { // out, but better than one that is down
		o.held, o.up = o.held || o.up, false
	}
	return o
}

// follow applies an order. Statuses stay what is measured; what is taken for up, and which endpoint is answered, changes.
func (o *outlook) follow(order steered) {
	switch order.Mode {
	case SteerHold:
		for i := range o.endpoints {
			e := &o.endpoints[i]
			e.up, e.held = e.eligible && order.Frozen[e.endpoint.Name], false
		}
	case SteerOnly, SteerPrefer:
		for i, e := range o.endpoints {
			if strings.EqualFold(e.endpoint.Name, order.Endpoint) && e.eligible && (e.up || order.Mode == SteerOnly) {
				o.only = i
			}
		}
		if o.only < 0 && order.Mode == SteerOnly {
			o.ignored = "the endpoint " + order.Endpoint + " that is to be answered alone is disabled, stopped, held down by hand or gone; the routing method goes on"
		}
	}
}

// nestedStatus follows the child profile: enough Online endpoints, else enough that may yet be, else Degraded.
func nestedStatus(q *EndpointProperties, child *outlook) string {
	if child == nil || child.status == statusDisabled || child.status == statusInactive {
		return statusStopped
	}
	type count struct{ online, checking int64 }
	var all, four, six count
	for _, e := range child.endpoints {
		kinds := []*count{&all}
		addr, err := netip.ParseAddr(e.endpoint.target())
		switch {
		case err == nil && addr.Is4():
			kinds = append(kinds, &four)
		case err == nil:
			kinds = append(kinds, &six)
		}
		for _, c := range kinds {
			switch e.status {
			case statusOnline, statusUnmonitored:
				c.online++
			case statusChecking:
				c.checking++
			}
		}
	}
	enough := func(n func(count) int64) bool {
		return n(all) >= value(q.MinChildEndpoints, 1) && n(four) >= value(q.MinChildEndpointsIPv4, 0) && n(six) >= value(q.MinChildEndpointsIPv6, 0)
	}
	switch {
	case enough(func(c count) int64 { return c.online }):
		return statusOnline
	case enough(func(c count) int64 { return c.online + c.checking }):
		return statusChecking
	}
	return statusDegraded
}

func profileStatus(p *Profile, endpoints []endpointOutlook) string {
	if p.Properties.ProfileStatus == disabled {
		return statusDisabled
	}
	seen := map[string]bool{}
	for _, e := range endpoints {
		seen[e.status] = true
	}
	switch {
	case seen[statusDegraded]:
		return statusDegraded
	case seen[statusOnline] || seen[statusUnmonitored]:
		return statusOnline
	case seen[statusChecking]:
		return profileCheckingEndpoint
	}
	return statusInactive
}
