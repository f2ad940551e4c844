package resources_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/google/uuid"
)

func TestResourceGroupsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	client, err := armresources.NewResourceGroupsClient(subscriptionID, w.credential(w.owner), w.options())
	check(t, err)
	exists, err := client.CheckExistence(ctx, "APIMPrimaryRG", nil)
	check(t, err)
	if exists.Success {
		t.Fatal("the group exists before it was made")
	}
	made, err := client.CreateOrUpdate(ctx, "APIMPrimaryRG", armresources.ResourceGroup{Location: to.Ptr("Central India"), Tags: map[string]*string{"env": to.Ptr("prod")}}, nil)
	check(t, err)
	if *made.ID != "/subscriptions/"+subscriptionID+"/resourceGroups/APIMPrimaryRG" || *made.Location != "centralindia" || *made.Properties.ProvisioningState != "Succeeded" {
		t.Fatalf("made %+v", made)
	}
	_, err = client.CreateOrUpdate(ctx, "Other", armresources.ResourceGroup{Location: to.Ptr("southindia")}, nil)
	check(t, err)
	if exists, err = client.CheckExistence(ctx, "apimprimaryrg", nil); err != nil || !exists.Success {
		t.Fatalf("existence: %v %v", exists, err)
	}
	names := func(filter *string) (out []string) {
		pager := client.NewListPager(&armresources.ResourceGroupsClientListOptions{Filter: filter, Top: to.Ptr(int32(1))})
		for pager.More() {
			page, err := pager.NextPage(ctx)
			check(t, err)
			for _, g := range page.Value {
				out = append(out, *g.Name)
			}
		}
		return out
	}
	if got := names(nil); len(got) != 2 {
		t.Fatalf("list over pages of one: %v", got)
	}
	if got := names(to.Ptr("tagName eq 'env' and tagValue eq 'prod'")); len(got) != 1 || got[0] != "APIMPrimaryRG" {
		t.Fatalf("list by tag: %v", got)
	}
	patched, err := client.Update(ctx, "Other", armresources.ResourceGroupPatchable{Tags: map[string]*string{"a": to.Ptr("b")}}, nil)
	check(t, err)
	if *patched.Tags["a"] != "b" {
		t.Fatalf("patched %v", patched.Tags)
	}
	poller, err := client.BeginDelete(ctx, "Other", nil)
	check(t, err)
	_, err = poller.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{})
	check(t, err)
	_, err = client.Get(ctx, "Other", nil)
	wantCode(t, err, http.StatusNotFound, "ResourceGroupNotFound")
}

func wantCode(t *testing.T, err error, status int, code string) {
	t.Helper()
	var re *azcore.ResponseError
	if !errors.As(err, &re) || re.StatusCode != status || re.ErrorCode != code {
		t.Fatalf("got %v, want %d %s", err, status, code)
	}
}

func TestRolesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	check(t, w.resources.EnsureResourceGroup(ctx, subscriptionID, "rg1", "centralindia"))
	check(t, w.resources.EnsureResourceGroup(ctx, subscriptionID, "rg2", "southindia"))
	reader, err := w.directory.EnsureServicePrincipal(ctx, tenantID, "reader")
	check(t, err)
	groups, err := armresources.NewResourceGroupsClient(subscriptionID, w.credential(reader), w.options())
	check(t, err)
	_, err = groups.Get(ctx, "rg1", nil)
	wantCode(t, err, http.StatusForbidden, "AuthorizationFailed")

	definitions, err := armauthorization.NewRoleDefinitionsClient(w.credential(w.owner), w.options())
	check(t, err)
	scope := "/subscriptions/" + subscriptionID + "/resourceGroups/rg1"
	page, err := definitions.NewListPager(scope, &armauthorization.RoleDefinitionsClientListOptions{Filter: to.Ptr("roleName eq 'Reader'")}).NextPage(ctx)
	check(t, err)
	if len(page.Value) != 1 || *page.Value[0].Name != "acdd72a7-3385-48ef-bd42-f606fba81ae7" {
		t.Fatalf("definitions: %+v", page.Value)
	}
	assignments, err := armauthorization.NewRoleAssignmentsClient(subscriptionID, w.credential(w.owner), w.options())
	check(t, err)
	name := uuid.NewString()
	params := armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
		RoleDefinitionID: page.Value[0].ID, PrincipalID: &reader.ObjectID, PrincipalType: to.Ptr(armauthorization.PrincipalTypeServicePrincipal)}}
	made, err := assignments.Create(ctx, scope, name, params, nil)
	check(t, err)
	if *made.Properties.Scope != scope || *made.Properties.PrincipalID != reader.ObjectID {
		t.Fatalf("made %+v", made.Properties)
	}
	_, err = assignments.Create(ctx, scope, uuid.NewString(), params, nil)
	wantCode(t, err, http.StatusConflict, "RoleAssignmentExists")
	_, err = assignments.Create(ctx, scope, uuid.NewString(), armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
		RoleDefinitionID: page.Value[0].ID, PrincipalID: to.Ptr(uuid.NewString())}}, nil)
	wantCode(t, err, http.StatusBadRequest, "PrincipalNotFound")

	_, err = groups.Get(ctx, "rg1", nil)
	check(t, err)
	_, err = groups.Get(ctx, "rg2", nil)
	wantCode(t, err, http.StatusForbidden, "AuthorizationFailed")
	_, err = groups.CreateOrUpdate(ctx, "rg1", armresources.ResourceGroup{Location: to.Ptr("centralindia")}, nil)
	wantCode(t, err, http.StatusForbidden, "AuthorizationFailed")

	list, err := assignments.NewListForScopePager(scope, &armauthorization.RoleAssignmentsClientListForScopeOptions{Filter: to.Ptr("principalId+eq+'" + reader.ObjectID + "'")}).NextPage(ctx)
	check(t, err)
	if len(list.Value) != 1 || *list.Value[0].Name != name {
		t.Fatalf("list by principal: %+v", list.Value)
	}
	list, err = assignments.NewListForScopePager(scope, &armauthorization.RoleAssignmentsClientListForScopeOptions{Filter: to.Ptr("atScope()")}).NextPage(ctx)
	check(t, err)
	if len(list.Value) != 2 {
		t.Fatalf("atScope gave %d", len(list.Value))
	}
	_, err = assignments.Delete(ctx, scope, name, nil)
	check(t, err)
	_, err = groups.Get(ctx, "rg1", nil)
	wantCode(t, err, http.StatusForbidden, "AuthorizationFailed")
}
