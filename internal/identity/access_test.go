package identity

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/arm"
)

func TestMatchAction(t *testing.T) {
	for _, c := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", "Microsoft.X/y/read", true}, {"*/read", "Microsoft.X/y/z/read", true}, {"*/read", "Microsoft.X/y/write", false},
		{"Microsoft.ApiManagement/service/*", "microsoft.apimanagement/SERVICE/apis/write", true},
		{"Microsoft.ApiManagement/service/*", "Microsoft.ApiManagement/serviceX/read", false},
		{"Microsoft.ApiManagement/service/*/read", "Microsoft.ApiManagement/service/read", false},
		{"Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/write", true},
		{"Microsoft.Authorization/*/read", "Microsoft.Authorization/a/b/read", true},
		{"a*b*c", "axxbyyc", true}, {"a*b*c", "axxbyy", false}, {"", "", true}, {"", "x", false}, {"a", "ab", false}, {"a**", "a", true},
	} {
		if got := matchAction(c.pattern, c.action); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.action, got)
		}
	}
}

func TestMatchActionAgreesWithSplitting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[ab/]{0,3}`), 1, 4).Draw(t, "parts")
		action := parts[0]
		for _, p := range parts[1:] {
			action += rapid.StringMatching(`[ab/]{0,4}`).Draw(t, "gap") + p
		}
		if pattern := strings.Join(parts, "*"); !matchAction(pattern, action) {
			t.Fatalf("%q must match %q", pattern, action)
		}
		if matchAction(strings.Join(parts, "*"), action+"#") && parts[len(parts)-1] != "" {
			t.Fatalf("%q must not match with more at the end", strings.Join(parts, "*"))
		}
	})
}

// TestDecisions pins who may do what with the built-in roles; the rows are the demands of a recovery.
func TestDecisions(t *testing.T) {
	s := newSite(t)
	const rg = "/subscriptions/" + subID + "/resourceGroups/APIMPrimaryRG"
	const svc = rg + "/providers/Microsoft.ApiManagement/service/apim-primary"
	for _, c := range []struct {
		role, scope, action, at string
		want                    bool
	}{
		{"API Management Service Contributor", rg, "Microsoft.ApiManagement/service/backup/action", svc, true},
		{"API Management Service Contributor", rg, "Microsoft.ApiManagement/service/operationresults/read", svc + "/operationresults/x", true},
		{"API Management Service Contributor", rg, "Microsoft.ApiManagement/service/subscriptions/listSecrets/action", svc, true},
		{"API Management Service Contributor", rg, "Microsoft.Storage/storageAccounts/listKeys/action", rg, false},
		{"API Management Service Contributor", rg, "Microsoft.ApiManagement/service/read", strings.Replace(svc, "APIMPrimaryRG", "APIMPrimaryRG2", 1), false},
		{"API Management Service Contributor", rg, "Microsoft.ApiManagement/service/read", strings.ToUpper(svc), true},
		{"API Management Service Operator Role", rg, "Microsoft.ApiManagement/service/restore/action", svc, true},
		{"API Management Service Operator Role", rg, "Microsoft.ApiManagement/service/apis/write", svc + "/apis/a", false},
		{"API Management Service Operator Role", rg, "Microsoft.ApiManagement/service/apis/read", svc + "/apis/a", true},
		{"API Management Service Operator Role", rg, "Microsoft.ApiManagement/service/users/keys/read", svc + "/users/u", false},
		{"API Management Service Operator Role", rg, "Microsoft.ApiManagement/service/namedValues/listValue/action", svc, false},
		{"API Management Service Reader Role", rg, "Microsoft.ApiManagement/service/backup/action", svc, false},
		{"Contributor", rg, "Microsoft.ApiManagement/service/write", svc, true},
		{"Contributor", rg, "Microsoft.Authorization/roleAssignments/write", rg, false},
		{"Contributor", rg, "Microsoft.Authorization/roleAssignments/read", rg, true},
		{"Contributor", rg, "Microsoft.Resources/subscriptions/resourceGroups/delete", rg, true},
		{"Contributor", rg, "Microsoft.Resources/subscriptions/read", "/subscriptions/" + subID, false},
		{"Reader", "/", "Microsoft.Network/trafficManagerProfiles/read", svc, true},
		{"Reader", "/", "Microsoft.Network/trafficManagerProfiles/write", svc, false},
		{"Owner", "//subscriptions/" + subID + "/", "Microsoft.Authorization/roleAssignments/write", rg, true},
		{"User Access Administrator", rg, "Microsoft.Authorization/roleAssignments/write", rg, true},
		{"Traffic Manager Contributor", rg, "Microsoft.Network/trafficmanagerprofiles/externalEndpoints/write", rg, true},
		{"Storage Account Key Operator Service Role", rg, "Microsoft.Storage/storageAccounts/listKeys/action", rg, true},
	} {
		p, err := s.d.EnsureServicePrincipal(t.Context(), tenantID, c.role+c.scope)
		check(t, err)
		_, err = s.d.AssignRole(t.Context(), Assignment{Scope: c.scope, Role: c.role, PrincipalID: p.ObjectID})
		if err != nil && tandem.KindOf(err) != tandem.Exists {
			t.Fatal(err)
		}
		replica, err := NewReplica(AccessConfig{Clock: s.clock}, s.d.Snapshot())
		check(t, err)
		for name, a := range map[string]arm.Authoriser{"directory": s.d, "replica": replica} {
			err := a.Authorise(context.Background(), arm.Principal{ObjectID: p.ObjectID, AppID: p.ClientID}, c.action, c.at)
			if (err == nil) != c.want {
				t.Errorf("%s: %s on %s, %s at %s: %v", name, c.role, c.scope, c.action, c.at, err)
			}
			if err != nil && !strings.Contains(err.Error(), "403 AuthorizationFailed: The client '"+p.ClientID+"' with object id '"+p.ObjectID+
				"' does not have authorization to perform action '"+c.action+"' over scope '"+c.at+"' or the scope is invalid.") {
				t.Errorf("wording: %v", err)
			}
		}
	}
	if !s.d.SeesBelow(s.owner.ObjectID, rg) || s.d.SeesBelow("nobody", rg) {
		t.Error("SeesBelow")
	}
}

func TestDataActionsAreApartFromActions(t *testing.T) {
	s := newSite(t)
	const account = "/subscriptions/" + subID + "/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a"
	const read = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
	const write = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
	for _, c := range []struct {
		role, action, at string
		want             bool
	}{
		{"Storage Blob Data Reader", read, account, true}, {"Storage Blob Data Reader", write, account, false},
		{"Storage Blob Data Contributor", write, account, true}, {"Storage Blob Data Contributor", write, account + "2", false},
		{"Owner", read, account, false},
	} {
		p, err := s.d.EnsureServicePrincipal(t.Context(), tenantID, c.role)
		check(t, err)
		_, err = s.d.AssignRole(t.Context(), Assignment{Scope: account, Role: c.role, PrincipalID: p.ObjectID})
		if err != nil && tandem.KindOf(err) != tandem.Exists {
			t.Fatal(err)
		}
		err = s.d.AuthoriseData(t.Context(), arm.Principal{ObjectID: p.ObjectID}, c.action, c.at)
		if (err == nil) != c.want || err != nil && tandem.KindOf(err) != tandem.Denied {
			t.Errorf("%s, %s at %s: %v", c.role, c.action, c.at, err)
		}
	}
}
