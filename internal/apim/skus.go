package apim

import (
	"context"
	"sort"

	"tandem/internal/arm"
)

// tier is a sku and how many units it may have.
type tier struct {
	name        string
	least, most int
}

// tiers are those of API Management, in the order of their names.
func tiers() []tier {
	var out []tier
	for name, c := range capacities {
		out = append(out, tier{name, c.least, c.most})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

func (t tier) capacity(scales ...string) map[string]any {
	scale := scales[0]
	if t.least == t.most {
		scale = scales[1]
	}
	return map[string]any{"minimum": t.least, "maximum": t.most, "default": t.least, "scaleType": scale}
}

// serviceSkus lists the tiers that a service may change to.
func (p *Provider) serviceSkus(_ context.Context, _ *Service, r *arm.Request) (*arm.Response, error) {
	items := []any{}
	for _, t := range tiers() {
		items = append(items, map[string]any{"resourceType": Namespace + "/service", "sku": map[string]any{"name": t.name}, "capacity": t.capacity("automatic", "none")})
	}
	return page(r, items)
}

// skus lists the tiers that can be had in this region.
func (p *Provider) skus(_ context.Context, r *arm.Request) (*arm.Response, error) {
	items := []any{}
	for _, t := range tiers() {
		items = append(items, map[string]any{"resourceType": "service", "name": t.name, "tier": t.name, "locations": []any{string(p.Region)},
			"locationInfo": []any{map[string]any{"location": string(p.Region), "zones": []any{}}}, "restrictions": []any{}, "capacity": t.capacity("Automatic", "None")})
	}
	return page(r, items)
}
