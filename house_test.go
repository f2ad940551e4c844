package tandem_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestFileLength keeps a file to one idea.
func TestFileLength(t *testing.T) {
	walkGo(t, func(path, _ string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte("\n")); n > longest && !bytes.HasPrefix(b, []byte("// Code generated")) {
			t.Errorf("%s has %d lines; a file is one idea and has at most %d", path, n, longest)
		}
	})
}

// TestNoUnfinishedWork keeps words of unfinished work out of what ships.
func TestNoUnfinishedWork(t *testing.T) {
	words := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}
	walkGo(t, func(path, _ string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			for _, w := range words {
				if strings.Contains(line, w) {
					t.Errorf("%s:%d has the word %s", path, i+1, w)
				}
			}
		}
	})
}

// calls lists the calls of functions of a package in a file.
func calls(t *testing.T, path, pkg string, names ...string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(names, sel.Sel.Name) {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == pkg && id.Obj == nil {
				out = append(out, sel.Sel.Name)
			}
		}
		return true
	})
	return out
}
