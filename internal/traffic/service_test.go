package traffic

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// pairProfile has a primary and a standby by address, probed fast.
func pairProfile(port int, extra string) string {
	return fmt.Sprintf(`{"location":"global","properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"api","ttl":0},
	 "monitorConfig":{"protocol":"HTTP","port":%d,"path":"/status-0123456789abcdef","intervalInMilliseconds":100,"timeoutInMilliseconds":1000},%s
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
				to = append(to, dig(history, "events", i, "to"))
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
	eventually(t, "the primary is online", func() bool {
		return answer() == "127.0.0.11" && dig(p.must(200, "GET", "p1", ""), "properties", "endpoints", 0, "properties", "endpointMonitorStatus") == "Online"
	})
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

// TestOverrideAndDrain: what a person sets wins over what is measured, is told apart from it, and a drain goes in two steps.
func TestOverrideAndDrain(t *testing.T) {
	p := newPlane(t, nil)
	primary, _ := pair(t)
	p.must(201, "PUT", "p1", pairProfile(int(primary.address.Port()), ""))
	answer := p.answers("api")
	status := func() map[string]any {
		return dig(p.must(200, "POST", "p1/listHealth", ""), "endpoints", 0).(map[string]any)
	}
	eventually(t, "the primary is answered", func() bool { return answer() == "127.0.0.11" && status()["endpointMonitorStatus"] == "Online" })
	p.must(200, "PATCH", "p1/externalEndpoints/primary", `{"properties":{"override":"Down"}}`)
	eventually(t, "the standby is answered", func() bool { return answer() == "127.0.0.12" })
	if got := status(); got["endpointMonitorStatus"] != "Online" || got["override"] != "Down" || got["inDns"] != false {
		t.Errorf("a forced endpoint is told as %v", got)
	}
	p.must(200, "PATCH", "p1/externalEndpoints/primary", `{"properties":{"override":null}}`)
	eventually(t, "the primary is answered again", func() bool { return answer() == "127.0.0.11" })
	p.must(200, "PATCH", "p1", `{"properties":{"dnsConfig":{"ttl":2}}}`)
	eventually(t, "the TTL is 2", func() bool { return ask(t, p.service, "api.trafficmanager.net", dns.TypeA).Answer[0].Header().Ttl == 2 })
	p.must(200, "PATCH", "p1/externalEndpoints/primary", `{"properties":{"drain":"Enabled"}}`)
	eventually(t, "the TTL is lowered with the primary still answered", func() bool {
		m := ask(t, p.service, "api.trafficmanager.net", dns.TypeA)
		return m.Answer[0].Header().Ttl == drainTTL && first(m) == "127.0.0.11"
	})
	eventually(t, "the primary is drained", func() bool { return answer() == "127.0.0.12" && status()["drained"] == true })
	p.must(200, "PATCH", "p1/externalEndpoints/standby", `{"properties":{"endpointStatus":"Disabled"}}`)
	eventually(t, "a drained endpoint is better than none", func() bool { return answer() == "127.0.0.11" })
	p.must(200, "PATCH", "p1/externalEndpoints/primary", `{"properties":{"drain":"Disabled"}}`)
	eventually(t, "the TTL is 2 again", func() bool { return ask(t, p.service, "api.trafficmanager.net", dns.TypeA).Answer[0].Header().Ttl == 2 })
}

// TestBrokenState: a state that cannot be read is set aside, and the start goes on without it.
func TestBrokenState(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"no json", `{"format":99}`} {
		if err := os.WriteFile(filepath.Join(dir, "traffic-state.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := newPlane(t, func(c *Config) { c.Dir = dir })
		if got := first(ask(t, p.service, "api.trafficmanager.net", dns.TypeA)); got != "NXDOMAIN" {
			t.Errorf("%s: %s", text, got)
		}
		if _, err := os.Stat(filepath.Join(dir, "traffic-state.json.bad")); err != nil {
			t.Error(err)
		}
		if err := p.service.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestConcurrentWriters: changes by many at once are all kept.
func TestConcurrentWriters(t *testing.T) {
	p := newPlane(t, nil)
	p.must(201, "PUT", "p1", fmt.Sprintf(minimal, "busy"))
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			status, out := p.call("PUT", fmt.Sprintf("p1/externalEndpoints/e%d", i), fmt.Sprintf(`{"properties":{"target":"192.0.2.%d","alwaysServe":"Enabled"}}`, i+1))
			if status != 201 {
				t.Errorf("%d %v", status, out)
			}
		})
	}
	work.Wait()
	if n := len(dig(p.must(200, "GET", "p1", ""), "properties", "endpoints").([]any)); n != 4 {
		t.Errorf("%d endpoints are left", n)
	}
}

// TestDelegatedName: a name delegated whole is answered by address, follows its target's addresses and survives a restart
// without a resolver.
func TestDelegatedName(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	addr := netip.MustParseAddr("192.0.2.1")
	with := func(c *Config) {
		c.Dir, c.Delegated = dir, map[string]string{"api.contoso.example": "API"}
		c.Resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
			mu.Lock()
			defer mu.Unlock()
			if host != "gw.contoso.example" || !addr.IsValid() {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{addr, netip.MustParseAddr("2001:db8::1")}, nil
		}
	}
	p := newPlane(t, with)
	p.must(201, "PUT", "p1", `{"properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"api","ttl":3},"endpoints":[
	 {"name":"a","type":"x/externalEndpoints","properties":{"target":"gw.contoso.example","alwaysServe":"Enabled"}}]}}`)
	get := func(s *Service, typ uint16) string { return first(ask(t, s, "api.contoso.example", typ)) }
	eventually(t, "the address is answered", func() bool { return get(p.service, dns.TypeA) == "192.0.2.1" })
	if got := get(p.service, dns.TypeAAAA); got != "2001:db8::1" {
		t.Errorf("AAAA is %s", got)
	}
	if got := first(ask(t, p.service, "api.trafficmanager.net", dns.TypeA)); got != "gw.contoso.example." {
		t.Errorf("the profile's own name answers %s", got)
	}
	if got := get(p.service, dns.TypeNS); got != "ns1.trafficmanager.net." {
		t.Errorf("NS is %s", got)
	}
	mu.Lock()
	addr = netip.Addr{}
	mu.Unlock()
	if err := p.service.Stop(); err != nil {
		t.Fatal(err)
	}
	again := startService(t, p.store, with)
	if got := get(again, dns.TypeA); got != "192.0.2.1" {
		t.Errorf("after a restart without a resolver: %s", got)
	}
}
