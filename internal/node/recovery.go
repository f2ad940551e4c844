package node

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/gateway"
	"tandem/internal/policy"
	"tandem/internal/recovery"
	"tandem/internal/recovery/agent"
	"tandem/internal/replica"
	"tandem/internal/vault/dir"
)

// recoveryParts are a node's parts in recovery groups.
type recoveryParts struct {
	agent     *agent.Agent
	control   atomic.Pointer[controlEnd] // of a control member, once the control plane serves
	leaderAt  atomic.Int32               // the home that led last, among homes
	vaultKeys sync.Map                   // of storage accounts, by name: the key, sealed
	client    *http.Client               // for agents and controllers of other nodes
}

// Connections between agents and controllers are their own, and a peer that vanished is found soon: leases and streams
// must not wait for what TCP still hopes to deliver.
const (
	peerDial = 2 * time.Second
	peerPing = time.Second
)

func (n *Node) recoveryClient() (*http.Client, error) {
	config, err := n.peerTLS()
	if err != nil {
		return nil, err
	}
	t := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DialContext: (&net.Dialer{Timeout: peerDial}).DialContext, TLSHandshakeTimeout: 2 * peerDial,
		HTTP2: &http.HTTP2Config{SendPingTimeout: peerPing, PingTimeout: 2 * peerPing}}
	n.onStop(func() error { t.CloseIdleConnections(); return nil })
	return &http.Client{Transport: t}, nil
}

// openAgent loads what the node knows of the recovery groups of its services, before anything can be written to them.
func (n *Node) openAgent(ctx context.Context) error {
	identities, recipients, err := n.backupKeys()
	if err != nil {
		return err
	}
	aside, err := dir.Open(n.path("orphans"))
	if err != nil {
		return err
	}
	if n.recoveries.client, err = n.recoveryClient(); err != nil {
		return err
	}
	config := agent.Config{Store: n.store, APIM: n.apim, Sealer: n.master, Clock: n.Clock, Log: n.Log, Region: n.Region, Control: controlRoute{n},
		Client: n.recoveries.client, Gateways: agentGateways{n.gateways}, Vault: n.openVault, Aside: aside,
		Recipients: recipients, Identities: identities, Roots: n.ca.Pool(), Counters: n.countersOf}
	n.recoveries.agent, err = agent.New(ctx, config)
	return err
}

// runAgent asks for leases and replicates until the node stops.
func (n *Node) runAgent(run context.Context) {
	n.running.Go(func() { _ = n.recoveries.agent.Run(run) }) // it ends with the node
}

// gated puts the agent's gate around the providers of the management plane.
func (n *Node) gated(providers ...arm.Provider) []arm.Provider {
	out := make([]arm.Provider, len(providers))
	for i, p := range providers {
		out[i] = n.recoveries.agent.Gate(p)
	}
	return out
}

// serveRecovery adds what agents and controllers ask of each other to the internal listener.
func (n *Node) serveRecovery(mux *http.ServeMux) {
	h := n.recoveries.agent.Handler()
	for _, path := range []string{agent.Path, replica.StreamPath, replica.CountersPath} {
		mux.Handle(path, h)
	}
	mux.HandleFunc("POST "+recovery.ControlPath, n.serveControl)
	mux.HandleFunc("GET "+vaultPath+"{account}", n.serveVault)
}

// agentGateways are the region's gateways as an agent needs them.
type agentGateways struct{ *gateways }

var _ agent.Gateways = agentGateways{}

// Detail implements agent.Gateways.
func (g agentGateways) Detail(ctx context.Context, service tandem.ResourceID) (gateway.Detail, error) {
	r, err := g.find(service)
	if err != nil {
		return gateway.Detail{}, err
	}
	return r.gateway.Detail(ctx, true), nil
}

// Address implements agent.Gateways.
func (g agentGateways) Address(service tandem.ResourceID) (string, error) {
	r, err := g.find(service)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(r.url)
	if err != nil {
		return "", err
	}
	_, _, err = net.SplitHostPort(u.Host)
	return u.Host, err
}

// countersOf are the rate limits' and quotas' counters of a service's gateway, which may not have started yet.
func (n *Node) countersOf(_ context.Context, service string) (replica.Counters, error) {
	id, err := tandem.ParseResourceID(service)
	return gatewayCounters{n.gateways, id}, err
}

type gatewayCounters struct {
	gateways *gateways
	service  tandem.ResourceID
}

// Export implements replica.Counters.
func (c gatewayCounters) Export(most int) []replica.Counter {
	r, err := c.gateways.find(c.service)
	if err != nil {
		return nil // nothing is counted yet
	}
	all := r.gateway.Counters().Export(most)
	out := make([]replica.Counter, len(all))
	for i, n := range all {
		out[i] = replica.Counter(n)
	}
	return out
}

// Import implements replica.Counters.
func (c gatewayCounters) Import(all []replica.Counter) {
	r, err := c.gateways.find(c.service)
	if err != nil {
		return // they come again with the next change
	}
	in := make([]policy.Counter, len(all))
	for i, n := range all {
		in[i] = policy.Counter(n)
	}
	r.gateway.Counters().Import(in)
}
