package workflow

import (
	"slices"
	"strings"
	"testing"
)

func rules(t *testing.T, file []byte) []string {
	def, params, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range Lint(def, params) {
		if f.Path == "" || f.Message == "" || f.Remedy == "" {
			t.Errorf("%+v", f)
		}
		out = append(out, f.Rule)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestLint(t *testing.T) {
	common := "fixed-blob-name frequent-backup old-api-version overlapping-runs secret-literal silent-failure storage-key unescaped-form unsecured-token"
	if got := strings.Join(rules(t, seed(t)), " "); got != common {
		t.Errorf("backup: %s", got)
	}
	if got := strings.Join(rules(t, restoreSeed(t)), " "); got != "blind-restore "+strings.TrimPrefix(common, "fixed-blob-name ") {
		t.Errorf("restore: %s", got)
	}
	careful := `{"triggers":{"R":{"type":"Recurrence","operationOptions":"SingleInstance","recurrence":{"frequency":"Day","interval":1,"schedule":{"hours":[2]}}}},
	 "actions":{"B":{"type":"Http","inputs":{"method":"POST","authentication":{"type":"ManagedServiceIdentity"},
	   "uri":"https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/n/backup?api-version=2022-08-01",
	   "body":{"storageAccount":"a","containerName":"c","backupName":"b-@{utcNow('yyyyMMdd')}","accessType":"SystemAssignedManagedIdentity"}}},
	 "T":{"type":"Http","runAfter":{"B":["Failed","TimedOut"]},"inputs":{"method":"POST","uri":"https://hooks.example/alarm"}}}}`
	if got := rules(t, []byte(careful)); got != nil {
		t.Errorf("careful: %v", got)
	}
	unordered := `{"actions":{"A":{"type":"Compose","inputs":1},"B":{"type":"Compose","inputs":"@outputs('A')"}}}`
	if got := rules(t, []byte(unordered)); strings.Join(got, " ") != "reference-order" {
		t.Errorf("unordered: %v", got)
	}
}

func TestConvert(t *testing.T) {
	g, err := Convert(seed(t), restoreSeed(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := g.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"name: apim-primary", "resourceGroup: APIMPrimaryRG", "name: apim-dr", "resourceGroup: APIMDRRG", "storageAccount: drstorage",
		"container: backups", "namePrefix: nightly", "every: 30m0s", "rpo: 3m0s", "timeZone: India Standard Time", "clientSecret"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "s3cr3t") {
		t.Errorf("a secret is in\n%s", got)
	}
	if _, err := Convert([]byte(`{"actions":{}}`)); err == nil {
		t.Error("a workflow that does neither is converted")
	}
}
