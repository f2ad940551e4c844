package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/snapshot"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
	"tandem/internal/vault"
	"tandem/internal/vault/dir"
)

func newJournal(t testing.TB) *Journal {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	v, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Journal{Vault: v, Prefix: "journal/test", Service: "primary", Recipients: []age.Recipient{id.Recipient()}, Identities: []age.Identity{id}}
}

// flaky is a vault that fails now and then, before or after it has stored.
type flaky struct {
	vault.Vault
	mu  sync.Mutex
	rnd *rand.Rand
	ok  bool
}

func (f *flaky) Put(ctx context.Context, name string, r io.Reader, o vault.PutOptions) (vault.Info, error) {
	f.mu.Lock()
	dice := f.rnd.IntN(8)
	if f.ok {
		dice = 7
	}
	f.mu.Unlock()
	lost := &tandem.Error{Op: "put blob", Subject: name, Kind: tandem.Unavailable, Err: errors.New("the vault is away")}
	switch dice {
	case 0:
		return vault.Info{}, lost
	case 1:
		_, err := f.Vault.Put(ctx, name, r, o)
		return vault.Info{}, errors.Join(lost, err)
	}
	return f.Vault.Put(ctx, name, r, o)
}

func writeJournal(t testing.TB, j *Journal, s *Source) (w *JournalWriter, stop func()) {
	w = NewJournalWriter(JournalWriterConfig{Journal: j, Source: s, Clock: tandem.SystemClock{}, Interval: 20 * time.Millisecond, Bytes: 8 << 10})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return w, func() {
		cancel()
		if err := <-done; !isCanceled(err) {
			t.Errorf("the journal's writer ended with %v", err)
		}
	}
}

func flatText(docs map[string][]byte) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(docs)) {
		fmt.Fprintf(&b, "%s=%s\n", k, docs[k])
	}
	return b.String()
}

// TestJournalRestoresEveryRevision: through a vault that fails, restarts and two writers at once, every revision that the
// primary had since the journal began is read back exactly.
func TestJournalRestoresEveryRevision(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			ctx := t.Context()
			j := newJournal(t)
			f := &flaky{Vault: j.Vault, rnd: rand.New(rand.NewPCG(seed, 4))}
			j.Vault = f
			p := newPrimary(t, storetest.Memory(), seed)
			src := NewSource(SourceConfig{Space: p.space, Clock: tandem.SystemClock{}, Heartbeat: 20 * time.Millisecond})
			w, stop := writeJournal(t, j, src)
			_, other := writeJournal(t, j, src)
			await(t, 10*time.Second, "the journal begins", func() bool { all, _ := j.Segments(ctx); return len(all) > 0 })
			begin, err := p.space.Snapshot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 80 {
				if err := p.change(ctx); err != nil {
					t.Fatal(err)
				}
				if i%25 == 24 {
					stop()
					w, stop = writeJournal(t, j, src)
				}
				_ = tandem.SystemClock{}.Sleep(ctx, time.Duration(p.rnd.IntN(12))*time.Millisecond)
			}
			f.mu.Lock()
			f.ok = true
			f.mu.Unlock()
			await(t, 20*time.Second, "the journal has everything", func() bool { l := w.Lag(); return l.Known && l.Applied >= p.last })
			stop()
			other()
			v, err := j.Verify(ctx, 0)
			if err != nil {
				t.Fatal(err)
			}
			tried, lost := 0, 0
			for r, want := range p.held {
				if r < begin.Revision || tried > 25 {
					continue
				}
				c, err := j.At(ctx, Point{Revision: r}, nil)
				if tandem.KindOf(err) == tandem.NotFound { // compacted before a writer that had failed came back
					lost++
					continue
				}
				if err != nil {
					t.Fatalf("revision %d: %v", r, err)
				}
				if got := flatText(c.Documents); got != want {
					t.Fatalf("revision %d differs:\n%s", r, cmp.Diff(want, got))
				}
				tried++
			}
			if tried < 20 {
				t.Errorf("only %d revisions were tried", tried)
			}
			t.Logf("%+v; %d revisions restored, %d refused as lost to compaction", v, tried, lost)
			if _, err := j.At(ctx, Point{Revision: v.To.Revision + 1}, nil); tandem.KindOf(err) != tandem.NotFound {
				t.Errorf("a revision that the journal does not reach: %v", err)
			}
		})
	}
}

// TestJournalDamage: whatever happens to a file, reading names the segment and restores nothing.
func TestJournalDamage(t *testing.T) {
	ctx := t.Context()
	j := newJournal(t)
	p := newPrimary(t, storetest.Memory(), 5)
	w, stop := writeJournal(t, j, NewSource(SourceConfig{Space: p.space, Clock: tandem.SystemClock{}, Heartbeat: 10 * time.Millisecond}))
	for range 12 {
		if err := p.change(ctx); err != nil {
			t.Fatal(err)
		}
		await(t, 10*time.Second, "the commit is in the journal", func() bool { return w.Lag().Applied >= p.last })
	}
	stop()
	v, err := j.Verify(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	all, err := j.Segments(ctx)
	if err != nil || len(all) < 5 {
		t.Fatal(all, err)
	}
	read := func(n SegmentName) []byte {
		r, _, err := j.Vault.Get(ctx, j.Prefix+"/"+n.String(), vault.Range{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close() //nolint:errcheck // a file
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put := func(n SegmentName, b []byte) {
		if _, err := j.Vault.Put(ctx, j.Prefix+"/"+n.String(), bytes.NewReader(b), vault.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	rnd := rand.New(rand.NewPCG(6, 6))
	for i := range 80 {
		n := all[rnd.IntN(len(all))]
		whole := read(n)
		damaged := slices.Clone(whole)
		switch i % 4 {
		case 0, 1:
			damaged[rnd.IntN(len(damaged))] ^= 1 << rnd.IntN(8)
		case 2:
			damaged = damaged[:rnd.IntN(len(damaged))]
		case 3:
			damaged = append(damaged, byte(i))
		}
		put(n, damaged)
		if _, err := j.Verify(ctx, 0); err == nil || !strings.Contains(err.Error(), n.String()) {
			t.Fatalf("damage %d of %s: %v", i, n, err)
		}
		put(n, whole)
	}
	// A segment in another's place, and one that is missing.
	other := all[len(all)-2]
	whole := read(other)
	put(other, read(all[len(all)-3]))
	if _, err := j.Verify(ctx, 0); tandem.KindOf(err) != tandem.Corrupt {
		t.Errorf("a segment under another's name: %v", err)
	}
	if err := j.Vault.Delete(ctx, j.Prefix+"/"+other.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Verify(ctx, 0); tandem.KindOf(err) != tandem.NotFound {
		t.Errorf("a missing segment: %v", err)
	}
	put(other, whole)
	if again, err := j.Verify(ctx, 0); err != nil || !cmp.Equal(v, again) {
		t.Errorf("the healed journal is %+v, %v, want %+v", again, err, v)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	j.Identities = []age.Identity{stranger}
	if _, err := j.Verify(ctx, 0); tandem.KindOf(err) != tandem.Denied {
		t.Errorf("a stranger's identity: %v", err)
	}
}

// TestJournalAfterSnapshot: a snapshot and the journal after it give the service later, secrets sealed for their place, and
// no file has a secret in the open or under the master key.
func TestJournalAfterSnapshot(t *testing.T) {
	ctx := t.Context()
	s := newService(t, "source")
	put(t, s, sample()...)
	j := newJournal(t)
	j.Sealer = seal{}
	src := NewSource(SourceConfig{Space: s.Space, Clock: tandem.SystemClock{}, Heartbeat: 10 * time.Millisecond})
	w, stop := writeJournal(t, j, src)
	await(t, 10*time.Second, "the journal begins", func() bool { return w.Lag().Known })

	var file bytes.Buffer
	if _, err := Capture(ctx, s, record, "centralindia", tandem.SystemClock{}, &file, j.Recipients); err != nil {
		t.Fatal(err)
	}
	m, all, err := load(ctx, &file, j.Identities)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, document{"subscriptions", []string{"late"}, map[string]any{"scope": "/apis", "state": "active"}, map[string]any{"primaryKey": "k9<&>", "secondaryKey": "k8"}})
	want := contents(t, s)
	r, err := s.Space.Beat(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Space.Commit(ctx, store.Batch{Delete: []string{"products/plus"}}); err != nil {
		t.Fatal(err)
	}
	end, err := s.Space.Beat(ctx)
	if err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "the journal has it", func() bool { return w.Lag().Applied > end })
	stop()

	got, c, err := j.Resources(ctx, Point{Revision: r}, apim.NewTable(), m, all)
	if err != nil {
		t.Fatal(err)
	}
	target := newService(t, "target")
	if _, err := Apply(ctx, target, "restore-1", "test", got, fakes{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, contents(t, target)); diff != "" {
		t.Errorf("the service at revision %d differs:\n%s", c.Revision, diff)
	}
	// Without the snapshot the journal's own base serves.
	alone, _, err := j.Resources(ctx, Point{Revision: r}, apim.NewTable(), snapshot.Manifest{}, nil)
	if err != nil || len(alone) != len(got)-1 {
		t.Errorf("from the journal alone come %d resources, %v; with the snapshot %d and the service", len(alone), err, len(got))
	}
	// What age protects is open inside: the master key is not needed.
	names, err := j.Segments(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sealed, opened := 0, 0
	for _, n := range names {
		_, err := j.read(ctx, n, func(e Entry) error {
			values := [][]byte{}
			for _, c := range e.Changes {
				values = append(values, c.Value)
			}
			if e.Documents != nil {
				for d, err := range e.Documents {
					if err != nil {
						return err
					}
					values = append(values, d.Value)
				}
			}
			for _, v := range values {
				sealed += bytes.Count(v, []byte("sealed:"))
				opened += bytes.Count(v, []byte(`"secrets":{`))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if sealed != 0 || opened < 2 {
		t.Errorf("%d values under the master key and %d opened ones are in the journal", sealed, opened)
	}
}
