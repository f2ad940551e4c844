package identity

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"tandem/internal/arm"
)

func TestAuthorizationProvider(t *testing.T) {
	s := newSite(t)
	h := s.arm(s.d)
	token := s.token(s.owner, armAud)
	p, err := s.d.EnsureServicePrincipal(t.Context(), tenantID, "p")
	check(t, err)
	const base = "/subscriptions/" + subID + "/resourceGroups/rg"
	const provider = base + "/providers/Microsoft.Authorization"
	const reader = "/subscriptions/" + subID + "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
	const v = "?api-version=2022-04-01"
	one, custom := uuid.NewString(), uuid.NewString()
	assign := `{"properties":{"roleDefinitionId":"` + reader + `","principalId":"` + p.ObjectID + `"}}`
	customBody := `{"properties":{"roleName":"Backup Runner","type":"CustomRole","assignableScopes":["` + base + `"],"permissions":[{"actions":["Microsoft.ApiManagement/service/backup/action"]}]}}`
	for _, c := range []struct {
		method, path, body string
		status             int
		code, contains     string
	}{
		{"GET", provider + "/roleAssignments/" + one + v, "", 404, "RoleAssignmentNotFound", ""},
		{"PUT", "/" + provider + "/roleAssignments/" + one + v, assign, 201, "", `"scope":"` + base + `"`},
		{"PUT", provider + "/roleAssignments/" + one + v, assign, 409, "RoleAssignmentExists", ""},
		{"PUT", provider + "/roleAssignments/" + one + v, strings.Replace(assign, p.ObjectID, s.owner.ObjectID, 1), 409, "RoleAssignmentUpdateNotPermitted", ""},
		{"PUT", provider + "/roleAssignments/" + uuid.NewString() + v, assign, 409, "RoleAssignmentExists", strings.ReplaceAll(one, "-", "")},
		{"PUT", provider + "/roleAssignments/notaguid" + v, assign, 400, "InvalidRoleAssignmentId", ""},
		{"PUT", provider + "/roleAssignments/" + uuid.NewString() + v, `{"properties":{"roleDefinitionId":"x","principalId":"` + p.ObjectID + `"}}`, 400, "RoleDefinitionDoesNotExist", ""},
		{"PUT", provider + "/roleAssignments/" + uuid.NewString() + v, `{}`, 400, "RoleDefinitionDoesNotExist", ""},
		{"PUT", provider + "/roleAssignments/" + uuid.NewString() + v, strings.Replace(assign, p.ObjectID, uuid.NewString(), 1), 400, "PrincipalNotFound", ""},
		{"PUT", provider + "/roleAssignments/" + uuid.NewString() + v, strings.Replace(assign, `"principalId"`, `"principalType":"User","principalId"`, 1), 400, "UnmatchedPrincipalType", ""},
		{"PUT", provider + "/roleAssignments/" + uuid.NewString() + v, strings.Replace(assign, `"principalId"`, `"condition":"x","principalId"`, 1), 400, "RoleAssignmentConditionNotSupported", ""},
		{"GET", provider + "/roleAssignments/" + strings.ToUpper(one) + v, "", 200, "", p.ObjectID},
		{"GET", base + "X/providers/Microsoft.Authorization/roleAssignments/" + one + v, "", 404, "RoleAssignmentNotFound", ""},
		{"GET", provider + "/roleAssignments" + v + "&$filter=assignedTo('" + p.ObjectID + "')", "", 200, "", one},
		{"GET", "/subscriptions/" + subID + "/providers/Microsoft.Authorization/roleAssignments" + v, "", 200, "", one},
		{"GET", "/subscriptions/" + subID + "/providers/Microsoft.Authorization/roleAssignments" + v + "&%24filter=atScope()+and+principalId+eq+'" + p.ObjectID + "'", "", 200, "", `{"value":[]}`},
		{"GET", provider + "/roleAssignments" + v + "&$filter=name+eq+'x'", "", 400, "UnsupportedQuery", ""},
		{"GET", "/providers/Microsoft.Authorization/roleDefinitions" + v + "&$filter=type+eq+'BuiltInRole'", "", 200, "", "API Management Service Operator Role"},
		{"GET", reader + v, "", 200, "", `"roleName":"Reader"`},
		{"GET", "/providers/Microsoft.Authorization/roleDefinitions/" + custom + v, "", 404, "RoleDefinitionDoesNotExist", ""},
		{"PUT", provider + "/roleDefinitions/" + custom + v, customBody, 201, "", "CustomRole"},
		{"PUT", provider + "/roleDefinitions/" + custom + v, customBody, 201, "", "CustomRole"},
		{"PUT", provider + "/roleDefinitions/" + uuid.NewString() + v, customBody, 409, "RoleDefinitionWithSameNameExists", ""},
		{"PUT", provider + "/roleDefinitions/x" + v, customBody, 400, "RoleDefinitionIdNotAGuid", ""},
		{"PUT", provider + "/roleDefinitions/" + uuid.NewString() + v, `{"properties":{}}`, 400, "InvalidRoleDefinitionName", ""},
		{"PUT", provider + "/roleDefinitions/" + uuid.NewString() + v, `{"properties":{"roleName":"x"}}`, 400, "InvalidAssignableScopes", ""},
		{"PUT", reader + v, customBody, 403, "RoleDefinitionReadOnly", ""},
		{"DELETE", reader + v, "", 403, "RoleDefinitionReadOnly", ""},
		{"GET", provider + "/roleDefinitions" + v + "&$filter=roleName+eq+'backup+runner'", "", 200, "", custom},
		{"GET", "/subscriptions/" + subID + "/providers/Microsoft.Authorization/roleDefinitions/" + custom + v, "", 404, "RoleDefinitionDoesNotExist", ""},
		{"PUT", provider + "/roleAssignments/" + custom + v, strings.Replace(assign, reader, "/x/"+custom, 1), 201, "", custom},
		{"DELETE", provider + "/roleDefinitions/" + custom + v, "", 400, "RoleDefinitionHasAssignments", ""},
		{"GET", provider + "/permissions" + v, "", 200, "", `"actions":["*"]`},
		{"DELETE", provider + "/roleAssignments/" + custom + v, "", 200, "", custom},
		{"DELETE", provider + "/roleAssignments/" + custom + v, "", 204, "", ""},
		{"DELETE", provider + "/roleDefinitions/" + custom + v, "", 200, "", custom},
		{"DELETE", provider + "/roleDefinitions/" + custom + v, "", 204, "", ""},
		{"PUT", provider + "/roleDefinitions/" + custom + v, "{", 400, "InvalidRequestContent", ""},
	} {
		w := call(h, c.method, c.path, token, c.body)
		if w.Code != c.status || errorCode(w) != c.code || !strings.Contains(w.Body.String(), c.contains) {
			t.Errorf("%s %s: got %d %s, want %d %s %s", c.method, c.path, w.Code, w.Body, c.status, c.code, c.contains)
		}
	}
	if s.d.Allowed(p.ObjectID, "Microsoft.ApiManagement/service/backup/action", base) {
		t.Error("the role is gone and still allows")
	}
}

func TestOwnersOfOneGroupCannotWidenARole(t *testing.T) {
	s := newSite(t)
	h := s.arm(s.d)
	const v = "?api-version=2022-04-01"
	const rg1, rg2 = "/subscriptions/" + subID + "/resourceGroups/rg1", "/subscriptions/" + subID + "/resourceGroups/rg2"
	p, err := s.d.EnsureServicePrincipal(t.Context(), tenantID, "p")
	check(t, err)
	_, err = s.d.AssignRole(t.Context(), Assignment{Scope: rg1, Role: "Owner", PrincipalID: p.ObjectID})
	check(t, err)
	id := uuid.NewString()
	body := func(scope, action string) string {
		return `{"properties":{"roleName":"R","assignableScopes":["` + scope + `"],"permissions":[{"actions":["` + action + `"]}]}}`
	}
	path := "/providers/Microsoft.Authorization/roleDefinitions/" + id + v
	put := func(token, scope, body string) int { return call(h, "PUT", scope+path, token, body).Code }
	if got := put(s.token(s.owner, armAud), rg2, body(rg2, "*/read")); got != 201 {
		t.Fatalf("make role: %d", got)
	}
	theirs := s.token(p, armAud)
	for scope, want := range map[string]int{rg2: 403, rg1: 403} {
		if got := put(theirs, scope, body(rg1, "*")); got != want {
			t.Errorf("change at %s: %d", scope, got)
		}
	}
	if got := put(theirs, rg1, body("/", "*")); got != 403 {
		t.Errorf("widen: %d", got)
	}
	assign := `{"properties":{"roleDefinitionId":"` + id + `","principalId":"` + p.ObjectID + `"}}`
	if w := call(h, "PUT", rg1+"/providers/Microsoft.Authorization/roleAssignments/"+uuid.NewString()+v, theirs, assign); w.Code != 400 || errorCode(w) != "RoleDefinitionDoesNotExist" {
		t.Errorf("assign where it is not assignable: %d %s", w.Code, w.Body)
	}
}

func TestAuthorizationOnAReplica(t *testing.T) {
	s := newSite(t)
	r, err := NewReplica(AccessConfig{Clock: s.clock}, s.d.Snapshot())
	check(t, err)
	h, err := arm.NewServer(arm.ServerConfig{Providers: []arm.Provider{r.Authorization("https://other.example")}, Authoriser: r, Clock: s.clock, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	token := s.token(s.owner, armAud)
	const base = "/providers/Microsoft.Authorization"
	const v = "?api-version=2022-04-01"
	if w := call(h, "GET", base+"/roleAssignments"+v, token, ""); w.Code != 200 || !strings.Contains(w.Body.String(), s.owner.ObjectID) {
		t.Errorf("read: %d %s", w.Code, w.Body)
	}
	for _, c := range [][2]string{{"PUT", "/roleAssignments/"}, {"DELETE", "/roleAssignments/"}, {"PUT", "/roleDefinitions/"}, {"DELETE", "/roleDefinitions/"}} {
		if w := call(h, c[0], base+c[1]+uuid.NewString()+v, token, "{}"); w.Code != 409 || errorCode(w) != "ReadOnlyReplica" || !strings.Contains(w.Body.String(), "https://other.example") {
			t.Errorf("%s %s: %d %s", c[0], c[1], w.Code, w.Body)
		}
	}
}
