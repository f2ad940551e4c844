package replica

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"tandem/internal/apim"
	"tandem/internal/snapshot"
)

// Apply gives the resources as they are to be in the target's region; nil changes nothing. A rule that names no resource is
// an error: it was meant to change something (law 10).
func (o *Overlay) Apply(all []snapshot.Resource) ([]snapshot.Resource, error) { return o.apply(all) }

// Back gives the resources of the overlay's region as they are in the other, where own stand now: each text that is what the
// overlay makes of own's is own's again. Terms.Back does the same with one document.
func (o *Overlay) Back(all, own []snapshot.Resource) ([]snapshot.Resource, error) {
	if o == nil || len(o.Rules) == 0 {
		return all, nil
	}
	standing := make(map[string]snapshot.Resource, len(own))
	for _, r := range own {
		standing[strings.ToLower(r.Path)] = r
	}
	out := append([]snapshot.Resource(nil), all...)
	for i, r := range out {
		mine, ok := standing[strings.ToLower(r.Path)]
		if !ok {
			continue
		}
		there, hit := mine, false
		there.Secrets = maps.Clone(mine.Secrets)
		for _, rule := range o.Rules {
			if !covers(rule.Paths, []string{r.Path}) {
				continue
			}
			changed, err := rule.change(&there)
			if err != nil {
				return nil, err
			}
			hit = hit || changed
		}
		if !hit {
			continue
		}
		var err error
		if out[i], err = turnedBack(r, there, mine); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Resources are a service's, itself included with the path "", as they are now.
func Resources(ctx context.Context, s *apim.Service, rec *apim.Record) ([]snapshot.Resource, error) {
	return readAll(ctx, s, rec)
}

// turnedBack is r with mine's text wherever it has what there has.
func turnedBack(r, there, mine snapshot.Resource) (snapshot.Resource, error) {
	var props [3]any
	for i, raw := range []json.RawMessage{r.Properties, there.Properties, mine.Properties} {
		if len(raw) == 0 {
			continue
		}
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		if err := d.Decode(&props[i]); err != nil {
			return r, notAResource(r.Path, err)
		}
	}
	if len(r.Properties) > 0 {
		raw, err := json.Marshal(restore(props[0], props[1], props[2]))
		if err != nil {
			return r, err
		}
		r.Properties = raw
	}
	r.Secrets = maps.Clone(r.Secrets)
	for name, v := range r.Secrets {
		if own, ok := mine.Secrets[name]; ok && v == there.Secrets[name] {
			r.Secrets[name] = own
		}
	}
	return r, nil
}
