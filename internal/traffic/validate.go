package traffic

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"tandem/internal/arm"
)

var relativeNamePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// refuse is a 400 in Azure's envelope. target names the property.
func refuse(target, format string, args ...any) *arm.Error {
	e := arm.Errorf(http.StatusBadRequest, "BadRequest", format, args...)
	e.Target = target
	return e
}

// normalise fills in what Azure fills in, and checks the profile alone; what concerns other profiles is checked by the
// provider. Places where Tandem takes more than Azure: finer intervals, private addresses, targets of mixed kinds.
func (p *Profile) normalise() error {
	q := &p.Properties
	if p.Location == "" {
		p.Location = "global"
	}
	if !strings.EqualFold(p.Location, "global") {
		return refuse("location", "The location '%s' is not valid for a Traffic Manager profile; it must be 'global'.", p.Location)
	}
	p.Location = "global"
	steps := []func() error{
		func() error { return pick(&q.ProfileStatus, "properties.profileStatus", enabled, disabled) },
		func() error {
			if q.TrafficRoutingMethod == "" {
				return refuse("properties.trafficRoutingMethod", "The property 'properties.trafficRoutingMethod' is required.")
			}
			return pick(&q.TrafficRoutingMethod, "properties.trafficRoutingMethod", methodPriority, methodWeighted, methodPerformance, methodGeographic, methodMultiValue, methodSubnet)
		},
		func() error {
			return pick(&q.TrafficViewEnrollmentStatus, "properties.trafficViewEnrollmentStatus", disabled, enabled)
		},
		func() error {
			return pick(&q.FailbackMode, "properties.failbackMode", failbackAutomatic, failbackManual)
		},
		func() error {
			return pick(&q.AllDownPolicy, "properties.allDownPolicy", allDownServe, allDownLast, allDownNone)
		},
		q.DNSConfig.normalise, q.MonitorConfig.normalise, p.normaliseMethod, p.normaliseEndpoints,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// pick puts a value into Azure's case; an empty one becomes the first allowed.
func pick(v *string, name string, allowed ...string) error {
	if *v == "" {
		*v = allowed[0]
		return nil
	}
	for _, a := range allowed {
		if strings.EqualFold(*v, a) {
			*v = a
			return nil
		}
	}
	return refuse(name, "The value '%s' of '%s' is not valid. Allowed values: %s.", *v, name, strings.Join(allowed, ", "))
}

// within checks a number and fills in a default.
func within(v **int64, name string, otherwise, least, most int64) error {
	if *v == nil {
		*v = &otherwise
	}
	if **v < least || **v > most {
		return refuse(name, "The value %d of '%s' is not valid: it must be from %d to %d.", **v, name, least, most)
	}
	return nil
}

func optional(v *int64, name string, least, most int64) error {
	if v == nil {
		return nil
	}
	return within(&v, name, 0, least, most)
}

func (d *DNSConfig) normalise() error {
	d.Fqdn = ""
	if name := strings.ToLower(d.RelativeName); len(name) > 200 || !relativeNamePattern.MatchString(name) {
		return refuse("properties.dnsConfig.relativeName", "The relative DNS name '%s' is not valid: labels of letters, digits and hyphens, 1 to 63 characters, with dots between.", d.RelativeName)
	}
	return within(&d.TTL, "properties.dnsConfig.ttl", 60, 0, 2147483647)
}

func (p *Profile) normaliseMethod() error {
	q := &p.Properties
	for i := range q.AllowedEndpointRecordTypes {
		if err := pick(&q.AllowedEndpointRecordTypes[i], "properties.allowedEndpointRecordTypes", "DomainName", "IPv4Address", "IPv6Address", "Any"); err != nil {
			return err
		}
	}
	if q.TrafficRoutingMethod == methodMultiValue {
		return within(&q.MaxReturn, "properties.maxReturn", 2, 1, 10)
	}
	return optional(q.MaxReturn, "properties.maxReturn", 1, 10)
}

func (p *Profile) normaliseEndpoints() error {
	if len(p.Properties.Endpoints) > 200 {
		return refuse("properties.endpoints", "A profile holds at most 200 endpoints.")
	}
	names, priorities := map[string]bool{}, map[int64]string{}
	most := int64(0)
	for _, e := range p.Properties.Endpoints {
		if e == nil || e.Name == "" || strings.ContainsAny(e.Name, "/\\?#%<>&:*+") || len(e.Name) > 260 {
			return refuse("properties.endpoints.name", "An endpoint's name is missing or has characters that are not allowed.")
		}
		if names[strings.ToLower(e.Name)] {
			return refuse("properties.endpoints.name", "The endpoint name '%s' occurs twice; names must be unique within a profile.", e.Name)
		}
		names[strings.ToLower(e.Name)] = true
		if err := p.normaliseEndpoint(e); err != nil {
			return err
		}
		if n := e.Properties.Priority; n != nil {
			if priorities[*n] != "" {
				return refuse("properties.endpoints.properties.priority", "The endpoints '%s' and '%s' have the same priority %d; no two endpoints can share a priority.", priorities[*n], e.Name, *n)
			}
			priorities[*n] = e.Name
			most = max(most, *n)
		}
	}
	for _, e := range p.Properties.Endpoints {
		if e.Properties.Priority == nil {
			most++
			e.Properties.Priority = pointerTo(most)
		}
	}
	return p.checkMappings()
}

func (p *Profile) normaliseEndpoint(e *Endpoint) error {
	q, at := &e.Properties, "properties.endpoints['"+e.Name+"'].properties."
	kind := e.kind()
	if kind == "" {
		return refuse("properties.endpoints.type", "The type '%s' of the endpoint '%s' is not valid. Allowed: %s, %s, %s below Microsoft.Network/trafficManagerProfiles.", e.Type, e.Name, kindAzure, kindExternal, kindNested)
	}
	e.Type, e.ID, q.EndpointMonitorStatus = namespace+"/trafficManagerProfiles/"+kind, "", ""
	for _, err := range []error{
		pick(&q.EndpointStatus, at+"endpointStatus", enabled, disabled),
		pick(&q.AlwaysServe, at+"alwaysServe", disabled, enabled),
		pick(&q.Drain, at+"drain", disabled, enabled),
		within(&q.Weight, at+"weight", 1, 1, 1000),
		optional(q.Priority, at+"priority", 1, 1000),
		optional(q.DrainInSeconds, at+"drainInSeconds", 0, 86_400),
		checkHeaders(at+"customHeaders", q.CustomHeaders),
	} {
		if err != nil {
			return err
		}
	}
	if q.Override != "" {
		if err := pick(&q.Override, at+"override", overrideUp, overrideDown, "None"); err != nil {
			return err
		}
		if q.Override == "None" {
			q.Override = ""
		}
	}
	if q.OverrideUntil != "" {
		if _, ok := q.overrideEnd(); !ok {
			return refuse(at+"overrideUntil", "'overrideUntil' of the endpoint '%s' needs an 'override' and a time such as 2030-01-31T12:00:00Z.", e.Name)
		}
	}
	if kind == kindNested {
		return p.normaliseNested(e, at)
	}
	return p.normaliseTarget(e, kind, at)
}

func (p *Profile) normaliseTarget(e *Endpoint, kind, at string) error {
	target := strings.TrimSuffix(strings.TrimSpace(e.target()), ".")
	if target == "" {
		if kind == kindAzure {
			return refuse(at+"target", "The endpoint '%s' has no target: its Azure resource cannot be resolved from here. Give 'target' beside 'targetResourceId', or use an external endpoint.", e.Name)
		}
		return refuse(at+"target", "The property 'target' of the endpoint '%s' is required.", e.Name)
	}
	addr, err := netip.ParseAddr(target)
	switch {
	case err == nil && addr.Zone() == "" && !addr.IsUnspecified() && !addr.IsMulticast():
		target = addr.Unmap().String()
	case err == nil || !hostPattern.MatchString(target) || len(target) > 253:
		return refuse(at+"target", "The target '%s' of the endpoint '%s' is neither a DNS name nor an IP address.", target, e.Name)
	case p.Properties.TrafficRoutingMethod == methodMultiValue:
		return refuse(at+"target", "The endpoint '%s' has the target '%s'; with the MultiValue routing method targets must be IPv4 or IPv6 addresses.", e.Name, target)
	}
	e.Properties.Target = &target
	if kind == kindExternal && p.Properties.TrafficRoutingMethod == methodPerformance && value(e.Properties.EndpointLocation, "") == "" {
		return refuse(at+"endpointLocation", "The property 'endpointLocation' of the endpoint '%s' is required with the Performance routing method.", e.Name)
	}
	return nil
}

// hostPattern takes names as they are in use, underscores included.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$`)

func (p *Profile) normaliseNested(e *Endpoint, at string) error {
	q := &e.Properties
	if value(q.TargetResourceID, "") == "" {
		return refuse(at+"targetResourceId", "The property 'targetResourceId' of the nested endpoint '%s' is required.", e.Name)
	}
	if p.Properties.TrafficRoutingMethod == methodMultiValue {
		return refuse("properties.trafficRoutingMethod", "A profile with the MultiValue routing method cannot have nested endpoints.")
	}
	if p.Properties.TrafficRoutingMethod == methodPerformance && value(q.EndpointLocation, "") == "" {
		return refuse(at+"endpointLocation", "The property 'endpointLocation' of the endpoint '%s' is required with the Performance routing method.", e.Name)
	}
	q.Target = nil
	for _, err := range []error{
		within(&q.MinChildEndpoints, at+"minChildEndpoints", 1, 1, 200),
		optional(q.MinChildEndpointsIPv4, at+"minChildEndpointsIPv4", 0, 200),
		optional(q.MinChildEndpointsIPv6, at+"minChildEndpointsIPv6", 0, 200),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
