package snapshot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tandem"
)

// TestFolderIsIdentity: what is written to a folder is read back, over whatever stood there before.
func TestFolderIsIdentity(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		all := drawResources(rt)
		if _, err := tarOf(all); err != nil {
			rt.Skip("the format itself refuses it")
		}
		if err := WriteFolder(dir, Manifest{Source: Source{Name: "s"}}, all, true); err != nil {
			rt.Fatal(err)
		}
		meta, got, err := ReadFolder(dir)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(canonicalOf(t, all), got, cmp.Transformer("empty", func(r Resource) Resource {
			if string(r.Envelope) == "{}" {
				r.Envelope = nil
			}
			return r
		})); diff != "" {
			rt.Fatal(diff)
		}
		if meta.Source.Name != "s" {
			rt.Fatalf("the source is %+v", meta.Source)
		}
	})
}

func TestFolderWithoutSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteFolder(dir, Manifest{}, sample(), true); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "secrets.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secrets have mode %v, %v", info.Mode(), err)
	}
	if err := WriteFolder(dir, Manifest{}, sample()[:5], false); err != nil {
		t.Fatal(err)
	}
	_ = filepath.Walk(dir, func(file string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			if b, _ := os.ReadFile(file); strings.Contains(string(b), "k1") {
				t.Errorf("%s has a secret", file)
			}
		}
		return err
	})
	meta, got, err := ReadFolder(dir)
	if err != nil || len(got) != 5 || len(meta.Omissions) != 1 || meta.Omissions[0].What != "secrets" {
		t.Errorf("read %d resources with %+v, %v", len(got), meta.Omissions, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		t.Error("a file of people went away")
	}
	if _, err := os.Stat(filepath.Join(dir, "tags")); err == nil {
		t.Error("an empty folder stayed")
	}
}

// TestFolderIsRefused: nothing in a folder is passed over in silence (law 10), and nothing outside of it is read.
func TestFolderIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"a file of no resource":       func(dir string) error { return os.WriteFile(filepath.Join(dir, "apis", "x.json"), []byte("{}"), 0o600) },
		"not JSON":                    func(dir string) error { return os.WriteFile(filepath.Join(dir, "service.json"), []byte("{"), 0o600) },
		"a document with a lost text": func(dir string) error { return os.Remove(filepath.Join(dir, "policyFragments", "common.xml")) },
		"a link":                      func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "apis", "link.json")) },
		"another format": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"format":"x"}`), 0o600)
		},
		"secrets of nobody": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "secrets.jsonl"), []byte(`{"path":"apis/none","secrets":{"a":"b"}}`+"\n"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := WriteFolder(dir, Manifest{}, sample(), true); err != nil {
				t.Fatal(err)
			}
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, _, err := ReadFolder(dir); tandem.KindOf(err) != tandem.Invalid || !strings.Contains(err.Error(), dir) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "holiday.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteFolder(dir, Manifest{}, sample(), true); tandem.KindOf(err) != tandem.Exists {
		t.Errorf("a folder of others was written to: %v", err)
	}
}
