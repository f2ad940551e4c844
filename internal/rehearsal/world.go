package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"tandem"
	"tandem/internal/identity"
	"tandem/internal/node"
)

// World is a deployment with its processes: a node for each region, and the backend of its API.
type World struct {
	*Deployment
	Endpoints Endpoints
	mu        sync.Mutex
	processes map[string]*process
	clients   clients
}

// Ready is what a node tells its parent once it serves.
type Ready struct {
	Addresses   node.Addresses                  `json:"addresses"`
	Credentials map[string]identity.Credentials `json:"credentials,omitempty"`
}

// Open opens the world in dir; Start brings it up.
func Open(dir string, clock tandem.Clock) (*World, error) {
	d, err := OpenDeployment(dir, clock)
	if err != nil {
		return nil, err
	}
	return &World{Deployment: d, processes: map[string]*process{}}, nil
}

// Start starts the backend and both regions, and writes endpoints.json.
func (w *World) Start(ctx context.Context) error {
	if err := w.startBackend(ctx); err != nil {
		return err
	}
	e, err := readEndpoints(w.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &tandem.Error{Op: "read", Subject: endpointsFile(w.dir), Kind: tandem.Corrupt, Err: err, Remedy: "delete the file; new secrets are made then"}
	}
	ready, err := w.startRegion(ctx, StandbyRegion, e.ClientSecret == "" || e.Automation.ClientSecret == "")
	if err != nil {
		return err
	}
	if _, err := w.startRegion(ctx, PrimaryRegion, false); err != nil {
		return err
	}
	w.Endpoints = w.endpoints(ready, e)
	if err := w.connect(); err != nil {
		return err
	}
	return w.Endpoints.write(w.dir)
}

func (w *World) startBackend(ctx context.Context) error {
	var ready struct {
		Address string `json:"address"`
	}
	return w.start(ctx, "backend", &ready, "backend", "--listen", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.BackendPort)))
}

// startRegion starts the node of a region.
func (w *World) startRegion(ctx context.Context, region tandem.Region, newSecrets bool) (Ready, error) {
	var ready Ready
	c := w.config(region)
	if c.Home != nil {
		c.Home.NewSecrets = newSecrets
	}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return ready, err
	}
	file := filepath.Join(w.dir, string(region)+".json")
	if err := os.WriteFile(file, append(raw, '\n'), 0o600); err != nil {
		return ready, err
	}
	return ready, w.start(ctx, string(region), &ready, "serve", "--config", file)
}

func (w *World) start(ctx context.Context, name string, ready any, args ...string) error {
	p, err := startProcess(ctx, name, filepath.Join(w.dir, "logs", name+".log"), ready, args...)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes[name] = p
	return nil
}

// Kill ends a region's process at once.
func (w *World) Kill(region tandem.Region) {
	w.mu.Lock()
	p := w.processes[string(region)]
	w.mu.Unlock()
	if p != nil {
		p.Kill()
	}
}

// Stop ends all processes, the home of the regions after the others and the backend last, and lets go of the folder.
func (w *World) Stop() {
	w.clients.close()
	for _, name := range []string{string(PrimaryRegion), string(StandbyRegion), "backend"} {
		w.mu.Lock()
		p := w.processes[name]
		w.mu.Unlock()
		if p != nil {
			p.Stop()
		}
	}
	_ = w.lock.Close() // only a lock was held on it
}

func (w *World) endpoints(ready Ready, before Endpoints) Endpoints {
	a := ready.Addresses
	e := Endpoints{ARMURL: a.ARM, ARMAudience: "https://management.azure.com/", AuthorityURL: a.Authority, CAFile: w.ca.File(), TenantID: w.TenantID, SubscriptionID: w.SubscriptionID,
		Location: string(PrimaryRegion), Gateways: map[string]Gateway{}, DNSAddr: a.DNS, TrafficName: TrafficName,
		ClientSecret: before.ClientSecret, Automation: before.Automation, Storage: before.Storage}
	if a.Console != "" {
		e.ConsoleURL = &a.Console
	}
	if a.Graph != "" {
		e.GraphURL = &a.Graph
	}
	for name, site := range map[string]Site{PrimaryService: w.Primary, StandbyService: w.Standby} {
		url := "https://" + net.JoinHostPort(site.Address, strconv.Itoa(w.GatewayPort))
		e.Gateways[name] = Gateway{URL: url, StatusURL: url + "/status-0123456789abcdef"}
	}
	operator, automation := ready.Credentials[operatorName], ready.Credentials[automationName]
	e.ClientID, e.ClientObjectID = operator.ClientID, operator.ObjectID
	if operator.ClientSecret != "" {
		e.ClientSecret = operator.ClientSecret
	}
	e.Automation.ClientID, e.Automation.ClientObjectID = automation.ClientID, automation.ObjectID
	if automation.ClientSecret != "" {
		e.Automation.ClientSecret = automation.ClientSecret
	}
	e.Storage.Account, e.Storage.Container, e.Storage.BlobURL = StorageAccount, Container, a.Blob+"/"+StorageAccount
	return e
}
