package traffic

import (
	"context"
	"slices"
)

// wireProfile is a profile as it is told.
type wireProfile struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags"`
	Properties wireProperties    `json:"properties"`
}

type wireProperties struct {
	ProfileStatus               string         `json:"profileStatus"`
	TrafficRoutingMethod        string         `json:"trafficRoutingMethod"`
	DNSConfig                   DNSConfig      `json:"dnsConfig"`
	MonitorConfig               wireMonitor    `json:"monitorConfig"`
	Endpoints                   []wireEndpoint `json:"endpoints"`
	TrafficViewEnrollmentStatus string         `json:"trafficViewEnrollmentStatus,omitempty"`
	AllowedEndpointRecordTypes  []string       `json:"allowedEndpointRecordTypes,omitempty"`
	MaxReturn                   *int64         `json:"maxReturn,omitempty"`
	FailbackMode                string         `json:"failbackMode"`
	AllDownPolicy               string         `json:"allDownPolicy"`
	Steering                    *Steering      `json:"steering,omitempty"` // the order in force, where there is one
}

// wireMonitor tells the status as null where it is not known.
type wireMonitor struct {
	MonitorConfig
	ProfileMonitorStatus *string `json:"profileMonitorStatus"`
}

type wireEndpoint struct {
	ID         string             `json:"id"`
	Name       string             `json:"name"`
	Type       string             `json:"type"`
	Properties EndpointProperties `json:"properties"`
}

// The api-versions that brought properties; clients of older ones do not get them.
const (
	versionGeo        = "2017-03-01"
	versionHeaders    = "2017-05-01"
	versionMultiValue = "2018-02-01"
	versionView       = "2018-04-01"
	versionAlways     = "2022-04-01"
)

// outlooks evaluates profiles by their keys. A nested endpoint's status is that of another profile: where there is one, all
// are read.
func (p *Provider) outlooks(ctx context.Context, profiles map[string]*Profile) (map[string]*outlook, error) {
	for _, profile := range profiles {
		if profile.nests() {
			var err error
			if profiles, _, err = p.loadAll(ctx, profilePrefix); err != nil {
				return nil, err
			}
			break
		}
	}
	at := situation{now: p.Clock.Now()}
	if p.Health != nil {
		at.views, at.drained = p.Health.Views(), p.Health.Drained
		at.steered = func(key string) steered {
			order, frozen := p.Health.Steered(key)
			return steered{Steering: order, Frozen: frozen}
		}
	}
	return evaluate(profiles, at), nil
}

// look evaluates one profile; nil when it went away meanwhile.
func (p *Provider) look(ctx context.Context, profile *Profile) (*outlook, error) {
	looks, err := p.outlooks(ctx, map[string]*Profile{profile.key(): profile})
	return looks[profile.key()], err
}

// wire gives a profile in the shape of an api-version. o is nil when the profile went away meanwhile.
func (p *Provider) wire(profile *Profile, o *outlook, version string) wireProfile {
	q := profile.Properties
	w := wireProfile{ID: profile.resourceID(), Name: profile.Name, Type: namespace + "/trafficManagerProfiles", Location: profile.Location, Tags: profile.Tags}
	if w.Tags == nil {
		w.Tags = map[string]string{}
	}
	w.Properties = wireProperties{ProfileStatus: q.ProfileStatus, TrafficRoutingMethod: q.TrafficRoutingMethod, DNSConfig: q.DNSConfig, MonitorConfig: wireMonitor{MonitorConfig: q.MonitorConfig},
		Endpoints: []wireEndpoint{}, FailbackMode: q.FailbackMode, AllDownPolicy: q.AllDownPolicy}
	w.Properties.DNSConfig.Fqdn = q.DNSConfig.RelativeName + "." + p.Zone
	if version < versionHeaders {
		w.Properties.MonitorConfig.CustomHeaders, w.Properties.MonitorConfig.ExpectedStatusCodeRanges = nil, nil
	}
	if version >= versionMultiValue {
		w.Properties.MaxReturn, w.Properties.AllowedEndpointRecordTypes = q.MaxReturn, q.AllowedEndpointRecordTypes
	}
	if version >= versionView {
		w.Properties.TrafficViewEnrollmentStatus = q.TrafficViewEnrollmentStatus
	}
	if p.Health != nil {
		if order, _ := p.Health.Steered(profile.key()); order.Mode != SteerAutomatic {
			w.Properties.Steering = &order
		}
	}
	if o != nil {
		w.Properties.MonitorConfig.ProfileMonitorStatus = &o.status
	}
	for i, e := range q.Endpoints {
		x := wireEndpoint{ID: profile.resourceID() + "/" + e.kind() + "/" + e.Name, Name: e.Name, Type: e.Type, Properties: e.Properties}
		if o != nil && i < len(o.endpoints) && o.endpoints[i].endpoint.Name == e.Name {
			x.Properties.EndpointMonitorStatus = o.endpoints[i].status
		}
		if e.kind() == kindNested && o != nil && i < len(o.endpoints) && o.endpoints[i].child != nil {
			x.Properties.Target = pointerTo(o.endpoints[i].child.profile.Properties.DNSConfig.RelativeName + "." + p.Zone)
		}
		trim(&x.Properties, version)
		w.Properties.Endpoints = append(w.Properties.Endpoints, x)
	}
	return w
}

// trim takes out what an api-version does not know.
func trim(q *EndpointProperties, version string) {
	if version < versionGeo {
		q.GeoMapping = nil
	}
	if version < versionHeaders {
		q.CustomHeaders = nil
	}
	if version < versionMultiValue {
		q.Subnets = nil
	}
	if version < versionAlways {
		q.AlwaysServe, q.MinChildEndpointsIPv4, q.MinChildEndpointsIPv6 = "", nil, nil
	}
	q.GeoMapping = slices.Clone(q.GeoMapping)
}
