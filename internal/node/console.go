package node

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/console"
	"tandem/internal/replica"
	"tandem/internal/traffic/nameserver"
	"tandem/internal/vault"
)

// regionPath answers what the console shows of a region: its gateways, and its newest changes.
const regionPath = "/tandem/v1/region"

// askRegionWithin bounds the question to another region: a page waits for the slowest.
const askRegionWithin = 2 * time.Second

// regionReport is what a region tells of itself.
type regionReport struct {
	Gateways []console.Gateway `json:"gateways"`
	Activity []arm.AuditRecord `json:"activity"`
}

// attachConsole puts the console behind its listener, on nodes that serve the control plane: it needs the directory and the
// traffic service. plane is the front door of the management plane.
func (n *Node) attachConsole(plane http.Handler, authority http.Handler) error {
	identities, _, err := n.backupKeys()
	if err != nil {
		return err
	}
	c, err := console.New(console.Config{Clock: n.Clock, Log: n.Log, TenantID: n.Home.TenantID, SubscriptionID: n.Home.SubscriptionID, Authority: authority, ARM: plane,
		Authoriser: n.controlPlane().directory, Sealer: n.master, Deployment: deployment{n, &http.Client{Transport: n.outbound, Timeout: askRegionWithin}}, Identities: identities})
	if err != nil {
		return err
	}
	n.onStop(c.Close) // before the listener, which waits for streams
	n.fronts.console.set(c)
	return nil
}

func (n *Node) serveRegion(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(n.regionReport()) // the peer went away; it asks again
}

func (n *Node) regionReport() regionReport {
	return regionReport{Gateways: n.gateways.report(), Activity: n.activity.newest()}
}

// report tells what all gateways of this region say of themselves.
func (s *gateways) report() []console.Gateway {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []console.Gateway{}
	for _, r := range s.by {
		out = append(out, console.Gateway{Service: r.gateway.ID, URL: r.url, Status: r.gateway.Status()})
	}
	return out
}

// deployment implements console.Deployment at the home.
type deployment struct {
	n      *Node
	client *http.Client
}

var _ console.Deployment = deployment{}

// Regions implements console.Deployment.
func (d deployment) Regions(ctx context.Context) []console.Region {
	out := []console.Region{{Name: d.n.Region, Home: true, Address: d.n.Address, Gateways: d.n.gateways.report()}}
	for i, report := range d.ask(ctx) {
		peer := d.n.Peers[i]
		r := console.Region{Name: peer.Region, Home: peer.Home, Gateways: report.Gateways, Err: report.err}
		if u, err := url.Parse(peer.ARM); err == nil {
			r.Address = u.Hostname()
		}
		out = append(out, r)
	}
	return out
}

type askedRegion struct {
	regionReport
	err error
}

// ask asks all other regions at the same time; the answers are in the order of the peers.
func (d deployment) ask(ctx context.Context) []askedRegion {
	out := make([]askedRegion, len(d.n.Peers))
	var wait sync.WaitGroup
	for i, peer := range d.n.Peers {
		wait.Go(func() { out[i].err = d.askOne(ctx, peer, &out[i].regionReport) })
	}
	wait.Wait()
	return out
}

func (d deployment) askOne(ctx context.Context, peer Peer, into *regionReport) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, peer.Internal+regionPath, nil)
	if err != nil {
		return err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the region answered %s", resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// Answer implements console.Deployment.
func (d deployment) Answer(relativeName string, client netip.Addr) ([]nameserver.Record, uint32, bool) {
	return d.n.traffic.Answer(relativeName, client)
}

// PrincipalName implements console.Deployment.
func (d deployment) PrincipalName(objectID string) string {
	directory := d.n.controlPlane().directory
	for _, p := range directory.Snapshot().Principals {
		if strings.EqualFold(p.ID, objectID) {
			if app, ok := directory.Application(p.AppID); ok {
				return app.DisplayName
			}
		}
	}
	return ""
}

// Container implements console.Deployment.
func (d deployment) Container(ctx context.Context, account, container string) (vault.Vault, error) {
	keys, ok := d.n.controlPlane().resources.Keys(account)
	if !ok || len(keys) == 0 {
		return nil, &tandem.Error{Op: "open storage account", Subject: account, Kind: tandem.NotFound, Remedy: "name a storage account of this deployment"}
	}
	return d.n.container(ctx, replica.StorageAccess{Type: "AccessKey", Account: account, Container: container, Key: base64.StdEncoding.EncodeToString(keys[0])}, false)
}

// Activity implements console.Deployment.
func (d deployment) Activity(ctx context.Context) []arm.AuditRecord {
	all := d.n.activity.newest()
	for _, report := range d.ask(ctx) {
		all = append(all, report.Activity...)
	}
	return newestFirst(all)
}
