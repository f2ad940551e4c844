package traffic

import (
	"strings"

	"tandem"
)

// Values of settings, in Azure's words.
const (
	enabled  = "Enabled"
	disabled = "Disabled"

	methodPriority    = "Priority"
	methodWeighted    = "Weighted"
	methodPerformance = "Performance"
	methodGeographic  = "Geographic"
	methodMultiValue  = "MultiValue"
	methodSubnet      = "Subnet"

	kindAzure    = "azureEndpoints"
	kindExternal = "externalEndpoints"
	kindNested   = "nestedEndpoints"
)

// Settings of Tandem's own.
const (
	failbackAutomatic = "Automatic"
	failbackManual    = "Manual"

	allDownServe = "ServeAll" // Azure's rule: all eligible are answered as if online
	allDownLast  = "LastGood" // the endpoints that were online last
	allDownNone  = "None"     // no records

	overrideUp   = "Up"
	overrideDown = "Down"
)

// Profile is a Traffic Manager profile as it is stored. Pointers are settings that may be absent.
type Profile struct {
	Subscription  string            `json:"subscription"`
	ResourceGroup string            `json:"resourceGroup"`
	Name          string            `json:"name"`
	Location      string            `json:"location"`
	Tags          map[string]string `json:"tags"`
	Properties    ProfileProperties `json:"properties"`
}

// ProfileProperties are the settings of a profile, in the shape of the wire.
type ProfileProperties struct {
	ProfileStatus               string        `json:"profileStatus,omitempty"`
	TrafficRoutingMethod        string        `json:"trafficRoutingMethod,omitempty"`
	DNSConfig                   DNSConfig     `json:"dnsConfig"`
	MonitorConfig               MonitorConfig `json:"monitorConfig"`
	Endpoints                   []*Endpoint   `json:"endpoints"`
	TrafficViewEnrollmentStatus string        `json:"trafficViewEnrollmentStatus,omitempty"`
	AllowedEndpointRecordTypes  []string      `json:"allowedEndpointRecordTypes,omitempty"`
	MaxReturn                   *int64        `json:"maxReturn,omitempty"`

	FailbackMode  string `json:"failbackMode,omitempty"`  // Tandem's own: Automatic or Manual
	AllDownPolicy string `json:"allDownPolicy,omitempty"` // Tandem's own: ServeAll, LastGood or None
}

// DNSConfig is the profile's name and TTL. Fqdn is for reading alone.
type DNSConfig struct {
	RelativeName string `json:"relativeName"`
	Fqdn         string `json:"fqdn,omitempty"`
	TTL          *int64 `json:"ttl,omitempty"` // seconds
}

// MonitorConfig is how endpoints are probed. ProfileMonitorStatus is for reading alone.
type MonitorConfig struct {
	ProfileMonitorStatus      string        `json:"profileMonitorStatus,omitempty"`
	Protocol                  string        `json:"protocol,omitempty"`
	Port                      *int64        `json:"port,omitempty"`
	Path                      *string       `json:"path,omitempty"`
	IntervalInSeconds         *int64        `json:"intervalInSeconds,omitempty"`
	TimeoutInSeconds          *int64        `json:"timeoutInSeconds,omitempty"`
	ToleratedNumberOfFailures *int64        `json:"toleratedNumberOfFailures,omitempty"`
	CustomHeaders             []Header      `json:"customHeaders,omitempty"`
	ExpectedStatusCodeRanges  []StatusRange `json:"expectedStatusCodeRanges,omitempty"`

	// Tandem's own. The finer interval and timeout win over Azure's.
	IntervalInMilliseconds *int64 `json:"intervalInMilliseconds,omitempty"` // 50 to 300,000
	TimeoutInMilliseconds  *int64 `json:"timeoutInMilliseconds,omitempty"`  // 10 to 60,000
	RecheckInMilliseconds  *int64 `json:"recheckInMilliseconds,omitempty"`  // gap of re-checks after a failure; 0: none, as Azure
	SuccessesToRecover     *int64 `json:"successesToRecover,omitempty"`     // in a row; 1 to 100
	FailureBudget          *int64 `json:"failureBudget,omitempty"`          // failures borne without a steady run; 0: off
	SteadyRun              *int64 `json:"steadyRun,omitempty"`              // successes in a row that forgive failures
	HoldDownInSeconds      *int64 `json:"holdDownInSeconds,omitempty"`      // of an outage within an hour of the last; doubles; 0: none
	BodyMatch              string `json:"bodyMatch,omitempty"`
	CertificateValidation  string `json:"certificateValidation,omitempty"` // Enabled or Disabled
	DetailedStatus         string `json:"detailedStatus,omitempty"`        // Enabled: the endpoint is a Tandem gateway
}

// Header is a request header of probes.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// StatusRange is a range of HTTP statuses, both ends within.
type StatusRange struct {
	Min *int32 `json:"min"`
	Max *int32 `json:"max"`
}

// Endpoint is one endpoint of a profile.
type Endpoint struct {
	ID         string             `json:"id,omitempty"`
	Name       string             `json:"name"`
	Type       string             `json:"type"` // Microsoft.Network/trafficManagerProfiles/externalEndpoints
	Properties EndpointProperties `json:"properties"`
}

// EndpointProperties are the settings of an endpoint. EndpointMonitorStatus is for reading alone.
type EndpointProperties struct {
	EndpointStatus        string   `json:"endpointStatus,omitempty"`
	EndpointMonitorStatus string   `json:"endpointMonitorStatus,omitempty"`
	TargetResourceID      *string  `json:"targetResourceId,omitempty"`
	Target                *string  `json:"target,omitempty"`
	Weight                *int64   `json:"weight,omitempty"`
	Priority              *int64   `json:"priority,omitempty"`
	EndpointLocation      *string  `json:"endpointLocation,omitempty"`
	MinChildEndpoints     *int64   `json:"minChildEndpoints,omitempty"`
	MinChildEndpointsIPv4 *int64   `json:"minChildEndpointsIPv4,omitempty"`
	MinChildEndpointsIPv6 *int64   `json:"minChildEndpointsIPv6,omitempty"`
	GeoMapping            []string `json:"geoMapping,omitempty"`
	Subnets               []Subnet `json:"subnets,omitempty"`
	CustomHeaders         []Header `json:"customHeaders,omitempty"`
	AlwaysServe           string   `json:"alwaysServe,omitempty"`

	// Tandem's own.
	Override       string `json:"override,omitempty"`       // Up or Down, against what is measured
	OverrideUntil  string `json:"overrideUntil,omitempty"`  // RFC 3339: when Override ends; empty: by hand
	Drain          string `json:"drain,omitempty"`          // Enabled takes the endpoint out in two steps
	DrainInSeconds *int64 `json:"drainInSeconds,omitempty"` // from the begin of a drain until the endpoint is out; at least the TTL
	Failback       int64  `json:"failback,omitempty"`       // grows with each failback call; nodes act on a change
}

// Subnet is a range of client addresses: first with last, or first with scope (leading bits), or first alone.
type Subnet struct {
	First *string `json:"first,omitempty"`
	Last  *string `json:"last,omitempty"`
	Scope *int32  `json:"scope,omitempty"`
}

const namespace = "Microsoft.Network"

// resourceID writes the id as Azure does, whatever case the client used.
func (p *Profile) resourceID() string {
	return tandem.ResourceID{Subscription: p.Subscription, ResourceGroup: p.ResourceGroup, Provider: namespace,
		Types: []string{"trafficManagerProfiles"}, Names: []string{p.Name}}.String()
}

// key is where the profile is stored.
func (p *Profile) key() string { return profileKey(p.Subscription, p.ResourceGroup, p.Name) }

// prefix is where all of it is stored.
const prefix = "traffic/"

const (
	profilePrefix = "traffic/profiles/"
	namePrefix    = "traffic/names/"
)

func profileKey(subscription, group, name string) string {
	return profilePrefix + strings.ToLower(subscription+"/"+group+"/"+name)
}

func nameKey(relative string) string { return namePrefix + strings.ToLower(relative) }

// kind is the endpoint's type without its namespace, in Azure's case; empty where it is none of the three.
func (e *Endpoint) kind() string {
	last := e.Type[strings.LastIndex(e.Type, "/")+1:]
	for _, k := range []string{kindAzure, kindExternal, kindNested} {
		if strings.EqualFold(k, last) {
			return k
		}
	}
	return ""
}

// find gives the endpoint of a kind by name, in any case, and its place.
func (p *Profile) find(kind, name string) (*Endpoint, int) {
	for i, e := range p.Properties.Endpoints {
		if strings.EqualFold(e.Name, name) && strings.EqualFold(e.kind(), kind) {
			return e, i
		}
	}
	return nil, -1
}

func (e *Endpoint) target() string { return value(e.Properties.Target, "") }

func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func pointerTo[T any](v T) *T { return &v }
