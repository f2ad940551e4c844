package resources

import (
	"context"

	"tandem"
)

// AccountID gives the resource id of a storage account by its name; false where there is none.
func (r *Resources) AccountID(ctx context.Context, name string) (string, bool) {
	a, _, ok, err := get[account](ctx, r, accountKeyOf(name))
	if err != nil || !ok {
		return "", false
	}
	return a.id(), true
}

// AccountLocation gives the region of a storage account by its name; false where there is none.
func (r *Resources) AccountLocation(ctx context.Context, name string) (tandem.Region, bool, error) {
	a, _, ok, err := get[account](ctx, r, accountKeyOf(name))
	return a.Location, ok, err
}
