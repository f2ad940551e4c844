package traffic

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// pairProfile has a primary and a standby by address, probed fast.
func pairProfile(port int, extra string) string {
	return fmt.Sprintf(`{"location":"global","properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"api","ttl":0},
	 "monitorConfig":{"protocol":"HTTP","port":%d,"path":"/status-0123456789abcdef","intervalInMilliseconds":100,"timeoutInMilliseconds":100},%s
	 "endpoints":[{"name":"primary","type":"Microsoft.Network/trafficManagerProfiles/ExternalEndpoints","properties":{"target":"127.0.0.11","priority":1}},
	 {"name":"standby","type":"Microsoft.Network/trafficManagerProfiles/externalEndpoints","properties":{"target":"127.0.0.12","priority":2}}]}}`, port, extra)
}

func pair(t *testing.T) (primary, standby *backend) {
	primary = newBackend(t, "127.0.0.11", 0)
	return primary, newBackend(t, "127.0.0.12", int(primary.address.Port()))
}

func (p *plane) answers(name string) func() string {
	return func() string { return first(ask(p.t, p.service, name+".trafficmanager.net", dns.TypeA)) }
}

func TestFailover(t *testing.T) {
	for _, mode := range []string{"kill", "hang", "503"} {
		t.Run(mode, func(t *testing.T) {
			p := newPlane(t, nil)
			primary, _ := pair(t)
			p.must(201, "PUT", "p1", pairProfile(int(primary.address.Port()), ""))
			answer := p.answers("api")
			eventually(t, "both are online", func() bool {
				out := p.must(200, "GET", "P1", "")
				return dig(out, "properties", "endpoints", 0, "properties", "endpointMonitorStatus") == "Online" && dig(out, "properties", "endpoints", 1, "properties", "endpointMonitorStatus") == "Online"
			})
			if got := answer(); got != "127.0.0.11" {
				t.Fatalf("with both online the answer is %s", got)
			}
			switch mode {
			case "kill":
				primary.kill()
			case "hang":
				primary.setHang(true)
			case "503":
				primary.say(503)
			}
			eventually(t, "the standby is answered", func() bool { return answer() == "127.0.0.12" })
			out := p.must(200, "GET", "p1", "")
			if got := dig(out, "properties", "monitorConfig", "profileMonitorStatus"); got != "Degraded" {
				t.Errorf("the profile's status is %v", got)
			}
			switch mode {
			case "kill":
				primary.start(t)
			case "hang":
				primary.setHang(false)
			case "503":
				primary.say(200)
			}
			eventually(t, "the primary is answered again", func() bool { return answer() == "127.0.0.11" })
			history := p.must(200, "POST", "p1/listHealth", "")
			var to []any
			for i := range history["events"].([]any) {
				if dig(history, "events", i, "endpoint") == dig(history, "events", 0, "endpoint") || true {
					to = append(to, dig(history, "events", i, "to"))
				}
			}
			if len(to) != 4 { // both online, one degraded, one online
				t.Errorf("events lead to %v", to)
			}
			if n := len(p.must(200, "POST", "p1/externalEndpoints/primary/listProbeResults", "")["value"].([]any)); n < 5 {
				t.Errorf("%d results are remembered", n)
			}
		})
	}
}

func TestManualFailback(t *testing.T) {
	p := newPlane(t, nil)
	primary, _ := pair(t)
	p.must(201, "PUT", "p1", pairProfile(int(primary.address.Port()), `"failbackMode":"manual",`))
	answer := p.answers("api")
	eventually(t, "the primary is answered", func() bool { return answer() == "127.0.0.11" })
	primary.say(500)
	eventually(t, "the standby is answered", func() bool { return answer() == "127.0.0.12" })
	primary.say(200)
	eventually(t, "the primary is kept out", func() bool {
		return dig(p.must(200, "POST", "p1/listHealth", ""), "endpoints", 0, "keptOut") == true
	})
	if got := answer(); got != "127.0.0.12" {
		t.Fatalf("a recovered primary came back by itself: %s", got)
	}
	p.must(200, "POST", "p1/externalEndpoints/primary/failback", "")
	eventually(t, "the primary is let back", func() bool { return answer() == "127.0.0.11" })
}

func TestDisabledEndpointStaysOut(t *testing.T) {
	p := newPlane(t, nil)
	primary, _ := pair(t)
	p.must(201, "PUT", "p1", pairProfile(int(primary.address.Port()), ""))
	answer := p.answers("api")
	eventually(t, "the primary is answered", func() bool { return answer() == "127.0.0.11" })
	out := p.must(200, "PATCH", "p1/externalEndpoints/primary", `{"properties":{"endpointStatus":"Disabled"}}`)
	if got := dig(out, "properties", "endpointMonitorStatus"); got != "Disabled" {
		t.Errorf("the status is %v", got)
	}
	if got := dig(out, "properties", "target"); got != "127.0.0.11" {
		t.Errorf("a PATCH lost the target: %v", got)
	}
	eventually(t, "the standby is answered", func() bool { return answer() == "127.0.0.12" })
	p.must(200, "PATCH", "p1", `{"properties":{"profileStatus":"Disabled"}}`)
	eventually(t, "the name is gone", func() bool { return answer() == "NXDOMAIN" })
}

// TestRestartWithoutStore: law 8, also across a restart.
func TestRestartWithoutStore(t *testing.T) {
	dir := t.TempDir()
	p := newPlane(t, func(c *Config) { c.Dir = dir })
	primary, _ := pair(t)
	p.must(201, "PUT", "p1", pairProfile(int(primary.address.Port()), ""))
	answer := p.answers("api")
	eventually(t, "the primary is answered", func() bool { return answer() == "127.0.0.11" })
	primary.kill()
	eventually(t, "the standby is answered", func() bool { return answer() == "127.0.0.12" })
	if err := p.service.Stop(); err != nil {
		t.Fatal(err)
	}
	p.store.Close()
	again := startService(t, p.store, func(c *Config) { c.Dir = dir })
	if got := first(ask(t, again, "api.trafficmanager.net", dns.TypeA)); got != "127.0.0.12" {
		t.Fatalf("the first answer after a restart without a store is %s", got)
	}
	if records, _, exists := again.Answer("api", netip.Addr{}); !exists || len(records) != 1 {
		t.Errorf("Answer gives %v, %v", records, exists)
	}
}
