package node

import (
	"context"
	"errors"
	"net"
	"net/url"

	"tandem/internal/arm"
	"tandem/internal/resources"
	"tandem/internal/workflow"
)

// hostsOfAzure are the names that workflows written for Azure call: sign-in, and the management plane.
const (
	signInHost     = "login.microsoftonline.com"
	managementHost = "management.azure.com"
)

// workflows are the provider of Logic Apps, which every control member has, and their engine, which runs at the leader alone.
type workflows struct {
	n        *Node
	provider arm.Provider
	engine   *workflow.Engine
}

// newWorkflows makes both. Workflows reach Azure's sign-in and management plane at this deployment's own endpoints, by the
// names that they were written with.
func (n *Node) newWorkflows() (*workflows, error) {
	hosts := map[string]workflow.Endpoint{}
	for name, address := range map[string]string{signInHost: n.addresses.Authority, managementHost: n.addresses.ARM} {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		hosts[name] = workflow.Endpoint{Address: u.Host, RootCAs: n.ca.Pool()}
	}
	c := workflow.Config{Store: n.shared, Sealer: n.master, Clock: n.Clock, Log: n.Log, Hosts: hosts, BaseURL: n.addresses.ARM, Location: string(n.Region), PollInterval: pollEvery}
	provider, err := workflow.NewProvider(c)
	if err != nil {
		return nil, err
	}
	engine, err := workflow.New(c)
	if err != nil {
		return nil, err
	}
	return &workflows{n, workflowContents{provider}, engine}, nil
}

// run runs the engine while this node leads. It takes up the runs that the leader before it left.
func (w *workflows) run(ctx context.Context) {
	if err := w.engine.Run(ctx); ctx.Err() == nil {
		w.n.Log.Error("the workflows stopped; they start again", "error", err)
	}
}

// workflowContents tells the lists of resources, and the deletion of groups, of workflows.
type workflowContents struct{ *workflow.Provider }

var _ resources.Contents = workflowContents{}

// ListResources implements resources.Contents.
func (c workflowContents) ListResources(ctx context.Context, subscription, group string) ([]resources.Listed, error) {
	all, err := c.Workflows(ctx, subscription, group)
	out := make([]resources.Listed, 0, len(all))
	for _, w := range all {
		out = append(out, resources.Listed{Resource: w})
	}
	return out, err
}

// ignoreClosed drops the error of a second close.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
