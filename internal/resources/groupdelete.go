package resources

import (
	"context"
	"encoding/json"
	"net/http"

	"tandem"
	"tandem/internal/arm"
)

const deleteGroupCode = "DeleteResourceGroup"

// deleteGroup marks the group, answers 202, and deletes what is in it in the background. The operation is polled below the
// subscription, because the group, with the caller's role on it, will be gone.
func (p provider) deleteGroup(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	g, at, err := p.group(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"])
	if err != nil {
		return nil, err
	}
	if g.Deleting {
		return nil, beingDeleted(g)
	}
	g.Deleting = true
	if err := p.put(ctx, groupKey(g.Subscription, g.Name), g, at); err != nil {
		return nil, conflict(err, g.id())
	}
	return p.c.Operations.Start(ctx, r, arm.Start{Code: deleteGroupCode, Resource: g.id(), PollBase: "/subscriptions/" + g.Subscription,
		Run: func(ctx context.Context) (json.RawMessage, error) { return nil, p.emptyGroup(ctx, g) }})
}

// resumeDelete goes on with a delete whose process died.
func (r *Resources) resumeDelete(ctx context.Context, op arm.Operation) (json.RawMessage, error) {
	id, err := tandem.ParseResourceID(op.Resource)
	if err != nil {
		return nil, err
	}
	g, _, ok, err := get[group](ctx, r, groupKey(id.Subscription, id.ResourceGroup))
	if err != nil || !ok {
		return nil, err
	}
	return nil, r.emptyGroup(ctx, g)
}

// emptyGroup deletes all that is in the group and the group itself. Where that fails the group is usable again.
func (r *Resources) emptyGroup(ctx context.Context, g group) error {
	err := func() error {
		if err := r.emptyContents(ctx, g); err != nil {
			return err
		}
		if r.c.Forget != nil {
			if err := r.c.Forget(ctx, g.id()); err != nil {
				return err
			}
		}
		if err := r.forgetDeployments(ctx, g); err != nil {
			return err
		}
		return r.remove(ctx, groupKey(g.Subscription, g.Name))
	}()
	if err == nil || ctx.Err() != nil {
		return err
	}
	now, at, ok, readErr := get[group](ctx, r, groupKey(g.Subscription, g.Name))
	if readErr == nil && ok {
		now.Deleting = false
		readErr = r.put(ctx, groupKey(g.Subscription, g.Name), now, at)
	}
	if readErr != nil {
		r.c.Log.Error("a resource group stays marked as being deleted", "group", g.id(), "error", readErr)
	}
	return err
}

// emptyContents deletes until nothing is left: a write that was under way when the group was marked may still arrive.
func (r *Resources) emptyContents(ctx context.Context, g group) error {
	const rounds = 10
	for range rounds {
		left := 0
		for _, c := range r.contents {
			if err := c.DeleteGroup(ctx, g.Subscription, g.Name); err != nil {
				return err
			}
			some, err := c.ListResources(ctx, g.Subscription, g.Name)
			if err != nil {
				return err
			}
			left += len(some)
		}
		if left == 0 {
			return nil
		}
	}
	return arm.Errorf(http.StatusConflict, "ResourceGroupDeletionBlocked", "Deletion of resource group '%s' failed as resources in it remain or are made again; stop what makes them and delete it again.", g.Name)
}
