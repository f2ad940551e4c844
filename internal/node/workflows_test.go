package node

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	apimsdk "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"go.uber.org/goleak"

	"tandem"
)

// call makes one ARM call as the operator and gives the answer's status and JSON.
func (w *world) call(method, path string, body any) (int, map[string]any) {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.home.Addresses().ARM+path, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := w.cred.GetToken(w.t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}})
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	text := readAll(w.t, resp)
	out := map[string]any{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			w.t.Fatalf("%s %s answers %d %s", method, path, resp.StatusCode, text)
		}
	}
	return resp.StatusCode, out
}

const workflowVersion = "?api-version=2019-05-01"

// seedWorkflow is the workflow file written for Azure, with values in the place of its own eleven parameters and nothing
// else changed.
func (w *world) seedWorkflow(operation, group, service string, account storageAccount) map[string]any {
	w.t.Helper()
	raw, err := os.ReadFile("../workflow/testdata/backup.json")
	if err != nil {
		w.t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(raw, &file); err != nil {
		w.t.Fatal(err)
	}
	c := w.home.Credentials()["operator"]
	at := file["definition"].(map[string]any)["actions"].(map[string]any)["Parse_JSON"].(map[string]any)["inputs"].(map[string]any)
	at["content"] = map[string]any{"accessKey": account.key, "apimInstance": service, "applicationId": c.ClientID, "backupName": "by-workflow", "clientSecret": c.ClientSecret,
		"containerName": "backups", "operation": operation, "resourceGroup": group, "storageAccount": account.name, "subscriptionId": subscription, "tenantId": c.TenantID}
	return map[string]any{"location": "southindia", "properties": map[string]any{"definition": file["definition"]}}
}

// awaitRuns waits until a workflow has so many runs that ended, and gives the newest.
func (w *world) awaitRuns(flow string, count int) map[string]any {
	w.t.Helper()
	for range 1200 {
		_, list := w.call("GET", flow+"/runs"+workflowVersion, nil)
		runs, _ := list["value"].([]any)
		ended := 0
		for _, r := range runs {
			if s := r.(map[string]any)["properties"].(map[string]any)["status"]; s != "Running" && s != "Waiting" {
				ended++
			}
		}
		if ended >= count {
			return runs[0].(map[string]any)
		}
		if err := (tandem.SystemClock{}).Sleep(w.t.Context(), 50*time.Millisecond); err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Fatalf("%s never had %d runs that ended", flow, count)
	return nil
}

// TestSeedWorkflows runs the workflows that people have, for backup and then for restore, by their schedule and by hand.
func TestSeedWorkflows(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"))
	w := newWorld(t)
	defer w.stop()
	groups := must(armresources.NewResourceGroupsClient(subscription, w.cred, w.options))(t)
	for name, place := range map[string]string{"primary": "centralindia", "standby": "southindia"} {
		must(groups.CreateOrUpdate(t.Context(), name, armresources.ResourceGroup{Location: &place}, nil))(t)
	}
	f := must(apimsdk.NewClientFactory(subscription, w.cred, w.options))(t)
	w.createService(f, "primary", "apim-primary", "Central India")
	w.createService(f, "standby", "apim-standby", "South India")
	w.buildAPI(f)
	account := w.storage()
	flows := map[string]string{}
	for _, c := range []struct{ operation, group, service string }{{"backup", "primary", "apim-primary"}, {"restore", "standby", "apim-standby"}} {
		flow := "/subscriptions/" + subscription + "/resourceGroups/standby/providers/Microsoft.Logic/workflows/" + c.operation
		flows[c.operation] = flow
		if status, answer := w.call("PUT", flow+workflowVersion, w.seedWorkflow(c.operation, c.group, c.service, account)); status != 201 {
			t.Fatalf("the workflow for %s is answered with %d %v", c.operation, status, answer)
		}
		w.succeeded(flow, 1) // without a start time the first run is at once
		if status, answer := w.call("POST", flow+"/triggers/Recurrence/run"+workflowVersion, nil); status != 200 && status != 202 {
			t.Fatalf("running %s by hand answers %d %v", c.operation, status, answer)
		}
		w.succeeded(flow, 2)
	}
	keys := must(f.NewSubscriptionClient().ListSecrets(t.Context(), "standby", "apim-standby", "client", nil))(t)
	w.expect("apim-standby", *keys.PrimaryKey, 200)

	_, list := w.call("GET", "/subscriptions/"+subscription+"/resourceGroups/standby/resources?api-version=2021-04-01&$filter=resourceType%20eq%20'Microsoft.Logic/workflows'", nil)
	if n := len(list["value"].([]any)); n != 2 {
		t.Errorf("the group lists %d workflows, want 2", n)
	}
}

// succeeded waits for a run, and demands that each of its actions succeeded.
func (w *world) succeeded(flow string, count int) {
	w.t.Helper()
	run := w.awaitRuns(flow, count)
	_, actions := w.call("GET", flow+"/runs/"+run["name"].(string)+"/actions"+workflowVersion, nil)
	list := actions["value"].([]any)
	if run["properties"].(map[string]any)["status"] != "Succeeded" || len(list) != 5 {
		text, _ := json.MarshalIndent(map[string]any{"run": run, "actions": list}, "", " ")
		w.t.Fatalf("run %d of %s: %s", count, flow, text)
	}
}
