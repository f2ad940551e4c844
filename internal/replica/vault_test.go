package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/snapshot"
	"tandem/internal/snapshot/repository"
	"tandem/internal/store"
	"tandem/internal/vault"
	"tandem/internal/vault/vaulttest"
)

func openRepository(t *testing.T, v vault.Vault, clock tandem.Clock) (*repository.Repository, *age.X25519Identity) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	repo, err := repository.Create(t.Context(), repository.Config{Vault: v, Clock: clock, Recipients: []age.Recipient{id.Recipient()}, Identities: []age.Identity{id}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return repo, id
}

func saveService(t *testing.T, repo *repository.Repository, s *apim.Service, o SaveOptions) Backup {
	t.Helper()
	b, err := SaveService(t.Context(), repo, s, record, "centralindia", tandem.SystemClock{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSaveService: the second backup reads only what changed and is the snapshot that a whole one would be.
func TestSaveService(t *testing.T) {
	repo, _ := openRepository(t, &vaulttest.Memory{}, tandem.SystemClock{})
	s := newService(t, "source")
	put(t, s, sample()...)
	if b := saveService(t, repo, s, SaveOptions{}); b.Incremental || b.Record.Resources < 10 {
		t.Errorf("the first: %+v", b)
	}
	check := func(step string, incremental bool) {
		t.Helper()
		b := saveService(t, repo, s, SaveOptions{})
		whole := saveService(t, repo, s, SaveOptions{Whole: true})
		if b.Incremental != incremental || whole.Incremental {
			t.Errorf("%s: incremental %v", step, b.Incremental)
		}
		if b.Record.Root != whole.Record.Root {
			t.Errorf("%s: it is not the whole one", step)
		}
		all, err := repo.Read(t.Context(), b.Record)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := Diff(capture(t, s), all); err != nil || !d.Empty() {
			t.Errorf("%s: %+v, %v", step, d, err)
		}
	}
	check("nothing changed", true)
	put(t, s, document{"products", []string{"plus"}, map[string]any{"displayName": "Plus!"}, nil},
		document{"apiroots", []string{"New"}, map[string]any{"current": "1"}, nil},
		document{"apis", []string{"New;rev=1"}, map[string]any{"path": "new", "apiRevision": "1"}, nil},
		document{"apis.operations", []string{"New;rev=1", "get"}, map[string]any{"method": "GET"}, nil})
	if _, err := s.Space.Commit(t.Context(), store.Batch{Delete: []string{apim.Key("subscriptions", []string{"acme"}), apim.Key("apis.operations", []string{"Echo;rev=1", "get"})}}); err != nil {
		t.Fatal(err)
	}
	check("added, changed, deleted", true)
	put(t, s, document{"apiroots", []string{"Echo"}, map[string]any{"current": "1"}, nil})
	check("another revision is current", false)
	if _, err := Apply(t.Context(), s, "restore", "test", capture(t, s), fakes{}); err != nil {
		t.Fatal(err)
	}
	check("another generation", false)
}

// TestSaveServiceProperty: whatever was written, an incremental backup is a whole one.
func TestSaveServiceProperty(t *testing.T) {
	repo, _ := openRepository(t, &vaulttest.Memory{}, tandem.SystemClock{})
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := newService(t, "source")
		own := *record
		own.ID = fmt.Sprintf("%s%d", record.ID, n)
		save := func(o SaveOptions) Backup {
			b, err := SaveService(context.Background(), repo, s, &own, "centralindia", tandem.SystemClock{}, o)
			if err != nil {
				rt.Fatal(err)
			}
			return b
		}
		put(t, s, sample()...)
		save(SaveOptions{})
		for range rapid.IntRange(1, 3).Draw(rt, "rounds") {
			for range rapid.IntRange(0, 6).Draw(rt, "writes") {
				api := fmt.Sprintf("a%d", rapid.IntRange(0, 2).Draw(rt, "api"))
				rev := fmt.Sprint(rapid.IntRange(1, 2).Draw(rt, "revision"))
				switch rapid.IntRange(0, 3).Draw(rt, "what") {
				case 0:
					put(t, s, document{"apiroots", []string{api}, map[string]any{"current": rev}, nil}, document{"apis", []string{api + ";rev=" + rev}, map[string]any{"path": api, "apiRevision": rev}, nil})
				case 1:
					put(t, s, document{"apis.operations", []string{api + ";rev=" + rev, "get"}, map[string]any{"method": "GET", "n": rapid.IntRange(0, 99).Draw(rt, "n")}, nil})
				case 2:
					put(t, s, document{"subscriptions", []string{"s" + api}, map[string]any{"state": "active"}, map[string]any{"primaryKey": rev + api}})
				case 3:
					if _, err := s.Space.Commit(context.Background(), store.Batch{Delete: []string{apim.Key("apis.operations", []string{api + ";rev=" + rev, "get"}), apim.Key("subscriptions", []string{"s" + api})}}); err != nil {
						rt.Fatal(err)
					}
				}
			}
			one, whole := save(SaveOptions{}), save(SaveOptions{Whole: true})
			if d := cmp.Diff(whole.Record.Counts, one.Record.Counts); one.Record.Root != whole.Record.Root || d != "" {
				rt.Fatalf("incremental %v: %s", one.Incremental, d)
			}
		}
	})
}

// TestSaveAfterStoreWasLost: a store that was made anew does not continue the history of the one before.
func TestSaveAfterStoreWasLost(t *testing.T) {
	repo, _ := openRepository(t, &vaulttest.Memory{}, tandem.SystemClock{})
	s := newService(t, "source")
	put(t, s, sample()...)
	saveService(t, repo, s, SaveOptions{})
	again := newService(t, "source")
	put(t, again, sample()[:3]...)
	for range 30 {
		put(t, again, document{"products", []string{"plus"}, map[string]any{"displayName": "Plus"}, nil})
	}
	if b := saveService(t, repo, again, SaveOptions{}); b.Incremental || b.Record.Resources > 4 {
		t.Errorf("%+v", b)
	}
}

// TestSaveAndPruneTogether: where the snapshot to continue was pruned, everything is read.
func TestSaveAfterPruning(t *testing.T) {
	v := &vaulttest.Memory{}
	repo, _ := openRepository(t, v, tandem.SystemClock{})
	s := newService(t, "source")
	put(t, s, sample()...)
	b := saveService(t, repo, s, SaveOptions{})
	v.Lose("snapshots/" + b.Name.String())
	if again := saveService(t, repo, s, SaveOptions{}); again.Incremental {
		t.Errorf("%+v", again)
	}
}

func TestVerifyVault(t *testing.T) {
	v := &vaulttest.Memory{}
	repo, id := openRepository(t, v, tandem.SystemClock{})
	s := newService(t, "source")
	put(t, s, sample()...)
	var made []repository.Name
	for day := range 5 {
		put(t, s, document{"products", []string{"plus"}, map[string]any{"displayName": fmt.Sprint("Plus ", day)}, nil})
		b := saveService(t, repo, s, SaveOptions{})
		made = append(made, b.Name)
	}
	o := VerifyOptions{Sample: 2, Identities: []age.Identity{id}, Clock: tandem.SystemClock{}}
	seen := map[string]int{}
	for range 3 { // a rolling sample comes round to all
		p, err := VerifyVault(t.Context(), repo, o)
		if err != nil || p.Outcome != Proven || len(p.Snapshots) != 3 || len(p.Unrecorded) != 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		for _, c := range p.Snapshots {
			seen[c.Snapshot]++
		}
	}
	if len(seen) != len(made) {
		t.Errorf("verified: %v", seen)
	}
	// A damaged chunk fails the newest one, and says so in its record.
	names, _ := v.Names()
	for _, n := range names {
		if strings.HasPrefix(n, "chunks/") {
			v.Change(n, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
		}
	}
	p, err := VerifyVault(t.Context(), repo, VerifyOptions{Service: "source", Identities: []age.Identity{id}, Clock: tandem.SystemClock{}})
	if err != nil || p.Outcome != Failed {
		t.Errorf("damaged: %+v, %v", p, err)
	}
	for _, c := range p.Snapshots {
		rec, ok, err := repo.Proof(t.Context(), c.Name)
		if err != nil || !ok || rec.Outcome != string(Failed) || len(rec.Reasons) == 0 {
			t.Errorf("%+v, %v", rec, err)
		}
	}
	// A vault that does not answer proves nothing, neither way.
	v.Before = func(verb, name string) error {
		if verb == "get" && strings.HasPrefix(name, "chunks/") {
			return &tandem.Error{Op: "get", Subject: name, Kind: tandem.Unavailable}
		}
		return nil
	}
	if p, err := VerifyVault(t.Context(), repo, o); err != nil || p.Outcome != Inconclusive {
		t.Errorf("unavailable: %+v, %v", p, err)
	}
	if _, err := VerifyVault(t.Context(), repo, VerifyOptions{Service: "nobody", Clock: tandem.SystemClock{}}); !errors.Is(err, tandem.NotFound) {
		t.Errorf("no such service: %v", err)
	}
}

func TestVerifyVaultRestores(t *testing.T) {
	repo, id := openRepository(t, &vaulttest.Memory{}, tandem.SystemClock{})
	s := newService(t, "source")
	put(t, s, sample()...)
	saveService(t, repo, s, SaveOptions{})
	p, err := VerifyVault(t.Context(), repo, VerifyOptions{Restore: true, Identities: []age.Identity{id}, Clock: tandem.SystemClock{}})
	if err != nil || p.Outcome != Proven || !p.Snapshots[0].Restored {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestAt restores points in time from snapshots and the journal after them.
func TestAt(t *testing.T) {
	v := &vaulttest.Memory{}
	repo, id := openRepository(t, v, tandem.SystemClock{})
	s := newService(t, "source")
	put(t, s, sample()...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j := &Journal{Vault: v, Prefix: repository.JournalPrefix(record.ID), Service: record.ID, Sealer: s.Sealer, Recipients: []age.Recipient{id.Recipient()}, Identities: []age.Identity{id}}
	w := NewJournalWriter(JournalWriterConfig{Journal: j, Source: NewSource(SourceConfig{Space: s.Space, Clock: tandem.SystemClock{}, Heartbeat: 10 * time.Millisecond}), Clock: tandem.SystemClock{}, Interval: time.Millisecond})
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	first := saveService(t, repo, s, SaveOptions{})
	type moment struct {
		revision tandem.Revision
		time     time.Time
		all      []snapshot.Resource
	}
	var history []moment
	for i := range 6 {
		put(t, s, document{"products", []string{"plus"}, map[string]any{"displayName": fmt.Sprint("Plus ", i)}, nil},
			document{"subscriptions", []string{fmt.Sprint("s", i)}, map[string]any{"state": "active"}, map[string]any{"primaryKey": fmt.Sprint("key ", i)}})
		snap, err := s.Space.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		history = append(history, moment{snap.Revision, time.Time{}, capture(t, s)})
		if i == 3 {
			saveService(t, repo, s, SaveOptions{})
		}
	}
	for { // until the journal has it all
		segments, err := j.Segments(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n := len(segments); n > 0 && segments[n-1].Last >= history[5].revision {
			break
		}
		if err := (tandem.SystemClock{}).Sleep(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-done
	ids := []age.Identity{id}
	for i, h := range history {
		got, err := At(t.Context(), repo, Moment{Service: "source", Revision: h.revision}, ids)
		if err != nil {
			t.Fatalf("revision %d: %v", h.revision, err)
		}
		if d, err := Diff(h.all, got.Resources); err != nil || !d.Empty() || len(d.Inconclusive) > 0 {
			t.Errorf("state %d: %+v, %v", i, d, err)
		}
		if got.Manifest.Revision != h.revision || got.Manifest.Counts["subscriptions"] != i+2 {
			t.Errorf("state %d: %+v", i, got.Manifest)
		}
	}
	end, err := At(t.Context(), repo, Moment{Service: record.ID, End: true}, ids)
	if err != nil || end.Note == "" {
		t.Fatalf("%+v, %v", end.Note, err)
	}
	if d, err := Diff(history[5].all, end.Resources); err != nil || !d.Empty() {
		t.Errorf("the end: %+v, %v", d, err)
	}
	latest, err := At(t.Context(), repo, Moment{Service: "source", ID: "latest"}, ids)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := Diff(history[3].all, latest.Resources); err != nil || !d.Empty() {
		t.Errorf("the newest snapshot: %+v, %v", d, err)
	}
	byID, err := At(t.Context(), repo, Moment{Service: first.Name.Service, ID: first.ID}, ids)
	if err != nil || byID.Manifest.Revision != first.Record.Revision {
		t.Errorf("%+v, %v", byID.Manifest, err)
	}
	if _, err := At(t.Context(), repo, Moment{Service: "source", Revision: history[5].revision + 1000}, ids); !errors.Is(err, tandem.NotFound) {
		t.Errorf("beyond the end: %v", err)
	}
	if _, err := At(t.Context(), repo, Moment{Service: "source", Time: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)}, ids); !errors.Is(err, tandem.NotFound) {
		t.Errorf("before the first: %v", err)
	}
	proveAndTrim(t, repo, j, ids, history[5].revision, history[5].all)
}

// proveAndTrim verifies a vault, prunes it, and restores the end of its journal again.
func proveAndTrim(t *testing.T, repo *repository.Repository, j *Journal, ids []age.Identity, last tandem.Revision, want []snapshot.Resource) {
	t.Helper()
	verify := func() {
		t.Helper()
		p, err := VerifyVault(t.Context(), repo, VerifyOptions{Identities: ids, Clock: tandem.SystemClock{}})
		if err != nil || p.Outcome != Proven || len(p.Journals) != 1 || p.Journals[0].Segments == 0 {
			t.Errorf("%+v, %v", p.Journals, err)
		}
	}
	verify()
	before, err := j.Segments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := PruneVault(t.Context(), repo, repository.PruneOptions{Policy: repository.Policy{Last: 1}, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	done, err := PruneVault(t.Context(), repo, repository.PruneOptions{Policy: repository.Policy{Last: 1}})
	if err != nil || done.Snapshots != 1 || plan.Snapshots != 1 || !cmp.Equal(plan.Journals, done.Journals) {
		t.Fatalf("%+v, %+v, %v", plan.Journals, done, err)
	}
	after, err := j.Segments(t.Context())
	if gone := len(before) - len(after); err != nil || len(after) == 0 || len(done.Journals) == 1 && done.Journals[0].Segments != gone || len(done.Journals) == 0 && gone > 0 {
		t.Errorf("%d segments, then %d; %+v, %v", len(before), len(after), done.Journals, err)
	}
	verify()
	got, err := At(t.Context(), repo, Moment{Service: "source", Revision: last}, ids)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := Diff(want, got.Resources); err != nil || !d.Empty() {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestTrim: what a snapshot does not take the place of stays, and so does what is young.
func TestTrim(t *testing.T) {
	clock := &jumps{now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	v := &vaulttest.Memory{Clock: clock}
	j := &Journal{Vault: v, Prefix: "journal/x", Service: "/x"}
	add := func(epoch tandem.Epoch, first, last tandem.Revision) SegmentName {
		n := SegmentName{epoch, 1, first, last}
		if _, err := v.Put(t.Context(), j.Prefix+"/"+n.String(), strings.NewReader("segment"), vault.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		clock.now = clock.now.Add(time.Hour)
		return n
	}
	old, next := add(1, 1, 10), add(1, 11, 20)
	made := clock.now
	clock.now = clock.now.Add(time.Hour)
	across, anew := add(1, 21, 30), add(2, 1, 5) // the second one is of a store that was made anew
	if got, err := j.Trim(t.Context(), 20, made, clock.now, 1000*time.Hour, false); err != nil || got.Segments != 0 {
		t.Errorf("young: %+v, %v", got, err)
	}
	if got, err := j.Trim(t.Context(), 20, made, clock.now, 0, false); err != nil || got.Segments != 2 || got.Bytes != 14 {
		t.Errorf("%+v, %v", got, err)
	}
	left, err := j.Segments(t.Context())
	if err != nil || !cmp.Equal(left, []SegmentName{across, anew}) {
		t.Errorf("left: %v of %v, %v", left, []SegmentName{old, next, across, anew}, err)
	}
}

// jumps is a clock that is set by hand.
type jumps struct {
	tandem.SystemClock
	now time.Time
}

func (j *jumps) Now() time.Time { return j.now }

func TestParseMoment(t *testing.T) {
	for text, want := range map[string]Moment{
		"orders@latest":                        {Service: "orders", ID: "latest"},
		"orders@end":                           {Service: "orders", End: true},
		"orders@r12":                           {Service: "orders", Revision: 12},
		"orders@20260301T120000.000Z-0f1e2d3c": {Service: "orders", ID: "20260301T120000.000Z-0f1e2d3c"},
		"orders@2026-03-01T12:30:00Z":          {Service: "orders", Time: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)},
		"orders@2026-03-01":                    {Service: "orders", Time: time.Date(2026, 3, 1, 23, 59, 59, 999999999, time.UTC)},
		"/subscriptions/s/x@latest":            {Service: "/subscriptions/s/x", ID: "latest"},
	} {
		if got, err := ParseMoment(text); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"orders", "@latest", "orders@", "orders@rx", "orders@r0", "orders@2026-03-01T12", "orders@12:30"} {
		if _, err := ParseMoment(text); !errors.Is(err, tandem.Invalid) && text != "orders@2026-03-01T12" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParseMoment(f *testing.F) {
	for _, s := range []string{"orders@latest", "a@r1", "a@2026-03-01", "@@", "a@r-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := ParseMoment(text); err == nil && (m.Service == "" || m.Revision < 0) {
			t.Errorf("%q gave %+v", text, m)
		}
	})
}
