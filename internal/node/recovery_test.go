package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apimsdk "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/keys"
	"tandem/internal/recovery"
)

const (
	recoveryGroup  = "/subscriptions/" + subscription + "/resourceGroups/standby/providers/" + recovery.Namespace + "/" + recovery.TypeName + "/shop"
	primaryService = "/subscriptions/" + subscription + "/resourceGroups/primary/providers/Microsoft.ApiManagement/service/apim-primary"
	standbyService = "/subscriptions/" + subscription + "/resourceGroups/standby/providers/Microsoft.ApiManagement/service/apim-standby"
	trafficProfile = "/subscriptions/" + subscription + "/resourceGroups/standby/providers/Microsoft.Network/trafficManagerProfiles/app"
)

// newGroupWorld is the world of TestTwoRegions with the regions on addresses of their own and their gateways on one port, as
// one traffic profile can probe them.
func newGroupWorld(t *testing.T) (w *world, region Config) {
	t.Helper()
	dir := t.TempDir()
	w = &world{t: t}
	var err error
	if w.ca, err = keys.OpenCA(filepath.Join(dir, "ca"), tandem.SystemClock{}); err != nil {
		t.Fatal(err)
	}
	base := newKeys(t, dir)
	port := freePort(t)
	base.Gateways = map[string]int{"apim-primary": port, "apim-standby": port}
	home := base
	home.Region, home.Dir = "southindia", filepath.Join(dir, "southindia")
	home.Home = &Home{TenantID: "99999999-8888-7777-6666-555555555555", SubscriptionID: subscription, Zone: "trafficmanager.net", Operator: "operator"}
	arm, internal := freePort(t), freePort(t)
	home.Peers = []Peer{{Region: "centralindia", ARM: fmt.Sprintf("https://127.0.0.2:%d", arm), Internal: fmt.Sprintf("https://127.0.0.2:%d", internal)}}
	w.home = w.start(home)
	a := w.home.Addresses()
	region = base
	region.Region, region.Dir, region.Address = "centralindia", filepath.Join(dir, "centralindia"), "127.0.0.2"
	region.Peers = []Peer{{Region: "southindia", Home: true, ARM: a.ARM, Internal: a.Internal, Blob: a.Blob}}
	region.Ports = Ports{ARM: arm, Internal: internal}
	w.region = w.start(region)
	w.secret = w.home.Credentials()["operator"]
	w.connect()
	return w, region
}

// try does one call of the management plane of the home, whatever it answers.
func (w *world) try(method, id, version string, body any) (int, string) {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	token, err := w.cred.GetToken(ctx, tokenOptions)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.home.Addresses().ARM+id+"?api-version="+version, strings.NewReader(string(raw)))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// write writes a named value of a service.
func (w *world) write(service, name, value string) (int, string) {
	w.t.Helper()
	return w.try(http.MethodPut, service+"/namedValues/"+name, "2022-08-01", map[string]any{"properties": map[string]any{"displayName": name, "value": value}})
}

// has tells whether a service has a named value of that value.
func (w *world) has(service, name, value string) bool {
	code, body := w.try(http.MethodGet, service+"/namedValues/"+name, "2022-08-01", nil)
	return code == http.StatusOK && strings.Contains(body, `"value":"`+value+`"`)
}

// address is where the traffic name leads.
func (w *world) address() string {
	m := new(dns.Msg)
	m.SetQuestion("app.trafficmanager.net.", dns.TypeA)
	r, err := dns.Exchange(m, w.home.Addresses().DNS)
	if err != nil || len(r.Answer) == 0 {
		return ""
	}
	if a, _ := r.Answer[0].(*dns.A); a != nil {
		return a.A.String()
	}
	return ""
}

// TestRecoveryGroup: a primary streams to its standby; its node dies, and roles and traffic move by themselves; when it is back
// it takes no writes, is merged, and gets its role back, with nothing lost.
func TestRecoveryGroup(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"))
	w, region := newGroupWorld(t)
	defer w.stop()
	ctx := t.Context()
	groups := must(armresources.NewResourceGroupsClient(subscription, w.cred, w.options))(t)
	for name, place := range map[string]string{"primary": "centralindia", "standby": "southindia"} {
		must(groups.CreateOrUpdate(ctx, name, armresources.ResourceGroup{Location: &place}, nil))(t)
	}
	f := must(apimsdk.NewClientFactory(subscription, w.cred, w.options))(t)
	for name, place := range map[string]string{"primary": "Central India", "standby": "South India"} {
		w.createService(f, name, "apim-"+name, place)
	}
	w.buildAPI(f)
	account := w.storage()
	w.probedProfile(w.region.Config.Gateways["apim-primary"], "127.0.0.2", "127.0.0.1")
	w.until("traffic goes to the primary", func() bool { return w.address() == "127.0.0.2" })

	g := slowGroup()
	g.Properties.Vault = &recovery.Vault{ResourceID: vaultOf(account)}
	w.makeGroup(g)
	w.until("the primary has the right to write", func() bool { code, _ := w.write(primaryService, "one", "1"); return code/100 == 2 })
	w.until("the standby has the write", func() bool { return w.has(standbyService, "one", "1") })
	key := *must(f.NewSubscriptionClient().ListSecrets(ctx, "primary", "apim-primary", "client", nil))(t).PrimaryKey
	if got := w.expect("apim-standby", key, 200); !strings.Contains(got, "hidden from southindia") {
		t.Errorf("the standby answers %q", got)
	}
	if code, body := w.write(standbyService, "two", "2"); code != http.StatusConflict || !strings.Contains(body, "NotPrimary") {
		t.Errorf("a write at the standby: %d %s", code, body)
	}
	w.until("the lag is below a second", func() bool {
		s, err := w.home.recoveries.agent.State(ctx, standbyService)
		return err == nil && s.LagMillis != nil && *s.LagMillis < 1000
	})
	w.until("the vault has the journal", func() bool {
		v, err := w.home.openVault(ctx, vaultOf(account))
		if err != nil {
			t.Fatal(err)
		}
		for info, err := range v.List(ctx, "journal/apim-primary/") {
			return err == nil && info.Size > 0
		}
		return false
	})

	// The primary's region dies.
	if err := w.region.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	w.region = nil
	w.until("the standby takes writes", func() bool { code, _ := w.write(standbyService, "three", "3"); return code/100 == 2 })
	w.until("traffic goes to the standby", func() bool { return w.address() == "127.0.0.1" })
	if got := w.group(); got.Holder != failover.Second || got.Epoch != 2 {
		t.Errorf("after the failover: %+v", got)
	}

	// It comes back: it takes no writes before it is merged and the roles are back.
	w.region = w.start(region)
	if code, body := w.write(primaryService, "four", "4"); code/100 == 2 && w.group().Holder != failover.First {
		t.Errorf("the former primary took a write: %d %s", code, body)
	}
	w.until("the primary is home again", func() bool { s := w.group(); return s.Holder == failover.First && !s.Run.Active() && !s.Apart })
	w.until("the primary takes writes again", func() bool { code, _ := w.write(primaryService, "five", "5"); return code/100 == 2 })
	w.until("traffic goes home", func() bool { return w.address() == "127.0.0.2" })
	for name, value := range map[string]string{"one": "1", "three": "3", "five": "5"} {
		for _, service := range []string{primaryService, standbyService} {
			w.until(name+" is at "+service, func() bool { return w.has(service, name, value) })
		}
	}
	if code, body := w.try(http.MethodPost, recoveryGroup+"/switchover", recovery.APIVersion, nil); code/100 != 2 {
		t.Errorf("switchover: %d %s", code, body)
	}
	w.until("a person's switchover moved the roles", func() bool { s := w.group(); return s.Holder == failover.Second && !s.Run.Active() })
	if code, body := w.try(http.MethodGet, recoveryGroup+"/status", recovery.APIVersion, nil); code != http.StatusOK || !strings.Contains(body, "apim-standby") {
		t.Errorf("status: %d %s", code, body)
	}
	if code, body := w.try(http.MethodGet, recoveryGroup+"/runs", recovery.APIVersion, nil); code != http.StatusOK || !strings.Contains(body, "failover") || !strings.Contains(body, "switchover") {
		t.Errorf("runs: %d %s", code, body)
	}
}

// group is what is decided of the group.
func (w *world) group() failover.State {
	w.t.Helper()
	d, err := w.home.shared.Get(w.t.Context(), "recovery/state/"+subscription+"/standby/shop", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	var doc struct{ State failover.State }
	if err := json.Unmarshal(d.Value, &doc); err != nil {
		w.t.Fatal(err)
	}
	return doc.State
}

// makeGroup creates a recovery group by the management plane.
func (w *world) makeGroup(g recovery.Group) {
	w.t.Helper()
	if code, body := w.try(http.MethodPut, g.ID, recovery.APIVersion, map[string]any{"location": "global", "properties": g.Properties}); code != http.StatusCreated {
		w.t.Fatalf("the recovery group: %d %s", code, body)
	}
}

func vaultOf(account storageAccount) string {
	return "/subscriptions/" + subscription + "/resourceGroups/standby/providers/Microsoft.Storage/storageAccounts/" + account.name + "/blobServices/default/containers/recovery"
}

// probedProfile makes a traffic profile that probes both gateways.
func (w *world) probedProfile(port int, primary, standby string) {
	w.t.Helper()
	endpoint := func(name, target string, priority int) map[string]any {
		return map[string]any{"name": name, "type": "Microsoft.Network/trafficManagerProfiles/externalEndpoints", "properties": map[string]any{"target": target, "priority": priority}}
	}
	if code, body := w.try(http.MethodPut, trafficProfile, "2022-04-01", map[string]any{"location": "global", "properties": map[string]any{
		"trafficRoutingMethod": "Priority", "dnsConfig": map[string]any{"relativeName": "app", "ttl": 0},
		"monitorConfig": map[string]any{"protocol": "HTTPS", "port": port, "path": "/status-0123456789abcdef", "intervalInMilliseconds": 200, "timeoutInMilliseconds": 2000, "toleratedNumberOfFailures": 2},
		"endpoints":     []any{endpoint("apim-primary", primary, 1), endpoint("apim-standby", standby, 2)}}}); code/100 != 2 {
		w.t.Fatalf("the profile: %d %s", code, body)
	}
}

// slowGroup is a group for one witness that does all by itself. The machine may be slow: what is long here is what a slow one
// would trip over.
func slowGroup() recovery.Group {
	seconds := func(n float64) recovery.Duration { return recovery.Duration(n * float64(time.Second)) }
	return recovery.Group{ID: recoveryGroup, Name: "shop", Properties: recovery.Properties{
		Primary: recovery.Member{ResourceID: primaryService}, Standby: recovery.Member{ResourceID: standbyService},
		TrafficProfile: trafficProfile, TrafficNames: []string{"app.trafficmanager.net"}, Mode: recovery.Continuous, Rejoin: "automatic", Failback: "automatic", Conflicts: "newest",
		Probes:     recovery.Probes{Witnesses: 1, Quorum: 1, Lease: seconds(5), Renew: seconds(0.3), FailAfter: seconds(1), Fresh: seconds(30), Steady: seconds(8), Reprove: seconds(1), HoldDown: seconds(2), Attempts: 100},
		Objectives: recovery.Objectives{RPO: seconds(60)}}}
}
