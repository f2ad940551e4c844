package traffic

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"tandem/internal/traffic/geo"
	"tandem/internal/traffic/health"
)

// world places 10.0.0.0/8 in India (18.5, 73.9), 11.0.0.0/8 in California, 12.0.0.0/8 in France and all else nowhere.
func world(t *testing.T) *geo.Table {
	t.Helper()
	table, err := geo.NewTable([]geo.Entry{
		{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Place: geo.Place{Country: "IN", At: geo.Point{Lat: 18.5, Lon: 73.9}, Located: true}},
		{Prefix: netip.MustParsePrefix("11.0.0.0/8"), Place: geo.Place{Country: "US", State: "CA", At: geo.Point{Lat: 37, Lon: -120}, Located: true}},
		{Prefix: netip.MustParsePrefix("12.0.0.0/8"), Place: geo.Place{Country: "FR", At: geo.Point{Lat: 46, Lon: 2}, Located: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// place makes a profile from lines "name target status settings": status is of the measurement, settings are changes.
func profileOf(t *testing.T, name, method string, lines ...string) (*Profile, map[string]health.View) {
	t.Helper()
	p := &Profile{Subscription: "s", ResourceGroup: "g", Name: name, Properties: ProfileProperties{TrafficRoutingMethod: method, DNSConfig: DNSConfig{RelativeName: name, TTL: pointerTo[int64](7)}}}
	views := map[string]health.View{}
	for _, line := range lines {
		f := strings.Fields(line)
		e := &Endpoint{Name: f[0], Type: kindExternal, Properties: EndpointProperties{Target: &f[1]}}
		if strings.HasPrefix(f[1], "/") {
			e.Type, e.Properties.Target, e.Properties.TargetResourceID = kindNested, nil, &f[1]
		}
		for _, kv := range f[3:] {
			k, v, _ := strings.Cut(kv, "=")
			switch k {
			case "weight":
				var n int64
				fmt.Sscan(v, &n)
				e.Properties.Weight = &n
			case "at":
				e.Properties.EndpointLocation = &v
			case "geo":
				e.Properties.GeoMapping = strings.Split(v, ",")
			case "subnet":
				prefix := netip.MustParsePrefix(v)
				e.Properties.Subnets = append(e.Properties.Subnets, Subnet{First: pointerTo(prefix.Addr().String()), Scope: pointerTo(int32(prefix.Bits()))})
			case "min":
				var n int64
				fmt.Sscan(v, &n)
				e.Properties.MinChildEndpoints = &n
			case "override":
				e.Properties.Override = v
			case "always":
				e.Properties.AlwaysServe = enabled
			}
		}
		if f[2] == "Disabled" {
			e.Properties.EndpointStatus = disabled
		}
		p.Properties.Endpoints = append(p.Properties.Endpoints, e)
		if f[2] == "Held" {
			views[endpointID(p, e)] = health.View{Status: health.Degraded, State: health.State{Status: health.Degraded, Awaiting: true}}
		} else if e.kind() != kindNested && f[2] != "Disabled" {
			views[endpointID(p, e)] = health.View{Status: health.Status(f[2])}
		}
	}
	if err := p.normalise(); err != nil {
		t.Fatal(err)
	}
	return p, views
}

// answersFrom gives what a client may be answered, over many questions, sorted.
func answersFrom(t *testing.T, c *compiler, o *outlook, client string) string {
	t.Helper()
	n, err := c.compile(o)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 200 {
		records, ttl, exists := n.Records(netip.MustParseAddr(client))
		var names []string
		for _, r := range records {
			if r.Target != "" {
				names = append(names, r.Target)
			} else {
				names = append(names, r.Addr.String())
			}
		}
		slices.Sort(names)
		switch {
		case !exists:
			names = []string{"NXDOMAIN"}
		case len(names) == 0:
			names = []string{"NODATA"}
		case ttl != 7:
			t.Errorf("the TTL is %d", ttl)
		}
		seen[strings.Join(names, "+")] = true
	}
	var out []string
	for s := range seen {
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestMethods(t *testing.T) {
	for _, c := range []struct {
		name, method, client string
		endpoints            []string
		want, status         string
	}{
		{"the lowest number", "Priority", "10.0.0.1", []string{"a a.example Online", "b b.example Online"}, "a.example", "Online"},
		{"the next one", "Priority", "10.0.0.1", []string{"a a.example Degraded", "b b.example Online"}, "b.example", "Degraded"},
		{"checking is served", "Priority", "10.0.0.1", []string{"a a.example CheckingEndpoint", "b b.example Online"}, "a.example", "Online"},
		{"all checking", "Priority", "10.0.0.1", []string{"a a.example CheckingEndpoint"}, "a.example", "CheckingEndpoints"},
		{"all down: as if online", "Priority", "10.0.0.1", []string{"a a.example Degraded", "b b.example Degraded"}, "a.example", "Degraded"},
		{"all down, one kept out", "Priority", "10.0.0.1", []string{"a a.example Degraded", "b b.example Held"}, "b.example", "Degraded"},
		{"disabled is never served", "Priority", "10.0.0.1", []string{"a a.example Disabled", "b b.example Degraded"}, "b.example", "Degraded"},
		{"nothing enabled", "Priority", "10.0.0.1", []string{"a a.example Disabled"}, "NODATA", "Inactive"},
		{"always served", "Priority", "10.0.0.1", []string{"a a.example Degraded always", "b b.example Online"}, "a.example", "Online"},
		{"forced up", "Priority", "10.0.0.1", []string{"a a.example Degraded override=Up", "b b.example Online"}, "a.example", "Degraded"},
		{"forced down", "Priority", "10.0.0.1", []string{"a a.example Online override=Down", "b b.example Degraded"}, "b.example", "Degraded"},
		{"weights", "Weighted", "10.0.0.1", []string{"a a.example Online weight=3", "b b.example Online", "c c.example Degraded"}, "a.example b.example", "Degraded"},
		{"weights, all down", "Weighted", "10.0.0.1", []string{"a a.example Degraded", "b b.example Degraded"}, "a.example b.example", "Degraded"},
		{"several", "MultiValue", "10.0.0.1", []string{"a 192.0.2.1 Online", "b 192.0.2.2 Online", "c 192.0.2.3 Online", "d 192.0.2.4 Degraded"}, "192.0.2.1+192.0.2.2 192.0.2.1+192.0.2.3 192.0.2.2+192.0.2.3", "Degraded"},
		{"the nearest to India", "Performance", "10.0.0.1", []string{"a a.example Online at=westus", "b b.example Online at=centralindia", "c c.example Online at=francecentral"}, "b.example", "Online"},
		{"the nearest to California", "Performance", "11.0.0.1", []string{"a a.example Online at=westus", "b b.example Online at=centralindia", "c c.example Online at=francecentral"}, "a.example", "Online"},
		{"the next nearest", "Performance", "10.0.0.1", []string{"a a.example Online at=westus", "b b.example Degraded at=centralindia", "c c.example Online at=francecentral"}, "c.example", "Degraded"},
		{"from nowhere: near the node", "Performance", "99.0.0.1", []string{"a a.example Online at=westus", "b b.example Online at=centralindia", "c c.example Online at=francecentral"}, "c.example", "Online"},
		{"by state", "Geographic", "11.0.0.1", []string{"a a.example Online geo=US-CA", "b b.example Online geo=US", "c c.example Online geo=WORLD"}, "a.example", "Online"},
		{"by country", "Geographic", "10.0.0.1", []string{"a a.example Online geo=IN", "b b.example Online geo=GEO-AS"}, "a.example", "Online"},
		{"by group", "Geographic", "12.0.0.1", []string{"a a.example Online geo=IN", "b b.example Online geo=GEO-EU"}, "b.example", "Online"},
		{"no region mapped", "Geographic", "12.0.0.1", []string{"a a.example Online geo=IN"}, "NODATA", "Online"},
		{"from nowhere", "Geographic", "99.0.0.1", []string{"a a.example Online geo=IN", "b b.example Online geo=WORLD"}, "b.example", "Online"},
		{"degraded is answered in its region", "Geographic", "10.0.0.1", []string{"a a.example Degraded geo=IN", "b b.example Online geo=WORLD"}, "a.example", "Degraded"},
		{"disabled is not", "Geographic", "10.0.0.1", []string{"a a.example Disabled geo=IN", "b b.example Online geo=WORLD"}, "NODATA", "Online"},
		{"by range", "Subnet", "10.0.0.1", []string{"a a.example Online subnet=10.0.0.0/24", "b b.example Online"}, "a.example", "Online"},
		{"the rest", "Subnet", "10.0.1.1", []string{"a a.example Online subnet=10.0.0.0/24", "b b.example Online"}, "b.example", "Online"},
		{"no rest", "Subnet", "10.0.1.1", []string{"a a.example Online subnet=10.0.0.0/24"}, "NXDOMAIN", "Online"},
		{"down, the rest takes over", "Subnet", "10.0.0.1", []string{"a a.example Degraded subnet=10.0.0.0/24", "b b.example Online"}, "b.example", "Degraded"},
		{"down, nobody takes over", "Subnet", "10.0.0.1", []string{"a a.example Degraded subnet=10.0.0.0/24"}, "a.example", "Degraded"},
	} {
		p, views := profileOf(t, "p", c.method, c.endpoints...)
		o := evaluate(map[string]*Profile{p.key(): p}, situation{views: views})[p.key()]
		home, _ := geo.RegionPoint("westeurope")
		got := answersFrom(t, &compiler{places: world(t), home: home, homeOK: true}, o, c.client)
		if got != c.want || o.status != c.status {
			t.Errorf("%s, %s: %s (%s), want %s (%s)", c.method, c.name, got, o.status, c.want, c.status)
		}
	}
}

func TestAllDownPolicies(t *testing.T) {
	for policy, want := range map[string]string{allDownServe: "a.example", allDownLast: "b.example", allDownNone: "NODATA"} {
		p, views := profileOf(t, "p", "Priority", "a a.example Degraded", "b b.example Degraded")
		p.Properties.AllDownPolicy = policy
		o := evaluate(map[string]*Profile{p.key(): p}, situation{views: views})[p.key()]
		c := &compiler{places: geo.Unknown(), lastGood: func(string) map[string]bool { return map[string]bool{"b": true} }}
		if got := answersFrom(t, c, o, "10.0.0.1"); got != want {
			t.Errorf("%s: %s, want %s", policy, got, want)
		}
	}
}

// TestNested holds what a parent makes of its child.
func TestNested(t *testing.T) {
	const child = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/trafficManagerProfiles/child"
	for _, c := range []struct {
		name            string
		min             int
		child           []string
		disabled        bool
		status, answers string
	}{
		{"enough online", 1, []string{"x x.example Online", "y y.example Degraded"}, false, "Online", "x.example"},
		{"enough may yet be", 2, []string{"x x.example Online", "y y.example CheckingEndpoint"}, false, "CheckingEndpoint", "x.example"},
		{"too few", 2, []string{"x x.example Online", "y y.example Degraded"}, false, "Degraded", "other.example"},
		{"the child is disabled", 1, []string{"x x.example Online"}, true, "Stopped", "other.example"},
		{"the child has nothing", 1, []string{"x x.example Disabled"}, false, "Stopped", "other.example"},
	} {
		kid, views := profileOf(t, "child", "Priority", c.child...)
		if c.disabled {
			kid.Properties.ProfileStatus = disabled
		}
		parent, more := profileOf(t, "parent", "Priority", fmt.Sprintf("n %s - min=%d", child, c.min), "o other.example Online")
		for k, v := range more {
			views[k] = v
		}
		looks := evaluate(map[string]*Profile{kid.key(): kid, parent.key(): parent}, situation{views: views})
		o := looks[parent.key()]
		if got := answersFrom(t, &compiler{places: geo.Unknown()}, o, "10.0.0.1"); o.endpoints[0].status != c.status || got != c.answers {
			t.Errorf("%s: %s, answers %s; want %s, %s", c.name, o.endpoints[0].status, got, c.status, c.answers)
		}
	}
}
