package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
	"tandem/internal/vault"
	"tandem/internal/vault/dir"
)

// script fails calls: the n-th one, and all after it where the process is dead from then on.
type script struct {
	mu    sync.Mutex
	calls int
	at    int  // the call that fails; 0: none
	dead  bool // all later ones fail too
	late  bool // the failing call does its work first, and its answer is lost
}

// begin tells whether a call fails, and whether it does its work all the same.
func (s *script) begin() (fails, works bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	switch {
	case s.at == 0 || s.calls < s.at:
		return false, true
	case s.calls == s.at:
		return true, s.late
	}
	return s.dead, !s.dead
}

func (s *script) set(at int, dead, late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.at, s.dead, s.late = 0, at, dead, late
}

var errCut = &tandem.Error{Op: "call", Kind: tandem.Unavailable, Err: errors.New("the line is cut")}

type faultyStore struct {
	store.Store
	*script
}

func (f faultyStore) Get(ctx context.Context, key string, at tandem.Revision) (store.Document, error) {
	if fails, _ := f.begin(); fails {
		return store.Document{}, errCut
	}
	return f.Store.Get(ctx, key, at)
}

func (f faultyStore) List(ctx context.Context, prefix string, o store.ListOptions) (store.Listing, error) {
	if fails, _ := f.begin(); fails {
		return store.Listing{}, errCut
	}
	return f.Store.List(ctx, prefix, o)
}

func (f faultyStore) Commit(ctx context.Context, b store.Batch) (tandem.Revision, error) {
	fails, works := f.begin()
	var rev tandem.Revision
	var err error
	if works {
		rev, err = f.Store.Commit(ctx, b)
	}
	if fails {
		return 0, errCut
	}
	return rev, err
}

type faultyVault struct {
	vault.Vault
	*script
}

func (f faultyVault) Put(ctx context.Context, name string, r io.Reader, o vault.PutOptions) (vault.Info, error) {
	fails, works := f.begin()
	if fails && !works {
		_, err := f.Vault.Put(ctx, name, io.MultiReader(io.LimitReader(r, 600), brokenReader{}), o)
		return vault.Info{}, err
	}
	info, err := f.Vault.Put(ctx, name, r, o)
	if fails {
		return vault.Info{}, errCut
	}
	return info, err
}

func (f faultyVault) Get(ctx context.Context, name string, part vault.Range) (io.ReadCloser, vault.Info, error) {
	fails, works := f.begin()
	if fails && !works {
		return nil, vault.Info{}, errCut
	}
	r, info, err := f.Vault.Get(ctx, name, part)
	if fails && err == nil { // it breaks off in the middle
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(r, 600), brokenReader{}), r}, info, nil
	}
	return r, info, err
}

func (f faultyVault) List(ctx context.Context, prefix string) iter.Seq2[vault.Info, error] {
	return f.Vault.List(ctx, prefix)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errCut }

// hasty is the machine's clock without its pauses.
type hasty struct{ tandem.SystemClock }

func (hasty) Sleep(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }

// faultWorld is a source and a target on a store, and a vault, that fail by the same script.
type faultWorld struct {
	t      *testing.T
	script *script
	native *Native
	vault  vault.Vault
	ids    []age.Identity
	calls  map[string]*call
}

func newFaultWorld(t *testing.T) *faultWorld {
	t.Helper()
	w := &faultWorld{t: t, script: &script{}, calls: map[string]*call{}}
	p := newPlane(t, faultyStore{storetest.Memory(), w.script})
	source, target := p.service("source"), p.service("target")
	fill(t, source)
	target.must(t, "PUT", "products/mine", `{"properties":{"displayName":"Mine"}}`)
	v, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.vault = v
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w.ids = []age.Identity{id}
	w.native = NewNative(NativeConfig{APIM: p.provider, Operations: p.ops, Gateways: fakes{}, Clock: hasty{}, Log: slog.New(slog.DiscardHandler), Region: "westeurope",
		Container:  func(context.Context, StorageAccess, bool) (vault.Vault, error) { return faultyVault{v, w.script}, nil },
		Recipients: []age.Recipient{id.Recipient()}, Identities: w.ids, Temp: t.TempDir()})
	for name, r := range map[string]*Remote{"backup": source, "restore": target} {
		s, rec, err := p.provider.Find(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		s.Clock = hasty{}
		w.calls[name] = &call{owner: name, service: s, record: rec, blob: "b", storage: StorageAccess{Account: "a", Container: "c"}}
	}
	return w
}

// restart settles what a dead process left, as the next one does.
func (w *faultWorld) restart(code string, c *call) {
	w.t.Helper()
	data, _ := json.Marshal(callData{Owner: c.owner, Service: c.record.ID, Blob: c.blob})
	if _, err := w.native.interrupted(w.t.Context(), arm.Operation{Code: code, Data: data}); err == nil || tandem.KindOf(err) != "" {
		w.t.Fatalf("the operation was not settled as failed: %v", err)
	}
}

// whole demands that every blob of the vault can be restored.
func (w *faultWorld) whole(when string) (n int) {
	w.t.Helper()
	for info, err := range w.vault.List(w.t.Context(), "") {
		if err != nil {
			w.t.Fatal(err)
		}
		r, _, err := w.vault.Get(w.t.Context(), info.Name, vault.Range{})
		if err != nil {
			w.t.Fatal(err)
		}
		p := Prove(w.t.Context(), r, w.ids...)
		_ = r.Close()
		if p.Outcome != Proven {
			w.t.Errorf("%s: the vault holds %s, which is %s: %v", when, info.Name, p.Outcome, p.Failures)
		}
		n++
	}
	return n
}

// everyFault runs do with a fault at each of its calls, in every manner, until a run has more faults left than calls.
// After that last run, in which nothing failed, reset puts things as they were.
func everyFault(w *faultWorld, do func() error, after func(when string, dead bool, err error), reset func()) (faults int) {
	for _, dead := range []bool{false, true} {
		for _, late := range []bool{false, true} {
			for at := 1; ; at++ {
				w.script.set(at, dead, late)
				err := do()
				reached := w.script.calls >= at
				w.script.set(0, false, false)
				if !reached {
					reset()
					break
				}
				faults++
				after(fmt.Sprintf("fault at call %d, dead %v, late %v", at, dead, late), dead, err)
			}
		}
	}
	return faults
}

// TestFaultsOfBackup: whatever call fails, the vault holds no snapshot that is not whole, and a retry finishes.
func TestFaultsOfBackup(t *testing.T) {
	w := newFaultWorld(t)
	c := w.calls["backup"]
	n := everyFault(w, func() error { _, err := w.native.backup(t.Context(), c); return err }, func(when string, dead bool, err error) {
		if err == nil && !dead {
			t.Errorf("%s: it was called well", when)
		}
		w.whole(when)
		if dead {
			w.restart("Backup", c)
		}
		if _, err := w.native.backup(t.Context(), c); err != nil {
			t.Errorf("%s: the retry failed: %v", when, err)
		}
		if w.whole(when) != 1 {
			t.Errorf("%s: after the retry there is no backup", when)
		}
		if err := w.vault.Delete(t.Context(), c.blob); err != nil {
			t.Fatal(err)
		}
	}, func() {})
	if n < 10 {
		t.Errorf("only %d faults were tried", n)
	}
}

// TestFaultsOfRestore: whatever call fails, the target has all of the old or all of the new configuration and is not left
// locked once the process lives again (law 3); a restore that says that it failed after it swapped is repeated; and a
// retry finishes.
func TestFaultsOfRestore(t *testing.T) {
	w := newFaultWorld(t)
	c := w.calls["restore"]
	if _, err := w.native.backup(t.Context(), w.calls["backup"]); err != nil {
		t.Fatal(err)
	}
	old, fresh := contents(t, c.service), map[string]string(nil)
	undo := func() {
		t.Helper()
		ctx := t.Context()
		h, err := c.service.Space.Head(ctx)
		if err == nil && len(h.Kept) > 0 {
			if err = c.service.Space.Lock(ctx, "undo", "test"); err == nil {
				if _, err = c.service.Space.Rollback(ctx, "undo", h.Kept[len(h.Kept)-1]); err == nil {
					err = c.service.Space.Unlock(ctx, "undo")
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	n := everyFault(w, func() error { _, err := w.native.restore(t.Context(), c); return err }, func(when string, dead bool, err error) {
		if dead {
			w.restart("Restore", c)
		}
		h, headErr := c.service.Space.Head(t.Context())
		if headErr != nil || h.Lock != nil {
			t.Fatalf("%s: the head is left as %+v, %v", when, h, headErr)
		}
		now := contents(t, c.service)
		swapped := cmp.Diff(old, now) != ""
		if swapped && fresh != nil {
			if len(now) != len(fresh) {
				t.Errorf("%s: the target holds a mix: %d documents, old %d, new %d", when, len(now), len(old), len(fresh))
			}
		}
		if swapped && err != nil && !dead {
			t.Errorf("%s: it was called failed (%v), and the new configuration serves", when, err)
		}
		if !swapped && err == nil {
			t.Errorf("%s: it was called well, and the target is as it was", when)
		}
		if _, err := w.native.restore(t.Context(), c); err != nil {
			t.Fatalf("%s: the retry failed: %v", when, err)
		}
		fresh = contents(t, c.service)
		if _, stale := fresh["products/mine"]; stale || len(fresh) <= len(old) {
			t.Errorf("%s: after the retry the target is not the backup", when)
		}
		undo()
		if cmp.Diff(old, contents(t, c.service)) != "" {
			// What was kept is the configuration before the retry: the new one, where the fault came after the swap.
			undo2(t, c, old)
		}
	}, func() { undo2(t, c, old) })
	if n < 60 {
		t.Errorf("only %d faults were tried", n)
	}
}

// undo2 writes the old configuration again.
func undo2(t *testing.T, c *call, old map[string]string) {
	t.Helper()
	ctx := t.Context()
	if err := c.service.Space.Lock(ctx, "again", "test"); err != nil {
		t.Fatal(err)
	}
	stage, err := c.service.Space.Stage(ctx, "again", func(yield func(store.Write, error) bool) {
		for key, v := range old {
			if !yield(store.Write{Key: key, Value: []byte(v)}, nil) {
				return
			}
		}
	})
	if err == nil {
		_, err = stage.Swap(ctx)
	}
	if err = errors.Join(err, c.service.Space.Unlock(ctx, "again")); err != nil {
		t.Fatal(err)
	}
}
