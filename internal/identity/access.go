package identity

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"tandem"
	"tandem/internal/arm"
)

// view is a Snapshot made ready for decisions. It is never changed, only replaced; verified alone grows.
type view struct {
	Snapshot
	keys       jwk.Set
	tenants    map[string]Tenant           // by lower-case id and domain
	principals map[string]ServicePrincipal // by lower-case object id
	roles      map[string]RoleDefinition   // by lower-case id
	grants     map[string][]grant          // by lower-case object id of the principal
	verified   verified
}

// grant is a role on a scope.
type grant struct {
	scope string // lower-case, without a slash at the end; "" is everything
	role  RoleDefinition
}

func newView(s Snapshot) (*view, error) {
	v := &view{Snapshot: s, keys: jwk.NewSet(), tenants: map[string]Tenant{}, principals: map[string]ServicePrincipal{},
		roles: map[string]RoleDefinition{}, grants: map[string][]grant{}}
	for _, k := range s.SigningKeys {
		key, err := jwk.ParseKey(k.JWK)
		if err == nil {
			err = key.Set(jwk.AlgorithmKey, jwa.RS256())
		}
		if err == nil {
			err = v.keys.AddKey(key)
		}
		if err != nil {
			return nil, &tandem.Error{Op: "read signing key", Subject: k.ID, Kind: tandem.Corrupt, Err: err, Remedy: "take a new snapshot of the directory"}
		}
	}
	for _, t := range s.Tenants {
		v.tenants[strings.ToLower(t.ID)] = t
		if t.Domain != "" {
			v.tenants[strings.ToLower(t.Domain)] = t
		}
	}
	for _, p := range s.Principals {
		v.principals[strings.ToLower(p.ID)] = p
	}
	for _, r := range append(BuiltInRoles(), s.RoleDefinitions...) {
		v.roles[strings.ToLower(r.ID)] = r
	}
	for _, a := range s.RoleAssignments {
		who := strings.ToLower(a.PrincipalID)
		if role, ok := v.roles[strings.ToLower(a.RoleID)]; ok {
			v.grants[who] = append(v.grants[who], grant{normalScope(a.Scope), role})
		}
	}
	return v, nil
}

// normalScope is the form in which scopes compare: lower case, one slash between segments, none at the end.
func normalScope(scope string) string {
	var b strings.Builder
	for s := range strings.SplitSeq(strings.ToLower(scope), "/") {
		if s != "" {
			b.WriteString("/" + s)
		}
	}
	return b.String()
}

// covers says whether a grant on scope holds at target: the same id, or one below it. Both are normal.
func covers(scope, target string) bool {
	return strings.HasPrefix(target, scope) && (len(target) == len(scope) || target[len(scope)] == '/')
}

// allows says whether a role permits an action: within one permission, an action that matches and no notAction that does.
func (r RoleDefinition) allows(action string) bool {
	for _, p := range r.Permissions {
		if matchesAny(p.Actions, action) && !matchesAny(p.NotActions, action) {
			return true
		}
	}
	return false
}

func matchesAny(patterns []string, action string) bool {
	for _, p := range patterns {
		if matchAction(p, action) {
			return true
		}
	}
	return false
}

// matchAction compares without regard to case; * stands for any characters, slashes too.
func matchAction(pattern, action string) bool {
	pattern, action = strings.ToLower(pattern), strings.ToLower(action)
	p, a, star, mark := 0, 0, -1, 0
	for a < len(action) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, a
			p++
		case p < len(pattern) && pattern[p] == action[a]:
			p, a = p+1, a+1
		case star >= 0:
			mark++
			p, a = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Access verifies tokens and decides from the newest view that it was given.
type Access struct {
	clock     tandem.Clock
	audiences []string
	current   atomic.Pointer[view]
}

// DefaultAudiences are the audiences that Azure's own tools ask tokens for when they talk to ARM.
func DefaultAudiences() []string {
	return []string{"https://management.azure.com", "https://management.core.windows.net"}
}

// Allowed says whether a principal may do an action at a scope.
func (a *Access) Allowed(objectID, action, scope string) bool {
	target := normalScope(scope)
	for _, g := range a.current.Load().grants[strings.ToLower(objectID)] {
		if covers(g.scope, target) && g.role.allows(action) {
			return true
		}
	}
	return false
}

// SeesBelow says whether a principal has any role at a scope or below it: whether a list should name the scope.
func (a *Access) SeesBelow(objectID, scope string) bool {
	target := normalScope(scope)
	for _, g := range a.current.Load().grants[strings.ToLower(objectID)] {
		if covers(g.scope, target) || covers(target, g.scope) {
			return true
		}
	}
	return false
}

// Authorise implements arm.Authoriser.
func (a *Access) Authorise(_ context.Context, p arm.Principal, action, scope string) error {
	if a.Allowed(p.ObjectID, action, scope) {
		return nil
	}
	return arm.Errorf(http.StatusForbidden, "AuthorizationFailed",
		"The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		p.AppID, p.ObjectID, action, scope)
}
