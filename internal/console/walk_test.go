package console_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWalk drives the console of a whole world with a real browser; see test/console/walk.mjs.
func TestWalk(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a browser and a world")
	}
	script, err := filepath.Abs("../../test/console/walk.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("Node is not installed (apt-get install nodejs npm)")
	}
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(script), "node_modules", "playwright-core")); len(found) == 0 {
		t.Skip("the test's packages are not installed (npm ci in test/console)")
	}
	program := filepath.Join(t.TempDir(), "tandem")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "tandem/cmd/tandem").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "node", script, "--tandem", program).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 77:
		t.Skip(strings.TrimSpace(string(out)))
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
