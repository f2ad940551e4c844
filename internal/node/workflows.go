package node

import (
	"context"
	"errors"
	"net"
	"net/url"
	"time"

	"tandem/internal/arm"
	"tandem/internal/resources"
	"tandem/internal/workflow"
)

// hostsOfAzure are the names that workflows written for Azure call: sign-in, and the management plane.
const (
	signInHost     = "login.microsoftonline.com"
	managementHost = "management.azure.com"
)

// restartWorkflows is how long the engine of workflows waits before it starts again after an error.
const restartWorkflows = time.Second

// startWorkflows makes the provider of Logic Apps and runs its engine. The home runs it, which lies outside the primary's
// region, so that a restore still runs when the primary is gone. Workflows reach Azure's sign-in and management plane at
// this deployment's own endpoints, by the names that they were written with.
func (n *Node) startWorkflows(run context.Context) (arm.Provider, error) {
	hosts := map[string]workflow.Endpoint{}
	for name, address := range map[string]string{signInHost: n.addresses.Authority, managementHost: n.addresses.ARM} {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		hosts[name] = workflow.Endpoint{Address: u.Host, RootCAs: n.ca.Pool()}
	}
	c := workflow.Config{Store: n.store, Sealer: n.master, Clock: n.Clock, Log: n.Log, Hosts: hosts, BaseURL: n.addresses.ARM, Location: string(n.Region), PollInterval: pollEvery}
	provider, err := workflow.NewProvider(c)
	if err != nil {
		return nil, err
	}
	engine, err := workflow.New(c)
	if err != nil {
		return nil, err
	}
	n.running.Go(func() { n.runWorkflows(run, engine) })
	return workflowContents{provider}, nil
}

// runWorkflows keeps the engine running until ctx ends. A new start takes up the runs that are under way.
func (n *Node) runWorkflows(ctx context.Context, engine *workflow.Engine) {
	for {
		err := engine.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		n.Log.Error("the workflows stopped; they start again", "error", err)
		if n.Clock.Sleep(ctx, restartWorkflows) != nil {
			return
		}
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
