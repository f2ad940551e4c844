package identity

import (
	"context"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// AuthoriseData asks whether p may do a data action (for example …/containers/blobs/read) at a scope: data is opened by the
// data actions of roles alone, not by their actions. The error is of kind Denied.
func (a *Access) AuthoriseData(_ context.Context, p arm.Principal, action, scope string) error {
	target := normalScope(scope)
	for _, g := range a.current.Load().grants[strings.ToLower(p.ObjectID)] {
		if covers(g.scope, target) && g.role.allowsData(action) {
			return nil
		}
	}
	return &tandem.Error{Op: "open data", Subject: scope, Kind: tandem.Denied, Remedy: "assign a role with the data action " + action}
}

// allowsData says whether a role permits a data action.
func (r RoleDefinition) allowsData(action string) bool {
	for _, p := range r.Permissions {
		if matchesAny(p.DataActions, action) && !matchesAny(p.NotDataActions, action) {
			return true
		}
	}
	return false
}
