package resources

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/resources/template"
)

const whatIfCode = "WhatIf"

// planned is a resource that a template would make, its own or one of a deployment within it.
type planned struct {
	*template.Resource
	body   map[string]any
	reason string // why it cannot be told; else empty
}

// all gives what a plan would make, deployments within it opened up. An error is that of a nested template.
func (p provider) all(ctx context.Context, r *arm.Request, plan *template.Plan, depth int) ([]planned, error) {
	var out []planned
	for _, one := range plan.Resources {
		if one.Skipped || one.Existing {
			continue
		}
		body, err := plan.Body(ctx, one, nil)
		if err != nil {
			return nil, arm.Errorf(http.StatusBadRequest, "InvalidTemplate", "Deployment template validation failed: '%v'.", err)
		}
		out = append(out, planned{Resource: one, body: body})
		if !strings.EqualFold(one.Type, deploymentType) || depth == maxNesting {
			continue
		}
		id, err := tandem.ParseResourceID(one.ID)
		if err != nil {
			return nil, err
		}
		properties := fold(body["properties"])
		parameters, _ := properties["parameters"].(map[string]any)
		if unknown(parameters) {
			out[len(out)-1].reason = "its parameters are known once other resources are deployed"
			continue
		}
		location, _ := body["location"].(string)
		d := deployment{Subscription: id.Subscription, Group: id.ResourceGroup, Name: id.Name(), Location: location}
		inner, err := p.planTemplate(ctx, r, d, properties["template"], parameters, plan.Outer(one))
		if tandem.KindOf(err) == "" && err != nil && arm.AsError(err).Status == http.StatusNotFound {
			out[len(out)-1].reason = "its resource group is made by this deployment"
			continue
		}
		if err != nil {
			return nil, err
		}
		some, err := p.all(ctx, r, inner, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out[:len(out)-1], some...)
	}
	return out, nil
}

// maxNesting is how deep deployments may lie within each other for a look ahead.
const maxNesting = 8

// unknown says whether a value holds an expression that waits for resources.
func unknown(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.HasPrefix(v, "[") && strings.HasSuffix(v, "]")
	case []any:
		return slices.ContainsFunc(v, unknown)
	case map[string]any:
		for _, item := range v {
			if unknown(item) {
				return true
			}
		}
	}
	return false
}

func (p provider) validateDeployment(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	o, err := p.order(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err := p.all(ctx, r, o.plan, 0)
	if err != nil {
		return nil, err
	}
	ids := []map[string]string{}
	var deployed []deployedResource
	for _, one := range all {
		ids = append(ids, map[string]string{"id": one.ID})
		deployed = append(deployed, deployedResource{ID: one.ID, Type: one.Type})
	}
	properties := map[string]any{"provisioningState": "Succeeded", "mode": "Incremental", "correlationId": o.Correlation, "templateHash": templateHash(o.template),
		"timestamp": arm.FormatTime(p.c.Clock.Now()), "duration": "PT0S", "parameters": o.plan.Values(), "validatedResources": ids, "dependencies": []any{}, "providers": providersOf(deployed)}
	return &arm.Response{Body: map[string]any{"id": o.id(), "name": o.Name, "type": deploymentType, "properties": properties}}, nil
}

// whatIf tells what a deployment would change. The answer is polled for at Location.
func (p provider) whatIf(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	o, err := p.order(ctx, r)
	if err != nil {
		return nil, err
	}
	through, err := p.planeOf(r)
	if err != nil {
		return nil, err
	}
	all, err := p.all(ctx, r, o.plan, 0)
	if err != nil {
		return nil, err
	}
	return p.c.Operations.Start(ctx, r, arm.Start{Code: whatIfCode, Resource: o.id(), Run: func(ctx context.Context) (json.RawMessage, error) {
		changes := []any{}
		for _, one := range all {
			change, err := through.change(ctx, one)
			if err != nil {
				return nil, err
			}
			changes = append(changes, o.plan.Mask(change))
		}
		sealed, err := p.sealJSON(o.key()+"/whatif", map[string]any{"status": "Succeeded", "properties": map[string]any{"correlationId": o.Correlation, "changes": changes}})
		if err != nil {
			return nil, err
		}
		return json.Marshal(whatIfResult{o.key() + "/whatif", sealed})
	}})
}

// whatIfResult keeps an answer sealed until it is fetched: it shows properties of resources.
type whatIfResult struct{ Context, Sealed string }

func (r *Resources) whatIfDone(_ context.Context, _ *arm.Request, op arm.Operation) (*arm.Response, error) {
	var kept whatIfResult
	if err := json.Unmarshal(op.Result, &kept); err != nil {
		return nil, err
	}
	var answer json.RawMessage
	if err := r.openJSON(kept.Context, kept.Sealed, &answer); err != nil {
		return nil, err
	}
	return &arm.Response{Body: answer}, nil
}

// change compares a resource with what is there.
func (p *plane) change(ctx context.Context, one planned) (map[string]any, error) {
	out := map[string]any{"resourceId": one.ID}
	if one.reason != "" {
		out["changeType"], out["unsupportedReason"] = "Unsupported", one.reason
		return out, nil
	}
	after := maps.Clone(one.body)
	after["id"], after["type"], after["name"], after["apiVersion"] = one.ID, one.Type, one.Name[strings.LastIndexByte(one.Name, '/')+1:], one.APIVersion
	out["after"] = after
	before, err := p.Read(ctx, one.ID, one.APIVersion)
	var e *arm.Error
	switch {
	case errors.As(err, &e) && e.Status == http.StatusNotFound:
		out["changeType"] = "Create"
		return out, nil
	case err != nil:
		return nil, err
	}
	before["apiVersion"] = one.APIVersion
	out["before"] = before
	delta := []any{}
	for _, name := range slices.Sorted(maps.Keys(one.body)) {
		delta = append(delta, compare(name, find(before, name), one.body[name])...)
	}
	out["delta"], out["changeType"] = delta, "Modify"
	if len(delta) == 0 {
		out["changeType"] = "NoChange"
	}
	return out, nil
}

func find(v any, name string) any {
	o, _ := v.(map[string]any)
	if v, ok := o[name]; ok {
		return v
	}
	for key, v := range o {
		if strings.EqualFold(key, name) {
			return v
		}
	}
	return nil
}

// compare tells in which properties what is there differs from what is wanted. Properties that are not wanted are the
// resource's own.
func compare(path string, before, after any) []any {
	if o, ok := after.(map[string]any); ok {
		if _, was := before.(map[string]any); was {
			var out []any
			for _, name := range slices.Sorted(maps.Keys(o)) {
				out = append(out, compare(path+"."+name, find(before, name), o[name])...)
			}
			return out
		}
	}
	if same(path, before, after) {
		return nil
	}
	kind := "Modify"
	if before == nil {
		kind = "Create"
	}
	return []any{map[string]any{"path": path, "propertyChangeType": kind, "before": before, "after": after}}
}

func same(path string, before, after any) bool {
	a, ok := before.(string)
	b, ok2 := after.(string)
	if ok && ok2 && path == "location" {
		return tandem.NormalRegion(a) == tandem.NormalRegion(b)
	}
	x, err := json.Marshal(before)
	y, err2 := json.Marshal(after)
	return err == nil && err2 == nil && string(x) == string(y)
}
