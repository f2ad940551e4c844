package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The table must have every policy that Azure documents, the two retired names of the semantic cache included.
func TestRegistryIsComplete(t *testing.T) {
	documented := strings.Fields(`rate-limit rate-limit-by-key quota quota-by-key limit-concurrency llm-token-limit azure-openai-token-limit check-header
		get-authorization-context ip-filter validate-azure-ad-token validate-jwt validate-client-certificate authentication-basic authentication-certificate
		authentication-managed-identity validate-content validate-graphql-request validate-odata-request validate-parameters validate-headers validate-status-code
		llm-content-safety forward-request set-backend-service proxy cache-lookup cache-store cache-lookup-value cache-store-value cache-remove-value
		llm-semantic-cache-lookup llm-semantic-cache-store azure-openai-semantic-cache-lookup azure-openai-semantic-cache-store set-header set-query-parameter set-body
		set-method set-status set-variable rewrite-uri find-and-replace redirect-content-urls xml-to-json json-to-xml xsl-transform return-response mock-response
		cross-domain cors jsonp send-request send-one-way-request log-to-eventhub send-service-bus-message publish-to-dapr invoke-dapr-binding trace emit-metric
		llm-emit-token-metric azure-openai-emit-token-metric sql-data-source cosmosdb-data-source http-data-source publish-event choose include-fragment retry wait`)
	for _, name := range documented {
		if Find(name) == nil {
			t.Errorf("there is no row for %s", name)
		}
	}
	for _, p := range Registry() {
		if p.Does == "" || p.Category == "" || len(p.Sections) == 0 {
			t.Errorf("the row of %s is not complete", p.Name)
		}
		if p.compile == nil && p.Refused == "" && p.Name != "include-fragment" {
			t.Errorf("%s is neither compiled nor refused", p.Name)
		}
	}
}

// Every policy that is run must be used by a scenario.
func TestEveryPolicyHasAScenario(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	for _, p := range Registry() {
		name := p.Name
		if strings.HasPrefix(name, "azure-openai-") || strings.HasPrefix(name, "llm-") { // twins: one file for both names
			name = "-" + strings.TrimPrefix(strings.TrimPrefix(name, "azure-openai-"), "llm-")
		} else {
			name = "<" + name
		}
		tested := map[string]bool{"validate-jwt": true, "validate-azure-ad-token": true, "validate-client-certificate": true, "sql-data-source": true, "cosmosdb-data-source": true,
			"http-data-source": true, "publish-event": true, "authentication-certificate": true} // by Go tests
		if !tested[p.Name] && !strings.Contains(all.String(), name) {
			t.Errorf("no scenario uses %s", p.Name)
		}
	}
}

func TestDocs(t *testing.T) {
	d := Docs()
	for _, p := range Registry() {
		if !strings.Contains(d, "\n### "+p.Name+"\n") {
			t.Errorf("the documentation lacks %s", p.Name)
		}
	}
}
