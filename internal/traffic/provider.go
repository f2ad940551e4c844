package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/traffic/health"
)

// Health is what a node measures, for the provider to tell. Service implements it.
type Health interface {
	// Views gives what is known of endpoints by their id in lower case.
	Views() map[string]health.View
	// Results gives the remembered probe results of one endpoint, oldest first.
	Results(endpoint string) []health.Result
	// Events gives the remembered changes, oldest first.
	Events() []health.Change
	// Steered gives the order in force for a profile, by its key, and where that is Hold the endpoints held for up.
	Steered(profile string) (order Steering, held map[string]bool)
	// Drained tells that an endpoint left DNS at the end of its drain.
	Drained(endpoint string) bool
}

// ProviderConfig is what a Provider needs.
type ProviderConfig struct {
	Store store.Store
	Clock tandem.Clock
	Zone  string // of the profiles' names; empty: trafficmanager.net
	// NameServers are those of the zone; empty: "ns1." and the zone. No profile can have their names.
	NameServers []string
	// Find tells where the resource is that an azure endpoint names; NotFound where there is none, or its kind has no
	// address. nil: such endpoints need a target.
	Find func(ctx context.Context, id tandem.ResourceID) (Found, error)
	// Health is this node's; nil on nodes that do not probe: endpoints are then told as CheckingEndpoint.
	Health Health
}

// Provider serves Microsoft.Network/trafficManagerProfiles.
type Provider struct{ ProviderConfig }

var _ arm.Provider = (*Provider)(nil)

// NewProvider makes the provider.
func NewProvider(c ProviderConfig) *Provider {
	if c.Zone == "" {
		c.Zone = defaultZone
	}
	if len(c.NameServers) == 0 {
		c.NameServers = []string{"ns1." + c.Zone}
	}
	return &Provider{c}
}

const defaultZone = "trafficmanager.net"

// Namespace implements arm.Provider.
func (p *Provider) Namespace() string { return namespace }

// Types implements arm.Provider.
func (p *Provider) Types() []arm.TypeInfo {
	versions := []string{"2022-04-01", "2022-04-01-preview", "2018-08-01", "2018-04-01", "2018-03-01", "2018-02-01", "2017-09-01-preview", "2017-05-01", "2017-03-01", "2015-11-01"}
	var out []arm.TypeInfo
	for _, name := range []string{"trafficManagerProfiles", "trafficManagerProfiles/" + kindAzure, "trafficManagerProfiles/" + kindExternal, "trafficManagerProfiles/" + kindNested,
		"trafficManagerProfiles/heatMaps", "trafficManagerGeographicHierarchies", "trafficManagerUserMetricsKeys", "checkTrafficManagerNameAvailability", "checkTrafficManagerNameAvailabilityV2"} {
		out = append(out, arm.TypeInfo{Name: name, Locations: []string{"global"}, APIVersions: versions})
	}
	return out
}

// Routes implements arm.Provider. The last group is Tandem's own.
func (p *Provider) Routes() []arm.Route {
	const (
		sub     = "/subscriptions/{subscriptionId}"
		all     = "/providers/Microsoft.Network/trafficManagerProfiles"
		group   = sub + "/resourceGroups/{resourceGroupName}" + all
		profile = group + "/{profileName}"
	)
	routes := []arm.Route{
		{Method: http.MethodGet, Pattern: sub + all, Handler: p.list},
		{Method: http.MethodGet, Pattern: group, Handler: p.list},
		{Method: http.MethodGet, Pattern: profile, Handler: p.get},
		{Method: http.MethodPut, Pattern: profile, Handler: p.put},
		{Method: http.MethodPatch, Pattern: profile, Handler: p.patch},
		{Method: http.MethodDelete, Pattern: profile, Handler: p.delete},
		{Method: http.MethodGet, Pattern: profile + "/heatMaps/{heatMapType}", Handler: p.heatMap},
		{Method: http.MethodPost, Pattern: "/providers/Microsoft.Network/checkTrafficManagerNameAvailability", Handler: p.checkName, AnyPrincipal: true},
		{Method: http.MethodPost, Pattern: sub + "/providers/Microsoft.Network/checkTrafficManagerNameAvailabilityV2", Handler: p.checkName, AnyPrincipal: true}, // what DNS tells anyone
		{Method: http.MethodGet, Pattern: "/providers/Microsoft.Network/trafficManagerGeographicHierarchies/{name}", Handler: p.hierarchy, AnyPrincipal: true},
		{Method: http.MethodGet, Pattern: sub + "/providers/Microsoft.Network/trafficManagerUserMetricsKeys/{name}", Handler: p.getMetricsKey},
		{Method: http.MethodPut, Pattern: sub + "/providers/Microsoft.Network/trafficManagerUserMetricsKeys/{name}", Handler: p.putMetricsKey},
		{Method: http.MethodDelete, Pattern: sub + "/providers/Microsoft.Network/trafficManagerUserMetricsKeys/{name}", Handler: p.deleteMetricsKey},
		{Method: http.MethodPost, Pattern: profile + "/listHealth", Handler: p.listHealth, Action: readAction},
		{Method: http.MethodPost, Pattern: profile + "/steer", Handler: p.steerProfile},
	}
	for _, kind := range []string{kindAzure, kindExternal, kindNested} {
		e := profile + "/" + kind + "/{endpointName}"
		with := func(h func(context.Context, *arm.Request, string) (*arm.Response, error)) arm.Handler {
			return func(ctx context.Context, r *arm.Request) (*arm.Response, error) { return h(ctx, r, kind) }
		}
		routes = append(routes,
			arm.Route{Method: http.MethodGet, Pattern: e, Handler: with(p.getEndpoint)},
			arm.Route{Method: http.MethodPut, Pattern: e, Handler: with(p.putEndpoint)},
			arm.Route{Method: http.MethodPatch, Pattern: e, Handler: with(p.patchEndpoint)},
			arm.Route{Method: http.MethodDelete, Pattern: e, Handler: with(p.deleteEndpoint)},
			arm.Route{Method: http.MethodPost, Pattern: e + "/failback", Handler: with(p.failback)},
			arm.Route{Method: http.MethodPost, Pattern: e + "/listProbeResults", Handler: with(p.listProbeResults), Action: readAction},
		)
	}
	return routes
}

// readAction is what a reader of profiles may do; history tells nothing more secret than the profile.
const readAction = "Microsoft.Network/trafficManagerProfiles/read"

// load reads a profile.
func (p *Provider) load(ctx context.Context, r *arm.Request) (*Profile, tandem.Revision, error) {
	name, group := r.Params["profileName"], r.Params["resourceGroupName"]
	d, err := p.Store.Get(ctx, profileKey(r.Params["subscriptionId"], group, name), 0)
	if errors.Is(err, tandem.NotFound) {
		return nil, 0, arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The Resource 'Microsoft.Network/trafficManagerProfiles/%s' under resource group '%s' was not found.", name, group)
	}
	if err != nil {
		return nil, 0, err
	}
	profile, err := decodeProfile(d)
	return profile, d.Revision, err
}

func decodeProfile(d store.Document) (*Profile, error) {
	var p Profile
	if err := json.Unmarshal(d.Value, &p); err != nil {
		return nil, &tandem.Error{Op: "read traffic profile", Subject: d.Key, Kind: tandem.Corrupt, Err: err, Remedy: "restore the document from a backup"}
	}
	return &p, nil
}

// loadAll reads all profiles below a prefix of keys.
func (p *Provider) loadAll(ctx context.Context, prefix string) (map[string]*Profile, []string, error) {
	list, err := p.Store.List(ctx, prefix, store.ListOptions{})
	if err != nil {
		return nil, nil, err
	}
	out, order := make(map[string]*Profile, len(list.Documents)), make([]string, 0, len(list.Documents))
	for _, d := range list.Documents {
		profile, err := decodeProfile(d)
		if err != nil {
			return nil, nil, err
		}
		out[d.Key] = profile
		order = append(order, d.Key)
	}
	return out, order, nil
}

// maxTries bounds how often a change is tried again when another writer was first.
const maxTries = 8

// change reads a profile, lets f change it, checks it, and commits it if nobody else changed it meanwhile. Where the
// profile is absent f gets nil; f may give nil for "delete it". It gives the profile as written and whether it is new.
func (p *Provider) change(ctx context.Context, r *arm.Request, f func(old *Profile) (*Profile, error)) (*Profile, bool, error) {
	var notFound *arm.Error
	for try := 1; ; try++ {
		old, revision, err := p.load(ctx, r)
		if errors.As(err, &notFound) && notFound.Status == http.StatusNotFound {
			old, err = nil, nil
		}
		if err != nil {
			return nil, false, err
		}
		oldName := ""
		if old != nil {
			oldName = old.Properties.DNSConfig.RelativeName
		}
		next, err := f(old)
		if err != nil {
			return nil, false, err
		}
		err = p.commit(ctx, profileKey(r.Params["subscriptionId"], r.Params["resourceGroupName"], r.Params["profileName"]), revision, oldName, next)
		switch {
		case errors.Is(err, tandem.Precondition) && try < maxTries:
			continue
		case errors.Is(err, tandem.Precondition):
			return nil, false, arm.Errorf(http.StatusConflict, "Conflict", "The profile is being changed by other requests. Try again.")
		}
		return next, old == nil, err
	}
}

// commit writes one version of a profile, and holds its relative name.
func (p *Provider) commit(ctx context.Context, key string, revision tandem.Revision, oldName string, next *Profile) error {
	b := store.Batch{If: []store.Condition{{Key: key, Revision: revision}}}
	if next == nil {
		b.Delete = []string{key, nameKey(oldName), steerKey(key)}
		_, err := p.Store.Commit(ctx, b)
		return err
	}
	if err := p.resolveTargets(ctx, next); err != nil {
		return err
	}
	if err := next.normalise(); err != nil {
		return err
	}
	if err := p.checkNesting(ctx, next); err != nil {
		return err
	}
	name := next.Properties.DNSConfig.RelativeName
	if oldName != "" && !strings.EqualFold(name, oldName) {
		return refuse("properties.dnsConfig.relativeName", "The relative DNS name of a profile cannot be changed after it is created.")
	}
	if oldName == "" {
		if p.reserved(name) {
			return arm.Errorf(http.StatusConflict, "Conflict", "Domain name %s.%s is that of a name server of the zone. Please choose a different DNS prefix.", name, p.Zone)
		}
		holder, err := p.Store.Get(ctx, nameKey(name), 0)
		if err == nil && string(holder.Value) != key {
			return arm.Errorf(http.StatusConflict, "Conflict", "Domain name %s.%s already exists. Please choose a different DNS prefix.", name, p.Zone)
		}
		if err != nil && !errors.Is(err, tandem.NotFound) {
			return err
		}
		b.If = append(b.If, store.Condition{Key: nameKey(name), Revision: holder.Revision})
		b.Put = append(b.Put, store.Write{Key: nameKey(name), Value: []byte(key)})
	}
	value, err := json.Marshal(next)
	if err != nil {
		return &tandem.Error{Op: "write traffic profile", Subject: key, Kind: tandem.Invalid, Err: err}
	}
	b.Put = append(b.Put, store.Write{Key: key, Value: value})
	_, err = p.Store.Commit(ctx, b)
	return err
}

// reserved tells whether a relative name is that of a name server of the zone.
func (p *Provider) reserved(relative string) bool {
	for _, ns := range p.NameServers {
		if strings.EqualFold(strings.TrimSuffix(ns, "."), relative+"."+p.Zone) {
			return true
		}
	}
	return false
}
