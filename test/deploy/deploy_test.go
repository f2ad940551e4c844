// Package deploy tests what lies in deploy/: that the package installs and runs, and that unit, chart and rules are valid.
package deploy

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var deb = flag.String("package", "", "the Debian package to install")

const folder = "../../deploy/"

// tool gives the path of a program, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestPackage installs the package below a folder of its own, runs what it installed, and removes it again.
func TestPackage(t *testing.T) {
	if *deb == "" {
		t.Skip("no package is named; 'make test-deploy' builds one and names it")
	}
	dpkg := tool(t, "dpkg")
	root := t.TempDir()
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"var/lib/dpkg/status", "var/lib/dpkg/available"} {
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The scripts run on this machine, not in the folder: they must do nothing where systemd does not run, and are left out
	// here, since it may run.
	unpacked := t.TempDir()
	output(t, "dpkg-deb", "--raw-extract", *deb, unpacked)
	for _, script := range []string{"postinst", "prerm"} {
		output(t, "sh", "-n", filepath.Join(unpacked, "DEBIAN", script))
		if err := os.Remove(filepath.Join(unpacked, "DEBIAN", script)); err != nil {
			t.Fatal(err)
		}
	}
	plain := filepath.Join(t.TempDir(), "tandem.deb")
	output(t, "dpkg-deb", "--root-owner-group", "--build", unpacked, plain)
	args := []string{"--force-not-root", "--force-script-chrootless", "--instdir=" + root, "--admindir=" + filepath.Join(root, "var/lib/dpkg"), "--log=" + filepath.Join(root, "log")}
	output(t, dpkg, append(args, "--install", plain)...)
	if out := output(t, filepath.Join(root, "usr/bin/tandem"), "version"); !strings.HasPrefix(out, "tandem ") {
		t.Errorf("the installed program says %q", out)
	}
	for _, file := range []string{"usr/lib/systemd/system/tandem.service", "usr/lib/sysusers.d/tandem.conf", "usr/share/bash-completion/completions/tandem", "usr/share/doc/tandem/copyright"} {
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			t.Error(err)
		}
	}
	if pages, err := filepath.Glob(filepath.Join(root, "usr/share/man/man1/tandem*")); err != nil || len(pages) < 10 {
		t.Errorf("%d manual pages, %v", len(pages), err)
	}
	output(t, dpkg, append(args, "--purge", "tandem")...)
	if _, err := os.Stat(filepath.Join(root, "usr/bin/tandem")); !os.IsNotExist(err) {
		t.Errorf("the program is left after the package is removed: %v", err)
	}
}

// TestUnit lets systemd judge the unit, with a program and a configuration where it names them.
func TestUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	raw, err := os.ReadFile(folder + "systemd/tandem.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "tandem.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(raw), "/usr/bin/tandem", "/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	out := output(t, analyze, "verify", "--man=no", unit)
	for line := range strings.Lines(out) {
		if strings.Contains(line, "tandem.service") {
			t.Error(strings.TrimSpace(line))
		}
	}
}

// TestChart lets Helm judge the chart.
func TestChart(t *testing.T) {
	helm := tool(t, "helm")
	output(t, helm, "lint", "--strict", "--set", "config.region=south", folder+"helm/tandem")
	out := output(t, helm, "template", "south", folder+"helm/tandem", "--set", "config.region=south")
	for _, want := range []string{"kind: StatefulSet", "runAsNonRoot: true", "region: south"} {
		if !strings.Contains(out, want) {
			t.Errorf("the chart renders no %q:\n%s", want, out)
		}
	}
	if out, err := exec.Command(helm, "template", "south", folder+"helm/tandem").CombinedOutput(); err == nil || !strings.Contains(string(out), "the node needs its configuration") {
		t.Errorf("a chart without configuration: %v %s", err, out)
	}
}
