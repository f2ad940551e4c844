package replica

import (
	"context"
	"encoding/json"
	"io"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/snapshot"
	"tandem/internal/store"
)

// omissions is what no snapshot of a Tandem service contains (law 6).
func omissions() []snapshot.Omission {
	return []snapshot.Omission{
		{What: "analytics and usage reports", Reason: "they are not configuration", Consequence: "reports begin anew after a restore"},
		{What: "rate-limit and quota counters", Reason: "they are state of the running gateways", Consequence: "callers begin with unused limits after a restore"},
		{What: "cached responses and values", Reason: "they are state of the running gateways", Consequence: "the first requests after a restore go to the backends"},
		{What: "custom hostnames and their certificates", Reason: "they belong to the service, not to its configuration; a restore leaves the target's own", Consequence: "set them on the target once"},
		{What: "managed identities, virtual network and private endpoints", Reason: "they belong to the place where the service runs", Consequence: "set them on the target once"},
	}
}

// Capture writes a snapshot of a service at one revision. It locks nothing: writes go on meanwhile and are not in it.
func Capture(ctx context.Context, s *apim.Service, rec *apim.Record, region tandem.Region, clock tandem.Clock, w io.Writer, to []age.Recipient) (snapshot.Manifest, error) {
	snap, err := s.Space.Snapshot(ctx)
	if err != nil {
		return snapshot.Manifest{}, err
	}
	all, err := resourcesAt(ctx, snap, s, rec)
	if err != nil {
		return snapshot.Manifest{}, err
	}
	meta := snapshot.Meta{Created: clock.Now(), Region: region, Revision: snap.Revision, Generation: snap.Head.Active, Omissions: omissions(),
		Source: snapshot.Source{ID: rec.ID, Name: s.ID.Name(), Location: rec.Location, SKU: rec.Sku.Name}}
	return snapshot.Write(ctx, w, meta, func(yield func(snapshot.Resource, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}, snapshot.Recipients(to))
}

// readAll reads the resources of a service, itself included, at one revision.
func readAll(ctx context.Context, s *apim.Service, rec *apim.Record) ([]snapshot.Resource, error) {
	snap, err := s.Space.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return resourcesAt(ctx, snap, s, rec)
}

func resourcesAt(ctx context.Context, snap store.SpaceSnapshot, s *apim.Service, rec *apim.Record) ([]snapshot.Resource, error) {
	service, err := serviceResource(rec)
	if err != nil {
		return nil, err
	}
	var docs []store.Document
	for d, err := range snap.Documents(ctx) {
		if err != nil {
			return nil, err
		}
		if Internal(d.Key) { // replication's own record is no resource
			continue
		}
		docs = append(docs, d)
	}
	all, err := resources(docs, s.Table, s.Sealer)
	return append([]snapshot.Resource{service}, all...), err
}

// serviceResource is the service itself, with the path "". The private keys of its hostnames stay out.
func serviceResource(rec *apim.Record) (snapshot.Resource, error) {
	props := map[string]any{}
	for name, v := range rec.Properties {
		if name != "hostnameConfigurations" && name != "certificates" {
			props[name] = v
		}
	}
	raw, err := json.Marshal(props)
	return snapshot.Resource{Properties: raw}, err
}
