package repository

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"tandem"
	"tandem/internal/snapshot"
	"tandem/internal/vault"
	"tandem/internal/vault/vaulttest"
)

// whole reads every snapshot that the vault lists.
func whole(t *testing.T, r *Repository) int {
	t.Helper()
	names, err := r.Snapshots(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		rec, err := r.Record(t.Context(), n)
		if err == nil {
			_, err = r.Read(t.Context(), rec)
		}
		if err != nil {
			t.Fatalf("%s looks whole and is not: %v", n, err)
		}
	}
	return len(names)
}

// TestSaveCutOff: a backup that dies at any call of the vault leaves nothing that looks whole and is not, the older snapshots
// as they are, and a retry finishes.
func TestSaveCutOff(t *testing.T) {
	for _, kind := range []string{"save", "advance"} {
		template := &vaulttest.Memory{}
		r, clock, _ := newRepository2(t, template, 0)
		all := resources(60)
		old := save(t, r, clock, all)
		clock.now = clock.now.Add(time.Hour)
		res := all[3]
		res.Properties = object(map[string]any{"changed": true})
		all[3] = res
		run := func(r *Repository) (err error) {
			if kind == "save" {
				_, err = r.Save(t.Context(), meta(clock), all, SaveOptions{})
			} else {
				_, err = r.Advance(t.Context(), old.Record, meta(clock), []Change{{res.Path, &res}})
			}
			return err
		}
		tried := 0
		for at := 1; ; at++ {
			v := template.Clone()
			mine := *r
			mine.Vault, mine.Concurrency = v, 1
			calls := 0
			v.Before = func(string, string) error {
				if calls++; calls >= at {
					return &tandem.Error{Op: "call", Kind: tandem.Unavailable}
				}
				return nil
			}
			err := run(&mine)
			v.Before = nil
			n := whole(t, &mine)
			if err == nil {
				if n != 2 {
					t.Errorf("%s: %d snapshots", kind, n)
				}
				break
			}
			tried++
			if err := run(&mine); err != nil {
				t.Fatalf("%s, call %d: the retry failed: %v", kind, at, err)
			}
			if again := whole(t, &mine); again != n+1 || n > 2 {
				t.Fatalf("%s, call %d: %d and then %d snapshots", kind, at, n, again)
			}
		}
		if tried < 6 {
			t.Errorf("%s: only %d faults", kind, tried)
		}
	}
}

// lying is a store that answers well and does something else.
type lying struct {
	*vaulttest.Memory
	fault string
	n     *int
}

func (l lying) Put(ctx context.Context, name string, r io.Reader, o vault.PutOptions) (vault.Info, error) {
	if strings.HasPrefix(name, chunksAt) {
		if *l.n++; *l.n == 3 {
			switch l.fault {
			case "lost write":
				return vault.Info{Name: name}, nil
			case "short write":
				return l.Memory.Put(ctx, name, io.LimitReader(r, 40), o)
			case "other bytes":
				return l.Memory.Put(ctx, name, bytes.NewReader(make([]byte, 200)), o)
			}
		}
	}
	return l.Memory.Put(ctx, name, r, o)
}

func (l lying) List(ctx context.Context, prefix string) iter.Seq2[vault.Info, error] {
	if l.fault == "list of what is gone" && prefix == chunksAt {
		return func(yield func(vault.Info, error) bool) {
			for info, err := range l.Memory.List(ctx, prefix) {
				if !yield(info, err) {
					return
				}
			}
			yield(vault.Info{Name: chunkBlob(strings.Repeat("ab", 32))}, nil)
		}
	}
	return l.Memory.List(ctx, prefix)
}

// TestStoreThatLies: what a store lost or changed while it said that all was well is found by the next reading, named, and never
// taken for content.
func TestStoreThatLies(t *testing.T) {
	for _, fault := range []string{"lost write", "short write", "other bytes", "list of what is gone"} {
		r, clock, _ := newRepository2(t, &vaulttest.Memory{}, 0)
		r.Concurrency = 1
		r.Vault = lying{r.Vault.(*vaulttest.Memory), fault, new(int)}
		s := save(t, r, clock, resources(300))
		_, err := r.Read(t.Context(), s.Record)
		if fault == "list of what is gone" {
			if err != nil {
				t.Errorf("%s: %v", fault, err)
			}
			continue
		}
		if !errors.Is(err, tandem.Corrupt) || !strings.Contains(err.Error(), chunksAt) {
			t.Errorf("%s: %v", fault, err)
		}
	}
}

// TestStoreThatRefuses: a full, read-only or slow store ends a backup with an error that says so.
func TestStoreThatRefuses(t *testing.T) {
	for _, kind := range []tandem.Kind{tandem.TooLarge, tandem.Denied} {
		v := &vaulttest.Memory{}
		r, clock, _ := newRepository2(t, v, 0)
		v.Before = func(verb, name string) error {
			if verb == "put" && strings.HasPrefix(name, chunksAt) {
				return &tandem.Error{Op: "put blob", Subject: name, Kind: kind}
			}
			return nil
		}
		if _, err := r.Save(t.Context(), meta(clock), resources(50), SaveOptions{}); !errors.Is(err, kind) {
			t.Errorf("%s: %v", kind, err)
		}
		if n := whole(t, r); n != 0 {
			t.Errorf("%s: %d snapshots", kind, n)
		}
	}
	v := &vaulttest.Memory{}
	r, clock, _ := newRepository2(t, v, 0)
	ctx, cancel := context.WithCancelCause(t.Context())
	tooSlow := errors.New("the deadline of the backup has passed")
	v.Before = func(verb, name string) error {
		if verb == "put" && strings.HasPrefix(name, chunksAt) {
			cancel(tooSlow) // the caller gives up while the store is at it
			return context.Cause(ctx)
		}
		return nil
	}
	if _, err := r.Save(ctx, meta(clock), resources(50), SaveOptions{}); !errors.Is(err, tooSlow) {
		t.Errorf("slow: %v", err)
	}
	v.Before = nil
	if names, _ := v.Names(); len(names) == 0 || whole(t, r) != 0 {
		t.Errorf("slow: %q", names)
	}
}

// TestHostile: chunks of somebody who has the key are bounded all the same, and refused where they are not what the format gives.
func TestHostile(t *testing.T) {
	v := &vaulttest.Memory{}
	r, _, _ := newRepository2(t, v, 0)
	put := func(plain []byte) string {
		name := r.ring.chunkName(plain)
		sealed, err := r.ring.seal(chunkBlob(name), plain)
		if err != nil {
			t.Fatal(err)
		}
		v.Change(chunkBlob(name), func([]byte) []byte { return sealed })
		return name
	}
	line := func(path string) []byte {
		out, err := snapshot.AppendLine(nil, snapshot.Resource{Path: path, Properties: object(map[string]any{})})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	leaf := func(lines ...[]byte) []byte { return append([]byte(leafHeader), bytes.Join(lines, nil)...) }
	good := Record{Format: recordFormat, Version: recordVersion, Resources: 1, Counts: map[string]int{"apis": 1}}
	for name, c := range map[string]struct {
		root   []byte
		height int
		kind   tandem.Kind
	}{
		"a bomb":                    {leaf(bytes.Repeat([]byte{' '}, maxPlain+1)), 0, tandem.TooLarge},
		"no leaf":                   {[]byte("text"), 0, tandem.Corrupt},
		"a path that is none":       {leaf([]byte(`{"document":{},"path":"../etc"}` + "\n")), 0, tandem.Corrupt},
		"another spelling":          {leaf([]byte(`{"path":"apis/a","document":{}}` + "\n")), 0, tandem.Corrupt},
		"twice, in different cases": {leaf(line("apis/A"), line("apis/a")), 0, tandem.Corrupt},
		"out of order":              {leaf(line("apis/b"), line("apis/a")), 0, tandem.Corrupt},
		"a node of itself":          {node([]entry{{strings.Repeat("ab", 32), 1, 10, "apis/a"}}), 3, tandem.Corrupt},
		"a million resources said":  {node([]entry{{strings.Repeat("ab", 32), 1 << 30, 1 << 40, "apis/a"}}), 1, tandem.Corrupt},
	} {
		rec := good
		rec.Root, rec.Height = put(c.root), c.height
		rec.Bytes = int64(max(1, len(c.root)-len(leafHeader)))
		if strings.Contains(name, "twice") || strings.Contains(name, "order") {
			rec.Resources = 2
		}
		if _, err := r.Read(t.Context(), rec); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
