package resources

import (
	"context"

	"tandem/internal/arm"
)

// storageContents are the accounts as contents of resource groups.
type storageContents Resources

// ListResources implements Contents.
func (s *storageContents) ListResources(ctx context.Context, subscription, group string) ([]Listed, error) {
	r := (*Resources)(s)
	all, err := r.accounts(ctx, subscription, group)
	var out []Listed
	for _, a := range all {
		res := r.accountResource(a)
		out = append(out, Listed{Resource: res.Resource, SKU: res.SKU, Kind: a.Kind, ProvisioningState: "Succeeded",
			CreatedTime: arm.FormatTime(a.Created), ChangedTime: arm.FormatTime(a.Created)})
	}
	return out, err
}

// DeleteGroup implements Contents.
func (s *storageContents) DeleteGroup(ctx context.Context, subscription, group string) error {
	r := (*Resources)(s)
	all, err := r.accounts(ctx, subscription, group)
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := r.dropAccount(ctx, a); err != nil {
			return err
		}
	}
	return nil
}
