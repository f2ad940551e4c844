package replica

import (
	"context"
	"errors"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/gateway"
	"tandem/internal/snapshot"
	"tandem/internal/snapshot/repository"
)

// RestoreOptions say what a service becomes.
type RestoreOptions struct {
	PlanOptions
	Owner      string // of the space's lock
	Identities []age.Identity
	// Phase, where given, is told what begins: "read the vault", "plan", "stage, compile and swap".
	Phase func(string)
	// DryRun only plans.
	DryRun bool
}

// RestoredService is the outcome of a restore from a vault into a Tandem service.
type RestoredService struct {
	State     VaultState        `json:"-"`
	Snapshot  string            `json:"snapshot"`
	Note      string            `json:"note,omitempty"`
	Plan      *Plan             `json:"plan"`
	Resources int               `json:"resources"` // of the service as it is to be
	Swapped   bool              `json:"swapped"`
	Warnings  []gateway.Problem `json:"warnings,omitempty"`
}

// RestoreService makes a Tandem service what a vault holds at a moment, all or nothing (law 3): staged beside what serves,
// compiled dry, swapped in one commit, and undone by Undo. What Only and Exclude leave out stays as it is. The guard against mass
// deletion is Precondition; the outcome has the plan also then.
func RestoreService(ctx context.Context, repo *repository.Repository, m Moment, s *apim.Service, rec *apim.Record, gateways Gateways, o RestoreOptions) (*RestoredService, error) {
	phase := o.Phase
	if phase == nil {
		phase = func(string) {}
	}
	out := &RestoredService{}
	phase("read the vault")
	var err error
	if out.State, err = At(ctx, repo, m, o.Identities); err != nil {
		return out, err
	}
	out.Snapshot, out.Note = out.State.Snapshot.String(), out.State.Note
	phase("plan")
	have, err := readAll(ctx, s, rec)
	if err != nil {
		return out, err
	}
	if o.Tier == "" && out.State.Manifest.Source.SKU != rec.Sku.Name { // what came from a service of this tier goes back whole
		o.Tier = rec.Sku.Name
	}
	o.native = true
	if out.Plan, err = NewPlan(out.State.Resources, have, o.PlanOptions); err != nil {
		return out, err
	}
	all := out.Plan.target()
	out.Resources = len(all)
	if err := out.Plan.Allowed(); err != nil || o.DryRun {
		return out, err
	}
	phase("stage, compile and swap")
	if out.Warnings, err = Apply(ctx, s, o.Owner, "restore of "+out.Snapshot, all, gateways); err != nil {
		return out, err
	}
	out.Swapped = true
	return out, nil
}

// target is the service as the plan makes it.
func (p *Plan) target() []snapshot.Resource {
	out := make([]snapshot.Resource, 0, len(p.want.items))
	for _, key := range p.want.keys() {
		out = append(out, p.want.items[key].res)
	}
	return out
}

// Undo makes the generation that served before the last restore serve again, in one commit, and waits until the gateways do.
// Writes since the restore are given up; the generation that is undone is kept, so that a second Undo is the way back. NotFound:
// no older generation is kept.
func Undo(ctx context.Context, s *apim.Service, owner string, gateways Gateways) (g tandem.Generation, err error) {
	if err := s.Space.Lock(ctx, owner, "undo of a restore"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, unlock(ctx, s, owner)) }()
	h, err := s.Space.Head(ctx)
	if err != nil {
		return 0, err
	}
	if len(h.Kept) == 0 {
		return 0, &tandem.Error{Op: "undo restore", Subject: s.ID.String(), Kind: tandem.NotFound, Err: errors.New("no older generation is kept"), Remedy: "restore from a backup"}
	}
	before := h.Active
	g = h.Kept[len(h.Kept)-1]
	rev, err := s.Space.Rollback(ctx, owner, g)
	if err != nil {
		return 0, err
	}
	proof, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	if err := gateways.WaitFor(proof, s.ID, g, rev); err != nil {
		_, back := s.Space.Rollback(ctx, owner, before)
		return 0, errors.Join(&tandem.Error{Op: "undo restore", Subject: s.ID.String(), Kind: tandem.Unavailable, Err: err, Remedy: "the service serves what it served before; see why the gateway does not take the older generation"}, back)
	}
	return g, nil
}
