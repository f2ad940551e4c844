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

type accountBody struct {
	Location   string             `json:"location"`
	SKU        *sku               `json:"sku"`
	Kind       string             `json:"kind"`
	Tags       map[string]*string `json:"tags"`
	Properties json.RawMessage    `json:"properties"`
}

func nameProblem(name string) string {
	if regexp.MustCompile(`^[a-z0-9]{3,24}$`).MatchString(name) {
		return ""
	}
	return name + " is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters only."
}

// putAccount makes or changes an account. It answers 200, never 201, which the storage clients do not take.
func (p storage) putAccount(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	name := r.Params["accountName"]
	if why := nameProblem(name); why != "" {
		return nil, arm.Errorf(http.StatusBadRequest, "AccountNameInvalid", "%s", why)
	}
	var body accountBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	a, at, exists, err := get[account](ctx, p.Resources, accountKeyOf(name))
	if err != nil {
		return nil, err
	}
	if exists && (!strings.EqualFold(a.Group, r.Params["resourceGroupName"]) || !strings.EqualFold(a.Subscription, r.Params["subscriptionId"])) {
		return nil, arm.Errorf(http.StatusConflict, "StorageAccountAlreadyTaken", "The storage account named %s is already taken.", name)
	}
	if !exists {
		if body.Location == "" {
			return nil, arm.Errorf(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
		}
		if body.SKU == nil || body.SKU.Name == "" {
			return nil, arm.Errorf(http.StatusBadRequest, "InvalidAccountSku", "The account needs a sku with a name, for example Standard_LRS.")
		}
		g, _, err := p.group(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"])
		if err != nil {
			return nil, err
		}
		if g.Deleting {
			return nil, beingDeleted(g)
		}
		if a, err = p.newAccount(g, name, body.Location); err != nil {
			return nil, err
		}
	}
	if err := p.applyAccount(&a, body); err != nil {
		return nil, err
	}
	if err := p.put(ctx, accountKeyOf(name), a, at); err != nil {
		return nil, conflict(err, a.id())
	}
	return &arm.Response{Body: p.accountResource(a)}, nil
}

func (r *Resources) newAccount(g group, name, location string) (account, error) {
	region, err := r.location(location)
	if err != nil {
		return account{}, err
	}
	a := account{Subscription: g.Subscription, Group: g.Name, Name: name, Location: region, SKU: "Standard_LRS", Kind: "StorageV2", AccessTier: "Hot",
		Created: r.c.Clock.Now().UTC()}
	for _, key := range []string{"key1", "key2"} {
		k, err := r.newKey(name, key)
		if err != nil {
			return a, err
		}
		a.Keys = append(a.Keys, k)
	}
	return a, nil
}

func (r *Resources) applyAccount(a *account, body accountBody) error {
	if body.Location != "" {
		region, err := r.location(body.Location)
		if err != nil {
			return err
		}
		if region != a.Location {
			return arm.Errorf(http.StatusConflict, "InvalidResourceLocation", "The resource '%s' already exists in location '%s'. A resource with the same name cannot be created in location '%s'.", a.Name, a.Location, region)
		}
	}
	if body.SKU != nil && body.SKU.Name != "" {
		a.SKU = body.SKU.Name
	}
	if body.Kind != "" {
		a.Kind = body.Kind
	}
	if err := checkAccountProperties(body.Properties); err != nil {
		return err
	}
	var properties struct {
		AccessTier string `json:"accessTier"`
	}
	if len(body.Properties) > 0 {
		if err := arm.DecodeJSON(body.Properties, &properties); err != nil {
			return err
		}
	}
	if properties.AccessTier != "" {
		a.AccessTier = properties.AccessTier
	}
	if body.Tags != nil {
		a.Tags = plainTags(body.Tags)
	}
	return nil
}

func (p storage) patchAccount(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body accountBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	a, at, err := p.account(ctx, r)
	if err == nil {
		err = p.applyAccount(&a, body)
	}
	if err == nil {
		err = conflict(p.put(ctx, accountKeyOf(a.Name), a, at), a.id())
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Body: p.accountResource(a)}, nil
}

func (p storage) deleteAccount(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, _, err := p.account(ctx, r)
	if tandem.KindOf(err) == "" && err != nil {
		if e := arm.AsError(err); e.Status == http.StatusNotFound {
			return &arm.Response{Status: http.StatusNoContent}, nil
		}
	}
	if err == nil {
		err = p.dropAccount(ctx, a)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK}, nil
}

// dropAccount deletes an account with its containers: first those, so that a crash leaves nothing that has no owner.
func (r *Resources) dropAccount(ctx context.Context, a account) error {
	if r.c.Blobs != nil {
		names, err := r.c.Blobs.ListContainers(ctx, a.Name)
		if err != nil && tandem.KindOf(err) != tandem.NotFound {
			return err
		}
		for _, name := range names {
			if err := r.c.Blobs.DeleteContainer(ctx, a.Name, name); err != nil && tandem.KindOf(err) != tandem.NotFound {
				return err
			}
		}
	}
	return r.remove(ctx, accountKeyOf(a.Name))
}

func (p storage) checkName(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	answer := map[string]any{"nameAvailable": true}
	if why := nameProblem(body.Name); why != "" {
		answer = map[string]any{"nameAvailable": false, "reason": "AccountNameInvalid", "message": why}
	} else if _, _, taken, err := get[account](ctx, p.Resources, accountKeyOf(body.Name)); err != nil {
		return nil, err
	} else if taken {
		answer = map[string]any{"nameAvailable": false, "reason": "AlreadyExists", "message": "The storage account named " + body.Name + " is already taken."}
	}
	return &arm.Response{Body: answer}, nil
}
