package policy

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"testing"
	"time"
)

// brokenAtSource are corpus files that are no policy document as they stand.
var brokenAtSource = map[string]string{
	"Call out to an HTTP endpoint and cache the response.policy.xml": `a formatter turned ContainsKey("latlong") into ContainsKey("latlong=""")`,
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
	start := time.Now()
	r, err := CheckAll(files, os.ReadFile, CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	counts := map[string]int{}
	for _, f := range r.Files {
		if _, broken := brokenAtSource[filepath.Base(f.Path)]; broken {
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
