package apim

import (
	"context"
	"strings"
)

// In lists the records of live services in a subscription and, where group is not empty, in one group.
func (p *Provider) In(ctx context.Context, subscription, group string) ([]*Record, error) {
	all, err := p.Records(ctx)
	if err != nil {
		return nil, err
	}
	var out []*Record
	for _, r := range all {
		id := r.id()
		if r.Deleted == "" && strings.EqualFold(id.Subscription, subscription) && (group == "" || strings.EqualFold(id.ResourceGroup, group)) {
			out = append(out, r)
		}
	}
	return out, nil
}
