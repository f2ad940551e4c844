package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/gateway"
	"tandem/internal/identity"
	"tandem/internal/keys"
	"tandem/internal/policy"
	"tandem/internal/replica"
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
	operations *arm.Operations // of the region's services
	plane      net.Listener    // of the management plane
	outbound   *http.Transport // to other nodes and to storage accounts
	apim       *apim.Provider
	native     arm.Provider
	gateways   *gateways
	cache      policy.Cache
	activity   activity
	recoveries recoveryParts
	fronts     fronts

	// of the control plane
	shared           *sharedStore
	sharedOpen       chan struct{} // closed when shared is open, on one of several members
	attached         chan struct{} // closed when the control plane serves
	sharedOperations *arm.Operations
	control          atomic.Pointer[controlPlane]
	traffic          *traffic.Service
	blobs            *blobserver.Server
	seen             poke // asks for a look at the services of other regions
	credentialsLock  sync.Mutex
	credentials      map[string]identity.Credentials

	// of all but the single home
	replica       *identity.Replica
	directoryNews news
	homeNow       atomic.Int32 // the control member that answered last, among homes

	addresses  Addresses
	background sync.WaitGroup // may add to running and closers until the node stops
	running    sync.WaitGroup
	stop       context.CancelFunc
	closing    sync.Mutex
	closers    []func() error // in the order of their making; closed from the last
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
	return &Node{Config: c, sharedOpen: make(chan struct{}), attached: make(chan struct{}), seen: newPoke()}, nil
}

// Start brings the node up; when it returns the node serves its region, and a single home the control plane too. One of
// several control members goes on to that in the background, since it takes a quorum of them: see AwaitControl. On an error
// everything is stopped again.
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
	if err := n.openOutbound(); err != nil {
		return err
	}
	closeAudit, err := n.openAudit(string(n.Region))
	if err != nil {
		return err
	}
	n.onStop(closeAudit)
	if n.plane, err = n.listen(n.Ports.ARM); err != nil { // first, since its address is one of the audiences of tokens
		return err
	}
	n.onStop(func() error { return ignoreClosed(n.plane.Close()) }) // where it is never served
	n.addresses.ARM = "https://" + n.plane.Addr().String()
	if err := n.openFronts(); err != nil {
		return err
	}
	n.cache = policy.NewMemoryCache(n.Clock, cacheSize)
	n.operations = n.newOperations(n.store, string(n.Region))
	n.gateways = &gateways{n: n, by: map[string]*running{}}
	n.apim = apim.New(apim.Config{Store: n.store, Sealer: n.master, Clock: n.Clock, Log: n.Log, Region: n.Region, Operations: n.operations, URLs: n.serviceURLs, Policies: policyChecker{}, Fetch: n.fetch})
	if !n.single() {
		if err := n.openReplica(); err != nil {
			return err
		}
	}
	if err := n.openAgent(ctx); err != nil {
		return err
	}
	if err := n.startInternal(); err != nil {
		return err
	}
	if err := n.startPlane(run); err != nil {
		return err
	}
	if n.Home != nil {
		if err := n.startControl(ctx, run); err != nil {
			return err
		}
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
	n.runAgent(run)
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

// Stop ends the node: it drains, stops what runs, and closes the stores. It may be called once.
func (n *Node) Stop() error {
	if n.stop != nil {
		n.stop()
	}
	n.background.Wait()
	n.closing.Lock()
	closers := n.closers
	n.closing.Unlock()
	var errs []error
	for _, closer := range slices.Backward(closers) {
		errs = append(errs, closer())
	}
	n.running.Wait()
	if n.shared != nil && !n.single() {
		errs = append(errs, n.shared.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(errs...)
}

// onStop has something called when the node stops, before what was made earlier is.
func (n *Node) onStop(closer func() error) {
	n.closing.Lock()
	defer n.closing.Unlock()
	n.closers = append(n.closers, closer)
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
	n.shared = &sharedStore{}
	if n.single() {
		n.shared.Store = s
	}
	return nil
}

func (n *Node) openOutbound() error {
	peerTLS, err := n.peerTLS()
	if err != nil {
		return err
	}
	n.outbound = &http.Transport{TLSClientConfig: peerTLS, MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true}
	n.onStop(func() error { n.outbound.CloseIdleConnections(); return nil })
	return nil
}

// startPlane serves the management plane of the region: its own services, and all other calls passed on to the control plane,
// until that is on this node itself.
func (n *Node) startPlane(run context.Context) error {
	identities, recipients, err := n.backupKeys()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(n.path("tmp"), 0o700); err != nil {
		return err
	}
	n.native = replica.NewNative(replica.NativeConfig{APIM: n.apim, Operations: n.operations, Gateways: n.gateways, Clock: n.Clock, Log: n.Log, Region: n.Region,
		Container: n.container, Recipients: recipients, Identities: identities, Temp: n.path("tmp"), Begin: n.recoveries.agent.Begin})
	config, err := n.serverTLS("management of " + string(n.Region))
	if err != nil {
		return err
	}
	if !n.single() {
		server, err := arm.NewServer(arm.ServerConfig{Providers: n.gated(n.apim, n.native, debugProvider{n}), Authoriser: n.replica, Clock: n.Clock, Log: n.Log, Region: string(n.Region), Auditor: &n.activity})
		if err != nil {
			return err
		}
		n.fronts.plane.set(n.newRelay(server))
	}
	if n.Home == nil {
		n.running.Go(func() { n.followDirectory(run) })
	}
	n.serve(n.plane, config, &n.fronts.plane)
	return nil
}

// attachPlane makes the management plane of a control member: the region's own providers and those of the control plane.
func (n *Node) attachPlane(run context.Context, p *controlPlane) (http.Handler, error) {
	workflows, err := n.newWorkflows()
	if err != nil {
		return nil, err
	}
	contents := regionContents{n.apim, n}
	profiles := traffic.NewProvider(traffic.ProviderConfig{Store: n.shared, Clock: n.Clock, Zone: n.Home.Zone, Health: n.traffic, Find: n.gatewayOf})
	p.resources.Attach(workflows.provider, contents, profiles, p.directory.Authorization(), n.activityLog())
	server, err := arm.NewServer(arm.ServerConfig{Providers: n.gated(append(append(p.resources.Providers(), n.native, debugProvider{n}), n.openRecovery(profiles)...)...), Authoriser: p.directory, Clock: n.Clock, Log: n.Log, Region: string(n.Region),
		AuthorizationURI: n.addresses.Authority + "/" + n.Home.TenantID, Scopes: p.resources, Auditor: &n.activity})
	if err != nil {
		return nil, err
	}
	n.running.Go(func() { n.whileLeading(run, workflows.run) })
	n.startRecovery(run, profiles)
	return server, nil
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
