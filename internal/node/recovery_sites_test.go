package node

import (
	"net"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/keys"
)

// newGroupSites is newSites with each place on an address of its own and the gateways on one port, as one profile probes them.
func newGroupSites(t *testing.T) *sites {
	t.Helper()
	s := &sites{world: &world{t: t}, configs: siteConfigs(t, places...), nodes: map[tandem.Region]*Node{}}
	address := map[tandem.Region]string{east: "127.0.0.2", west: "127.0.0.3", witness: "127.0.0.1"}
	port := freePort(t)
	at := func(place tandem.Region, url string) string {
		return strings.Replace(url, "127.0.0.1", address[place], 1)
	}
	for place, c := range s.configs {
		c.Address, c.Gateways = address[place], map[string]int{"apim-primary": port, "apim-standby": port}
		control := *c.Control
		control.Peers = nil
		for _, m := range c.Control.Peers {
			host, p, err := net.SplitHostPort(m.Address)
			if err != nil || host == "" {
				t.Fatal(m.Address)
			}
			control.Peers = append(control.Peers, Member{m.Name, net.JoinHostPort(address[tandem.Region(m.Name)], p)})
		}
		c.Control = &control
		for i, p := range c.Peers {
			c.Peers[i].ARM, c.Peers[i].Internal, c.Peers[i].Blob = at(p.Region, p.ARM), at(p.Region, p.Internal), at(p.Region, p.Blob)
		}
		s.configs[place] = c
	}
	var err error
	if s.ca, err = keys.OpenCA(s.configs[east].CA, tandem.SystemClock{}); err != nil {
		t.Fatal(err)
	}
	for _, place := range places {
		s.nodes[place] = s.start(s.configs[place])
	}
	for _, place := range places {
		s.await(place)
	}
	for _, place := range places {
		if c := s.nodes[place].Credentials()["operator"]; c.ClientSecret != "" {
			s.secret = c
		}
	}
	return s
}

// TestRecoveryOverThreeSites: the site of the primary dies, which may be the one that leads; the others see it down by a
// quorum, and the standby takes over; when it is back it is merged and has its role again.
func TestRecoveryOverThreeSites(t *testing.T) {
	s := newGroupSites(t)
	defer s.verifyNone()
	defer s.stopAll()
	for i, name := range []string{"primary", "standby"} {
		s.by(west)
		groups := must(armresources.NewResourceGroupsClient(subscription, s.cred, s.options))(t)
		place := string(places[i])
		must(groups.CreateOrUpdate(t.Context(), name, armresources.ResourceGroup{Location: &place}, nil))(t)
	}
	f := s.by(west)
	s.createService(f, "primary", "apim-primary", "Central India")
	s.createService(f, "standby", "apim-standby", "South India")
	s.buildAPI(f)
	s.probedProfile(s.configs[east].Gateways["apim-primary"], s.configs[east].Address, s.configs[west].Address)
	s.until("traffic goes to the primary", func() bool { return s.address() == s.configs[east].Address })
	g := slowGroup()
	g.Properties.Probes.Witnesses, g.Properties.Probes.Quorum = 3, 2
	s.makeGroup(g)
	s.until("the primary has the right to write", func() bool { code, _ := s.write(primaryService, "one", "1"); return code/100 == 2 })
	s.until("the standby has the write", func() bool { return s.has(standbyService, "one", "1") })
	s.until("how far the standby is is on record", func() bool { return s.group().Standby.Known })

	s.stopNode(east)
	s.by(west)
	s.until("the standby takes writes", func() bool { code, _ := s.write(standbyService, "three", "3"); return code/100 == 2 })
	s.until("traffic goes to the standby", func() bool { return s.address() == s.configs[west].Address })
	if got := s.group(); got.Holder != failover.Second {
		t.Errorf("after the failover: %+v", got)
	}
	s.nodes[east] = s.start(s.configs[east])
	s.await(east)
	s.until("the primary is home again", func() bool { g := s.group(); return g.Holder == failover.First && !g.Run.Active() && !g.Apart })
	s.until("the primary takes writes again", func() bool { code, _ := s.write(primaryService, "five", "5"); return code/100 == 2 })
	for name, value := range map[string]string{"one": "1", "three": "3", "five": "5"} {
		for _, service := range []string{primaryService, standbyService} {
			s.until(name+" is at "+service, func() bool { return s.has(service, name, value) })
		}
	}
}
