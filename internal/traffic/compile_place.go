package traffic

import (
	"math"
	"slices"

	"tandem/internal/traffic/geo"
	"tandem/internal/traffic/nameserver"
)

// performance sends each place to the nearest endpoint by distance.
func (c *compiler) performance(list []endpointOutlook, ttl uint32) (*nameserver.Node, error) {
	kids, err := c.nodes(list, ttl)
	if err != nil {
		return nil, err
	}
	at := make([]geo.Point, len(list))
	known := make([]bool, len(list))
	for i, e := range list {
		at[i], known[i] = geo.RegionPoint(value(e.endpoint.Properties.EndpointLocation, ""))
	}
	places := c.places.Places()
	byPlace := make([]int, len(places))
	for i, place := range places {
		p, ok := place.At, place.Located
		if !ok {
			p, ok = c.home, c.homeOK
		}
		best, least := 0, math.Inf(1)
		for k := range list {
			if ok && known[k] {
				if d := geo.Distance(p, at[k]); d < least {
					best, least = k, d
				}
			}
		}
		byPlace[i] = best
	}
	return nameserver.Located(c.places, kids, byPlace), nil
}

// geographic sends each place to the endpoint that its narrowest mapped region names. That endpoint answers even when it
// is degraded: another one must not serve the region. A disabled or stopped one gives no data (Azure's rules).
func (c *compiler) geographic(o *outlook, ttl uint32) (*nameserver.Node, error) {
	kids := make([]*nameserver.Node, len(o.endpoints))
	byCode := map[string]int{}
	for i, e := range o.endpoints {
		kids[i] = nameserver.NoData()
		if e.eligible {
			var err error
			if kids[i], err = c.node(e, ttl); err != nil {
				return nil, err
			}
		}
		for _, code := range e.endpoint.Properties.GeoMapping {
			byCode[code] = i
		}
	}
	places := c.places.Places()
	byPlace := make([]int, len(places))
	for i, place := range places {
		byPlace[i] = -1
		for _, code := range place.Chain() {
			if k, ok := byCode[code]; ok {
				byPlace[i] = k
				break
			}
		}
	}
	return nameserver.Located(c.places, kids, byPlace), nil
}

// subnet sends each range to its endpoint. Where that is down, the endpoint for all other addresses takes over if it is up.
func (c *compiler) subnet(o *outlook, ttl uint32) (*nameserver.Node, error) {
	inUse := make([]*Endpoint, 0, len(o.endpoints))
	var looks []endpointOutlook
	for _, e := range o.endpoints {
		if e.eligible {
			inUse, looks = append(inUse, e.endpoint), append(looks, e)
		}
	}
	rest := slices.IndexFunc(looks, func(e endpointOutlook) bool { return len(e.endpoint.Properties.Subnets) == 0 && e.up })
	kids := make([]*nameserver.Node, len(looks))
	for i, e := range looks {
		if !e.up && rest >= 0 {
			e = looks[rest]
		}
		var err error
		if kids[i], err = c.node(e, ttl); err != nil {
			return nil, err
		}
	}
	ranges, err := o.profile.subnets(inUse)
	if err != nil {
		return nil, err
	}
	return nameserver.Ranged(ranges, kids), nil
}
