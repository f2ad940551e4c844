package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"tandem"
	"tandem/internal/keys"
	"tandem/internal/node"
	"tandem/internal/rehearsal"
	"tandem/test/sites/lab"
)

// The sites. Their regions are known to Azure's clients.
const (
	South   = "south"
	Central = "central"
	Witness = "witness"
	Client  = "client"
)

// Sites are all of them, in the order of their addresses: 10.77.1.1 to 10.77.4.1.
func Sites() []string { return []string{South, Central, Witness, Client} }

// apart is how long a packet takes between two sites: half a round trip of 80 ms.
const apart = 40 * time.Millisecond

// region is the region that a site is; those of other names are all one.
func region(site string) tandem.Region {
	if r := map[string]tandem.Region{South: "southindia", Central: "centralindia", Witness: "westindia"}[site]; r != "" {
		return r
	}
	return "jioindiawest"
}

// Every site has addresses of its own, so the ports are the same everywhere.
const (
	armPort, internalPort, authorityPort, blobPort, dnsPort, gatewayPort, backendPort = 8443, 8444, 8445, 8446, 53, 443, 8080
)

// zone is the zone of traffic names.
const zone = "trafficmanager.net"

// World is a deployment of Tandem in a lab. What stays the same over restarts is in world.json.
type World struct {
	*lab.Lab
	saved
	options Options
	ca      *keys.CA
	nodes   map[string]*lab.Process
	clients clients
}

// saved is world.json.
type saved struct {
	TenantID, SubscriptionID string
	ClientID, ClientSecret   string // of the operator
	Key                      string // of the API's client
	StorageKey               string
	Built                    bool // services, API, backup and profile are made
}

// Options say what a world is made of.
type Options struct {
	// Program is tandem's command, as it was built.
	Program string
	// Members are the sites that have the control plane: one is the home, three are a cluster. Empty: South.
	Members []string
}

// Open makes a world in the lab's folder, or takes the one that is there.
func Open(l *lab.Lab, o Options) (*World, error) {
	if len(o.Members) == 0 {
		o.Members = []string{South}
	}
	w := &World{Lab: l, options: o, nodes: map[string]*lab.Process{}}
	raw, err := os.ReadFile(w.file("world.json"))
	if err == nil {
		err = json.Unmarshal(raw, &w.saved)
	} else if os.IsNotExist(err) {
		w.TenantID, w.SubscriptionID = uuid.NewString(), uuid.NewString()
		err = os.MkdirAll(w.file("keys"), 0o700)
	}
	if err != nil {
		return nil, err
	}
	if w.ca, err = keys.OpenCA(w.file("ca"), l.Clock); err != nil {
		return nil, err
	}
	if _, err := keys.OpenMaster(w.file("keys/master.key"), keys.MasterOptions{Create: true, Clock: l.Clock}); err != nil {
		return nil, err
	}
	if _, err := keys.OpenIdentity(w.file("keys/backup.identity"), true, l.Clock); err != nil {
		return nil, err
	}
	if _, err := os.Stat(w.file("keys/recovery.recipient")); os.IsNotExist(err) {
		if _, err := keys.CreateRecovery(w.file("keys/recovery.secret"), w.file("keys/recovery.recipient"), l.Clock); err != nil {
			return nil, err
		}
	}
	return w, l.SetDelays(apart, 0)
}

func (w *World) file(name string) string { return filepath.Join(w.Dir, name) }

func (w *World) save() error {
	raw, err := json.MarshalIndent(w.saved, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(w.file("world.json"), raw, 0o600)
}

func (w *World) url(site string, port int) string { return "https://" + w.At(site, port) }

// config is that of the node of a site.
func (w *World) config(site string) node.Config {
	c := node.Config{Region: region(site), Dir: w.file(site), CA: w.file("ca"), MasterKey: w.file("keys/master.key"), BackupIdentity: w.file("keys/backup.identity"),
		Recovery: w.file("keys/recovery.recipient"), Names: []string{trafficName}, Address: w.Site(site).Addr.String(),
		Ports: node.Ports{ARM: armPort, Internal: internalPort, Authority: authorityPort, Blob: blobPort, Traffic: dnsPort}}
	if name := service(site); name != "" {
		c.Gateways = map[string]int{name: gatewayPort}
	}
	if site == w.home() {
		c.Home = &node.Home{TenantID: w.TenantID, SubscriptionID: w.SubscriptionID, Zone: zone, Operator: "operator", NewSecrets: w.ClientSecret == ""}
	}
	for _, other := range w.places() {
		switch {
		case other == site || site != w.home() && other != w.home():
		default:
			p := node.Peer{Region: region(other), ARM: w.url(other, armPort), Internal: w.url(other, internalPort)}
			if other == w.home() {
				p.Home, p.Blob = true, w.url(other, blobPort)
			}
			c.Peers = append(c.Peers, p)
		}
	}
	return c
}

// home is the site with the control plane.
func (w *World) home() string { return w.options.Members[0] }

// places are the sites that have a node, the home first.
func (w *World) places() []string {
	out := slices.Clone(w.options.Members)
	for _, site := range []string{South, Central} {
		if w.Site(site) != nil && !slices.Contains(out, site) {
			out = append(out, site)
		}
	}
	return out
}

// Start starts a node at each place, and a backend where there are services, each in its site's namespace.
func (w *World) Start(ctx context.Context) error {
	for _, site := range w.places() {
		if err := w.startSite(ctx, site); err != nil {
			return err
		}
	}
	if err := w.connect(); err != nil {
		return err
	}
	return w.save()
}

func (w *World) startSite(ctx context.Context, site string) error {
	if service(site) != "" {
		var address map[string]string
		if _, err := w.Lab.Start(ctx, site, "backend-"+site, &address, w.options.Program, "backend", "--listen", net.JoinHostPort("127.0.0.1", strconv.Itoa(backendPort))); err != nil {
			return err
		}
	}
	raw, err := json.MarshalIndent(w.config(site), "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.file(site+".json"), raw, 0o600); err != nil {
		return err
	}
	var ready rehearsal.Ready
	p, err := w.Lab.Start(ctx, site, "node-"+site, &ready, w.options.Program, "serve", "--config", w.file(site+".json"))
	if err != nil {
		return err
	}
	w.nodes[site] = p
	if c := ready.Credentials["operator"]; c.ClientSecret != "" {
		w.ClientID, w.ClientSecret = c.ClientID, c.ClientSecret
	}
	return nil
}

// Node is the process of a site's node.
func (w *World) Node(site string) (*lab.Process, error) {
	if p := w.nodes[site]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("there is no node at %s", site)
}
