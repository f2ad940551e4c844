package traffic

import (
	"net/netip"
	"strings"

	"tandem/internal/traffic/geo"
	"tandem/internal/traffic/nameserver"
)

// checkMappings checks what the Geographic, Subnet and Performance methods need of endpoints.
func (p *Profile) checkMappings() error {
	switch p.Properties.TrafficRoutingMethod {
	case methodGeographic:
		return p.checkGeographic()
	case methodSubnet:
		_, err := p.subnets(p.Properties.Endpoints)
		return err
	case methodPerformance:
		for _, e := range p.Properties.Endpoints {
			if at := value(e.Properties.EndpointLocation, ""); at != "" && !geo.KnownRegion(at) {
				return refuse("properties.endpoints.properties.endpointLocation", "The location '%s' of the endpoint '%s' is not a known Azure region.", at, e.Name)
			}
		}
	}
	return nil
}

func (p *Profile) checkGeographic() error {
	seen := map[string]string{}
	for _, e := range p.Properties.Endpoints {
		if len(e.Properties.GeoMapping) == 0 {
			return refuse("properties.endpoints.properties.geoMapping", "The endpoint '%s' has no 'geoMapping'; the Geographic routing method needs at least one region for each endpoint.", e.Name)
		}
		for i, code := range e.Properties.GeoMapping {
			code = strings.ToUpper(code)
			if !geo.KnownCode(code) {
				return refuse("properties.endpoints.properties.geoMapping", "The region code '%s' of the endpoint '%s' is not in the geographic hierarchy.", code, e.Name)
			}
			if seen[code] != "" {
				return refuse("properties.endpoints.properties.geoMapping", "The region code '%s' is mapped to the endpoints '%s' and '%s'; a region can be mapped to one endpoint only.", code, seen[code], e.Name)
			}
			seen[code] = e.Name
			e.Properties.GeoMapping[i] = code
		}
	}
	return nil
}

// subnets gives the ranges of the endpoints, numbered by their place in the list. An endpoint without any takes the rest.
func (p *Profile) subnets(endpoints []*Endpoint) (*nameserver.Ranges, error) {
	var list []nameserver.Range
	rest := -1
	for i, e := range endpoints {
		if len(e.Properties.Subnets) == 0 {
			if rest >= 0 {
				return nil, refuse("properties.endpoints.properties.subnets", "The endpoints '%s' and '%s' both have no subnets; only one endpoint can take all other addresses.", endpoints[rest].Name, e.Name)
			}
			rest = i
		}
		for _, s := range e.Properties.Subnets {
			first, last, err := s.bounds()
			if err != nil {
				return nil, refuse("properties.endpoints.properties.subnets", "A subnet of the endpoint '%s' is not valid: give 'first' with 'last' or with 'scope', of one address family.", e.Name)
			}
			list = append(list, nameserver.Range{First: first, Last: last, Kid: i})
		}
	}
	r, err := nameserver.NewRanges(list, rest)
	if err != nil {
		return nil, refuse("properties.endpoints.properties.subnets", "The subnets of the profile are not valid: %s.", err)
	}
	return r, nil
}

// bounds reads a subnet as first and last address.
func (s Subnet) bounds() (first, last netip.Addr, err error) {
	if first, err = netip.ParseAddr(value(s.First, "")); err != nil {
		return
	}
	switch {
	case s.Last != nil && *s.Last != "":
		last, err = netip.ParseAddr(*s.Last)
	case s.Scope != nil:
		var prefix netip.Prefix
		if prefix, err = first.Prefix(int(*s.Scope)); err == nil {
			first, last = prefix.Addr(), nameserver.LastOf(prefix)
		}
	default:
		last = first
	}
	return
}
