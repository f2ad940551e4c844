package node

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"tandem"
	"tandem/internal/identity"
	"tandem/internal/resources"
	"tandem/internal/traffic"
	"tandem/internal/vault/blobserver"
)

// storageAudience is what tokens for storage accounts are for.
const storageAudience = "https://storage.azure.com"

// pollEvery is how long clients are told to wait between polls of a long-running operation.
const pollEvery = 200 * time.Millisecond

// startHome starts what the home serves for all regions: token authority, storage accounts, resource groups and the
// Traffic Manager with its DNS server.
func (n *Node) startHome(ctx, run context.Context) error {
	if n.Home == nil {
		return nil
	}
	if err := n.startAuthority(ctx, run); err != nil {
		return err
	}
	if err := n.startStorage(); err != nil {
		return err
	}
	r, err := resources.New(resources.Config{Store: n.store, Sealer: n.master, Access: n.directory, Operations: n.operations, Clock: n.Clock, Log: n.Log,
		Tenants:   func() []resources.Tenant { return tenants(n.directory) },
		Endpoints: resources.Endpoints{Login: n.addresses.Authority, Graph: n.addresses.Graph, TrafficSuffix: n.Home.Zone},
		Forget:    n.directory.RemoveAssignments,
		BlobURL:   func(account string) string { return n.addresses.Blob + "/" + account + "/" },
		Blobs:     n.blobs})
	if err != nil {
		return err
	}
	n.resources = r
	if err := r.EnsureSubscription(ctx, resources.Subscription{ID: n.Home.SubscriptionID, DisplayName: "Tandem", TenantID: n.Home.TenantID}); err != nil {
		return err
	}
	return n.startTraffic(ctx)
}

func (n *Node) startAuthority(ctx, run context.Context) (err error) {
	n.directory, err = identity.Open(ctx, identity.Config{AccessConfig: identity.AccessConfig{Clock: n.Clock, Audiences: n.audiences()}, Store: n.store, Sealer: n.master, Log: n.Log})
	if err != nil {
		return err
	}
	if err := n.directory.EnsureTenant(ctx, identity.Tenant{ID: n.Home.TenantID, DisplayName: "Tandem"}); err != nil {
		return err
	}
	if err := n.firstPrincipals(ctx); err != nil {
		return err
	}
	n.running.Go(func() {
		if err := n.directory.Run(run); err != nil {
			n.Log.Error("the directory follows its store no more", "error", err)
		}
	})
	l, err := n.listen(n.Ports.Authority)
	if err != nil {
		return err
	}
	config, err := n.serverTLS("token authority")
	if err != nil {
		return errors.Join(err, l.Close())
	}
	n.addresses.Authority = "https://" + l.Addr().String()
	n.addresses.Graph = n.addresses.Authority
	mux := http.NewServeMux()
	graph, err := identity.NewGraph(identity.GraphConfig{Directory: n.directory, Clock: n.Clock, Log: n.Log})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	mux.Handle("/v1.0/", graph)
	mux.Handle("/beta/", graph)
	n.authority = identity.NewAuthority(identity.AuthorityConfig{Directory: n.directory, Clock: n.Clock, Log: n.Log,
		Resources: append(n.audiences(), "https://graph.microsoft.com", storageAudience)})
	mux.Handle("/", n.authority)
	n.serve(l, config, mux)
	return nil
}

// firstPrincipals makes the operator, Owner of everything, and the other principals that exist from the start. Secrets that
// were made are in Credentials.
func (n *Node) firstPrincipals(ctx context.Context) error {
	first, err := n.directory.Bootstrap(ctx, identity.BootstrapOptions{Tenant: identity.Tenant{ID: n.Home.TenantID, DisplayName: "Tandem"}, Principal: n.Home.Operator})
	if err != nil {
		return err
	}
	n.credentials = map[string]identity.Credentials{n.Home.Operator: first}
	for _, name := range n.Home.Principals {
		if n.credentials[name], err = n.directory.EnsureServicePrincipal(ctx, n.Home.TenantID, name); err != nil {
			return err
		}
	}
	for name, c := range n.credentials {
		if !n.Home.NewSecrets || c.ClientSecret != "" {
			continue
		}
		if c.ClientSecret, _, err = n.directory.AddSecret(ctx, c.ClientID, "renewed", 0); err != nil {
			return err
		}
		n.credentials[name] = c
	}
	return nil
}

// Credentials are those of the first principals, by display name; a secret only where it was made at this start.
func (n *Node) Credentials() map[string]identity.Credentials { return n.credentials }

func tenants(d *identity.Directory) []resources.Tenant {
	var out []resources.Tenant
	for _, t := range d.Tenants() {
		out = append(out, resources.Tenant{ID: t.ID, DisplayName: t.DisplayName, Domain: t.Domain})
	}
	return out
}

func (n *Node) startStorage() error {
	b, err := blobserver.New(blobserver.Config{Dir: n.path("blobs"), Clock: n.Clock, Keys: func(account string) ([][]byte, bool) {
		if n.resources == nil {
			return nil, false
		}
		return n.resources.Keys(account)
	}, Bearer: n.blobAccess, Authority: n.addresses.Authority})
	if err != nil {
		return err
	}
	n.blobs = b
	n.closers = append(n.closers, b.Close)
	l, err := n.listen(n.Ports.Blob)
	if err != nil {
		return err
	}
	config, err := n.serverTLS("storage accounts")
	if err != nil {
		return errors.Join(err, l.Close())
	}
	n.addresses.Blob = "https://" + l.Addr().String()
	n.serve(l, config, b)
	return nil
}

// blobAccess decides over a bearer token at the blob endpoint, as Azure does by data roles.
func (n *Node) blobAccess(ctx context.Context, token string, a blobserver.Access) error {
	_, p, err := n.directory.Verify(token, []string{storageAudience})
	if err != nil {
		return err
	}
	scope, ok := n.resources.AccountID(ctx, a.Account)
	if !ok {
		return &tandem.Error{Op: "open storage account", Subject: a.Account, Kind: tandem.NotFound}
	}
	return n.directory.AuthoriseData(ctx, p, a.Action, scope)
}

func (n *Node) startTraffic(ctx context.Context) error {
	ip, err := netip.ParseAddr(n.Address)
	if err != nil {
		return err
	}
	s, err := traffic.New(traffic.Config{Store: n.store, Clock: n.Clock, Log: n.Log, Dir: n.path("traffic"), Zone: n.Home.Zone, Listen: netip.AddrPortFrom(ip, uint16(n.Ports.Traffic)).String(),
		NameServers: []string{"ns1." + n.Home.Zone}, Addresses: []netip.Addr{ip}, Region: string(n.Region)})
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	n.traffic = s
	n.closers = append(n.closers, s.Stop)
	n.addresses.DNS = s.Addr().String()
	return nil
}
