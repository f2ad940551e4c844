package policy

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"tandem"
)

// brokenAtSource are corpus files that are no policy document as they stand.
var brokenAtSource = map[string]string{
	"Call out to an HTTP endpoint and cache the response.policy.xml": `a formatter turned ContainsKey("latlong") into ContainsKey("latlong=""")`,
}

// refused are corpus files that have errors, with what is wrong in them: by it Azure would not take them either, or
// Tandem says why it does not. The test fails when one of them is no longer refused, so that the list stays true.
var refusedFiles = map[string]string{
	"DELETE a from to blobStorage account.xml":                                 "calls MatchedParameters, a property, as a method",
	"GET a file from blobStorage account.xml":                                  "calls MatchedParameters, a property, as a method",
	"PUT a file to blobStorage account.xml":                                    "calls MatchedParameters, a property, as a method",
	"Generate Azure Relay Token.policy.xml":                                    "base-url is empty",
	"Loopback request for service at same API Management service.xml":          "a formatter damaged the strings",
	"Pre-authorize requests based on HTTP method with validate-jwt.policy.xml": "a formatter damaged the strings",
	"Return a blob URL signed with a user delegation SAS token.xml":            "AddSeconds of a string; XmlDocument is not on Microsoft's list",
	"Extract value from XML.xml":                                               "XmlReader is not on Microsoft's list",
	"TestData/azure-openai-token-limit.xml":                                    "misspelt attribute",
	"TestData/llm-token-limit.xml":                                             "misspelt attribute",
	"TestData/cache-value.xml":                                                 "no such policy",
	"TestData/invoke-darp-binding.xml":                                         "misspelt policy",
	"TestData/publish-to-darp.xml":                                             "misspelt policy",
	"TestData/set-backend-service.xml":                                         "Service Fabric",
	"TestData/validate-content.xml":                                            "XML Schema",
	"TestData/validate-status-code.xml":                                        "misspelt attribute",
	"TestData/xsl-transform.xml":                                               "XSLT",
	"finops-framework/policy.xml":                                              "a template whose placeholder stands for elements",
	"ghcp-byok-foundry/entra-policy.xml":                                       "a template whose placeholder stands inside a C# string hole",
	"inference-api-policy-with-retry-tracked.xml":                              "a template whose placeholder is a bare word",
	"inference-failover/apim-policies/inference-api-policy.xml":                "a template whose placeholder is a bare word",
	"aca-backend-pool-load-balancing-with-retry-tracked.xml":                   "a template of another language: single quotes, doubled braces",
}

func knownRefused(path string) bool {
	for suffix := range refusedFiles {
		if strings.HasSuffix(filepath.ToSlash(path), suffix) {
			return true
		}
	}
	return false
}

func corpusFiles(t testing.TB) []string {
	root := filepath.Join("..", "..", "..", "shared", "corpus", "policies")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the policy corpus is not beside this checkout")
	}
	var out []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestCorpusIsSupported compiles every policy and every expression of the corpus.
func TestCorpusIsSupported(t *testing.T) {
	files := corpusFiles(t)
	start := tandem.SystemClock{}.Now()
	r, err := CheckAll(files, os.ReadFile, CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	took := tandem.SystemClock{}.Now().Sub(start)
	counts := map[string]int{}
	for _, f := range r.Files {
		if _, broken := brokenAtSource[filepath.Base(f.Path)]; broken {
			continue
		}
		if knownRefused(f.Path) {
			if f.Supported {
				t.Errorf("%s is supported now; take it off the list", f.Path)
			}
			continue
		}
		for _, p := range f.Problems {
			if p.Severity == Error {
				counts[p.Kind+" "+p.Name]++
				t.Errorf("%s", p)
			}
		}
	}
	var keys []string
	for k := range counts {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return counts[keys[i]] > counts[keys[j]] })
	for _, k := range keys {
		t.Logf("%4d %s", counts[k], k)
	}
	t.Logf("%d files: %d supported, %d cannot be read, %d errors, %d warnings, %d expressions; %v", r.Summary.Files, r.Summary.Supported,
		r.Summary.Unreadable, r.Summary.Errors, r.Summary.Warnings, r.Summary.Expressions, took)
}
