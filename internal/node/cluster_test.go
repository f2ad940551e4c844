package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	apimsdk "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/keys"
)

// sites is a control plane over three places in this process: two regions and a witness.
type sites struct {
	*world
	configs map[tandem.Region]Config
	nodes   map[tandem.Region]*Node
}

const (
	east    = tandem.Region("centralindia")
	west    = tandem.Region("southindia")
	witness = tandem.Region("westindia")
)

var places = []tandem.Region{east, west, witness}

// newSites starts the three nodes and waits until all serve the control plane.
func newSites(t *testing.T) *sites {
	t.Helper()
	s := &sites{world: &world{t: t}, configs: siteConfigs(t, places...), nodes: map[tandem.Region]*Node{}}
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

// siteConfigs are the configurations of control members at free ports, each knowing the others.
func siteConfigs(t *testing.T, at ...tandem.Region) map[tandem.Region]Config {
	t.Helper()
	dir := t.TempDir()
	base := newKeys(t, dir)
	base.Home = &Home{TenantID: "99999999-8888-7777-6666-555555555555", SubscriptionID: subscription, Zone: "trafficmanager.net", Operator: "operator"}
	configs := map[tandem.Region]Config{}
	var members []Member
	peers := map[tandem.Region]Peer{}
	url := func(port int) string { return fmt.Sprintf("https://127.0.0.1:%d", port) }
	for _, place := range at {
		c := base
		c.Region, c.Dir, c.Witness = place, filepath.Join(dir, string(place)), place == witness
		c.Ports = Ports{ARM: freePort(t), Internal: freePort(t), Blob: freePort(t), Authority: freePort(t), Traffic: freePort(t)}
		members = append(members, Member{string(place), fmt.Sprintf("127.0.0.1:%d", freePort(t))})
		configs[place] = c
		peers[place] = Peer{Region: place, ARM: url(c.Ports.ARM), Internal: url(c.Ports.Internal), Home: true, Witness: c.Witness}
		if !c.Witness {
			p := peers[place]
			p.Blob = url(c.Ports.Blob)
			peers[place] = p
		}
	}
	for place, c := range configs {
		c.Control = &Control{Peers: members, Storage: place != witness}
		for other, p := range peers {
			if other != place {
				c.Peers = append(c.Peers, p)
			}
		}
		configs[place] = c
	}
	return configs
}

// newKeys makes the authority and the keys of a deployment, and a configuration that names them.
func newKeys(t *testing.T, dir string) Config {
	t.Helper()
	master, backup := filepath.Join(dir, "keys", "master.key"), filepath.Join(dir, "keys", "backup.identity")
	if _, err := keys.OpenMaster(master, keys.MasterOptions{Create: true, Clock: tandem.SystemClock{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenIdentity(backup, true, tandem.SystemClock{}); err != nil {
		t.Fatal(err)
	}
	return Config{Address: "127.0.0.1", CA: filepath.Join(dir, "ca"), MasterKey: master, BackupIdentity: backup, Log: slog.New(slog.DiscardHandler), Names: []string{"app.trafficmanager.net"}}
}

func (s *sites) await(place tandem.Region) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	if err := s.nodes[place].AwaitControl(ctx); err != nil {
		s.t.Fatalf("%s serves no control plane: %v", place, err)
	}
}

func (s *sites) stopNode(place tandem.Region) {
	s.t.Helper()
	if err := s.nodes[place].Stop(); err != nil {
		s.t.Errorf("stop %s: %v", place, err)
	}
	delete(s.nodes, place)
}

func (s *sites) stopAll() {
	s.t.Helper()
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
	for _, place := range places {
		if s.nodes[place] != nil {
			s.stopNode(place)
		}
	}
}

// verifyNone finds goroutines that were left; etcd's connections between members take a moment to see that they are closed.
func (s *sites) verifyNone() {
	var err error
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if err = goleak.Find(goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start")); err == nil {
			return
		}
		_ = (tandem.SystemClock{}).Sleep(ctx, time.Second) // its end is the loop's
	}
	s.t.Error(err)
}

// by makes clients that talk to one member alone: its token authority and its management plane.
func (s *sites) by(place tandem.Region) *apimsdk.ClientFactory {
	s.t.Helper()
	s.home = s.nodes[place]
	s.connect()
	return must(apimsdk.NewClientFactory(subscription, s.cred, s.options))(s.t)
}

// leader waits for the member that leads.
func (s *sites) leader() tandem.Region {
	s.t.Helper()
	var at tandem.Region
	s.until("a leader", func() bool {
		for place, n := range s.nodes {
			if n.Leading() {
				at = place
			}
		}
		return at != ""
	})
	return at
}

// until waits for something to come true, for two minutes.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	for !is() {
		if (tandem.SystemClock{}).Sleep(ctx, 50*time.Millisecond) != nil {
			w.t.Fatalf("after two minutes: not yet %s", what)
		}
	}
}

func (s *sites) services(f *apimsdk.ClientFactory) []string {
	var names []string
	for p := f.NewServiceClient().NewListPager(nil); p.More(); {
		page, err := p.NextPage(s.t.Context())
		if err != nil {
			return nil
		}
		for _, one := range page.Value {
			names = append(names, *one.Name)
		}
	}
	slices.Sort(names)
	return names
}

// answer asks a member's DNS server for the traffic name.
func (s *sites) answer(place tandem.Region) string {
	m := new(dns.Msg)
	m.SetQuestion("app.trafficmanager.net.", dns.TypeA)
	r, err := dns.Exchange(m, s.nodes[place].Addresses().DNS)
	if err != nil || len(r.Answer) == 0 {
		return ""
	}
	a, _ := r.Answer[0].(*dns.A)
	if a == nil {
		return ""
	}
	return a.A.String()
}

// TestThreeSites makes a service in each region by way of different members, loses the member that leads, works on with the
// others, and has it back.
func TestThreeSites(t *testing.T) {
	s := newSites(t)
	defer s.verifyNone()
	defer s.stopAll()
	ctx := t.Context()

	for i, name := range []string{"primary", "standby"} {
		s.by(places[i])
		groups := must(armresources.NewResourceGroupsClient(subscription, s.cred, s.options))(t)
		must(groups.CreateOrUpdate(ctx, name, armresources.ResourceGroup{Location: to.Ptr(string(places[i]))}, nil))(t)
	}
	s.createService(s.by(witness), "primary", "apim-primary", "Central India")
	s.createService(s.by(east), "standby", "apim-standby", "South India")
	if url := s.nodes[east].GatewayURL("apim-primary"); url == "" {
		t.Error("the service is not in its region")
	}
	for _, place := range places {
		f := s.by(place)
		if got := s.services(f); !slices.Equal(got, []string{"apim-primary", "apim-standby"}) {
			t.Errorf("%s lists %v", place, got)
		}
		must(f.NewServiceClient().Get(ctx, "standby", "apim-standby", nil))(t)
	}
	s.refuses(s.by(witness))
	s.profile(witness)
	for _, place := range places {
		s.until("an answer of "+string(place), func() bool { return s.answer(place) == "192.0.2.7" })
	}

	gone := s.leader()
	s.stopNode(gone)
	var left []tandem.Region
	for _, place := range places {
		if place != gone {
			left = append(left, place)
		}
	}
	s.leader()
	alive, group, service := "Central India", "primary", "apim-primary"
	if gone == east {
		alive, group, service = "South India", "standby", "apim-standby"
	}
	for i, place := range left {
		f := s.by(place)
		s.until("a write by way of "+string(place), func() bool {
			_, err := f.NewTagClient().CreateOrUpdate(ctx, group, service, fmt.Sprint("tag", i), apimsdk.TagCreateUpdateParameters{Properties: &apimsdk.TagContractProperties{DisplayName: to.Ptr(fmt.Sprint("Tag ", i))}}, nil)
			return err == nil
		})
		s.until("both services listed by "+string(place), func() bool {
			return slices.Equal(s.services(f), []string{"apim-primary", "apim-standby"})
		})
		if got := s.answer(place); got != "192.0.2.7" {
			t.Errorf("the DNS of %s answers %q while %s is gone", place, got, gone)
		}
	}
	s.createService(s.by(left[0]), group, "apim-third", alive)

	s.nodes[gone] = s.start(s.configs[gone])
	s.await(gone)
	f := s.by(gone)
	s.until("the third service known to "+string(gone), func() bool {
		_, err := f.NewServiceClient().Get(ctx, group, "apim-third", nil)
		return err == nil
	})
}

// refuses asks for what no place can have: a service at the witness, and one in two regions.
func (s *sites) refuses(f *apimsdk.ClientFactory) {
	s.t.Helper()
	for location, code := range map[string]string{"West India": "LocationNotAvailableForResourceType", "South India": "InvalidResourceLocation"} {
		_, err := f.NewServiceClient().BeginCreateOrUpdate(s.t.Context(), "primary", "apim-primary", apimsdk.ServiceResource{Location: &location,
			SKU:        &apimsdk.ServiceSKUProperties{Name: to.Ptr(apimsdk.SKUTypeStandard), Capacity: to.Ptr[int32](1)},
			Properties: &apimsdk.ServiceProperties{PublisherEmail: to.Ptr("op@example.org"), PublisherName: to.Ptr("Example")}}, nil)
		if codeOf(err) != code {
			s.t.Errorf("a service in %s: got %v, want %s", location, err, code)
		}
	}
}

// profile makes a traffic profile whose endpoint is always served.
func (s *sites) profile(by tandem.Region) {
	s.t.Helper()
	s.by(by)
	c := must(armtrafficmanager.NewProfilesClient(subscription, s.cred, s.options))(s.t)
	must(c.CreateOrUpdate(s.t.Context(), "standby", "app", armtrafficmanager.Profile{Location: to.Ptr("global"), Properties: &armtrafficmanager.ProfileProperties{
		TrafficRoutingMethod: to.Ptr(armtrafficmanager.TrafficRoutingMethodPriority),
		DNSConfig:            &armtrafficmanager.DNSConfig{RelativeName: to.Ptr("app"), TTL: to.Ptr[int64](0)},
		MonitorConfig:        &armtrafficmanager.MonitorConfig{Protocol: to.Ptr(armtrafficmanager.MonitorProtocolTCP), Port: to.Ptr[int64](9)},
		Endpoints: []*armtrafficmanager.Endpoint{{Name: to.Ptr("one"), Type: to.Ptr("Microsoft.Network/trafficManagerProfiles/externalEndpoints"),
			Properties: &armtrafficmanager.EndpointProperties{Target: to.Ptr("192.0.2.7"), Priority: to.Ptr[int64](1), AlwaysServe: to.Ptr(armtrafficmanager.AlwaysServeEnabled)}}}}}, nil))(s.t)
}

// TestGatewayWithoutControlPlane starts a member of three alone: what its region serves is there, the control plane is not.
func TestGatewayWithoutControlPlane(t *testing.T) {
	s := newSites(t)
	defer s.stopAll()
	ctx := t.Context()
	f := s.by(west)
	groups := must(armresources.NewResourceGroupsClient(subscription, s.cred, s.options))(t)
	must(groups.CreateOrUpdate(ctx, "primary", armresources.ResourceGroup{Location: to.Ptr(string(east))}, nil))(t)
	s.createService(f, "primary", "apim-primary", "Central India")
	s.buildAPI(f)
	secrets := must(f.NewSubscriptionClient().ListSecrets(ctx, "primary", "apim-primary", "client", nil))(t)
	s.region = s.nodes[east]
	s.expect("apim-primary", *secrets.PrimaryKey, 200)
	token := must(s.cred.GetToken(ctx, tokenOptions))(t)

	s.stopAll()
	s.nodes[east] = s.start(s.configs[east])
	s.region, s.home = s.nodes[east], s.nodes[east]
	s.expect("apim-primary", *secrets.PrimaryKey, 200)
	arm := s.nodes[east].Addresses().ARM
	path := "/subscriptions/" + subscription + "/resourceGroups/primary/providers/Microsoft.ApiManagement/service/apim-primary"
	s.until("the region's service is told by the copy of the directory", func() bool { return s.status(arm+path, token.Token) == http.StatusOK })
	if got := s.status(arm+path, "none"); got != http.StatusUnauthorized {
		t.Errorf("a call without a token is answered %d", got)
	}
	// What its own member of the control plane knew last is served, too: the token authority signs, groups are read.
	s.await(east)
	s.by(east)
	groups = must(armresources.NewResourceGroupsClient(subscription, s.cred, s.options))(t)
	must(groups.Get(ctx, "primary", nil))(t)
	if _, err := groups.CreateOrUpdate(ctx, "late", armresources.ResourceGroup{Location: to.Ptr(string(east))}, nil); err == nil {
		t.Error("a write without a quorum was acknowledged")
	}
}

func (w *world) status(address, token string) int {
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, address+"?api-version=2024-05-01", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := w.http.Do(req)
	if err != nil {
		var refused *net.OpError
		if !errors.As(err, &refused) {
			w.t.Log(err)
		}
		return 0
	}
	readAll(w.t, resp)
	return resp.StatusCode
}
