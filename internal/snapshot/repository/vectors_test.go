package repository

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"tandem"
	"tandem/internal/snapshot"
	"tandem/internal/vault/dir"
)

var update = flag.Bool("update", false, "write the vault of testdata anew; a released one is never changed")

// TestVectors reads the vault that version 1 of the layout wrote, with its identity: every later version must.
func TestVectors(t *testing.T) {
	root := filepath.Join("testdata", "vault-1")
	identity := root + ".identity"
	if *update {
		writeVector(t, root, identity)
	}
	raw, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir() // a vault makes folders of its own
	if err := os.CopyFS(copied, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	v, err := dir.Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), Config{Vault: v, Clock: tandem.SystemClock{}, Identities: ids})
	if err != nil {
		t.Fatal(err)
	}
	names, err := r.Snapshots(t.Context(), "")
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	for i, n := range names {
		rec, err := r.Record(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.Read(t.Context(), rec)
		if err != nil || len(all) != 1+2*40+8+i || all[1+2*40].Secrets["primaryKey"] == "" {
			t.Errorf("%s: %d resources, %v", n, len(all), err)
		}
	}
	if p, ok, err := r.Proof(t.Context(), names[0]); err != nil || !ok || p.Outcome != "proven" {
		t.Errorf("%+v, %v, %v", p, ok, err)
	}
	if r.Minimum().Hours() != 24 {
		t.Errorf("the minimum is %s", r.Minimum())
	}
}

func writeVector(t *testing.T, root, identity string) {
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	v, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	r, clock, id := newRepository2(t, v, 24*60*60*1e9)
	if err := os.WriteFile(identity, []byte("# of this test vault alone\n"+id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := resources(40)
	first := save(t, r, clock, all)
	if err := r.PutProof(t.Context(), first.Name, ProofRecord{Root: first.Record.Root, At: clock.now, Outcome: "proven", Resources: len(all)}); err != nil {
		t.Fatal(err)
	}
	save(t, r, clock, append(all, snapshot.Resource{Path: "tags/late", Properties: object(map[string]any{"displayName": "Late"})}))
	if err := os.RemoveAll(filepath.Join(root, ".put")); err != nil {
		t.Fatal(err)
	}
}
