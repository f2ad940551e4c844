package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/identity"
	"tandem/internal/resources"
	"tandem/internal/store"
)

// controlPlane is what a node serves for all regions, once the shared store answers.
type controlPlane struct {
	directory *identity.Directory
	resources *resources.Resources
	authority http.Handler
	graph     http.Handler
}

// controlPlane gives it; nil before it is there, and on nodes that serve none.
func (n *Node) controlPlane() *controlPlane { return n.control.Load() }

// startControl starts what the control plane serves. A single home has it when this returns; one of several members opens its
// part of the shared store in the background, since the others may be down, and what the region serves must not wait (law 8).
func (n *Node) startControl(ctx, run context.Context) error {
	n.sharedOperations = n.operations
	if n.Control != nil {
		n.sharedOperations = n.newOperations(n.shared, n.Control.Name)
	}
	if err := n.startTraffic(ctx); err != nil {
		return err
	}
	if n.single() {
		return n.attach(ctx, run)
	}
	n.background.Go(func() { n.runControl(run) })
	return nil
}

// retryControl is the pause between tries to open the shared store, and to attach to it.
const retryControl = 250 * time.Millisecond

// runControl opens the shared store, attaches the control plane to it and ends.
func (n *Node) runControl(run context.Context) {
	n.untilDone(run, "the etcd of the control plane cannot be opened; it is tried again", func() error {
		s, err := n.openShared(run)
		if err == nil {
			n.shared.opened.Store(s)
		}
		return err
	})
	if run.Err() != nil {
		return
	}
	close(n.sharedOpen)
	opened := n.shared.opened.Load()
	if len(n.Control.Endpoints) > 0 {
		n.running.Go(func() { opened.Campaign(run, n.Control.Name) })
	}
	n.running.Go(func() {
		n.untilDone(run, "this member has no vote in the control plane yet", func() error { return opened.PromoteSelf(run) })
	})
	n.untilDone(run, "the control plane is not there yet", func() error {
		ctx, cancel := context.WithTimeout(run, time.Minute)
		defer cancel()
		return n.attach(ctx, run)
	})
	if run.Err() == nil {
		n.Log.Info("the control plane serves", "member", n.Control.Name)
		close(n.attached)
	}
}

// untilDone repeats work until it succeeds or ctx ends. What is wrong is told when it changes.
func (n *Node) untilDone(ctx context.Context, what string, work func() error) {
	told := ""
	for ctx.Err() == nil {
		err := work()
		if err == nil || ctx.Err() != nil {
			return
		}
		if text := err.Error(); text != told {
			told = text
			n.Log.Info(what, "error", err)
		}
		_ = n.Clock.Sleep(ctx, retryControl) // its end is the loop's
	}
}

// AwaitControl waits until the node serves the control plane, which takes a quorum of its members; a node that has no part in
// it serves none, and this is an error.
func (n *Node) AwaitControl(ctx context.Context) error {
	if n.Home == nil {
		return &tandem.Error{Op: "wait for control plane", Subject: string(n.Region), Kind: tandem.Invalid, Err: errors.New("the node has no part in it"), Remedy: "ask a control member"}
	}
	select {
	case <-n.attached:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// deploymentKey marks a shared store whose first principals are made. A single home's store has no such mark.
const deploymentKey = "control/deployment"

// attach opens the directory and the resources in the shared store and puts them behind the listeners. It can be repeated
// after an error.
func (n *Node) attach(ctx, run context.Context) error {
	if err := n.found(ctx); err != nil {
		return err
	}
	p, err := n.openControlPlane(ctx)
	if err != nil {
		return err
	}
	if n.Control != nil {
		if err := n.markFounded(ctx); err != nil {
			return err
		}
	}
	server, err := n.attachPlane(run, p)
	if err != nil {
		return err
	}
	n.control.Store(p)
	n.running.Go(func() {
		if err := p.directory.Run(run); err != nil {
			n.Log.Error("the directory follows its store no more", "error", err)
		}
	})
	n.serveAuthority(p)
	plane := n.newPlacement(server, n.outbound)
	p.resources.Serve(plane) // templates are deployed through the whole plane, into every region
	n.fronts.plane.set(n.toLeader(plane))
	if err := n.attachConsole(plane, p.authority); err != nil {
		return err
	}
	if n.Control != nil {
		n.running.Go(func() { n.keepDirectory(run, p.directory) })
		if err := n.sharedOperations.Recover(ctx); err != nil {
			return err
		}
	}
	n.running.Go(func() { n.refreshPlaces(run) })
	if n.single() {
		close(n.attached)
	}
	return nil
}

// found sees whether this node may use the shared store: one that has served before must serve the same deployment, and an
// empty one is filled by the leader alone, so that nothing is made twice.
func (n *Node) found(ctx context.Context) error {
	if n.Control == nil {
		return nil
	}
	d, err := n.shared.Get(ctx, deploymentKey, 0)
	if errors.Is(err, tandem.NotFound) {
		if n.Leading() {
			return nil
		}
		return &tandem.Error{Op: "open control plane", Kind: tandem.Unavailable, Err: errors.New("its leader has not filled it yet"), Remedy: "see that most of its members run"}
	}
	if err != nil {
		return err
	}
	var there Home
	if err := json.Unmarshal(d.Value, &there); err != nil {
		return &tandem.Error{Op: "read deployment", Subject: deploymentKey, Kind: tandem.Corrupt, Err: err}
	}
	if there.TenantID != n.Home.TenantID || there.SubscriptionID != n.Home.SubscriptionID || there.Zone != n.Home.Zone {
		return &tandem.Error{Op: "open control plane", Subject: n.Control.Name, Kind: tandem.Invalid,
			Err:    fmt.Errorf("it serves tenant %s, subscription %s and zone %s, and the section home says %s, %s and %s", there.TenantID, there.SubscriptionID, there.Zone, n.Home.TenantID, n.Home.SubscriptionID, n.Home.Zone),
			Remedy: "give all members the same section home"}
	}
	return nil
}

// markFounded tells the other members that the first principals are made.
func (n *Node) markFounded(ctx context.Context) error {
	value, err := json.Marshal(Home{TenantID: n.Home.TenantID, SubscriptionID: n.Home.SubscriptionID, Zone: n.Home.Zone, Operator: n.Home.Operator})
	if err != nil {
		return err
	}
	_, err = n.shared.Commit(ctx, store.Batch{If: []store.Condition{{Key: deploymentKey}}, Put: []store.Write{{Key: deploymentKey, Value: value}}})
	if errors.Is(err, tandem.Precondition) || errors.Is(err, tandem.Unavailable) && n.hasMark(ctx) {
		return nil
	}
	return err
}

func (n *Node) hasMark(ctx context.Context) bool {
	_, err := n.shared.Get(ctx, deploymentKey, 0)
	return err == nil
}

// openControlPlane opens directory and resources, with what every deployment has from the start.
func (n *Node) openControlPlane(ctx context.Context) (*controlPlane, error) {
	d, err := identity.Open(ctx, identity.Config{AccessConfig: identity.AccessConfig{Clock: n.Clock, Audiences: n.audiences()}, Store: n.shared, Sealer: n.master, Log: n.Log})
	if err != nil {
		return nil, err
	}
	if err := n.firstPrincipals(ctx, d); err != nil {
		return nil, err
	}
	p := &controlPlane{directory: d}
	p.resources, err = resources.New(resources.Config{Store: n.shared, Sealer: n.master, Access: d, Operations: n.sharedOperations, Clock: n.Clock, Log: n.Log,
		Tenants:   func() []resources.Tenant { return tenants(d) },
		Endpoints: resources.Endpoints{Login: n.addresses.Authority, Graph: n.addresses.Graph, TrafficSuffix: n.Home.Zone},
		Forget:    d.RemoveAssignments,
		BlobAt:    func(account string, location tandem.Region) string { return n.blobAt(location) + "/" + account + "/" },
		Blobs:     placedBlobs{n}})
	if err != nil {
		return nil, err
	}
	if p.authority, p.graph, err = n.newAuthority(d); err != nil {
		return nil, err
	}
	return p, p.resources.EnsureSubscription(ctx, resources.Subscription{ID: n.Home.SubscriptionID, DisplayName: "Tandem", TenantID: n.Home.TenantID})
}

// firstPrincipals makes the operator, Owner of everything, and the other principals that exist from the start. Secrets that
// were made are in Credentials, and in the file of that name.
func (n *Node) firstPrincipals(ctx context.Context, d *identity.Directory) error {
	first, err := d.Bootstrap(ctx, identity.BootstrapOptions{Tenant: identity.Tenant{ID: n.Home.TenantID, DisplayName: "Tandem"}, Principal: n.Home.Operator})
	if err != nil {
		return err
	}
	made := map[string]identity.Credentials{n.Home.Operator: first}
	for _, name := range n.Home.Principals {
		if made[name], err = d.EnsureServicePrincipal(ctx, n.Home.TenantID, name); err != nil {
			return err
		}
	}
	for name, c := range made {
		if !n.Home.NewSecrets || c.ClientSecret != "" {
			continue
		}
		if c.ClientSecret, _, err = d.AddSecret(ctx, c.ClientID, "renewed", 0); err != nil {
			return err
		}
		made[name] = c
	}
	return n.keepCredentials(made)
}

// keepCredentials remembers the first principals, with the secrets of earlier tries, and writes the file that was asked for.
func (n *Node) keepCredentials(made map[string]identity.Credentials) error {
	n.credentialsLock.Lock()
	defer n.credentialsLock.Unlock()
	secrets := false
	for name, c := range made {
		if before := n.credentials[name]; c.ClientSecret == "" && before.ClientID == c.ClientID {
			made[name] = before
		}
		secrets = secrets || made[name].ClientSecret != ""
	}
	n.credentials = made
	if n.Home.Credentials == "" || !secrets {
		return nil
	}
	raw, err := json.MarshalIndent(made, "", "  ")
	if err == nil {
		err = os.WriteFile(n.Home.Credentials, append(raw, '\n'), 0o600)
	}
	if err != nil {
		return &tandem.Error{Op: "write credentials", Subject: n.Home.Credentials, Kind: tandem.Unavailable, Err: err, Remedy: "name a file in home.credentials that can be written"}
	}
	return nil
}

// Credentials are those of the first principals, by display name; a secret only where it was made at this start. On one of
// several control members they are there after AwaitControl.
func (n *Node) Credentials() map[string]identity.Credentials {
	n.credentialsLock.Lock()
	defer n.credentialsLock.Unlock()
	return n.credentials
}

// newOperations makes what keeps long-running operations in a store.
func (n *Node) newOperations(s store.Store, runner string) *arm.Operations {
	o := arm.NewOperations(arm.OperationsConfig{Store: resources.OperationStore(s, "operations/"), Clock: n.Clock, Log: n.Log, Runner: runner, Region: string(n.Region), RetryAfter: pollEvery})
	n.onStop(func() error { o.Close(); return nil })
	return o
}
