package resources

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// group is a resource group as it is stored.
type group struct {
	Subscription string            `json:"subscription"`
	Name         string            `json:"name"`
	Location     tandem.Region     `json:"location"`
	Tags         map[string]string `json:"tags,omitempty"`
	ManagedBy    string            `json:"managedBy,omitempty"`
	Deleting     bool              `json:"deleting,omitempty"`
}

func groupKey(subscription, name string) string {
	return "groups/" + lower(subscription) + "/" + lower(name)
}

func (g group) id() string { return "/subscriptions/" + g.Subscription + "/resourceGroups/" + g.Name }

func (g group) resource() any {
	state := "Succeeded"
	if g.Deleting {
		state = "Deleting"
	}
	properties, _ := json.Marshal(map[string]string{"provisioningState": state}) // a map of text cannot fail
	return struct {
		arm.Resource
		ManagedBy string `json:"managedBy,omitempty"`
	}{arm.Resource{ID: g.id(), Name: g.Name, Type: "Microsoft.Resources/resourceGroups", Location: string(g.Location), Tags: g.Tags, Properties: properties}, g.ManagedBy}
}

// CheckResourceGroup implements arm.ScopeChecker.
func (r *Resources) CheckResourceGroup(ctx context.Context, subscription, name string, write bool) error {
	g, _, err := r.group(ctx, subscription, name)
	if err == nil && write && g.Deleting {
		err = beingDeleted(g)
	}
	return err
}

func (r *Resources) group(ctx context.Context, subscription, name string) (group, tandem.Revision, error) {
	g, at, ok, err := get[group](ctx, r, groupKey(subscription, name))
	if err == nil && !ok {
		err = arm.Errorf(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", name)
	}
	return g, at, err
}

// EnsureResourceGroup makes the group where it is not there.
func (r *Resources) EnsureResourceGroup(ctx context.Context, subscription, name string, location tandem.Region) error {
	if _, _, ok, err := get[group](ctx, r, groupKey(subscription, name)); err != nil || ok {
		return err
	}
	return r.put(ctx, groupKey(subscription, name), group{Subscription: subscription, Name: name, Location: location}, 0)
}

func (p provider) listGroups(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	filter, err := tagFilter(r)
	if err != nil {
		return nil, err
	}
	all, err := list[group](ctx, p.Resources, groupKey(r.Params["subscriptionId"], ""))
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, g := range all {
		ok, err := filter(g.Tags, nil)
		if err != nil {
			return nil, err
		}
		if ok && p.c.Access.SeesBelow(r.Principal.ObjectID, g.id()) {
			out = append(out, g.resource())
		}
	}
	page, err := arm.Paginate(r, out, 1000)
	return &arm.Response{Body: page}, err
}

func (p provider) getGroup(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	g, _, err := p.group(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"])
	if err != nil {
		return nil, err
	}
	return &arm.Response{Body: g.resource()}, nil
}

// headGroup answers 204 where the group exists: clients take 200 for an error.
func (p provider) headGroup(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	if _, _, err := p.group(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"]); err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusNoContent}, nil
}

type groupBody struct {
	Location  string             `json:"location"`
	Tags      map[string]*string `json:"tags"`
	ManagedBy string             `json:"managedBy"`
	Name      string             `json:"name"`
}

func (p provider) putGroup(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	name := r.Params["resourceGroupName"]
	if !validGroupName(name) {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidResourceGroup",
			"The provided resource group name '%s' has these invalid characters or its length is not 1 to 90. The name can only be a letter, digit, '-', '.', '(', ')' or '_', and cannot end with '.'.", name)
	}
	var body groupBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	if body.Location == "" {
		return nil, arm.Errorf(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	}
	location, err := p.location(body.Location)
	if err != nil {
		return nil, err
	}
	g, at, exists, err := get[group](ctx, p.Resources, groupKey(r.Params["subscriptionId"], name))
	if err != nil {
		return nil, err
	}
	if exists && g.Location != location {
		return nil, arm.Errorf(http.StatusConflict, "InvalidResourceGroupLocation",
			"Invalid resource group location '%s'. The Resource group already exists in location '%s'.", location, g.Location)
	}
	if exists && g.Deleting {
		return nil, beingDeleted(g)
	}
	if !exists {
		g = group{Subscription: r.Params["subscriptionId"], Name: name, Location: location}
	}
	g.Tags, g.ManagedBy = plainTags(body.Tags), body.ManagedBy
	if err := p.put(ctx, groupKey(g.Subscription, name), g, at); err != nil {
		return nil, conflict(err, g.id())
	}
	status := http.StatusCreated
	if exists {
		status = http.StatusOK
	}
	return &arm.Response{Status: status, Body: g.resource()}, nil
}

func (p provider) patchGroup(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body groupBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	g, at, err := p.group(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"])
	if err != nil {
		return nil, err
	}
	if g.Deleting {
		return nil, beingDeleted(g)
	}
	if body.Tags != nil {
		g.Tags = plainTags(body.Tags)
	}
	if body.ManagedBy != "" {
		g.ManagedBy = body.ManagedBy
	}
	if err := p.put(ctx, groupKey(g.Subscription, g.Name), g, at); err != nil {
		return nil, conflict(err, g.id())
	}
	return &arm.Response{Body: g.resource()}, nil
}

func beingDeleted(g group) error {
	return arm.Errorf(http.StatusConflict, "ResourceGroupBeingDeleted", "The resource group '%s' is in deprovisioning state and cannot perform this operation.", g.Name)
}

// conflict words a failed precondition of a write that had no If-Match: someone else was faster.
func conflict(err error, id string) error {
	if tandem.KindOf(err) == tandem.Precondition {
		return arm.Errorf(http.StatusConflict, "Conflict", "The resource '%s' was changed by another request at the same time; repeat the request.", id)
	}
	return err
}

func validGroupName(name string) bool {
	return regexp.MustCompile(`^[-\p{L}\p{N}._()]{1,90}$`).MatchString(name) && !strings.HasSuffix(name, ".")
}

func plainTags(tags map[string]*string) map[string]string {
	out := map[string]string{}
	for name, value := range tags {
		if value != nil {
			out[name] = *value
		}
	}
	return out
}
