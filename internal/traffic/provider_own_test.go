package traffic

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"tandem"
)

// TestOverrideEnds: an override with an end goes by itself, at every server, and is told while it lasts.
func TestOverrideEnds(t *testing.T) {
	p := newPlane(t, nil)
	primary, _ := pair(t)
	p.must(201, "PUT", "p1", pairProfile(int(primary.address.Port()), ""))
	answer := p.answers("api")
	eventually(t, "the primary is answered", func() bool { return answer() == "127.0.0.11" })
	p.must(400, "PATCH", "p1/externalEndpoints/primary", `{"properties":{"overrideUntil":"2030-01-01T00:00:00Z"}}`)
	p.must(400, "PATCH", "p1/externalEndpoints/primary", `{"properties":{"override":"Down","overrideUntil":"tomorrow"}}`)
	end := tandem.SystemClock{}.Now().Add(3 * time.Second).UTC().Format(time.RFC3339Nano)
	p.must(200, "PATCH", "p1/externalEndpoints/primary", fmt.Sprintf(`{"properties":{"override":"Down","overrideUntil":"%s"}}`, end))
	eventually(t, "the standby is answered", func() bool { return answer() == "127.0.0.12" })
	eventually(t, "the primary is answered again by itself", func() bool { return answer() == "127.0.0.11" })
	if got := dig(p.must(200, "POST", "p1/listHealth", ""), "endpoints", 0, "override"); got != "" {
		t.Errorf("the override is still told: %v", got)
	}
}

// TestForced holds when an override counts.
func TestForced(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for until, want := range map[string]string{"": "Down", "2026-01-02T03:04:06Z": "Down", "2026-01-02T03:04:05Z": "", "2026-01-02T05:04:04+02:00": ""} {
		q := EndpointProperties{Override: overrideDown, OverrideUntil: until}
		if got := q.forced(now); got != want {
			t.Errorf("until %q: %q", until, got)
		}
	}
}

// TestDrainSteps: the weight of a draining endpoint falls to a tenth before it goes.
func TestDrainSteps(t *testing.T) {
	began := time.Unix(1000, 0)
	for after, want := range map[time.Duration]int{-time.Second: 0, 0: 0, time.Second: 0, 6 * time.Second: 1, 30 * time.Second: 5, 59 * time.Second: 9, time.Hour: 9} {
		if got := drainStep(began, began.Add(after), time.Minute); got != want {
			t.Errorf("after %v: step %d, want %d", after, got, want)
		}
	}
	p, views := profileOf(t, "p", "Weighted", "a 192.0.2.1 Online", "b 192.0.2.2 Online")
	o := evaluate(map[string]*Profile{p.key(): p}, situation{views: views})[p.key()]
	c := &compiler{places: world(t), step: func(_ *Profile, e *Endpoint) int {
		if e.Name == "a" {
			return drainSteps - 1
		}
		return 0
	}}
	n, err := c.compile(o)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for range 11_000 {
		records, _, _ := n.Records(netip.MustParseAddr("10.0.0.1"))
		count[records[0].Addr.String()]++
	}
	if a := count["192.0.2.1"]; a < 700 || a > 1300 { // one in eleven
		t.Errorf("%v", count)
	}
}

// TestDrainCall: recovery drains an endpoint without the wire, and learns when it is out.
func TestDrainCall(t *testing.T) {
	p := newPlane(t, nil)
	primary, _ := pair(t)
	p.must(201, "PUT", "p1", pairProfile(int(primary.address.Port()), ""))
	answer := p.answers("api")
	eventually(t, "the primary is answered", func() bool { return answer() == "127.0.0.11" })
	id, err := tandem.ParseResourceID(profilesPath + "p1")
	if err != nil {
		t.Fatal(err)
	}
	provider := NewProvider(ProviderConfig{Store: p.store, Clock: tandem.SystemClock{}})
	p.must(200, "PATCH", "p1/externalEndpoints/primary", `{"properties":{"drainInSeconds":2}}`)
	if err := provider.Drain(t.Context(), id, "Primary", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the standby is answered", func() bool { return answer() == "127.0.0.12" })
	if !p.service.Drained(EndpointID(id, kindExternal, "primary")) {
		t.Error("it is not told as drained")
	}
	if err := provider.Drain(t.Context(), id, "primary", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the primary is answered again", func() bool { return answer() == "127.0.0.11" })
	if err := provider.Drain(t.Context(), id, "nobody", true); !errors.Is(err, tandem.NotFound) {
		t.Errorf("an endpoint that is not there: %v", err)
	}
}

// TestNameServerNames: no profile can take the name of a name server.
func TestNameServerNames(t *testing.T) {
	p := newPlane(t, nil)
	p.must(409, "PUT", "p1", fmt.Sprintf(minimal, "NS1"))
	p.must(201, "PUT", "p1", fmt.Sprintf(minimal, "ns2"))
	got := p.must(200, "POST", "/providers/Microsoft.Network/checkTrafficManagerNameAvailability", `{"name":"ns1","type":"Microsoft.Network/trafficManagerProfiles"}`)
	if got["nameAvailable"] != false || got["reason"] != "AlreadyExists" {
		t.Errorf("ns1 is told as %v", got)
	}
}

// TestAzureEndpoint: an endpoint that names a resource gets its address and region from it.
func TestAzureEndpoint(t *testing.T) {
	p := newPlane(t, nil)
	const service = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/"
	p.serve(NewProvider(ProviderConfig{Store: p.store, Clock: tandem.SystemClock{}, Health: p.service,
		Find: func(_ context.Context, id tandem.ResourceID) (Found, error) {
			switch id.Name() {
			case "apim-1":
				return Found{"apim-1.azure-api.example", "centralindia"}, nil
			case "sick":
				return Found{}, &tandem.Error{Op: "ask", Kind: tandem.Unavailable}
			}
			return Found{}, &tandem.Error{Op: "find", Kind: tandem.NotFound}
		}}))
	body := func(resource, more string) string {
		return fmt.Sprintf(`{"properties":{"trafficRoutingMethod":"Performance","dnsConfig":{"relativeName":"az"},"endpoints":[{"name":"a","type":"x/azureEndpoints","properties":{"targetResourceId":"%s"%s}}]}}`, service+resource, more)
	}
	made := p.must(201, "PUT", "p1", body("apim-1", ""))
	q := dig(made, "properties", "endpoints", 0, "properties")
	if dig(q, "target") != "apim-1.azure-api.example" || dig(q, "endpointLocation") != "centralindia" {
		t.Errorf("the endpoint is %v", q)
	}
	eventually(t, "its name is answered", func() bool {
		return first(ask(t, p.service, "az.trafficmanager.net", dns.TypeA)) == "apim-1.azure-api.example."
	})
	if got := dig(p.must(400, "PUT", "p2", body("nobody", "")), "error", "target"); got != "properties.endpoints.properties.targetResourceId" {
		t.Errorf("the refusal names %v", got)
	}
	p.must(200, "PUT", "p1", body("nobody", `,"target":"elsewhere.example"`))
	if status, _ := p.call("PUT", "p1", body("sick", "")); status < 500 {
		t.Errorf("with the resource's plane away: %d", status)
	}
}

// TestContents: a group lists its profiles, and takes them with it unless another group's profile needs one.
func TestContents(t *testing.T) {
	p := newPlane(t, nil)
	provider := NewProvider(ProviderConfig{Store: p.store, Clock: tandem.SystemClock{}})
	const sub = "00000000-0000-0000-0000-000000000001"
	p.must(201, "PUT", "child", fmt.Sprintf(minimal, "child"))
	p.must(201, "PUT", "parent", `{"tags":{"x":"y"},"properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"parent"},"endpoints":[{"name":"n","type":"x/nestedEndpoints","properties":{"targetResourceId":"`+profilesPath+`child"}}]}}`)
	list, err := provider.Resources(t.Context(), sub, "RG")
	if err != nil || len(list) != 2 || list[1].Name != "parent" || list[1].Tags["x"] != "y" || list[1].Type != "Microsoft.Network/trafficManagerProfiles" || list[1].Location != "global" {
		t.Errorf("%+v, %v", list, err)
	}
	const other = "/subscriptions/" + sub + "/resourceGroups/rg2/providers/Microsoft.Network/trafficmanagerprofiles/top"
	p.must(201, "PUT", other, `{"properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"top"},"endpoints":[{"name":"n","type":"x/nestedEndpoints","properties":{"targetResourceId":"`+profilesPath+`parent"}}]}}`)
	if err := provider.DeleteGroup(t.Context(), sub, "rg"); err == nil {
		t.Error("a profile that another group nests was deleted")
	}
	if err := provider.DeleteGroup(t.Context(), sub, "rg2"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := provider.DeleteGroup(t.Context(), sub, "rg"); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := provider.Resources(t.Context(), sub, ""); err != nil || len(list) != 0 {
		t.Errorf("%d are left: %v", len(list), err)
	}
	p.must(201, "PUT", "again", fmt.Sprintf(minimal, "child")) // the name is free
}

// TestEndpointID: the id by which health is told, whatever case a client uses.
func TestEndpointID(t *testing.T) {
	id, err := tandem.ParseResourceID(profilesPath + "P1")
	if err != nil {
		t.Fatal(err)
	}
	want := "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg/providers/microsoft.network/trafficmanagerprofiles/p1/externalendpoints/primary"
	if got := EndpointID(id, "ExternalEndpoints", "Primary"); got != want {
		t.Errorf("%s", got)
	}
}
