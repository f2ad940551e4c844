package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/vault/vaulttest"
)

func at(t time.Time) Name { return Name{"orders-0", t.Format(stampLayout) + "-00000000"} }

func kept(all []Decision) (out []string) {
	for _, d := range all {
		if d.Keep {
			out = append(out, d.Name.Time().Format("2006-01-02"))
		}
	}
	return out
}

func TestDecide(t *testing.T) {
	begin := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	var nightly []Candidate
	for day := range 100 { // until 10 April
		nightly = append(nightly, Candidate{Name: at(begin.AddDate(0, 0, day))})
	}
	now := begin.AddDate(0, 0, 100)
	with := func(change func(all []Candidate)) []Candidate {
		out := slices.Clone(nightly)
		change(out)
		return out
	}
	for _, c := range []struct {
		name   string
		policy Policy
		all    []Candidate
		want   string
	}{
		{"last", Policy{Last: 3}, nightly, "2026-04-10 2026-04-09 2026-04-08"},
		{"grandfather, father, son", Policy{Daily: 2, Weekly: 3, Monthly: 3, Yearly: 9}, nightly, "2026-04-10 2026-04-09 2026-04-05 2026-03-31 2026-03-29 2026-02-28"},
		{"the last proven one", Policy{Last: 1}, with(func(all []Candidate) { all[10].Proven, all[20].Proven = true, true }), "2026-04-10 2026-01-21"},
		{"minimum retention", Policy{Last: 1}, with(func(all []Candidate) { all[5].Until = now.Add(time.Hour); all[6].Until = now; all[7].Young = true }), "2026-04-10 2026-01-08 2026-01-06"},
		{"one", Policy{Yearly: 1}, nightly[:1], "2026-01-01"},
		{"none", Policy{Yearly: 1}, nil, ""},
		{"more than one an hour", Policy{Hourly: 1}, []Candidate{{Name: at(begin)}, {Name: at(begin.Add(time.Minute))}}, "2026-01-01"},
	} {
		if got := strings.Join(kept(c.policy.Decide(c.all, now)), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, p := range []Policy{{}, {Daily: -1, Last: 3}} {
		if err := p.Check(); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// TestDecideKeeps: whatever the policy, the newest, the newest proven one and what is young are kept, each decision has a reason,
// and a second application deletes nothing.
func TestDecideKeeps(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string) int { return rapid.IntRange(0, 4).Draw(t, name) }
		p := Policy{n("last"), n("hourly"), n("daily"), n("weekly"), n("monthly"), n("yearly")}
		var all []Candidate
		for i := range rapid.IntRange(0, 40).Draw(t, "size") {
			all = append(all, Candidate{Name: Name{"s", now.Add(-time.Duration(rapid.IntRange(0, 3_000_000).Draw(t, "age"))*time.Minute).Format(stampLayout) + fmt.Sprintf("-%08x", i)},
				Proven: rapid.Bool().Draw(t, "proven"), Young: rapid.IntRange(0, 9).Draw(t, "young") == 0})
		}
		newest, proven := "", ""
		for _, c := range all {
			newest = max(newest, c.Name.ID)
			if c.Proven {
				proven = max(proven, c.Name.ID)
			}
		}
		var left []Candidate
		for _, d := range p.Decide(all, now) {
			c := all[slices.IndexFunc(all, func(c Candidate) bool { return c.Name == d.Name })]
			if !d.Keep && (d.ID == newest || d.ID == proven || c.Young) || len(d.Why) == 0 {
				t.Fatalf("%+v", d)
			}
			if d.Keep {
				left = append(left, c)
			}
		}
		for _, d := range p.Decide(left, now) {
			if !d.Keep {
				t.Fatalf("a second time %s is deleted", d.ID)
			}
		}
	})
}

func TestPrune(t *testing.T) {
	v := &vaulttest.Memory{}
	r, clock, _ := newRepository2(t, v, 0)
	all := resources(200)
	var saved []Saved
	for day := range 5 {
		all[1+day*40].Properties = object(map[string]any{"day": day})
		saved = append(saved, save(t, r, clock, all))
		clock.now = clock.now.Add(24 * time.Hour)
	}
	if err := r.PutProof(t.Context(), saved[1].Name, ProofRecord{Root: saved[1].Record.Root, At: clock.now, Outcome: "proven"}); err != nil {
		t.Fatal(err)
	}
	if err := r.PutProof(t.Context(), saved[0].Name, ProofRecord{Root: saved[0].Record.Root, At: clock.now, Outcome: "failed", Reasons: make([]string, 30)}); err != nil {
		t.Fatal(err)
	}
	before, _ := v.Names()
	plan, err := r.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}, DryRun: true})
	if err != nil || plan.Snapshots != 3 || plan.Chunks == 0 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if after, _ := v.Names(); !slices.Equal(before, after) {
		t.Error("telling changed the vault")
	}
	done, err := r.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}})
	if err != nil || done.Snapshots != 3 || done.Chunks != plan.Chunks || done.Bytes != plan.Bytes {
		t.Fatalf("%+v, %v", done, err)
	}
	for i, s := range saved {
		rec, err := r.Record(t.Context(), s.Name)
		if i != 1 && i != 4 {
			if !errors.Is(err, tandem.NotFound) {
				t.Errorf("snapshot %d: %v", i, err)
			}
			continue
		}
		if err == nil {
			_, err = r.Read(t.Context(), rec)
		}
		if err != nil {
			t.Errorf("snapshot %d: %v", i, err)
		}
	}
	if again, err := r.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}}); err != nil || again.Snapshots+again.Chunks != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// TestPruneCutOff: pruning that dies at any call leaves the kept snapshots whole, and another one finishes.
func TestPruneCutOff(t *testing.T) {
	template := &vaulttest.Memory{}
	r, clock, _ := newRepository2(t, template, 0)
	all := resources(100)
	var last Saved
	for day := range 3 {
		all[1+day*40].Properties = object(map[string]any{"day": day})
		last = save(t, r, clock, all)
		clock.now = clock.now.Add(24 * time.Hour)
	}
	errDead := &tandem.Error{Op: "call", Kind: tandem.Unavailable}
	tried := 0
	for at := 1; ; at++ {
		v := template.Clone()
		mine := *r
		mine.Vault, mine.Concurrency = v, 1
		calls := 0
		v.Before = func(string, string) error {
			if calls++; calls >= at {
				return errDead
			}
			return nil
		}
		_, err := mine.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}})
		v.Before = nil
		if err == nil {
			break
		}
		tried++
		if _, err := mine.Read(t.Context(), last.Record); err != nil {
			t.Fatalf("cut off at call %d: %v", at, err)
		}
		clock.now = clock.now.Add(2 * staleAfter) // the dead one's lock
		if _, err := mine.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}}); err != nil {
			t.Fatalf("after call %d: %v", at, err)
		}
		if names, err := mine.Snapshots(t.Context(), ""); err != nil || len(names) != 1 || names[0] != last.Name {
			t.Fatalf("after call %d: %v, %v", at, names, err)
		}
		if _, err := mine.Read(t.Context(), last.Record); err != nil {
			t.Fatalf("after call %d: %v", at, err)
		}
	}
	if tried < 20 {
		t.Errorf("only %d faults", tried)
	}
}

// TestPruneNeedsAllRecords: where a record cannot be read, its chunks are not known, and nothing is deleted.
func TestPruneNeedsAllRecords(t *testing.T) {
	v := &vaulttest.Memory{}
	r, clock, _ := newRepository2(t, v, 0)
	one := save(t, r, clock, resources(50))
	clock.now = clock.now.Add(48 * time.Hour)
	save(t, r, clock, resources(60))
	v.Change(one.Name.blob(), func(b []byte) []byte { b[9] ^= 1; return b })
	before, _ := v.Names()
	if _, err := r.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}}); !errors.Is(err, tandem.Corrupt) || !strings.Contains(err.Error(), one.ID) {
		t.Errorf("%v", err)
	}
	if after, _ := v.Names(); !slices.Equal(before, after) {
		t.Errorf("%d blobs of %d are left", len(after), len(before))
	}
}

// TestLocks: no pruning while a snapshot is written, no snapshot is written while the vault is pruned, and the locks of
// processes that died are passed over.
func TestLocks(t *testing.T) {
	v := &vaulttest.Memory{}
	r, clock, _ := newRepository2(t, v, 0)
	save(t, r, clock, resources(5))
	_, release, err := r.lock(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}}); !errors.Is(err, tandem.Locked) {
		t.Errorf("pruning beside a writer: %v", err)
	}
	if _, second, err := r.lock(t.Context(), false); err != nil {
		t.Errorf("two writers: %v", err)
	} else if err := second(); err != nil {
		t.Error(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if err := r.touch(t.Context(), locksAt+aloneLock+"dead"); err != nil { // a pruning that died
		t.Fatal(err)
	}
	waits := *r
	waits.Clock = ticking{clock}
	if _, err := waits.Save(t.Context(), meta(clock), resources(6), SaveOptions{}); err != nil {
		t.Errorf("a writer waits until the lock is stale: %v", err)
	}
	if names, _ := v.Names(); slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, locksAt) }) {
		t.Errorf("locks are left: %q", names)
	}
}

// ticking is a clock that goes on by what is slept.
type ticking struct{ *hand }

func (c ticking) Sleep(ctx context.Context, d time.Duration) error {
	if d != refreshEvery {
		c.now = c.now.Add(d)
	}
	return c.hand.Sleep(ctx, d)
}

func TestMinimumRetention(t *testing.T) {
	v := &vaulttest.Memory{Retention: true}
	r, clock, _ := newRepository2(t, v, 30*24*time.Hour)
	all := resources(100)
	first := save(t, r, clock, all)
	if first.Record.Locked == nil || first.Record.Locked.Sub(first.Record.Created) != 60*24*time.Hour {
		t.Fatalf("%+v", first.Record)
	}
	for range 10 {
		clock.now = clock.now.Add(24 * time.Hour)
		all[7].Properties = object(map[string]any{"at": clock.now})
		retained := v.Calls("retain")
		save(t, r, clock, all)
		if n := v.Calls("retain") - retained; n > 6 {
			t.Errorf("%d chunks were locked anew for one change", n)
		}
	}
	if done, err := r.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}}); err != nil || done.Snapshots != 0 || done.Chunks != 0 {
		t.Errorf("before the minimum: %+v, %v", done, err)
	}
	if err := r.RaiseMinimum(t.Context(), 10*24*time.Hour); !errors.Is(err, tandem.Precondition) {
		t.Errorf("shortened: %v", err)
	}
	if err := r.RaiseMinimum(t.Context(), 40*24*time.Hour); err != nil {
		t.Error(err)
	}
	// A machine whose clock is wrong deletes nothing: the vault's own clock says that they are young.
	ahead := *r
	ahead.Clock = &hand{now: clock.now.AddDate(5, 0, 0)}
	if done, err := ahead.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}}); err != nil || done.Snapshots != 0 {
		t.Errorf("with a wrong clock: %+v, %v", done, err)
	}
	clock.now = clock.now.Add(35 * 24 * time.Hour)
	if done, err := r.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}}); err != nil || done.Snapshots != 6 || done.Locked == 0 {
		t.Errorf("six have had their time, their chunks not: %d, %d locked, %v", done.Snapshots, done.Locked, err)
	}
	// Whoever has the credentials cannot delete what the store keeps.
	names, _ := v.Names()
	for _, name := range names {
		if strings.HasPrefix(name, chunksAt) {
			if err := v.Delete(t.Context(), name); !errors.Is(err, tandem.Locked) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	clock.now = clock.now.AddDate(1, 0, 0)
	if done, err := r.Prune(t.Context(), PruneOptions{Policy: Policy{Last: 1}}); err != nil || done.Locked != 0 || done.Snapshots != 4 {
		t.Errorf("after a year: %d, %d locked, %v", done.Snapshots, done.Locked, err)
	}
}
