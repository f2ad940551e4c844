package workflow

import (
	"context"
	"encoding/json"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// Workflows are the envelopes, without properties, of the workflows of a subscription or, where group is not empty, of one
// resource group.
func (p *Provider) Workflows(ctx context.Context, subscription, group string) ([]arm.Resource, error) {
	docs, err := p.documents(ctx, subscription, group)
	out := make([]arm.Resource, 0, len(docs))
	for _, w := range docs {
		out = append(out, arm.Resource{ID: w.ID, Name: w.Name, Type: "Microsoft.Logic/workflows", Location: w.Location, Tags: w.Tags})
	}
	return out, err
}

func (p *Provider) documents(ctx context.Context, subscription, group string) ([]workflowDoc, error) {
	prefix := "logic/workflow/" + strings.ToLower(subscription) + "/"
	if group != "" {
		prefix += strings.ToLower(group) + "/"
	}
	l, err := p.c.Store.List(ctx, prefix, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	out := make([]workflowDoc, len(l.Documents))
	for i, d := range l.Documents {
		if err := json.Unmarshal(d.Value, &out[i]); err != nil {
			return nil, &tandem.Error{Op: "list workflows", Subject: d.Key, Kind: tandem.Corrupt, Err: err, Remedy: "save the workflow again"}
		}
	}
	return out, nil
}

// DeleteGroup deletes all workflows of a resource group, with their runs under way. It may be called again after a crash.
func (p *Provider) DeleteGroup(ctx context.Context, subscription, group string) error {
	docs, err := p.documents(ctx, subscription, group)
	if err != nil {
		return err
	}
	for _, w := range docs {
		r := &arm.Request{Params: map[string]string{"subscription": subscription, "group": group, "workflow": w.Name}}
		if _, err := p.remove(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
