package identity

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"tandem"
	"tandem/internal/arm"
)

// authorization is the resource provider Microsoft.Authorization: role assignments and definitions at every scope.
type authorization struct {
	a *Access
	d *Directory // nil on a replica
	// elsewhere says where writes are taken when d is nil.
	elsewhere string
}

// Authorization gives the provider for an arm.Server.
func (d *Directory) Authorization() arm.Provider { return authorization{a: &d.Access, d: d} }

// Authorization gives the provider for an arm.Server that has only a copy: it answers reads, and sends writers to the
// management endpoint of a site that has the directory.
func (r *Replica) Authorization(endpoint string) arm.Provider {
	return authorization{a: &r.Access, elsewhere: endpoint}
}

// writer makes a handler that changes the directory.
func (p authorization) writer(h arm.Handler) arm.Handler {
	if p.d != nil {
		return h
	}
	return func(context.Context, *arm.Request) (*arm.Response, error) {
		return nil, arm.Errorf(http.StatusConflict, "ReadOnlyReplica",
			"This endpoint has a copy of the directory and cannot change roles. Send the request to %s.", p.elsewhere)
	}
}

const namespace = "Microsoft.Authorization"

// Namespace implements arm.Provider.
func (authorization) Namespace() string { return namespace }

// Types implements arm.Provider.
func (authorization) Types() []arm.TypeInfo {
	versions := []string{"2022-04-01", "2020-10-01-preview", "2018-01-01-preview", "2015-07-01"}
	return []arm.TypeInfo{{Name: "roleAssignments", APIVersions: versions, AnyVersion: true},
		{Name: "roleDefinitions", APIVersions: versions, AnyVersion: true}, {Name: "permissions", APIVersions: versions, AnyVersion: true}}
}

// Routes implements arm.Provider.
func (p authorization) Routes() []arm.Route {
	const base = "/{scope...}/providers/" + namespace
	return []arm.Route{
		{Method: http.MethodGet, Pattern: base + "/roleAssignments", Handler: p.listAssignments},
		{Method: http.MethodGet, Pattern: base + "/roleAssignments/{name}", Handler: p.getAssignment},
		{Method: http.MethodPut, Pattern: base + "/roleAssignments/{name}", Handler: p.writer(p.putAssignment)},
		{Method: http.MethodDelete, Pattern: base + "/roleAssignments/{name}", Handler: p.writer(p.deleteAssignment)},
		{Method: http.MethodGet, Pattern: base + "/roleDefinitions", Handler: p.listDefinitions},
		{Method: http.MethodGet, Pattern: base + "/roleDefinitions/{name}", Handler: p.getDefinition},
		{Method: http.MethodPut, Pattern: base + "/roleDefinitions/{name}", Handler: p.writer(p.putDefinition)},
		{Method: http.MethodDelete, Pattern: base + "/roleDefinitions/{name}", Handler: p.writer(p.deleteDefinition)},
		{Method: http.MethodGet, Pattern: base + "/permissions", Handler: p.permissions, AnyPrincipal: true},
	}
}

type assignmentProperties struct {
	RoleDefinitionID string  `json:"roleDefinitionId"`
	PrincipalID      string  `json:"principalId"`
	PrincipalType    string  `json:"principalType"`
	Scope            string  `json:"scope"`
	Condition        *string `json:"condition"`
	ConditionVersion *string `json:"conditionVersion"`
	Description      *string `json:"description"`
	Delegated        *string `json:"delegatedManagedIdentityResourceId,omitempty"`
	CreatedOn        string  `json:"createdOn"`
	UpdatedOn        string  `json:"updatedOn"`
	CreatedBy        string  `json:"createdBy"`
	UpdatedBy        string  `json:"updatedBy"`
}

type assignmentResource struct {
	ID         string               `json:"id"`
	Type       string               `json:"type"`
	Name       string               `json:"name"`
	Properties assignmentProperties `json:"properties"`
}

func (p authorization) assignment(a RoleAssignment) assignmentResource {
	scope := strings.TrimRight(a.Scope, "/")
	props := assignmentProperties{RoleDefinitionID: definitionID(scope, a.RoleID), PrincipalID: a.PrincipalID, PrincipalType: a.PrincipalType,
		Scope: orRoot(scope), CreatedOn: arm.FormatTime(a.Created), UpdatedOn: arm.FormatTime(a.Updated), CreatedBy: a.CreatedBy, UpdatedBy: a.UpdatedBy}
	if a.Description != "" {
		props.Description = &a.Description
	}
	return assignmentResource{ID: scope + "/providers/" + namespace + "/roleAssignments/" + a.ID, Type: namespace + "/roleAssignments", Name: a.ID, Properties: props}
}

func orRoot(scope string) string {
	if scope == "" {
		return "/"
	}
	return scope
}

// definitionID is the id of a role as seen from a scope: below its subscription, or of the tenant.
func definitionID(scope, role string) string {
	id := "/providers/" + namespace + "/roleDefinitions/" + role
	if parts := strings.Split(scope, "/"); len(parts) > 2 && strings.EqualFold(parts[1], "subscriptions") {
		id = "/subscriptions/" + parts[2] + id
	}
	return id
}

func (p authorization) find(r *arm.Request) (RoleAssignment, bool) {
	for _, a := range p.a.current.Load().RoleAssignments {
		if strings.EqualFold(a.ID, r.Params["name"]) && normalScope(a.Scope) == normalScope(r.Params["scope"]) {
			return a, true
		}
	}
	return RoleAssignment{}, false
}

func (p authorization) getAssignment(_ context.Context, r *arm.Request) (*arm.Response, error) {
	a, ok := p.find(r)
	if !ok {
		return nil, arm.Errorf(http.StatusNotFound, "RoleAssignmentNotFound", "The role assignment '%s' is not found.", r.Params["name"])
	}
	return &arm.Response{Body: p.assignment(a)}, nil
}

func (p authorization) putAssignment(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	if _, err := uuid.Parse(r.Params["name"]); err != nil {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidRoleAssignmentId", "The role assignment ID '%s' is not valid. The role assignment ID must be a GUID.", r.Params["name"])
	}
	var body struct {
		assignmentProperties                      // old clients send the properties without the wrapping
		Properties           assignmentProperties `json:"properties"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	q := body.Properties
	if q.PrincipalID == "" && q.RoleDefinitionID == "" {
		q = body.assignmentProperties
	}
	if q.Condition != nil && *q.Condition != "" {
		return nil, arm.Errorf(http.StatusBadRequest, "RoleAssignmentConditionNotSupported",
			"Role assignments with a condition are not supported here; assign the role without one at a narrower scope.")
	}
	role := q.RoleDefinitionID[strings.LastIndexByte(q.RoleDefinitionID, '/')+1:]
	if d, ok := p.a.Role(role); !ok || role == "" || !d.visible(r.Params["scope"]) {
		return nil, arm.Errorf(http.StatusBadRequest, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", role)
	}
	if _, ok := p.a.Principal(q.PrincipalID); !ok {
		return nil, arm.Errorf(http.StatusBadRequest, "PrincipalNotFound", "Principal %s does not exist in the directory %s. Check that you have the correct principal ID.",
			q.PrincipalID, r.Principal.TenantID)
	}
	if q.PrincipalType != "" && !strings.EqualFold(q.PrincipalType, "ServicePrincipal") {
		return nil, arm.Errorf(http.StatusBadRequest, "UnmatchedPrincipalType", "The PrincipalId '%s' has type 'ServicePrincipal' , which is different from specified PrincipalType '%s'.", q.PrincipalID, q.PrincipalType)
	}
	exists := arm.Errorf(http.StatusConflict, "RoleAssignmentExists", "The role assignment already exists.")
	for _, a := range p.a.current.Load().RoleAssignments {
		if !strings.EqualFold(a.ID, r.Params["name"]) {
			continue
		}
		if normalScope(a.Scope) == normalScope(r.Params["scope"]) && strings.EqualFold(a.PrincipalID, q.PrincipalID) && strings.EqualFold(a.RoleID, role) {
			return nil, exists
		}
		return nil, arm.Errorf(http.StatusConflict, "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
	}
	description := ""
	if q.Description != nil {
		description = *q.Description
	}
	a, err := p.d.AssignRole(ctx, Assignment{ID: r.Params["name"], Scope: orRoot(r.Params["scope"]), Role: role, PrincipalID: q.PrincipalID,
		Description: description, By: r.Principal.ObjectID})
	if tandem.KindOf(err) == tandem.Exists {
		exists.Message = "The role assignment already exists. The ID of the existing role assignment is " + strings.ReplaceAll(a.ID, "-", "") + "."
		return nil, exists
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusCreated, Body: p.assignment(a)}, nil
}

func (p authorization) deleteAssignment(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, ok := p.find(r)
	if !ok {
		return &arm.Response{Status: http.StatusNoContent}, nil
	}
	if err := p.d.commit(ctx, "delete role assignment", write{key: assignmentKey(a)}); err != nil {
		return nil, err
	}
	return &arm.Response{Body: p.assignment(a)}, nil
}

// listAssignments gives the assignments at the scope, above it and below it; $filter narrows them.
func (p authorization) listAssignments(_ context.Context, r *arm.Request) (*arm.Response, error) {
	here := normalScope(r.Params["scope"])
	atScope, object, err := assignmentFilter(r.Query["$filter"])
	if err != nil {
		return nil, err
	}
	out := []assignmentResource{}
	for _, a := range p.a.current.Load().RoleAssignments {
		scope := normalScope(a.Scope)
		related := covers(scope, here) || (!atScope && covers(here, scope))
		if related && (object == "" || strings.EqualFold(object, a.PrincipalID)) {
			out = append(out, p.assignment(a))
		}
	}
	list, err := arm.Paginate(r, out, 1000)
	return &arm.Response{Body: list}, err
}
