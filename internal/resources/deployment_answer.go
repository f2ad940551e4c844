package resources

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
)

// deploymentResource is a deployment as clients get it.
func (r *Resources) deploymentResource(d deployment) (arm.Resource, error) {
	text, err := r.unseal(d)
	if err != nil {
		return arm.Resource{}, err
	}
	end := d.Ended
	if end.IsZero() {
		end = d.Started
	}
	properties := map[string]any{"provisioningState": d.State, "mode": "Incremental", "correlationId": d.Correlation, "templateHash": d.Hash,
		"timestamp": arm.FormatTime(end), "duration": isoDuration(end.Sub(d.Started)), "parameters": text.Parameters,
		"dependencies": dependencies(d.Resources), "providers": providersOf(d.Resources)}
	if text.Outputs != nil {
		properties["outputs"] = text.Outputs
	}
	if d.Error != nil {
		properties["error"] = d.Error
	}
	if d.State == "Succeeded" {
		properties["outputResources"] = idsOf(d.Resources)
	}
	raw, err := json.Marshal(properties)
	return arm.Resource{ID: d.id(), Name: d.Name, Type: deploymentType, Location: d.Location, Tags: d.Tags, Properties: raw}, err
}

func (p provider) deploymentAnswer(status int, d deployment) (*arm.Response, error) {
	resource, err := p.deploymentResource(d)
	return &arm.Response{Status: status, Body: resource}, err
}

func idsOf(all []deployedResource) []map[string]string {
	out := []map[string]string{}
	for _, r := range all {
		out = append(out, map[string]string{"id": r.ID})
	}
	return out
}

// dependencies are told of resources that have some.
func dependencies(all []deployedResource) []any {
	describe := func(id string) map[string]any {
		out := map[string]any{"id": id}
		if parsed, err := tandem.ParseResourceID(id); err == nil {
			out["resourceType"], out["resourceName"] = parsed.Type(), strings.Join(parsed.Names, "/")
		}
		return out
	}
	out := []any{}
	for _, r := range all {
		if len(r.DependsOn) == 0 {
			continue
		}
		on := []any{}
		for _, id := range r.DependsOn {
			on = append(on, describe(id))
		}
		one := describe(r.ID)
		one["dependsOn"] = on
		out = append(out, one)
	}
	return out
}

// providersOf are the namespaces and types that a deployment uses.
func providersOf(all []deployedResource) []any {
	types := map[string][]any{}
	var order []string
	seen := map[string]bool{}
	for _, r := range all {
		namespace, kind, _ := strings.Cut(r.Type, "/")
		if types[namespace] == nil {
			order = append(order, namespace)
		}
		if seen[lower(r.Type)] {
			continue
		}
		seen[lower(r.Type)] = true
		locations := []any{nil}
		if r.Location != "" {
			locations = []any{r.Location}
		}
		types[namespace] = append(types[namespace], map[string]any{"resourceType": kind, "locations": locations})
	}
	out := []any{}
	for _, namespace := range order {
		out = append(out, map[string]any{"namespace": namespace, "resourceTypes": types[namespace]})
	}
	return out
}

// isoDuration writes an ISO 8601 duration in seconds.
func isoDuration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(max(0, d.Seconds()), 'f', -1, 64) + "S"
}

func (o deploymentOperation) resource(d deployment) map[string]any {
	end := o.Ended
	if end.IsZero() {
		end = o.Started
	}
	name := o.Resource[strings.LastIndexByte(o.Resource, '/')+1:]
	properties := map[string]any{"provisioningOperation": "Create", "provisioningState": o.State, "timestamp": arm.FormatTime(end), "duration": isoDuration(end.Sub(o.Started)),
		"statusCode": strings.ReplaceAll(http.StatusText(o.Status), " ", "")}
	if o.Type == evaluateOutputs {
		properties["provisioningOperation"] = evaluateOutputs
	} else {
		properties["targetResource"] = map[string]any{"id": o.Resource, "resourceType": o.Type, "resourceName": name}
	}
	if o.Error != nil {
		properties["statusMessage"] = map[string]any{"status": "Failed", "error": o.Error}
	}
	return map[string]any{"id": d.id() + "/operations/" + o.ID, "operationId": o.ID, "properties": properties}
}

func (p provider) deploymentOperations(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	d, _, err := p.deployment(ctx, r)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, o := range d.Operations {
		out = append(out, o.resource(d))
	}
	page, err := arm.Paginate(r, out, 100)
	return &arm.Response{Body: page}, err
}

func (p provider) deploymentOperation(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	d, _, err := p.deployment(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, o := range d.Operations {
		if strings.EqualFold(o.ID, r.Params["operationName"]) {
			return &arm.Response{Body: o.resource(d)}, nil
		}
	}
	return nil, arm.Errorf(http.StatusNotFound, "DeploymentOperationNotFound", "The deployment '%s' has no operation '%s'.", d.Name, r.Params["operationName"])
}
