package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/resources"
)

// Calls between nodes, over mutual TLS with the deployment's own authority. They carry no secrets.
const (
	directoryPath = "/tandem/v1/directory" // of the control plane: its directory, as soon as it is newer than ?after
	servicesPath  = "/tandem/v1/services"  // GET: the services in ?subscription and ?group; DELETE: delete those of the group
	viewsPath     = "/tandem/v1/views"     // all services of the region, as lists show them
)

// startInternal serves the calls of other nodes.
func (n *Node) startInternal() error {
	l, err := n.listen(n.Ports.Internal)
	if err != nil {
		return err
	}
	config, err := n.internalTLS()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	n.addresses.Internal = "https://" + l.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+directoryPath, n.serveDirectory)
	mux.HandleFunc("GET "+accountPath+"{account}", n.serveAccount)
	mux.HandleFunc("GET "+containersPath+"/{account}", n.serveContainers)
	mux.HandleFunc("PUT "+containersPath+"/{account}/{container}", n.serveContainers)
	mux.HandleFunc("DELETE "+containersPath+"/{account}/{container}", n.serveContainers)
	mux.HandleFunc("GET "+membersPath, n.serveMembers)
	mux.HandleFunc("POST "+membersPath, n.serveMembers)
	mux.HandleFunc("DELETE "+membersPath+"/{id}", n.serveMembers)
	mux.HandleFunc("GET "+viewsPath, n.serveViews)
	mux.HandleFunc("GET "+metricsPath, n.serveMetrics)
	mux.HandleFunc("GET "+gatewayPath+"{service}", n.serveGatewayDetail)
	mux.HandleFunc("GET "+servicesPath, n.serveServices)
	mux.HandleFunc("GET "+regionPath, n.serveRegion)
	mux.HandleFunc("GET "+auditPath, n.serveAudit)
	mux.HandleFunc("DELETE "+servicesPath, n.serveDeleteGroup)
	n.serveRecovery(mux)
	n.serve(l, config, mux)
	return nil
}

func (n *Node) serveServices(w http.ResponseWriter, r *http.Request) {
	list, err := n.ownServices(r.Context(), r.URL.Query().Get("subscription"), r.URL.Query().Get("group"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list) // the peer went away; it asks again
}

func (n *Node) serveDeleteGroup(w http.ResponseWriter, r *http.Request) {
	if err := n.deleteOwn(r.Context(), r.URL.Query().Get("subscription"), r.URL.Query().Get("group")); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (n *Node) ownServices(ctx context.Context, subscription, group string) ([]resources.Listed, error) {
	records, err := n.apim.In(ctx, subscription, group)
	out := []resources.Listed{}
	for _, rec := range records {
		view := n.apim.ServiceView(rec)
		out = append(out, resources.Listed{Resource: view.Resource, SKU: view.Sku, CreatedTime: rec.Created, ProvisioningState: rec.State})
	}
	return out, err
}

func (n *Node) deleteOwn(ctx context.Context, subscription, group string) error {
	records, err := n.apim.In(ctx, subscription, group)
	if err != nil {
		return err
	}
	for _, rec := range records {
		if err := n.apim.SoftDelete(ctx, rec); err != nil {
			return err
		}
	}
	return nil
}

// regionContents are the API Management services of all regions, for the control plane's lists and for the deletion of groups.
type regionContents struct {
	*apim.Provider
	n *Node
}

var _ resources.Contents = regionContents{}

// ListResources implements resources.Contents.
func (c regionContents) ListResources(ctx context.Context, subscription, group string) ([]resources.Listed, error) {
	all, err := c.n.ownServices(ctx, subscription, group)
	if err != nil {
		return nil, err
	}
	for _, p := range c.n.Peers {
		var some []resources.Listed
		if p.Witness {
			continue
		}
		if err := c.n.callPeer(ctx, http.MethodGet, p.Internal+servicesPath+"?"+groupQuery(subscription, group), nil, &some); err != nil {
			c.n.Log.Warn("a region does not answer; its services are not in this list of resources", "region", p.Region, "error", err)
			continue
		}
		all = append(all, some...)
	}
	return all, nil
}

// DeleteGroup implements resources.Contents.
func (c regionContents) DeleteGroup(ctx context.Context, subscription, group string) error {
	if err := c.n.deleteOwn(ctx, subscription, group); err != nil {
		return err
	}
	for _, p := range c.n.Peers {
		if p.Witness {
			continue
		}
		if err := c.n.callPeer(ctx, http.MethodDelete, p.Internal+servicesPath+"?"+groupQuery(subscription, group), nil, nil); err != nil {
			return &tandem.Error{Op: "delete services of group " + group, Subject: "in " + string(p.Region), Kind: tandem.Unavailable, Err: err, Remedy: "bring the region back, then delete the group again"}
		}
	}
	return nil
}

func groupQuery(subscription, group string) string {
	return url.Values{"subscription": {subscription}, "group": {group}}.Encode()
}
