package tandem_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// floors says on which floor a package stands. A package imports only from floors below its own, and its own
// sub-packages; ARCHITECTURE.md tells what each is for.
var floors = map[string]int{
	"": 0, "arm": 1, "store": 1, "vault": 1, "keys": 1, "csharp": 1, "failover": 1, "exchange": 1,
	"identity": 2, "resources": 2, "policy": 2, "traffic": 2, "workflow": 2,
	"apim": 3, "snapshot": 4, "gateway": 4, "replica": 5, "recovery": 6, "console": 7, "node": 8, "rehearsal": 9, "cmd": 10, "bench": 10, "test": 10,
}

// TestFloors holds the arrows of the architecture pointing down.
func TestFloors(t *testing.T) {
	walkGo(t, func(path, pkg string) {
		own, ok := floors[pkg]
		if !ok {
			t.Errorf("%s: the package %q stands on no floor; give it one in floors_test.go and ARCHITECTURE.md", path, pkg)
			return
		}
		if strings.HasSuffix(path, "_test.go") {
			return // a test may use what it proves its package with
		}
		for _, imp := range imports(t, path) {
			target, ours := packageOf(imp)
			if !ours || target == pkg {
				continue
			}
			if theirs := floors[target]; theirs >= own {
				t.Errorf("%s (floor %d) imports %s (floor %d): arrows point down only", path, own, imp, theirs)
			}
		}
	})
}

// TestRootIsPure holds the root package to the standard library.
func TestRootIsPure(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, imp := range imports(t, f) {
			if strings.Contains(imp, ".") || strings.HasPrefix(imp, "tandem") {
				t.Errorf("%s imports %s: the root package imports only the standard library", f, imp)
			}
		}
	}
}

// TestClock holds the rule that only the clock tells the time.
func TestClock(t *testing.T) {
	walkGo(t, func(path, pkg string) {
		if path == "clock.go" || strings.HasPrefix(path, "bench") {
			return
		}
		for _, call := range calls(t, path, "time", "Now", "Sleep", "After", "Since", "Until", "Tick") {
			t.Errorf("%s uses time.%s; take a tandem.Clock", path, call)
		}
	})
}

// longest is how many lines a file may have: a file is one idea.
const longest = 600

func walkGo(t *testing.T, visit func(path, pkg string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			pkg, _ := packageOf("tandem/" + filepath.ToSlash(filepath.Dir(path)))
			visit(filepath.ToSlash(path), pkg)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// packageOf gives the noun of an import path: "tandem/internal/csharp/dotnet" is csharp.
func packageOf(imp string) (string, bool) {
	if imp == "tandem" || imp == "tandem/." {
		return "", true
	}
	rest, ours := strings.CutPrefix(imp, "tandem/")
	if !ours {
		return "", false
	}
	rest = strings.TrimPrefix(rest, "internal/")
	noun, _, _ := strings.Cut(rest, "/")
	return noun, true
}

func imports(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range f.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		out = append(out, p)
	}
	return out
}
