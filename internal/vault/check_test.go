package vault_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"tandem"
	"tandem/internal/vault"
	"tandem/internal/vault/dir"
)

// liar is a vault with one fault.
type liar struct {
	vault.Vault
	fault string
}

func (l liar) Put(ctx context.Context, name string, r io.Reader, o vault.PutOptions) (vault.Info, error) {
	switch l.fault {
	case "cannot write":
		return vault.Info{}, &tandem.Error{Op: "put blob", Kind: tandem.Denied}
	case "lost write":
		n, err := io.Copy(io.Discard, r)
		return vault.Info{Name: name, Size: n}, err
	case "short write":
		return l.Vault.Put(ctx, name, io.LimitReader(r, 100), o)
	case "ignores conditions":
		o.IfAbsent = false
	}
	return l.Vault.Put(ctx, name, r, o)
}

func (l liar) Get(ctx context.Context, name string, part vault.Range) (io.ReadCloser, vault.Info, error) {
	if l.fault == "ignores ranges" {
		part = vault.Range{}
	}
	r, info, err := l.Vault.Get(ctx, name, part)
	if err == nil && l.fault == "rotten bytes" {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(r, 77), strings.NewReader("rot")), r}, info, nil
	}
	return r, info, err
}

func (l liar) List(ctx context.Context, prefix string) iter.Seq2[vault.Info, error] {
	if l.fault == "stale list" {
		return func(func(vault.Info, error) bool) {}
	}
	return l.Vault.List(ctx, prefix)
}

func (l liar) Delete(ctx context.Context, name string) error {
	switch l.fault {
	case "cannot delete":
		return &tandem.Error{Op: "delete blob", Kind: tandem.Denied}
	case "keeps deleted":
		return nil
	}
	return l.Vault.Delete(ctx, name)
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		fault, step string
		kind        tandem.Kind
	}{
		{"", "", ""},
		{"cannot write", "write", tandem.Denied},
		{"lost write", "read back", tandem.NotFound},
		{"short write", "write", tandem.Corrupt},
		{"rotten bytes", "read back", tandem.Corrupt},
		{"ignores ranges", "read back", tandem.Corrupt},
		{"stale list", "list after write", tandem.Corrupt},
		{"ignores conditions", "refuse a second write", tandem.Corrupt},
		{"cannot delete", "delete", tandem.Denied},
		{"keeps deleted", "miss after delete", tandem.Corrupt},
	} {
		t.Run(c.fault, func(t *testing.T) {
			v, err := dir.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			got, err := vault.Check(context.Background(), liar{v, c.fault}, tandem.SystemClock{})
			if c.fault == "" {
				if err != nil || len(got.Steps) != 6 || got.Drift != 0 {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), "check vault: "+c.step+" ") {
				t.Errorf("got %v", err)
			}
			for info := range v.List(context.Background(), "") {
				if !strings.Contains(c.fault, "delete") {
					t.Errorf("left behind: %s", info.Name)
				}
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a.", "a ", `a\b`, "a:b", "a\nb", "a\x00", "\xff", strings.Repeat("a", 201), strings.Repeat("a/", 500) + "a"} {
		if err := vault.CheckName(name); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%q: %v", name, err)
		}
		v, err := dir.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Put(context.Background(), name, strings.NewReader("x"), vault.PutOptions{}); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%q in a folder: %v", name, err)
		}
	}
	for _, name := range []string{"a", "2026-03-01T12.00.00Z/apim.apimbackup", "ü b/c"} {
		if err := vault.CheckName(name); err != nil {
			t.Error(err)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"a", "a/b", "..", "a/../b", "x.tandem", "a ", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if vault.CheckName(name) != nil {
			return
		}
		for s := range strings.SplitSeq(name, "/") {
			if s == "" || s == "." || s == ".." || len(s) > 200 || strings.ContainsAny(s, "\\\x00\n") {
				t.Fatalf("%q was accepted", name)
			}
		}
	})
}
