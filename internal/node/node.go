package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/gateway"
	"tandem/internal/identity"
	"tandem/internal/keys"
	"tandem/internal/policy"
	"tandem/internal/replica"
	"tandem/internal/resources"
	"tandem/internal/store"
	"tandem/internal/store/etcd"
	"tandem/internal/traffic"
	"tandem/internal/vault/blobserver"
)

// Node is one running node.
type Node struct {
	Config
	ca         *keys.CA
	master     *keys.Master
	store      store.Store
	operations *arm.Operations
	plane      net.Listener    // of the management plane
	outbound   *http.Transport // to other nodes and to storage accounts
	apim       *apim.Provider
	gateways   *gateways
	cache      policy.Cache
	counters   *policy.MemoryCounters
	activity   activity

	// of the home
	directory   *identity.Directory
	credentials map[string]identity.Credentials
	resources   *resources.Resources
	traffic     *traffic.Service
	blobs       *blobserver.Server
	authority   http.Handler

	// of the others
	replica       *identity.Replica
	directoryNews news

	addresses Addresses
	running   sync.WaitGroup
	stop      context.CancelFunc
	closers   []func() error // in the order of their making; closed from the last
}

// Addresses are where a started node answers; empty where it does not.
type Addresses struct {
	ARM       string `json:"arm"`
	Internal  string `json:"internal"`
	Authority string `json:"authority"`
	Graph     string `json:"graph"`
	Blob      string `json:"blob"`
	DNS       string `json:"dns"` // host:port, UDP and TCP
	Console   string `json:"console"`
}

// New checks a configuration.
func New(c Config) (*Node, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Node{Config: c}, nil
}

// Start brings the node up; when it returns the node serves. On an error everything is stopped again.
func (n *Node) Start(ctx context.Context) (err error) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop = stop
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Stop())
		}
	}()
	if err := n.openKeys(); err != nil {
		return err
	}
	if err := n.openStore(ctx); err != nil {
		return err
	}
	if n.plane, err = n.listen(n.Ports.ARM); err != nil { // first, since its address is one of the audiences of tokens
		return err
	}
	n.closers = append(n.closers, func() error { return ignoreClosed(n.plane.Close()) }) // where it is never served
	n.addresses.ARM = "https://" + n.plane.Addr().String()
	n.cache, n.counters = policy.NewMemoryCache(n.Clock, cacheSize), policy.NewMemoryCounters(n.Clock)
	n.operations = arm.NewOperations(arm.OperationsConfig{Store: resources.OperationStore(n.store, "operations/"), Clock: n.Clock, Log: n.Log, Runner: string(n.Region), Region: string(n.Region), RetryAfter: pollEvery})
	n.closers = append(n.closers, func() error { n.operations.Close(); return nil })
	n.gateways = &gateways{n: n, by: map[string]*running{}}
	n.apim = apim.New(apim.Config{Store: n.store, Sealer: n.master, Clock: n.Clock, Log: n.Log, Region: n.Region, Operations: n.operations, URLs: n.serviceURLs, Policies: policyChecker{}, Fetch: n.fetch})
	if err := n.startHome(ctx, run); err != nil {
		return err
	}
	if err := n.startInternal(); err != nil {
		return err
	}
	if err := n.startPlane(ctx, run); err != nil {
		return err
	}
	if err := n.operations.Recover(ctx); err != nil {
		return err
	}
	if err := n.sweep(ctx); err != nil {
		return err
	}
	if err := n.gateways.sync(run); err != nil {
		return err
	}
	n.running.Go(func() { n.gateways.run(run) })
	return nil
}

// sweep finishes deletions of generations that the end of a process cut off.
func (n *Node) sweep(ctx context.Context) error {
	records, err := n.apim.Records(ctx)
	if err != nil {
		return err
	}
	for _, rec := range records {
		s, err := n.apim.Open(ctx, rec)
		if err == nil {
			err = s.Space.Sweep(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// audiences are what tokens for the management plane may be for: Azure's own names of it, and the endpoints of this
// deployment, which clients that are told of a custom cloud ask for.
func (n *Node) audiences() []string {
	out := append(identity.DefaultAudiences(), n.addresses.ARM)
	for _, p := range n.Peers {
		out = append(out, p.ARM)
	}
	return out
}

// cacheSize is the memory of the value and response cache, in bytes.
const cacheSize = 64 << 20

// Stop ends the node: it drains, stops what runs, and closes the store. It may be called once.
func (n *Node) Stop() error {
	if n.stop != nil {
		n.stop()
	}
	var errs []error
	for i := len(n.closers) - 1; i > 0; i-- { // the store is the first and goes when all else ended
		errs = append(errs, n.closers[i]())
	}
	n.running.Wait()
	if len(n.closers) > 0 {
		errs = append(errs, n.closers[0]())
	}
	return errors.Join(errs...)
}

// Addresses are where the node answers, once it is started.
func (n *Node) Addresses() Addresses { return n.addresses }

// GatewayURL is where the gateway of a service of this region answers; empty while it does not.
func (n *Node) GatewayURL(service string) string { return n.gateways.URL(service) }

// GatewayStatus is what the gateway of a service of this region says of itself.
func (n *Node) GatewayStatus(service tandem.ResourceID) (gateway.Status, error) {
	r, err := n.gateways.find(service)
	if err != nil {
		return gateway.Status{}, err
	}
	return r.gateway.Status(), nil
}

func (n *Node) openKeys() (err error) {
	if err = os.MkdirAll(n.Dir, 0o700); err != nil {
		return &tandem.Error{Op: "make folder", Subject: n.Dir, Err: err, Remedy: "choose a folder that can be written"}
	}
	if n.ca, err = keys.OpenCA(n.CA, n.Clock); err != nil {
		return err
	}
	n.master, err = keys.OpenMaster(n.MasterKey, keys.MasterOptions{Apart: []string{n.Dir}, Clock: n.Clock})
	return err
}

func (n *Node) openStore(ctx context.Context) error {
	s, err := etcd.Open(ctx, etcd.Config{Dir: n.path("etcd"), Name: string(n.Region), Log: n.Log, Clock: n.Clock})
	if err != nil {
		return err
	}
	n.store = s
	n.closers = append(n.closers, s.Close)
	return nil
}

// startPlane serves the management plane: the region's own providers, and calls for other regions passed on.
func (n *Node) startPlane(ctx, run context.Context) error {
	peerTLS, err := n.peerTLS()
	if err != nil {
		return err
	}
	n.outbound = &http.Transport{TLSClientConfig: peerTLS, MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true}
	n.closers = append(n.closers, func() error { n.outbound.CloseIdleConnections(); return nil })
	if home := n.home(); home != nil {
		if err := n.openReplica(); err != nil {
			return err
		}
		n.running.Go(func() { n.followDirectory(run, &http.Client{Transport: n.outbound}, *home) })
	}
	identities, recipients, err := n.backupKeys()
	if err != nil {
		return err
	}
	native := replica.NewNative(replica.NativeConfig{APIM: n.apim, Operations: n.operations, Gateways: n.gateways, Clock: n.Clock, Log: n.Log, Region: n.Region,
		Container: n.container, Recipients: recipients, Identities: identities, Temp: n.path("tmp")})
	if err := os.MkdirAll(n.path("tmp"), 0o700); err != nil {
		return err
	}
	providers := []arm.Provider{n.apim, native, debugProvider{n}}
	var scopes arm.ScopeChecker
	authority := ""
	if n.Home != nil {
		workflows, err := n.startWorkflows(run)
		if err != nil {
			return err
		}
		n.resources.Attach(workflows, regionContents{n.apim, n, &http.Client{Transport: n.outbound, Timeout: 10 * time.Second}}, traffic.NewProvider(traffic.ProviderConfig{Store: n.store, Clock: n.Clock, Zone: n.Home.Zone, Health: n.traffic}), n.directory.Authorization())
		providers = append(n.resources.Providers(), native, debugProvider{n})
		scopes = n.resources
		authority = n.addresses.Authority + "/" + n.Home.TenantID
	}
	server, err := arm.NewServer(arm.ServerConfig{Providers: providers, Authoriser: n.authoriser(), Clock: n.Clock, Log: n.Log, Region: string(n.Region), AuthorizationURI: authority, Scopes: scopes, Auditor: &n.activity})
	if err != nil {
		return err
	}
	config, err := n.serverTLS("management of " + string(n.Region))
	if err != nil {
		return err
	}
	plane := n.newPlacement(server, n.outbound)
	n.serve(n.plane, config, plane)
	if n.Home != nil {
		return n.startConsole(plane, n.authority)
	}
	return nil
}

func (n *Node) backupKeys() ([]age.Identity, []age.Recipient, error) {
	id, err := keys.OpenIdentity(n.BackupIdentity, false, n.Clock)
	if err != nil {
		return nil, nil, err
	}
	backup := keys.Backup{Identity: id}
	if n.Recovery != "" {
		if backup.Recovery, err = keys.OpenRecovery(n.Recovery); err != nil {
			return nil, nil, err
		}
	}
	return []age.Identity{id}, backup.Recipients(), nil
}

// serviceURLs are the addresses of a service that clients see.
func (n *Node) serviceURLs(service string) apim.URLs {
	url := n.gateways.URL(service)
	if url == "" {
		url = "https://" + service + ".azure-api.net"
	}
	return apim.URLs{Gateway: url, Management: n.addresses.ARM}
}
