package traffic

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	tm "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager"
)

type anyToken struct{}

func (anyToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "x", ExpiresOn: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, nil
}

// TestOfficialSDK drives the provider with Azure's own client, unchanged.
func TestOfficialSDK(t *testing.T) {
	p := newPlane(t, nil)
	options := &arm.ClientOptions{ClientOptions: policy.ClientOptions{Transport: p.web.Client(), Retry: policy.RetryOptions{MaxRetries: -1},
		Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: p.web.URL, Audience: "https://management"}}}}}
	const subscription = "00000000-0000-0000-0000-000000000001"
	factory, err := tm.NewClientFactory(subscription, anyToken{}, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, profiles, endpoints := t.Context(), factory.NewProfilesClient(), factory.NewEndpointsClient()
	fine := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	free, err := profiles.CheckTrafficManagerRelativeDNSNameAvailability(ctx, tm.CheckTrafficManagerRelativeDNSNameAvailabilityParameters{Name: to.Ptr("sdk"), Type: to.Ptr("Microsoft.Network/trafficManagerProfiles")}, nil)
	fine("check name", err)
	if !*free.NameAvailable {
		t.Error("the name is not free")
	}
	made, err := profiles.CreateOrUpdate(ctx, "rg", "sdk", tm.Profile{Location: to.Ptr("global"), Properties: &tm.ProfileProperties{
		TrafficRoutingMethod: to.Ptr(tm.TrafficRoutingMethodPriority), DNSConfig: &tm.DNSConfig{RelativeName: to.Ptr("sdk"), TTL: to.Ptr[int64](0)},
		MonitorConfig: &tm.MonitorConfig{Protocol: to.Ptr(tm.MonitorProtocolHTTPS), Port: to.Ptr[int64](443), Path: to.Ptr("/status-0123456789abcdef"), IntervalInSeconds: to.Ptr[int64](10), TimeoutInSeconds: to.Ptr[int64](5),
			ExpectedStatusCodeRanges: []*tm.MonitorConfigExpectedStatusCodeRangesItem{{Min: to.Ptr[int32](200), Max: to.Ptr[int32](204)}}},
	}}, nil)
	fine("create profile", err)
	if *made.Properties.DNSConfig.Fqdn != "sdk.trafficmanager.net" || *made.Properties.DNSConfig.TTL != 0 || *made.Properties.MonitorConfig.ProfileMonitorStatus != tm.ProfileMonitorStatusInactive {
		t.Errorf("made %+v", *made.Properties.DNSConfig)
	}
	for i, name := range []string{"primary", "standby"} {
		e, err := endpoints.CreateOrUpdate(ctx, "rg", "sdk", tm.EndpointTypeExternalEndpoints, name, tm.Endpoint{Properties: &tm.EndpointProperties{Target: to.Ptr(name + ".contoso.example"), Priority: to.Ptr(int64(i + 1)), AlwaysServe: to.Ptr(tm.AlwaysServeEnabled)}}, nil)
		fine("create endpoint", err)
		if *e.Properties.EndpointMonitorStatus != tm.EndpointMonitorStatusUnmonitored {
			t.Errorf("%s is %s", name, *e.Properties.EndpointMonitorStatus)
		}
	}
	e, err := endpoints.Update(ctx, "rg", "sdk", tm.EndpointTypeExternalEndpoints, "primary", tm.Endpoint{Properties: &tm.EndpointProperties{EndpointStatus: to.Ptr(tm.EndpointStatusDisabled)}}, nil)
	fine("disable endpoint", err)
	if *e.Properties.EndpointMonitorStatus != tm.EndpointMonitorStatusDisabled || *e.Properties.Target != "primary.contoso.example" {
		t.Errorf("disabled %+v", e.Properties)
	}
	got, err := profiles.Get(ctx, "rg", "sdk", nil)
	fine("get profile", err)
	if len(got.Properties.Endpoints) != 2 || *got.Properties.MonitorConfig.ProfileMonitorStatus != tm.ProfileMonitorStatusOnline {
		t.Errorf("got %+v", got.Properties)
	}
	_, err = profiles.Update(ctx, "rg", "sdk", tm.Profile{Tags: map[string]*string{"x": to.Ptr("y")}}, nil)
	fine("update profile", err)
	n := 0
	for pager := profiles.NewListByResourceGroupPager("rg", nil); pager.More(); {
		page, err := pager.NextPage(ctx)
		fine("list by group", err)
		n += len(page.Value)
	}
	for pager := profiles.NewListBySubscriptionPager(nil); pager.More(); {
		page, err := pager.NextPage(ctx)
		fine("list by subscription", err)
		n += len(page.Value)
	}
	if n != 2 {
		t.Errorf("the lists hold %d profiles", n)
	}
	_, err = factory.NewGeographicHierarchiesClient().GetDefault(ctx, nil)
	fine("geographic hierarchy", err)
	metrics := factory.NewUserMetricsKeysClient()
	_, err = metrics.CreateOrUpdate(ctx, nil)
	fine("metrics key", err)
	_, err = metrics.Get(ctx, nil)
	fine("metrics key", err)
	_, err = metrics.Delete(ctx, nil)
	fine("metrics key", err)
	_, err = endpoints.Get(ctx, "rg", "sdk", tm.EndpointTypeExternalEndpoints, "standby", nil)
	fine("get endpoint", err)
	_, err = endpoints.Delete(ctx, "rg", "sdk", tm.EndpointTypeExternalEndpoints, "standby", nil)
	fine("delete endpoint", err)
	_, err = profiles.Delete(ctx, "rg", "sdk", nil)
	fine("delete profile", err)
}
