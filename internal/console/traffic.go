package console

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"tandem"
	"tandem/internal/traffic"
	"tandem/internal/traffic/health"
	"tandem/internal/traffic/nameserver"
)

// profileView is a Traffic Manager profile with all that is measured.
type profileView struct {
	ID, Name, Group string
	Properties      traffic.ProfileProperties
	Endpoints       []endpointView
	Events          []health.Change // newest first
	Answer          answerView
	MayChange       bool
}

// answerView is what DNS answers a client.
type answerView struct {
	Client  string
	Exists  bool
	TTL     uint32 // seconds
	Records []recordView
	Why     string
}

type recordView struct {
	Value    string
	Region   tandem.Region // empty where the address is no region's
	Endpoint string
}

// endpointView is one endpoint: what is set and what is measured.
type endpointView struct {
	ID, Name, Kind, Target string
	Region                 tandem.Region
	Properties             traffic.EndpointProperties
	Health                 endpointHealth
	Results                []health.Result // newest first
	base                   string
}

// endpointHealth is an item of the profile's listHealth call.
type endpointHealth struct {
	Name     string `json:"name"`
	Status   string `json:"endpointMonitorStatus"`
	InDNS    bool   `json:"inDns"`
	Eligible bool   `json:"eligible"`
	KeptOut  bool   `json:"keptOut"`
	Override string `json:"override"`
	Drained  bool   `json:"drained"`
	Measured *struct {
		Status         string        `json:"status"`
		Since          time.Time     `json:"since"`
		Why            string        `json:"why"`
		Failures       int           `json:"failuresInARow"`
		Successes      int           `json:"successesInARow"`
		HeldUntil      time.Time     `json:"heldUntil"`
		SuspectsItself bool          `json:"suspectsItself"`
		LastResult     health.Result `json:"lastResult"`
	} `json:"measured"`
}

// Path is the endpoint's page of actions.
func (e endpointView) Path() string { return e.base + "/" + e.Kind + "/" + e.Name }

// Level and State are how the endpoint stands, in a word.
func (e endpointView) Level() string {
	switch {
	case e.Health.KeptOut || e.Health.Override != "" || e.Health.Drained:
		return "warn"
	case e.Health.Status == string(health.Online), e.Health.Status == "Unmonitored":
		return "good"
	case e.Health.Status == string(health.Degraded):
		return "bad"
	case e.Health.Status == string(health.Checking):
		return "wait"
	}
	return "off"
}

// State is the word for Level.
func (e endpointView) State() string {
	switch {
	case e.Health.Override == "Down":
		return "Taken out by hand"
	case e.Health.Override == "Up":
		return "Kept in by hand"
	case e.Properties.Drain == "Enabled" && e.Health.Drained:
		return "Drained"
	case e.Properties.Drain == "Enabled":
		return "Draining"
	case e.Health.KeptOut:
		return "Recovered, kept out"
	case e.Health.Status == "":
		return "Not measured"
	case e.Health.Status == string(health.Checking):
		return "Being checked"
	}
	return e.Health.Status
}

// Path is the profile's page.
func (p profileView) Path() string { return "/traffic/" + p.Group + "/" + p.Name }

func (p profileView) title() string { return p.Name + " · Traffic" }

// say tells a change of the answer to who cannot see it.
func (p profileView) say() string {
	return p.Properties.DNSConfig.Fqdn + ": " + p.Answer.sentence()
}

// Seconds is how long a client may keep the answer.
func (a answerView) Seconds() int { return int(a.TTL) }

func (a answerView) sentence() string {
	if len(a.Records) == 0 {
		return "no address is answered."
	}
	var to []string
	for _, r := range a.Records {
		to = append(to, strings.TrimSpace(r.Value+" "+string(r.Region)))
	}
	return "clients are sent to " + strings.Join(to, ", ") + "."
}

// point is one probe in the chart: milliseconds since 1970, and of latency; null for a failure.
type point struct {
	At int64    `json:"t"`
	MS *float64 `json:"ms"`
}

type series struct {
	Name   string  `json:"name"`
	Points []point `json:"points"`
}

func (p profileView) chart() any {
	all := []series{}
	for _, e := range p.Endpoints {
		s := series{Name: e.Name, Points: []point{}}
		for i := len(e.Results) - 1; i >= 0; i-- {
			r := e.Results[i]
			q := point{At: r.At.UnixMilli()}
			if r.OK {
				ms := float64(r.Took.Microseconds()) / 1000
				q.MS = &ms
			}
			s.Points = append(s.Points, q)
		}
		all = append(all, s)
	}
	return all
}

type profileResource struct {
	ID, Name   string
	Properties traffic.ProfileProperties
}

// profiles reads all profiles that the role shows, with their health.
func (v *visit) profiles(regions []Region) ([]profileView, error) {
	all, err := across[profileResource](v, "Microsoft.Network/trafficManagerProfiles", trafficVersion)
	if err != nil {
		return nil, err
	}
	out := []profileView{}
	for _, r := range all {
		p, err := v.profile(r, regions)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (v *visit) profile(r profileResource, regions []Region) (profileView, error) {
	p := profileView{ID: r.ID, Name: r.Name, Properties: r.Properties}
	if id, err := tandem.ParseResourceID(r.ID); err == nil {
		p.Group = id.ResourceGroup
	}
	var measured struct {
		Endpoints []endpointHealth
		Events    []health.Change
	}
	if _, err := v.call(v.ctx, http.MethodPost, r.ID+"/listHealth", trafficVersion, nil, &measured); err != nil {
		return p, err
	}
	for i := len(measured.Events) - 1; i >= 0; i-- {
		e := measured.Events[i]
		e.Endpoint = lastSegment(e.Endpoint)
		p.Events = append(p.Events, e)
	}
	for _, e := range r.Properties.Endpoints {
		view := endpointView{ID: e.ID, Name: e.Name, Kind: lastSegment(e.Type), Properties: e.Properties, base: p.Path()}
		if e.Properties.Target != nil {
			view.Target = *e.Properties.Target
			view.Region = regionAt(regions, view.Target)
		}
		for _, h := range measured.Endpoints {
			if strings.EqualFold(h.Name, e.Name) {
				view.Health = h
			}
		}
		p.Endpoints = append(p.Endpoints, view)
		p.MayChange = v.may("Microsoft.Network/trafficManagerProfiles/"+view.Kind+"/write", e.ID)
	}
	p.Answer = v.ask(p, regions, netip.Addr{})
	return p, nil
}

// ask asks what a client is answered, and says why in plain words.
func (v *visit) ask(p profileView, regions []Region, client netip.Addr) answerView {
	var a answerView
	if !client.IsValid() {
		client = netip.IPv4Unspecified()
	} else {
		a.Client = client.String()
	}
	var records []nameserver.Record
	records, a.TTL, a.Exists = v.Deployment.Answer(p.Properties.DNSConfig.RelativeName, client)
	for _, r := range records {
		one := recordView{Value: r.Target}
		if r.Addr.IsValid() {
			one.Value = r.Addr.String()
		}
		one.Region = regionAt(regions, one.Value)
		for _, e := range p.Endpoints {
			if strings.EqualFold(strings.TrimSuffix(e.Target, "."), strings.TrimSuffix(one.Value, ".")) {
				one.Endpoint = e.Name
			}
		}
		a.Records = append(a.Records, one)
	}
	a.Why = why(p, a)
	return a
}

func regionAt(regions []Region, target string) tandem.Region {
	for _, r := range regions {
		if r.Address != "" && r.Address == target {
			return r.Name
		}
	}
	return ""
}

// trafficPage is the list of profiles.
type trafficPage struct{ Profiles []profileView }

func (t trafficPage) say() string {
	var all []string
	for _, p := range t.Profiles {
		all = append(all, p.say())
	}
	return strings.Join(all, " ")
}

func loadTraffic(v *visit) (any, error) {
	all, err := v.profiles(v.Deployment.Regions(v.ctx))
	return trafficPage{all}, err
}

func (v *visit) profileAt() (profileView, []Region, error) {
	regions := v.Deployment.Regions(v.ctx)
	var r profileResource
	if _, err := v.call(v.ctx, http.MethodGet, v.group()+"/providers/Microsoft.Network/trafficManagerProfiles/"+escape(v.r.PathValue("profile")), trafficVersion, nil, &r); err != nil {
		return profileView{}, nil, err
	}
	p, err := v.profile(r, regions)
	return p, regions, err
}

// resultsShown is how many probes of an endpoint a page lists.
const resultsShown = 8

func loadProfile(v *visit) (any, error) {
	p, _, err := v.profileAt()
	if err != nil {
		return nil, err
	}
	for i := range p.Endpoints {
		e := &p.Endpoints[i]
		var results struct{ Value []health.Result }
		if _, err := v.call(v.ctx, http.MethodPost, e.ID+"/listProbeResults", trafficVersion, nil, &results); err != nil {
			return nil, err
		}
		for j := len(results.Value) - 1; j >= 0; j-- {
			e.Results = append(e.Results, results.Value[j])
		}
	}
	return p, nil
}

// LastResults are the newest probes.
func (e endpointView) LastResults() []health.Result {
	return e.Results[:min(len(e.Results), resultsShown)]
}

// askPage is the resolver's answer.
type askPage struct {
	Profile profileView
	Answer  answerView
	Problem string
}

func loadAsk(v *visit) (any, error) {
	p, regions, err := v.profileAt()
	if err != nil {
		return nil, err
	}
	page := askPage{Profile: p}
	client, err := netip.ParseAddr(strings.TrimSpace(v.r.URL.Query().Get("client")))
	if err != nil {
		page.Problem = "That is not an IP address. Give one such as 203.0.113.7 or 2001:db8::7."
		return page, nil
	}
	page.Answer = v.ask(p, regions, client)
	return page, nil
}
