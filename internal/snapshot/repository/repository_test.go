package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/snapshot"
	"tandem/internal/vault"
	"tandem/internal/vault/vaulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const serviceID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/orders"

// hand is a clock that is set by hand; sleeping takes no time.
type hand struct {
	tandem.SystemClock
	now time.Time
}

func (h *hand) Now() time.Time { return h.now }
func (h *hand) Sleep(ctx context.Context, d time.Duration) error {
	if d == refreshEvery { // the lock's own goroutine waits for its end
		<-ctx.Done()
	}
	return context.Cause(ctx)
}

func newRepository2(t testing.TB, v vault.Vault, minimum time.Duration) (*Repository, *hand, *age.X25519Identity) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	clock := &hand{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	if m, ok := v.(*vaulttest.Memory); ok {
		m.Clock = clock
	}
	r, err := Create(context.Background(), Config{Vault: v, Clock: clock, Recipients: []age.Recipient{id.Recipient()}, Identities: []age.Identity{id}}, minimum)
	if err != nil {
		t.Fatal(err)
	}
	return r, clock, id
}

func object(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// resources is a service of n operations with policies, and subscriptions with secrets.
func resources(n int) []snapshot.Resource {
	out := []snapshot.Resource{{Properties: object(map[string]any{"publisherName": "P"})}}
	for i := range n {
		op := fmt.Sprintf("apis/a%03d/operations/o%d", i/20, i)
		out = append(out, snapshot.Resource{Path: op, Properties: object(map[string]any{"method": "GET", "urlTemplate": fmt.Sprintf("/%d", i)})},
			snapshot.Resource{Path: op + "/policies/policy", Properties: object(map[string]any{"format": "rawxml", "value": fmt.Sprintf("<policies><inbound><!-- %d --></inbound></policies>", i*7919)})})
		if i%5 == 0 {
			out = append(out, snapshot.Resource{Path: fmt.Sprintf("subscriptions/s%d", i), Properties: object(map[string]any{"state": "active"}), Secrets: map[string]string{"primaryKey": fmt.Sprintf("key-of-%d", i), "secondaryKey": "s"}})
		}
	}
	return out
}

func meta(clock *hand) snapshot.Meta {
	return snapshot.Meta{Created: clock.now, Source: snapshot.Source{ID: serviceID, Name: "orders", Location: "West Europe", SKU: "Standard"}, Region: "westeurope", Revision: 7, Generation: 1,
		Omissions: []snapshot.Omission{{What: "counters", Reason: "state", Consequence: "begin anew"}}}
}

func save(t testing.TB, r *Repository, clock *hand, all []snapshot.Resource) Saved {
	t.Helper()
	s, err := r.Save(context.Background(), meta(clock), all, SaveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plain brings resources into the form in which they are read.
func plain(t testing.TB, all []snapshot.Resource) []snapshot.Resource {
	t.Helper()
	all = slices.Clone(all)
	slices.SortFunc(all, snapshot.Less)
	for i, res := range all {
		line, err := snapshot.AppendLine(nil, res)
		if err != nil {
			t.Fatal(err)
		}
		if all[i], err = snapshot.ParseLine(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestSaveAndRead(t *testing.T) {
	for _, n := range []int{0, 1, 700} {
		v := &vaulttest.Memory{}
		r, clock, id := newRepository2(t, v, 0)
		all := resources(n)
		s := save(t, r, clock, all)
		again, err := Open(t.Context(), Config{Vault: v, Clock: clock, Identities: []age.Identity{id}})
		if err != nil {
			t.Fatal(err)
		}
		names, err := again.Snapshots(t.Context(), "")
		if err != nil || len(names) != 1 || names[0] != s.Name || !names[0].Time().Equal(clock.now) {
			t.Fatalf("%v, %v", names, err)
		}
		rec, err := again.Record(t.Context(), names[0])
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Read(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(plain(t, all), got); d != "" {
			t.Errorf("%d: %s", n, d)
		}
		if rec.Resources != len(all) || rec.Counts["service"] != 1 || rec.Revision != 7 || len(rec.Omissions) != 1 || rec.Source.ID != serviceID {
			t.Errorf("%+v", rec)
		}
		blobs, _ := v.Names()
		for _, name := range blobs {
			data, err := readBlob(t.Context(), v, name)
			if err != nil || bytes.Contains(data, []byte("key-of-")) || bytes.Contains(data, []byte("operations")) {
				t.Errorf("%s is not sealed, %v", name, err)
			}
			if strings.HasPrefix(name, locksAt) {
				t.Errorf("%s is left", name)
			}
		}
	}
}

// TestManySnapshotsCostLittle: a hundred nightly snapshots with a few changes each cost little more than one.
func TestManySnapshotsCostLittle(t *testing.T) {
	v := &vaulttest.Memory{}
	r, clock, _ := newRepository2(t, v, 0)
	all := resources(600)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range all { // text that is not equal everywhere
		words := make([]string, 60)
		for w := range words {
			words[w] = fmt.Sprintf("%x", random.Uint32N(1<<20))
		}
		all[i].Properties = object(map[string]any{"description": strings.Join(words, " ")})
	}
	first := save(t, r, clock, all)
	_, one := v.Names()
	for night := range 15 {
		clock.now = clock.now.Add(24 * time.Hour)
		all[1+(night*797)%len(all)-1].Properties = object(map[string]any{"changed": night})
		if s := save(t, r, clock, all); s.NewChunks > 6 || s.NewBytes*20 > first.NewBytes {
			t.Errorf("night %d: %d new chunks, %d of %d bytes", night, s.NewChunks, s.NewBytes, first.NewBytes)
		}
	}
	if _, many := v.Names(); float64(many) > 1.5*float64(one) {
		t.Errorf("16 snapshots take %d bytes, one %d", many, one)
	}
	if s := save(t, r, clock, all); s.NewChunks != 0 {
		t.Errorf("the same again: %d new chunks", s.NewChunks)
	}
}

// TestAdvanceIsSave: an advanced snapshot has the tree of a whole one, whatever changed.
func TestAdvanceIsSave(t *testing.T) {
	one, clock, _ := newRepository2(t, &vaulttest.Memory{}, 0)
	rapid.Check(t, func(t *rapid.T) {
		r := *one
		r.Vault = &vaulttest.Memory{Clock: clock}
		state := map[string]snapshot.Resource{}
		n := rapid.IntRange(0, 120).Draw(t, "size")
		for i := range n {
			p := fmt.Sprintf("apis/a%d", i*13%301)
			state[p] = snapshot.Resource{Path: p, Properties: object(map[string]any{"n": i})}
		}
		list := func() (all []snapshot.Resource) {
			for _, res := range state {
				all = append(all, res)
			}
			return all
		}
		base, err := r.Save(context.Background(), meta(clock), list(), SaveOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rec := base.Record
		for round := range rapid.IntRange(1, 2).Draw(t, "rounds") {
			changes := map[string]Change{}
			for range rapid.IntRange(0, 15).Draw(t, "changes") {
				p := fmt.Sprintf("apis/a%d", rapid.IntRange(0, 300).Draw(t, "path"))
				_, there := state[p]
				if _, twice := changes[p]; twice {
					continue
				}
				if there && rapid.Bool().Draw(t, "delete") {
					delete(state, p)
					changes[p] = Change{Path: p}
					continue
				}
				size := 10
				if rapid.IntRange(0, 29).Draw(t, "large") == 0 {
					size = leafBytes / 2
				}
				res := snapshot.Resource{Path: p, Properties: object(map[string]any{"round": round, "text": strings.Repeat("x", size)})}
				state[p] = res
				changes[p] = Change{Path: p, Resource: &res}
			}
			var all []Change
			for _, c := range changes {
				all = append(all, c)
			}
			next, err := r.Advance(context.Background(), rec, meta(clock), all)
			if err != nil {
				t.Fatal(err)
			}
			whole, err := r.Save(context.Background(), meta(clock), list(), SaveOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if next.Record.Root != whole.Record.Root || next.Record.Height != whole.Record.Height || next.Record.Resources != len(state) || whole.NewChunks != 0 {
				t.Fatalf("advanced: %+v\nwhole: %+v, %d new chunks", next.Record, whole.Record, whole.NewChunks)
			}
			if d := cmp.Diff(whole.Record.Counts, next.Record.Counts); d != "" {
				t.Fatal(d)
			}
			if _, err := r.Read(context.Background(), next.Record); err != nil {
				t.Fatal(err)
			}
			rec = next.Record
		}
	})
}

func TestAdvanceRefusesForeignChanges(t *testing.T) {
	r, clock, _ := newRepository2(t, &vaulttest.Memory{}, 0)
	s := save(t, r, clock, resources(50))
	if _, err := r.Advance(t.Context(), s.Record, meta(clock), []Change{{Path: "apis/nothing"}}); !errors.Is(err, tandem.Precondition) {
		t.Errorf("a deletion of what is not there: %v", err)
	}
}

func TestOpenRefusals(t *testing.T) {
	v := &vaulttest.Memory{}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Vault: v, Identities: []age.Identity{other}}); !errors.Is(err, tandem.NotFound) {
		t.Errorf("an empty vault: %v", err)
	}
	r, clock, id := newRepository2(t, v, 0)
	if _, err := Create(t.Context(), r.Config, 0); !errors.Is(err, tandem.Exists) {
		t.Errorf("a second repository: %v", err)
	}
	if _, err := Open(t.Context(), Config{Vault: v, Clock: clock, Identities: []age.Identity{other}}); !errors.Is(err, tandem.Denied) {
		t.Errorf("the wrong key: %v", err)
	}
	v.Change(configName, func(b []byte) []byte { b[len(b)-3] ^= 1; return b })
	if _, err := Open(t.Context(), Config{Vault: v, Clock: clock, Identities: []age.Identity{id}}); !errors.Is(err, tandem.Corrupt) {
		t.Errorf("a damaged key: %v", err)
	}
}

// TestSaveRefuses: what cannot be read again is not written.
func TestSaveRefuses(t *testing.T) {
	r, clock, _ := newRepository2(t, &vaulttest.Memory{}, 0)
	for name, all := range map[string][]snapshot.Resource{
		"twice":     {{Path: "apis/a"}, {Path: "apis/A"}},
		"no pair":   {{Path: "apis"}},
		"not UTF-8": {{Path: "apis/\xff"}},
		"no JSON":   {{Path: "apis/a", Properties: json.RawMessage("{")}},
		"secret":    {{Path: "apis/a", Secrets: map[string]string{"key": "\xff"}}},
	} {
		if _, err := r.Save(t.Context(), meta(clock), all, SaveOptions{}); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if names, err := r.Snapshots(t.Context(), ""); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
}

// TestBitFlips: any flipped bit, cut or loss in what a snapshot consists of is found and named, and what is mended by
// a rewrite reads again.
func TestBitFlips(t *testing.T) {
	v := &vaulttest.Memory{}
	r, clock, id := newRepository2(t, v, 0)
	all := resources(300)
	s := save(t, r, clock, all)
	names, _ := v.Names()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		name := names[random.IntN(len(names))]
		broken := v.Clone()
		lost := false
		broken.Change(name, func(b []byte) []byte {
			switch i % 5 {
			case 0:
				return b[:random.IntN(len(b))]
			case 1:
				return append(b, 0)
			case 2:
				lost = true
			}
			at := random.IntN(len(b) * 8)
			b[at/8] ^= 1 << (at % 8)
			return b
		})
		if lost {
			broken.Lose(name)
		}
		err := func() error {
			again := *r
			again.Vault = broken
			if name == configName {
				_, err := Open(t.Context(), Config{Vault: broken, Clock: clock, Identities: []age.Identity{id}})
				return err
			}
			rec, err := again.Record(t.Context(), s.Name)
			if err != nil {
				return err
			}
			_, err = again.Read(t.Context(), rec)
			return err
		}()
		if err == nil || !strings.Contains(err.Error(), name[strings.LastIndexByte(name, '/')+1:]) && name != s.Name.blob() {
			t.Fatalf("%s was changed: %v", name, err)
		}
		if strings.Contains(err.Error(), "key-of") {
			t.Fatalf("the error tells a secret: %v", err)
		}
	}
	damaged := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, chunksAt) })
	v.Change(names[damaged], func(b []byte) []byte { return b[:5] })
	if _, err := r.Save(t.Context(), meta(clock), all, SaveOptions{Rewrite: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(t.Context(), s.Record); err != nil {
		t.Errorf("after a rewrite: %v", err)
	}
}

// TestSwapped: blobs that change places are found, though each is authentic.
func TestSwapped(t *testing.T) {
	v := &vaulttest.Memory{}
	r, clock, _ := newRepository2(t, v, 0)
	s := save(t, r, clock, resources(300))
	names, _ := v.Names()
	chunks := slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, chunksAt) })
	var one []byte
	v.Change(chunks[0], func(b []byte) []byte { one = b; return b })
	v.Change(chunks[1], func([]byte) []byte { return one })
	if _, err := r.Read(t.Context(), s.Record); !errors.Is(err, tandem.Corrupt) {
		t.Errorf("a chunk in another's place: %v", err)
	}
	later := Name{s.Name.Service, "20270101T000000.000Z-00000000"}
	var rec []byte
	v.Change(s.Name.blob(), func(b []byte) []byte { rec = b; return b })
	v.Change(later.blob(), func([]byte) []byte { return rec })
	if _, err := r.Record(t.Context(), later); !errors.Is(err, tandem.Corrupt) {
		t.Errorf("an old record under a new name: %v", err)
	}
}

func FuzzParseNode(f *testing.F) {
	f.Add(node([]entry{{strings.Repeat("ab", 32), 3, 99, "apis/a"}, {strings.Repeat("cd", 32), 3, 99, "apis/<b>"}}))
	f.Add([]byte(nodeHeader))
	f.Fuzz(func(t *testing.T, plain []byte) {
		if all, err := parseNode(plain); err == nil && !bytes.Equal(node(all), plain) {
			t.Error("it was not what it formats to")
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	for _, res := range resources(3) {
		line, err := snapshot.AppendLine(nil, res)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte(leafHeader), line...))
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		lines, err := parseLeaf(plain)
		if err != nil {
			return
		}
		for _, line := range lines {
			res, err := snapshot.ParseLine(line)
			if err != nil {
				continue
			}
			again, err := snapshot.AppendLine(nil, res)
			if err != nil || !bytes.Equal(again, append(slices.Clone(line), '\n')) {
				t.Fatalf("%q became %q, %v", line, again, err)
			}
		}
	})
}

// TestNewestIsNewest: the last snapshot made is the newest one, also within one millisecond and after a clock that was ahead.
func TestNewestIsNewest(t *testing.T) {
	r, clock, _ := newRepository2(t, &vaulttest.Memory{}, 0)
	for i := range 6 {
		if i == 4 {
			clock.now = clock.now.Add(-time.Hour)
		}
		s := save(t, r, clock, resources(i))
		all, err := r.Snapshots(t.Context(), "")
		if err != nil || len(all) != i+1 || all[i] != s.Name {
			t.Fatalf("%d: %v, made %v, %v", i, all, s.Name, err)
		}
	}
}
