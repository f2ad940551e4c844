package main

import (
	"encoding/json"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"tandem/internal/rehearsal"
)

// fillWorkflow puts the values of a world into the eleven parameters of a workflow file and changes nothing else:
// fillworkflow ENDPOINTS IN OUT operation group service.
func fillWorkflow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 6 {
		ts.Fatalf("usage: fillworkflow endpoints in out operation group service")
	}
	var e rehearsal.Endpoints
	var file map[string]any
	readJSON(ts, args[0], &e)
	readJSON(ts, args[1], &file)
	at := file
	for _, name := range []string{"definition", "actions", "Parse_JSON", "inputs"} {
		next, ok := at[name].(map[string]any)
		if !ok {
			ts.Fatalf("%s has no %s", args[1], name)
		}
		at = next
	}
	at["content"] = map[string]string{"accessKey": e.Storage.Key, "apimInstance": args[5], "applicationId": e.Automation.ClientID, "backupName": "by-hand", "clientSecret": e.Automation.ClientSecret,
		"containerName": e.Storage.Container, "operation": args[3], "resourceGroup": args[4], "storageAccount": e.Storage.Account, "subscriptionId": e.SubscriptionID, "tenantId": e.TenantID}
	text, err := json.MarshalIndent(file, "", "  ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), text, 0o600))
}

func readJSON(ts *testscript.TestScript, file string, into any) {
	text, err := os.ReadFile(ts.MkAbs(file))
	ts.Check(err)
	ts.Check(json.Unmarshal(text, into))
}
