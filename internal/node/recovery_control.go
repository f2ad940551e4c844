package node

import (
	"context"
	"errors"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
)

// controlRoute is the leading controller as this node's agent and witness reach it: on this node where it leads, else at the
// control members, one after the other, the one that answered last first.
type controlRoute struct{ n *Node }

var _ recovery.Control = controlRoute{}

// controlWithin bounds one try at one node: the next one may be there.
const controlWithin = 2 * time.Second

// Renew implements recovery.Control.
func (c controlRoute) Renew(ctx context.Context, group string, s failover.Service, r failover.Renewal) (g failover.Grant, err error) {
	err = c.each(ctx, group, func(ctx context.Context, to recovery.Control) (err error) {
		g, err = to.Renew(ctx, group, s, r)
		return err
	})
	return g, err
}

// Replicated implements recovery.Control.
func (c controlRoute) Replicated(ctx context.Context, group string, e failover.Replicated) error {
	return c.each(ctx, group, func(ctx context.Context, to recovery.Control) error { return to.Replicated(ctx, group, e) })
}

// Observed implements recovery.Control.
func (c controlRoute) Observed(ctx context.Context, group string, e failover.Observed) error {
	return c.each(ctx, group, func(ctx context.Context, to recovery.Control) error { return to.Observed(ctx, group, e) })
}

// each calls the controllers until one leads.
func (c controlRoute) each(ctx context.Context, group string, call func(context.Context, recovery.Control) error) error {
	last := error(&tandem.Error{Op: "find controller", Subject: group, Kind: tandem.Unavailable, Err: errors.New("no control member answers"), Remedy: "see that most control members run"})
	if own := c.n.recoveries.control.Load(); own != nil && c.n.Leading() {
		if last = call(ctx, own); tandem.KindOf(last) != tandem.Unavailable {
			return last
		}
	}
	homes := c.n.homes()
	first := int(c.n.recoveries.leaderAt.Load())
	for i := range homes {
		at := (first + i) % len(homes)
		try, cancel := context.WithTimeout(ctx, controlWithin)
		last = call(try, &recovery.ControlClient{Address: homes[at].Internal, HTTP: c.n.recoveries.client})
		cancel()
		if tandem.KindOf(last) != tandem.Unavailable {
			c.n.recoveries.leaderAt.Store(int32(at))
			return last
		}
		if ctx.Err() != nil {
			break
		}
	}
	return last
}

// controlEnd is the controller of this node.
type controlEnd struct {
	recovery.Control
	run func(ctx context.Context) error
}
