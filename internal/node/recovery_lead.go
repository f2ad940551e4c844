package node

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/recovery"
	"tandem/internal/recovery/agent"
	"tandem/internal/traffic"
)

// openRecovery makes the controller of a control member and gives the provider of its groups.
func (n *Node) openRecovery(profiles *traffic.Provider) []arm.Provider {
	c := recovery.NewController(recovery.ControllerConfig{Store: n.shared, Clock: n.Clock, Log: n.Log, Sites: n.site, Node: n.nodeOf,
		Traffic: trafficEnd{profiles, n.traffic}, Sealer: n.master,
		Services: agent.Services{Node: n.nodeOf, Client: n.recoveries.client, Vault: n.openVault, Proves: n.recoveries.agent.Verify}})
	n.recoveries.control.Store(&controlEnd{c, c.Run})
	return []arm.Provider{recovery.NewProvider(c)}
}

// startRecovery starts the recovery role of a control member: its controller acts while the member leads, and its witness speaks
// all the time.
func (n *Node) startRecovery(run context.Context, profiles *traffic.Provider) {
	c := n.recoveries.control.Load()
	n.running.Go(func() {
		n.whileLeading(run, func(ctx context.Context) {
			if err := c.run(ctx); ctx.Err() == nil {
				n.Log.Error("the controller of recovery groups ended; it starts again", "error", err)
			}
		})
	})
	n.running.Go(func() { (&groupWitness{n: n, provider: profiles, named: map[string]endpointNames{}}).run(run) })
}

// serveControl answers agents and witnesses of all nodes, where this one leads.
func (n *Node) serveControl(w http.ResponseWriter, r *http.Request) {
	c := n.recoveries.control.Load()
	if c == nil {
		c = &controlEnd{Control: recovery.NewController(recovery.ControllerConfig{})} // leads nothing, and says so
	}
	recovery.ControlHandler(c).ServeHTTP(w, r)
}

// regionOf tells where a service is.
func (n *Node) regionOf(ctx context.Context, service string) (tandem.Region, error) {
	if n.serves(ctx, service) {
		return n.Region, nil
	}
	if region, ok := n.placed(ctx, strings.ToLower(service)); ok {
		return region, nil
	}
	return "", &tandem.Error{Op: "find service", Subject: service, Kind: tandem.NotFound, Err: errors.New("no region has it"), Remedy: "create the service, or name another one in the recovery group"}
}

// site is the site of a service, in this process or at the node of its region.
func (n *Node) site(service string) (recovery.Site, error) {
	region, err := n.regionOf(context.Background(), service)
	if err != nil {
		return nil, err
	}
	if region == n.Region {
		return n.recoveries.agent, nil
	}
	for _, p := range n.Peers {
		if p.Region == region {
			return agent.Client(p.Internal, n.recoveries.client), nil
		}
	}
	return nil, &tandem.Error{Op: "find node", Subject: string(region), Kind: tandem.NotFound, Err: errors.New("no peer of this node serves the region"), Remedy: "name it among the peers"}
}

// nodeOf is the internal address of the node that has a service; empty where none is known.
func (n *Node) nodeOf(service string) string {
	region, err := n.regionOf(context.Background(), service)
	if err != nil {
		return ""
	}
	if region == n.Region {
		return n.addresses.Internal
	}
	for _, p := range n.Peers {
		if p.Region == region {
			return p.Internal
		}
	}
	return ""
}
