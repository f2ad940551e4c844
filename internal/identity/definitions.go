package identity

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"tandem/internal/arm"
)

type definitionProperties struct {
	RoleName         string       `json:"roleName"`
	Type             string       `json:"type"` // BuiltInRole or CustomRole
	Description      string       `json:"description"`
	AssignableScopes []string     `json:"assignableScopes"`
	Permissions      []Permission `json:"permissions"`
	CreatedOn        string       `json:"createdOn,omitempty"`
	UpdatedOn        string       `json:"updatedOn,omitempty"`
	CreatedBy        string       `json:"createdBy,omitempty"`
	UpdatedBy        string       `json:"updatedBy,omitempty"`
}

type definitionResource struct {
	ID         string               `json:"id"`
	Type       string               `json:"type"`
	Name       string               `json:"name"`
	Properties definitionProperties `json:"properties"`
}

func definition(scope string, d RoleDefinition) definitionResource {
	p := definitionProperties{RoleName: d.Name, Type: "CustomRole", Description: d.Description, AssignableScopes: d.AssignableScopes,
		Permissions: d.Permissions, CreatedBy: d.CreatedBy, UpdatedBy: d.UpdatedBy}
	if d.BuiltIn {
		p.Type = "BuiltInRole"
	}
	if !d.Created.IsZero() {
		p.CreatedOn, p.UpdatedOn = arm.FormatTime(d.Created), arm.FormatTime(d.Updated)
	}
	return definitionResource{ID: definitionID(scope, d.ID), Type: namespace + "/roleDefinitions", Name: d.ID, Properties: p}
}

// visible says whether a role can be assigned at a scope.
func (d RoleDefinition) visible(scope string) bool {
	return slices.ContainsFunc(d.AssignableScopes, func(s string) bool { return covers(normalScope(s), normalScope(scope)) })
}

func (p authorization) listDefinitions(_ context.Context, r *arm.Request) (*arm.Response, error) {
	var filter *arm.Filter
	if text := r.Query["$filter"]; text != "" {
		var err error
		if filter, err = arm.ParseFilter(text); err != nil {
			return nil, err
		}
	}
	roles := p.a.current.Load().roles
	ids := make([]string, 0, len(roles))
	for id := range roles {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := []definitionResource{}
	for _, id := range ids {
		role := roles[id]
		if !role.visible(r.Params["scope"]) {
			continue
		}
		res := definition(r.Params["scope"], role)
		if filter != nil {
			matches, err := filter.Match(func(field string) (any, bool) {
				switch strings.ToLower(field) {
				case "rolename":
					return role.Name, true
				case "type":
					return res.Properties.Type, true
				default:
					return nil, false
				}
			}, arm.FilterFunc{Name: "atScopeAndBelow", Call: func([]any) (any, error) { return true, nil }},
				arm.FilterFunc{Name: "atScope", Call: func([]any) (any, error) { return true, nil }})
			if err != nil {
				return nil, err
			}
			if !matches {
				continue
			}
		}
		out = append(out, res)
	}
	list, err := arm.Paginate(r, out, 1000)
	return &arm.Response{Body: list}, err
}

func (p authorization) role(r *arm.Request) (RoleDefinition, bool) {
	d, ok := p.a.current.Load().roles[strings.ToLower(r.Params["name"])]
	return d, ok && d.visible(r.Params["scope"])
}

func (p authorization) getDefinition(_ context.Context, r *arm.Request) (*arm.Response, error) {
	d, ok := p.role(r)
	if !ok {
		return nil, arm.Errorf(http.StatusNotFound, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", r.Params["name"])
	}
	return &arm.Response{Body: definition(r.Params["scope"], d)}, nil
}

func (p authorization) putDefinition(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	name := r.Params["name"]
	if _, err := uuid.Parse(name); err != nil {
		return nil, arm.Errorf(http.StatusBadRequest, "RoleDefinitionIdNotAGuid", "The role definition ID '%s' is not valid. It must be a GUID.", name)
	}
	var body struct {
		Properties definitionProperties `json:"properties"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	q := body.Properties
	switch {
	case q.RoleName == "":
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidRoleDefinitionName", "The role definition needs a roleName.")
	case len(q.AssignableScopes) == 0:
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidAssignableScopes", "The role definition needs at least one assignable scope.")
	case q.Type != "" && !strings.EqualFold(q.Type, "CustomRole"):
		return nil, arm.Errorf(http.StatusBadRequest, "RoleDefinitionTypeNotSupported", "Role definitions of type '%s' cannot be made; the type is CustomRole.", q.Type)
	}
	for i := range q.Permissions {
		for _, list := range []*[]string{&q.Permissions[i].Actions, &q.Permissions[i].NotActions, &q.Permissions[i].DataActions, &q.Permissions[i].NotDataActions} {
			if *list == nil {
				*list = []string{}
			}
		}
	}
	old, exists := p.a.current.Load().roles[strings.ToLower(name)]
	if exists && old.BuiltIn {
		return nil, arm.Errorf(http.StatusForbidden, "RoleDefinitionReadOnly", "The role definition '%s' is built in and cannot be changed.", old.Name)
	}
	for _, other := range p.a.current.Load().roles {
		if !strings.EqualFold(other.ID, name) && strings.EqualFold(other.Name, q.RoleName) {
			return nil, arm.Errorf(http.StatusConflict, "RoleDefinitionWithSameNameExists", "A custom role with the name '%s' already exists. Use a different name.", q.RoleName)
		}
	}
	if err := p.mayChangeRole(ctx, r, q.AssignableScopes, "write"); err != nil {
		return nil, err
	}
	now := p.d.c.Clock.Now().UTC()
	d := RoleDefinition{ID: name, Name: q.RoleName, Description: q.Description, AssignableScopes: q.AssignableScopes, Permissions: q.Permissions,
		Created: now, CreatedBy: r.Principal.ObjectID, Updated: now, UpdatedBy: r.Principal.ObjectID}
	if exists {
		if err := p.mayChangeRole(ctx, r, old.AssignableScopes, "write"); err != nil {
			return nil, err
		}
		d.Created, d.CreatedBy = old.Created, old.CreatedBy
	}
	if err := p.d.commit(ctx, "write role definition", write{key: folderRoles + strings.ToLower(name), value: d}); err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusCreated, Body: definition(r.Params["scope"], d)}, nil
}

// mayChangeRole asks for the right at every scope where the role can be assigned: else the owner of one group could give a
// role more power where others rely on it.
func (p authorization) mayChangeRole(ctx context.Context, r *arm.Request, scopes []string, verb string) error {
	for _, scope := range scopes {
		if err := p.a.Authorise(ctx, r.Principal, namespace+"/roleDefinitions/"+verb, scope); err != nil {
			return err
		}
	}
	return nil
}

func (p authorization) deleteDefinition(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	d, ok := p.role(r)
	if !ok {
		return &arm.Response{Status: http.StatusNoContent}, nil
	}
	if d.BuiltIn {
		return nil, arm.Errorf(http.StatusForbidden, "RoleDefinitionReadOnly", "The role definition '%s' is built in and cannot be deleted.", d.Name)
	}
	if err := p.mayChangeRole(ctx, r, d.AssignableScopes, "delete"); err != nil {
		return nil, err
	}
	if used := p.a.Assignments(func(a RoleAssignment) bool { return strings.EqualFold(a.RoleID, d.ID) }); len(used) > 0 {
		return nil, arm.Errorf(http.StatusBadRequest, "RoleDefinitionHasAssignments", "There are %d existing role assignments referencing role. Delete them first.", len(used))
	}
	if err := p.d.commit(ctx, "delete role definition", write{key: folderRoles + strings.ToLower(d.ID)}); err != nil {
		return nil, err
	}
	return &arm.Response{Body: definition(r.Params["scope"], d)}, nil
}

// permissions tells what the caller may do at the scope.
func (p authorization) permissions(_ context.Context, r *arm.Request) (*arm.Response, error) {
	out := []Permission{}
	target := normalScope(r.Params["scope"])
	for _, g := range p.a.current.Load().grants[strings.ToLower(r.Principal.ObjectID)] {
		if covers(g.scope, target) {
			out = append(out, g.role.Permissions...)
		}
	}
	return &arm.Response{Body: arm.List[Permission]{Value: out}}, nil
}
