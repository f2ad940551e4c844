package node

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"tandem/internal/identity"
	"tandem/internal/resources"
	"tandem/internal/traffic"
)

// storageAudience is what tokens for storage accounts are for.
const storageAudience = "https://storage.azure.com"

// pollEvery is how long clients are told to wait between polls of a long-running operation.
const pollEvery = 200 * time.Millisecond

// fronts are what the listeners of a node serve; what is not there yet answers 503.
type fronts struct{ plane, authority, blob, console swap }

// openFronts opens the listeners of the control plane, so that their addresses are known and their ports are this node's. What
// they serve comes when it is there.
func (n *Node) openFronts() error {
	if n.Home == nil {
		return nil
	}
	open := func(port int, name string, h http.Handler, at ...*string) error {
		l, err := n.listen(port)
		if err != nil {
			return err
		}
		config, err := n.serverTLS(name)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		for _, a := range at {
			*a = "https://" + l.Addr().String()
		}
		n.serve(l, config, h)
		return nil
	}
	a := &n.addresses
	if err := open(n.Ports.Authority, "token authority", &n.fronts.authority, &a.Authority, &a.Graph); err != nil {
		return err
	}
	if n.keepsBlobs() {
		if err := open(n.Ports.Blob, "storage accounts", &n.fronts.blob, &a.Blob); err != nil {
			return err
		}
		if err := n.openBlobs(); err != nil {
			return err
		}
	}
	return open(n.Ports.Console, "console", &n.fronts.console, &a.Console)
}

// serveAuthority puts the token authority and the Graph subset behind their listener.
func (n *Node) serveAuthority(p *controlPlane) {
	mux := http.NewServeMux()
	mux.Handle("/v1.0/", p.graph)
	mux.Handle("/beta/", p.graph)
	mux.Handle("/", p.authority)
	n.fronts.authority.set(mux)
}

// newAuthority makes the token authority and the Graph subset of a directory.
func (n *Node) newAuthority(d *identity.Directory) (authority, graph http.Handler, err error) {
	graph, err = identity.NewGraph(identity.GraphConfig{Directory: d, Clock: n.Clock, Log: n.Log, Auditor: &n.activity})
	authority = identity.NewAuthority(identity.AuthorityConfig{Directory: d, Clock: n.Clock, Log: n.Log,
		Resources: append(n.audiences(), "https://graph.microsoft.com", storageAudience)})
	return authority, graph, err
}

func tenants(d *identity.Directory) []resources.Tenant {
	var out []resources.Tenant
	for _, t := range d.Tenants() {
		out = append(out, resources.Tenant{ID: t.ID, DisplayName: t.DisplayName, Domain: t.Domain})
	}
	return out
}

// startTraffic starts probing and the DNS server. They begin from the last state on disk and follow the shared store's
// profiles as soon as that answers.
func (n *Node) startTraffic(ctx context.Context) error {
	ip, err := netip.ParseAddr(n.Address)
	if err != nil {
		return err
	}
	s, err := traffic.New(traffic.Config{Store: n.shared, Clock: n.Clock, Log: n.Log, Dir: n.path("traffic"), Zone: n.Home.Zone, Listen: netip.AddrPortFrom(ip, uint16(n.Ports.Traffic)).String(),
		NameServers: []string{"ns1." + n.Home.Zone}, Addresses: n.nameServers(ip), Region: string(n.Region)})
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	n.traffic = s
	n.onStop(s.Stop)
	n.addresses.DNS = s.Addr().String()
	return nil
}

// nameServers are the addresses at which the zone is answered: this node's and those of the other control members, in the same
// order everywhere.
func (n *Node) nameServers(own netip.Addr) []netip.Addr {
	out := []netip.Addr{own}
	for _, p := range n.homes() {
		if u, err := url.Parse(p.ARM); err == nil {
			if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
				out = append(out, ip)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}
