package node

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	apimsdk "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
)

// TestAnywhere asks one endpoint for names and deleted services of another region, and purges one there.
func TestAnywhere(t *testing.T) {
	w := newWorld(t)
	defer w.stop()
	ctx := t.Context()
	groups := must(armresources.NewResourceGroupsClient(subscription, w.cred, w.options))(t)
	must(groups.CreateOrUpdate(ctx, "primary", armresources.ResourceGroup{Location: to.Ptr("centralindia")}, nil))(t)
	f := must(apimsdk.NewClientFactory(subscription, w.cred, w.options))(t)
	free := func() bool {
		return *must(f.NewServiceClient().CheckNameAvailability(ctx, apimsdk.ServiceCheckNameAvailabilityParameters{Name: to.Ptr("apim-primary")}, nil))(t).NameAvailable
	}
	deleted := func() (n int) {
		for p := f.NewDeletedServicesClient().NewListBySubscriptionPager(nil); p.More(); {
			n += len(must(p.NextPage(ctx))(t).Value)
		}
		return n
	}
	if !free() {
		t.Error("the name is taken before anybody took it")
	}
	for range 2 { // the second service takes the name of the first, once that was purged
		w.createService(f, "primary", "apim-primary", "Central India")
		if free() {
			t.Error("the name is free while a service has it")
		}
		p := must(f.NewServiceClient().BeginDelete(ctx, "primary", "apim-primary", nil))(t)
		must(p.PollUntilDone(ctx, pollOptions()))(t)
		if free() || deleted() != 1 {
			t.Errorf("after the deletion the name is free: %v, deleted services: %d", free(), deleted())
		}
		must(f.NewDeletedServicesClient().GetByName(ctx, "apim-primary", "centralindia", nil))(t)
		purge := must(f.NewDeletedServicesClient().BeginPurge(ctx, "apim-primary", "centralindia", nil))(t)
		must(purge.PollUntilDone(ctx, pollOptions()))(t)
		if !free() || deleted() != 0 {
			t.Errorf("after the purge the name is free: %v, deleted services: %d", free(), deleted())
		}
	}
}
