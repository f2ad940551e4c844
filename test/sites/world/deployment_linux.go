package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
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

// Region is the region that a site is.
func Region(site string) tandem.Region {
	return map[string]tandem.Region{South: "southindia", Central: "centralindia", Witness: "westindia"}[site]
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
	program string
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

// Open makes a world in the lab's folder, or takes the one that is there. The program is tandem's command.
func Open(l *lab.Lab, program string) (*World, error) {
	w := &World{Lab: l, program: program, nodes: map[string]*lab.Process{}}
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
	c := node.Config{Region: Region(site), Dir: w.file(site), CA: w.file("ca"), MasterKey: w.file("keys/master.key"), BackupIdentity: w.file("keys/backup.identity"),
		Recovery: w.file("keys/recovery.recipient"), Names: []string{trafficName}, Address: w.Site(site).Addr.String(),
		Ports:    node.Ports{ARM: armPort, Internal: internalPort, Authority: authorityPort, Blob: blobPort, Traffic: dnsPort},
		Gateways: map[string]int{service(site): gatewayPort}}
	if site == South {
		c.Home = &node.Home{TenantID: w.TenantID, SubscriptionID: w.SubscriptionID, Zone: zone, Operator: "operator", NewSecrets: w.ClientSecret == ""}
		c.Peers = []node.Peer{{Region: Region(Central), ARM: w.url(Central, armPort), Internal: w.url(Central, internalPort)}}
	} else {
		c.Peers = []node.Peer{{Region: Region(South), Home: true, ARM: w.url(South, armPort), Internal: w.url(South, internalPort), Blob: w.url(South, blobPort)}}
	}
	return c
}

// Start starts a backend and a node at the sites of both regions, each in its own namespace.
func (w *World) Start(ctx context.Context) error {
	for _, site := range []string{South, Central} {
		var address map[string]string
		if _, err := w.Lab.Start(ctx, site, "backend-"+site, &address, w.program, "backend", "--listen", net.JoinHostPort("127.0.0.1", strconv.Itoa(backendPort))); err != nil {
			return err
		}
		raw, err := json.MarshalIndent(w.config(site), "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(w.file(site+".json"), raw, 0o600); err != nil {
			return err
		}
		var ready rehearsal.Ready
		p, err := w.Lab.Start(ctx, site, "node-"+site, &ready, w.program, "serve", "--config", w.file(site+".json"))
		if err != nil {
			return err
		}
		w.nodes[site] = p
		if c := ready.Credentials["operator"]; c.ClientSecret != "" {
			w.ClientID, w.ClientSecret = c.ClientID, c.ClientSecret
		}
	}
	if err := w.connect(); err != nil {
		return err
	}
	return w.save()
}

// Node is the process of a site's node.
func (w *World) Node(site string) (*lab.Process, error) {
	if p := w.nodes[site]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("there is no node at %s", site)
}
