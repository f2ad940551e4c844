package recovery

import (
	"context"

	"tandem/internal/store"
)

// Groups are all groups of a shared store, without those that are being deleted. Secrets in them are sealed.
func Groups(ctx context.Context, s store.Store) ([]Group, error) {
	all, err := readAll[groupDoc](ctx, s, groupPrefix, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	out := make([]Group, 0, len(all))
	for _, g := range all {
		if !g.Deleting {
			out = append(out, g.Group)
		}
	}
	return out, nil
}
