package dir_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem"
	"tandem/internal/vault"
	"tandem/internal/vault/dir"
	"tandem/internal/vault/vaulttest"
)

func TestConformance(t *testing.T) {
	vaulttest.Run(t, func(t *testing.T) vault.Vault {
		v, err := dir.Open(filepath.Join(t.TempDir(), "vault"))
		if err != nil {
			t.Fatal(err)
		}
		return v
	})
}

func TestFolderFaults(t *testing.T) {
	root := t.TempDir()
	v, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	put := func(name string) error {
		_, err := v.Put(ctx, name, strings.NewReader("x"), vault.PutOptions{})
		return err
	}
	if err := put("a/b"); err != nil {
		t.Fatal(err)
	}
	if err := put("a"); !errors.Is(err, tandem.Invalid) {
		t.Errorf("a name that is a folder: %v", err)
	}
	if err := put("a/b/c"); !errors.Is(err, tandem.Invalid) {
		t.Errorf("a name below a blob: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(root, ".put"))
	if err != nil || len(left) != 0 {
		t.Errorf("left aside: %v, %v", left, err)
	}
	if os.Getuid() == 0 {
		t.Log("a read-only folder cannot be tried as root")
		return
	}
	if err := os.Chmod(filepath.Join(root, ".put"), 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(root, ".put"), 0o700)
	if err := put("c"); !errors.Is(err, tandem.Denied) {
		t.Errorf("read-only: %v", err)
	}
}
