package identity

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"tandem"
)

// Assignment asks for a role assignment.
type Assignment struct {
	ID          string // a GUID; empty: made
	Scope       string
	Role        string // name or id of a role
	PrincipalID string
	Description string
	By          string // object id of who asks
}

func assignmentKey(a RoleAssignment) string { return folderAssignments + strings.ToLower(a.ID) }

// Role finds a role by id or name.
func (a *Access) Role(name string) (RoleDefinition, bool) {
	v := a.current.Load()
	if r, ok := v.roles[strings.ToLower(name)]; ok {
		return r, true
	}
	for _, r := range v.roles {
		if strings.EqualFold(r.Name, name) {
			return r, true
		}
	}
	return RoleDefinition{}, false
}

// AssignRole gives a principal a role. Exists: it has it already at this very scope. NotFound: no such role or principal.
func (d *Directory) AssignRole(ctx context.Context, q Assignment) (RoleAssignment, error) {
	fail := func(kind tandem.Kind, subject, remedy string) (RoleAssignment, error) {
		return RoleAssignment{}, &tandem.Error{Op: "assign role to", Subject: subject, Kind: kind, Remedy: remedy}
	}
	role, ok := d.Role(q.Role)
	if !ok {
		return fail(tandem.NotFound, q.Role, "name a role definition that exists")
	}
	p, ok := d.Principal(q.PrincipalID)
	if !ok {
		return fail(tandem.NotFound, q.PrincipalID, "name a service principal that exists")
	}
	for _, a := range d.Snapshot().RoleAssignments {
		if normalScope(a.Scope) == normalScope(q.Scope) && strings.EqualFold(a.PrincipalID, p.ID) && strings.EqualFold(a.RoleID, role.ID) {
			return a, &tandem.Error{Op: "assign role to", Subject: p.ID, Kind: tandem.Exists}
		}
	}
	if q.ID == "" {
		q.ID = uuid.NewString()
	}
	now := d.c.Clock.Now().UTC()
	a := RoleAssignment{ID: q.ID, Scope: q.Scope, RoleID: role.ID, PrincipalID: p.ID, PrincipalType: "ServicePrincipal",
		Description: q.Description, Created: now, CreatedBy: q.By, Updated: now, UpdatedBy: q.By}
	return a, d.commit(ctx, "assign role", write{key: assignmentKey(a), value: a, created: true})
}

// Assignments gives the role assignments that a test picks.
func (a *Access) Assignments(pick func(RoleAssignment) bool) []RoleAssignment {
	var out []RoleAssignment
	for _, r := range a.current.Load().RoleAssignments {
		if pick(r) {
			out = append(out, r)
		}
	}
	return out
}

// RemoveAssignments deletes all role assignments at a scope or below it: they go with the resource that goes.
func (d *Directory) RemoveAssignments(ctx context.Context, scope string) error {
	for _, a := range d.Assignments(func(a RoleAssignment) bool { return covers(normalScope(scope), normalScope(a.Scope)) }) {
		if err := d.commit(ctx, "delete role assignment", write{key: assignmentKey(a)}); err != nil {
			return err
		}
	}
	return nil
}
