package node

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	apimsdk "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"go.uber.org/goleak"
)

// deploy deploys a template of the template package's testdata, after it was validated, and gives its outputs.
func (w *world) deploy(group, name string, parameters map[string]any) map[string]any {
	w.t.Helper()
	raw, err := os.ReadFile("../resources/template/testdata/" + name + ".json")
	if err != nil {
		w.t.Fatal(err)
	}
	var template any
	if err := json.Unmarshal(raw, &template); err != nil {
		w.t.Fatal(err)
	}
	given := map[string]any{}
	for k, v := range parameters {
		given[k] = map[string]any{"value": v}
	}
	c := must(armresources.NewDeploymentsClient(subscription, w.cred, w.options))(w.t)
	d := armresources.Deployment{Properties: &armresources.DeploymentProperties{Mode: to.Ptr(armresources.DeploymentModeIncremental), Template: template, Parameters: given}}
	often := &runtime.PollUntilDoneOptions{Frequency: 50 * time.Millisecond}
	must(must(c.BeginValidate(w.t.Context(), group, name, d, nil))(w.t).PollUntilDone(w.t.Context(), often))(w.t)
	done := must(must(c.BeginCreateOrUpdate(w.t.Context(), group, name, d, nil))(w.t).PollUntilDone(w.t.Context(), often))(w.t)
	out := map[string]any{}
	for name, v := range done.Properties.Outputs.(map[string]any) {
		out[name] = v.(map[string]any)["value"]
	}
	return out
}

// TestTemplates deploys whole templates through the home into both regions: a service with API, policy, products and a
// subscription, in the other region; storage, Traffic Manager and a workflow; and what the Bicep compiler writes.
func TestTemplates(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"))
	w := newWorld(t)
	defer w.stop()
	groups := must(armresources.NewResourceGroupsClient(subscription, w.cred, w.options))(t)
	for name, place := range map[string]string{"primary": "centralindia", "standby": "southindia"} {
		must(groups.CreateOrUpdate(t.Context(), name, armresources.ResourceGroup{Location: &place}, nil))(t)
	}
	out := w.deploy("primary", "apim", map[string]any{"apimName": "apim-primary", "word": "hidden"})
	if out["gateway"] != w.region.GatewayURL("apim-primary") || out["gateway"] == "" || out["key"] != nil {
		t.Errorf("the service's template gives %v", out)
	}
	f := must(apimsdk.NewClientFactory(subscription, w.cred, w.options))(t)
	keys := must(f.NewSubscriptionClient().ListSecrets(t.Context(), "primary", "apim-primary", "client", nil))(t)
	if got := w.expect("apim-primary", *keys.PrimaryKey, 200); !strings.Contains(got, "hidden from centralindia") {
		t.Errorf("the policy answers %q", got)
	}

	out = w.deploy("standby", "recovery", map[string]any{"profile": "app", "targets": []string{"one.example.org", "two.example.org"}})
	if out["name"] != "app.trafficmanager.net" {
		t.Errorf("the recovery's template gives %v", out)
	}
	const flow = "/subscriptions/" + subscription + "/resourceGroups/standby/providers/Microsoft.Logic/workflows/watch"
	_, saved := w.call("GET", flow+workflowVersion, nil)
	definition := saved["properties"].(map[string]any)["definition"].(map[string]any)
	if got := definition["actions"].(map[string]any)["Compose"].(map[string]any)["inputs"]; got != "@{length(parameters('accessKey'))} [[of the account]" {
		t.Errorf("the workflow's text became %v", got)
	}
	_, profile := w.call("GET", "/subscriptions/"+subscription+"/resourceGroups/standby/providers/Microsoft.Network/trafficManagerProfiles/app?api-version=2022-04-01", nil)
	if n := len(profile["properties"].(map[string]any)["endpoints"].([]any)); n != 2 {
		t.Errorf("the profile has %d endpoints", n)
	}

	out = w.deploy("primary", "bicep", map[string]any{"apimName": "apim-primary", "group": "standby"})
	account, _ := out["account"].(string)
	paths, _ := json.Marshal(out["paths"])
	if !strings.HasPrefix(account, "bicep") || string(paths) != `["orders","stock"]` || out["gateway"] == "" {
		t.Errorf("what Bicep writes gives %v", out)
	}
	if _, ok := w.home.controlPlane().resources.AccountID(t.Context(), account); !ok {
		t.Errorf("the account %s was not made", account)
	}
	if status, tag := w.call("GET", "/subscriptions/"+subscription+"/resourceGroups/primary/providers/Microsoft.ApiManagement/service/apim-primary/tags/many?api-version=2022-08-01", nil); status != 200 {
		t.Errorf("the tag is answered with %d %v", status, tag)
	}
}
