package resources

import (
	"context"

	"tandem"
)

// Reseal seals the keys of all storage accounts anew with the newest version of the master key, and gives how many accounts
// changed. Deployments keep what they were sealed with until their history goes.
func (r *Resources) Reseal(ctx context.Context, reseal func(sealed string, context []byte) (string, error)) (changed int, err error) {
	all, err := list[account](ctx, r, "storage/")
	if err != nil {
		return 0, err
	}
	for _, known := range all {
		for {
			a, at, ok, err := get[account](ctx, r, accountKeyOf(known.Name))
			if err != nil {
				return changed, err
			}
			differs := false
			for i, k := range a.Keys {
				if a.Keys[i].Sealed, err = reseal(k.Sealed, sealContext(a.Name, k.Name)); err != nil {
					return changed, &tandem.Error{Op: "reseal", Subject: "key " + k.Name + " of storage account " + a.Name, Err: err}
				}
				differs = differs || a.Keys[i].Sealed != k.Sealed
			}
			if !ok || !differs { // it was deleted meanwhile, or is sealed with the newest
				break
			}
			err = r.put(ctx, accountKeyOf(a.Name), a, at)
			if err == nil {
				changed++
				break
			}
			if tandem.KindOf(err) != tandem.Precondition {
				return changed, err
			}
		}
	}
	return changed, nil
}
