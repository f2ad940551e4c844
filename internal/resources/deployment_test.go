package resources_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"tandem/internal/store"
)

// deployWorld is a world with a resource group, that deploys through itself.
func deployWorld(t *testing.T) (*world, *armresources.DeploymentsClient) {
	t.Helper()
	w := newWorld(t)
	w.resources.Serve(w.arm.Config.Handler)
	check(t, w.resources.EnsureResourceGroup(t.Context(), subscriptionID, "rg1", "centralindia"))
	c, err := armresources.NewDeploymentsClient(subscriptionID, w.credential(w.owner), w.options())
	check(t, err)
	return w, c
}

const schema = `"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0"`

func parsed(t *testing.T, text string) any {
	t.Helper()
	var v any
	check(t, json.Unmarshal([]byte(text), &v))
	return v
}

func properties(t *testing.T, template, parameters string) *armresources.DeploymentProperties {
	return &armresources.DeploymentProperties{Mode: to.Ptr(armresources.DeploymentModeIncremental), Template: parsed(t, template), Parameters: parsed(t, parameters)}
}

func often() *runtime.PollUntilDoneOptions {
	return &runtime.PollUntilDoneOptions{Frequency: time.Millisecond}
}

// accounts makes two storage accounts in a loop, containers in them, and hands the keys on.
const accounts = `{` + schema + `,
  "parameters": {"prefix": {"type": "string", "minLength": 3}, "secret": {"type": "secureString"}, "location": {"type": "string", "defaultValue": "[resourceGroup().location]"}},
  "variables": {"base": "[concat(parameters('prefix'), toLower('ACC'))]"},
  "resources": [
    {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "[concat(variables('base'), copyIndex(1))]", "copy": {"name": "all", "count": 2},
      "location": "[parameters('location')]", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "tags": {"secret": "[parameters('secret')]"}, "properties": {}},
    {"type": "Microsoft.Storage/storageAccounts/blobServices/containers", "apiVersion": "2023-01-01", "name": "[concat(variables('base'), '1/default/backups')]", "dependsOn": ["all"], "properties": {}},
    {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "never", "condition": false, "location": "[parameters('location')]", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}],
  "outputs": {
    "endpoint": {"type": "string", "value": "[reference(resourceId('Microsoft.Storage/storageAccounts', concat(variables('base'), '1'))).primaryEndpoints.blob]"},
    "key": {"type": "secureString", "value": "[listKeys(concat(variables('base'), '2'), '2023-01-01').keys[0].value]"},
    "count": {"type": "int", "value": "[length(listKeys(concat(variables('base'), '2'), '2023-01-01').keys)]"}}}`

const accountParameters = `{"prefix": {"value": "drx"}, "secret": {"value": "hunter2"}}`

// TestDeployment validates, looks ahead, deploys, reads back and deletes with the official client.
func TestDeployment(t *testing.T) {
	w, c := deployWorld(t)
	ctx := t.Context()
	validate, err := c.BeginValidate(ctx, "rg1", "first", armresources.Deployment{Properties: properties(t, accounts, accountParameters)}, nil)
	check(t, err)
	valid, err := validate.PollUntilDone(ctx, often())
	check(t, err)
	if n := len(valid.Properties.ValidatedResources); valid.Error != nil || n != 3 {
		t.Errorf("validation gives %d resources, %v", n, valid.Error)
	}
	changes := whatIf(t, c)
	if len(changes) != 3 || *changes[0].ChangeType != armresources.ChangeTypeCreate {
		t.Errorf("before the deployment there are %d changes, the first %v", len(changes), *changes[0].ChangeType)
	}
	deploy, err := c.BeginCreateOrUpdate(ctx, "rg1", "first", armresources.Deployment{Properties: properties(t, accounts, accountParameters), Tags: map[string]*string{"a": to.Ptr("b")}}, nil)
	check(t, err)
	done, err := deploy.PollUntilDone(ctx, often())
	check(t, err)
	outputs := done.Properties.Outputs.(map[string]any)
	value := func(name string) any { return outputs[name].(map[string]any)["value"] }
	if *done.Properties.ProvisioningState != armresources.ProvisioningStateSucceeded || value("endpoint") != "https://drxacc1.blob.core.windows.net/" || value("key") != nil || value("count") != 2.0 {
		t.Errorf("the deployment is %s with %v", *done.Properties.ProvisioningState, outputs)
	}
	if len(done.Properties.OutputResources) != 3 || len(done.Properties.Dependencies) != 1 {
		t.Errorf("it tells of %d resources and %d dependencies", len(done.Properties.OutputResources), len(done.Properties.Dependencies))
	}
	if got := w.blobs.names["drxacc1"]; len(got) != 1 {
		t.Errorf("the container is not there: %v", got)
	}
	for _, change := range whatIf(t, c) {
		if *change.ChangeType != armresources.ChangeTypeNoChange && !strings.HasSuffix(*change.ResourceID, "backups") {
			t.Errorf("after the deployment %s would change: %v", *change.ResourceID, change.Delta)
		}
	}
	ops, err := armresources.NewDeploymentOperationsClient(subscriptionID, w.credential(w.owner), w.options())
	check(t, err)
	page, err := ops.NewListPager("rg1", "first", nil).NextPage(ctx)
	check(t, err)
	if len(page.Value) != 4 {
		t.Errorf("it has %d operations, want 3 and the outputs", len(page.Value))
	}
	if _, err := ops.Get(ctx, "rg1", "first", *page.Value[0].OperationID, nil); err != nil {
		t.Error(err)
	}
	exported, err := c.ExportTemplate(ctx, "rg1", "first", nil)
	check(t, err)
	if exported.Template.(map[string]any)["contentVersion"] != "1.0.0.0" {
		t.Errorf("the template is exported as %v", exported.Template)
	}
	list, err := c.NewListByResourceGroupPager("rg1", nil).NextPage(ctx)
	check(t, err)
	if exists, err := c.CheckExistence(ctx, "rg1", "first", nil); err != nil || !exists.Success || len(list.Value) != 1 {
		t.Errorf("it is there: %v, %v; the list has %d", exists.Success, err, len(list.Value))
	}
	if _, err := c.Cancel(ctx, "rg1", "first", nil); !isCode(err, "DeploymentCannotBeCancelled") {
		t.Errorf("a deployment that ended is cancelled with %v", err)
	}
	remove, err := c.BeginDelete(ctx, "rg1", "first", nil)
	check(t, err)
	_, err = remove.PollUntilDone(ctx, often())
	check(t, err)
	if _, err := c.Get(ctx, "rg1", "first", nil); !isCode(err, "DeploymentNotFound") {
		t.Errorf("after its deletion it answers %v", err)
	}
	w.holdsNo("hunter2")
}

// holdsNo looks whether a secret lies in a record of a deployment or of an operation in the clear.
func (w *world) holdsNo(secret string) {
	w.t.Helper()
	for _, prefix := range []string{"resources/deployments/", "operations/"} {
		for doc := range docs(w, prefix) {
			if strings.Contains(string(doc), secret) {
				w.t.Errorf("a record below %s holds a secret", prefix)
			}
		}
	}
}

func whatIf(t *testing.T, c *armresources.DeploymentsClient) []*armresources.WhatIfChange {
	t.Helper()
	p, err := c.BeginWhatIf(t.Context(), "rg1", "first", armresources.DeploymentWhatIf{Properties: &armresources.DeploymentWhatIfProperties{Mode: to.Ptr(armresources.DeploymentModeIncremental),
		Template: parsed(t, accounts), Parameters: parsed(t, accountParameters)}}, nil)
	check(t, err)
	got, err := p.PollUntilDone(t.Context(), often())
	check(t, err)
	text, err := json.Marshal(got)
	check(t, err)
	if strings.Contains(string(text), "hunter2") {
		t.Error("the look ahead shows the value of a secure parameter")
	}
	return got.Properties.Changes
}

func isCode(err error, code string) bool {
	var e *azcore.ResponseError
	return errors.As(err, &e) && e.ErrorCode == code
}

// TestDeploymentOfAz sends what "az deployment group create" does: not quite JSON, with comments.
func TestDeploymentOfAz(t *testing.T) {
	w, _ := deployWorld(t)
	body := "{\"properties\": {\"mode\": \"incremental\", \"parameters\": {}, template:{" + schema + ",\n// the account\n\"resources\": [],\n \"outputs\": {\"o\": {\"type\": \"string\", \"value\": \"[deployment().name]\"}}}}}"
	if status, answer := w.send("POST", "/subscriptions/"+subscriptionID+"/resourcegroups/rg1/providers/Microsoft.Resources/deployments/az/validate?api-version=2024-11-01", body); status != 200 {
		t.Errorf("it is validated with %d %s", status, answer)
	}
	if status, answer := w.send("PUT", "/subscriptions/"+subscriptionID+"/resourcegroups/rg1/providers/Microsoft.Resources/deployments/az?api-version=2024-11-01", body); status != 201 {
		t.Errorf("it is made with %d %s", status, answer)
	}
}

func (w *world) send(method, path, body string) (int, string) {
	w.t.Helper()
	token, err := w.credential(w.owner).GetToken(w.t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}})
	check(w.t, err)
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.arm.URL+path, bytes.NewReader([]byte(body)))
	check(w.t, err)
	req.Header.Set("Authorization", "Bearer "+token.Token)
	resp, err := w.transport().Do(req)
	check(w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(w.t, err)
	return resp.StatusCode, string(text)
}

// TestDeploymentThatFails tells which resource failed and why; what does not depend on it is made.
func TestDeploymentThatFails(t *testing.T) {
	_, c := deployWorld(t)
	deploy, err := c.BeginCreateOrUpdate(t.Context(), "rg1", "bad", armresources.Deployment{Properties: properties(t, `{`+schema+`, "resources": [
		{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "BAD NAME", "location": "centralindia", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}},
		{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "afterbad", "dependsOn": ["BAD NAME"], "location": "centralindia", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}},
		{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "goodone", "location": "centralindia", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}]}`, `{}`)}, nil)
	check(t, err)
	if _, err = deploy.PollUntilDone(t.Context(), often()); !isCode(err, "DeploymentFailed") || !strings.Contains(err.Error(), "BAD NAME") {
		t.Errorf("it ends with %v", err)
	}
	got, err := c.Get(t.Context(), "rg1", "bad", nil)
	check(t, err)
	if *got.Properties.ProvisioningState != armresources.ProvisioningStateFailed || len(got.Properties.Error.Details) != 1 {
		t.Errorf("it is %s with %v", *got.Properties.ProvisioningState, got.Properties.Error)
	}
	for text, want := range map[string]string{
		`"resources": [{"type": "Microsoft.Nothing/things", "apiVersion": "2023-01-01", "name": "a"}]`:               "resources[0]: the resource type 'Microsoft.Nothing/things' is not served here",
		`"resources": [{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "[no()]"}]`: "resources[0].name: the function 'no' is not known",
	} {
		_, err := c.BeginCreateOrUpdate(t.Context(), "rg1", "worse", armresources.Deployment{Properties: properties(t, `{`+schema+`,`+text+`}`, `{}`)}, nil)
		if !isCode(err, "InvalidTemplate") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is answered with %v", text, err)
		}
	}
	complete := properties(t, `{`+schema+`, "resources": []}`, `{}`)
	complete.Mode = to.Ptr(armresources.DeploymentModeComplete)
	if _, err := c.BeginCreateOrUpdate(t.Context(), "rg1", "complete", armresources.Deployment{Properties: complete}, nil); !isCode(err, "NotSupported") {
		t.Errorf("the complete mode is answered with %v", err)
	}
}

// TestDeploymentAtSubscription makes a resource group, and deploys into it from within: once with expressions evaluated
// outside, once inside.
func TestDeploymentAtSubscription(t *testing.T) {
	_, c := deployWorld(t)
	text := `{"$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#", "contentVersion": "1.0.0.0",
	  "parameters": {"name": {"type": "string"}}, "variables": {"account": "outeraccount"},
	  "resources": [
	    {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2021-04-01", "name": "[parameters('name')]", "location": "southindia"},
	    {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "outer", "resourceGroup": "[parameters('name')]", "dependsOn": ["[subscriptionResourceId('Microsoft.Resources/resourceGroups', parameters('name'))]"],
	      "properties": {"mode": "Incremental", "template": {` + schema + `, "resources": [{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "[variables('account')]",
	        "location": "[deployment().location]", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}]}}},
	    {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner", "resourceGroup": "[parameters('name')]", "dependsOn": ["outer"],
	      "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "parameters": {"name": {"value": "[concat(variables('account'), '2')]"}},
	        "template": {` + schema + `, "parameters": {"name": {"type": "string"}}, "resources": [{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "[parameters('name')]",
	        "location": "[resourceGroup().location]", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}], "outputs": {"id": {"type": "string", "value": "[resourceId('Microsoft.Storage/storageAccounts', parameters('name'))]"}}}}}],
	  "outputs": {"id": {"type": "string", "value": "[reference(resourceId(subscription().subscriptionId, parameters('name'), 'Microsoft.Resources/deployments', 'inner')).outputs.id.value]"}}}`
	deploy, err := c.BeginCreateOrUpdateAtSubscriptionScope(t.Context(), "all", armresources.Deployment{Location: to.Ptr("centralindia"), Properties: properties(t, text, `{"name": {"value": "made"}}`)}, nil)
	check(t, err)
	done, err := deploy.PollUntilDone(t.Context(), often())
	check(t, err)
	if id := done.Properties.Outputs.(map[string]any)["id"].(map[string]any)["value"]; id != "/subscriptions/"+subscriptionID+"/resourceGroups/made/providers/Microsoft.Storage/storageAccounts/outeraccount2" {
		t.Error(id)
	}
	nested, err := c.Get(t.Context(), "made", "outer", nil)
	check(t, err)
	if n := len(nested.Properties.OutputResources); n != 1 {
		t.Errorf("the nested deployment tells of %d resources", n)
	}
}

// docs are the values of documents below a prefix.
func docs(w *world, prefix string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		page, err := w.store.List(w.t.Context(), prefix, store.ListOptions{})
		check(w.t, err)
		for _, d := range page.Documents {
			if !yield(d.Value) {
				return
			}
		}
	}
}

// TestBlobServiceInTemplates takes the settings that templates write where they ask for nothing, and refuses others.
func TestBlobServiceInTemplates(t *testing.T) {
	w, _ := deployWorld(t)
	account := "/subscriptions/" + subscriptionID + "/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/plain1"
	if status, answer := w.send("PUT", account+"?api-version=2023-01-01", `{"location": "centralindia", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}`); status >= 300 {
		t.Fatal(status, answer)
	}
	for body, want := range map[string]int{`{}`: 200, `{"properties": {"cors": {"corsRules": []}, "deleteRetentionPolicy": {"enabled": false}}}`: 200,
		`{"properties": {"deleteRetentionPolicy": {"enabled": true, "days": 7}}}`: 409} {
		if status, answer := w.send("PUT", account+"/blobServices/default?api-version=2023-01-01", body); status != want {
			t.Errorf("%s is answered with %d %s", body, status, answer)
		}
	}
}
