package apim_test

import "testing"

func TestManagedIdentity(t *testing.T) {
	p := withService(t)
	const user = "/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ops"
	patch := func(identity string) any {
		t.Helper()
		return p.must("PATCH", root, `{"identity":`+identity+`}`)["identity"]
	}
	first := patch(`{"type":"systemassigned"}`)
	id := at(first, "principalId")
	if at(first, "type") != "SystemAssigned" || id == nil || id == "" || at(first, "tenantId") != "tenant" {
		t.Fatalf("the identity is %v", first)
	}
	both := patch(`{"type":"SystemAssigned,UserAssigned","userAssignedIdentities":{"` + user + `":{}}}`)
	if at(both, "type") != "SystemAssigned, UserAssigned" || at(both, "principalId") != id || at(both, "userAssignedIdentities", user, "clientId") == nil {
		t.Errorf("with a user's identity it is %v", both)
	}
	if again := p.must("PATCH", root, `{"tags":{"a":"b"}}`)["identity"]; at(again, "principalId") != id {
		t.Errorf("after another change it is %v", again)
	}
	if none := patch(`{"type":"None"}`); at(none, "principalId") != nil {
		t.Errorf("taken away it is %v", none)
	}
	if fresh := patch(`{"type":"SystemAssigned"}`); at(fresh, "principalId") == id {
		t.Error("a new identity has the old one's id")
	}
	p.fails("PATCH", root, `{"identity":{"type":"Other"}}`, 400, "ValidationError", "identity.type")
	p.fails("PATCH", root, `{"identity":{"type":"UserAssigned"}}`, 400, "ValidationError", "userAssignedIdentities")
}
