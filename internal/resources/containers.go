package resources

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"

	"tandem"
	"tandem/internal/arm"
)

func (p storage) blobService(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, _, err := p.account(ctx, r)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Body: accountResource{Resource: arm.Resource{ID: a.id() + "/blobServices/default", Name: "default",
		Type: "Microsoft.Storage/storageAccounts/blobServices", Properties: json.RawMessage(`{"cors":{"corsRules":[]},"deleteRetentionPolicy":{"enabled":false}}`)},
		SKU: skuOf(a.SKU)}}, nil
}

// fileService answers that nothing of the file service is turned on. Terraform reads it of every account; there is no call
// that makes a share.
func (p storage) fileService(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, _, err := p.account(ctx, r)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Body: accountResource{Resource: arm.Resource{ID: a.id() + "/fileServices/default", Name: "default",
		Type: "Microsoft.Storage/storageAccounts/fileServices", Properties: json.RawMessage(`{"cors":{"corsRules":[]},"shareDeleteRetentionPolicy":{"enabled":false}}`)},
		SKU: skuOf(a.SKU)}}, nil
}

func containerResource(a account, name string) arm.Resource {
	return arm.Resource{ID: a.id() + "/blobServices/default/containers/" + name, Name: name,
		Type:       "Microsoft.Storage/storageAccounts/blobServices/containers",
		Properties: json.RawMessage(`{"publicAccess":"None","leaseStatus":"Unlocked","leaseState":"Available","hasImmutabilityPolicy":false,"hasLegalHold":false}`)}
}

// blobs gives the account and the endpoint that serves it.
func (p storage) blobs(ctx context.Context, r *arm.Request) (account, error) {
	a, _, err := p.account(ctx, r)
	if err == nil && p.c.Blobs == nil {
		err = arm.Errorf(http.StatusConflict, "FeatureNotSupportedForAccount",
			"The containers of account '%s' are not managed here: its blob endpoint is another server. Use that endpoint, %s.", a.Name, p.blobURL(a))
	}
	return a, err
}

func (p storage) listContainers(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, err := p.blobs(ctx, r)
	if err != nil {
		return nil, err
	}
	names, err := p.c.Blobs.ListContainers(ctx, a.Name)
	if err != nil {
		return nil, err
	}
	out := []arm.Resource{}
	for _, name := range names {
		out = append(out, containerResource(a, name))
	}
	page, err := arm.Paginate(r, out, 1000)
	return &arm.Response{Body: page}, err
}

// hasContainer says whether the container is there.
func (p storage) hasContainer(ctx context.Context, a account, name string) (bool, error) {
	names, err := p.c.Blobs.ListContainers(ctx, a.Name)
	for _, n := range names {
		if n == name {
			return true, err
		}
	}
	return false, err
}

func (p storage) getContainer(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, err := p.blobs(ctx, r)
	if err != nil {
		return nil, err
	}
	ok, err := p.hasContainer(ctx, a, r.Params["containerName"])
	if err == nil && !ok {
		err = arm.Errorf(http.StatusNotFound, "ContainerNotFound", "The specified container does not exist.")
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Body: containerResource(a, r.Params["containerName"])}, nil
}

func (p storage) putContainer(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	name := r.Params["containerName"]
	if !regexp.MustCompile(`^(\$root|[a-z0-9](-?[a-z0-9]){2,62})$`).MatchString(name) || len(name) > 63 {
		return nil, arm.Errorf(http.StatusBadRequest, "ContainerOperationFailure", "The container name '%s' is invalid: 3 to 63 lower-case letters, digits and single hyphens.", name)
	}
	var body struct {
		Properties struct {
			PublicAccess string `json:"publicAccess"`
		} `json:"properties"`
	}
	if len(r.Body) > 0 {
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
	}
	if access := body.Properties.PublicAccess; access != "" && access != "None" {
		return nil, arm.Errorf(http.StatusConflict, "PublicAccessNotPermitted", "Public access is not permitted on this storage account; ask for None.")
	}
	a, err := p.blobs(ctx, r)
	if err != nil {
		return nil, err
	}
	status := http.StatusCreated
	switch err := p.c.Blobs.CreateContainer(ctx, a.Name, name); {
	case tandem.KindOf(err) == tandem.Exists:
		status = http.StatusOK
	case err != nil:
		return nil, err
	}
	return &arm.Response{Status: status, Body: containerResource(a, name)}, nil
}

func (p storage) deleteContainer(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, err := p.blobs(ctx, r)
	if err != nil {
		return nil, err
	}
	switch err := p.c.Blobs.DeleteContainer(ctx, a.Name, r.Params["containerName"]); {
	case tandem.KindOf(err) == tandem.NotFound:
		return &arm.Response{Status: http.StatusNoContent}, nil
	case err != nil:
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK}, nil
}
