package failover

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tandem"
)

func bodies(words ...string) Documents {
	d := Documents{}
	for i := 0; i < len(words); i += 2 {
		d[words[i]] = Document{Body: words[i+1], Epoch: 1}
	}
	return d
}

func TestMerge(t *testing.T) {
	base := bodies("same", "1", "ours", "1", "theirs", "1", "both", "1", "fight", "1", "gone", "1", "goneandchanged", "1")
	ours := bodies("same", "1", "ours", "2", "theirs", "1", "both", "2", "fight", "2", "goneandchanged", "2", "new", "a")
	theirs := bodies("same", "1", "ours", "1", "theirs", "2", "both", "2", "fight", "3", "gone", "1", "new", "b")
	m := Merge(base, ours, theirs, Person)
	var open []string
	for _, c := range m.Open() {
		open = append(open, c.Key)
	}
	if want := []string{"fight", "goneandchanged", "new"}; !slices.Equal(open, want) {
		t.Fatalf("open conflicts %v, want %v", open, want)
	}
	if d := m.Documents; d["ours"].Body != "2" || d["theirs"].Body != "2" || d["both"].Body != "2" || !d["gone"].Gone {
		t.Errorf("clean changes are not merged: %v", d)
	}
	for _, key := range open {
		var err error
		if m, err = m.Decide(key, Theirs); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.Open()) > 0 || m.Documents["fight"].Body != "3" || !m.Documents["goneandchanged"].Gone {
		t.Errorf("decisions do not count: %v", m)
	}
	if _, err := m.Decide("same", Ours); tandem.KindOf(err) != tandem.NotFound {
		t.Errorf("deciding what is no conflict: %v", err)
	}
}

func TestMergeNewest(t *testing.T) {
	base := Documents{"k": {Body: "0", Epoch: 1}}
	for _, c := range []struct {
		name         string
		ours, theirs Document
		want         Side
	}{
		{"theirs later", Document{Body: "1", Epoch: 1}, Document{Body: "2", Epoch: 2}, Theirs},
		{"ours later", Document{Gone: true, Epoch: 3}, Document{Body: "2", Epoch: 2}, Ours},
		{"one epoch", Document{Body: "1", Epoch: 2}, Document{Body: "2", Epoch: 2}, Neither},
		{"not known", Document{Gone: true}, Document{Body: "2", Epoch: 2}, Neither},
	} {
		m := Merge(base, Documents{"k": c.ours}, Documents{"k": c.theirs}, Newest)
		if len(m.Conflicts) != 1 || m.Conflicts[0].Chosen != c.want {
			t.Errorf("%s: %+v, want side %d", c.name, m.Conflicts, c.want)
		}
	}
}

func drawDocuments(t *rapid.T, name string) Documents {
	return rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), rapid.Custom(func(t *rapid.T) Document {
		return Document{Gone: rapid.Bool().Draw(t, "gone"), Body: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "body"),
			Epoch: tandem.Epoch(rapid.IntRange(0, 3).Draw(t, "epoch"))}
	})).Draw(t, name)
}

func sameDocuments(a, b Documents) bool {
	for _, d := range []Documents{a, b} {
		for k := range maps.Keys(d) {
			if !a.at(k).same(b.at(k)) {
				return false
			}
		}
	}
	return true
}

// TestMergeProperties holds the invariants of Merged.
func TestMergeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, ours, theirs := drawDocuments(t, "base"), drawDocuments(t, "ours"), drawDocuments(t, "theirs")
		rule := rapid.SampledFrom([]Rule{Person, PreferOurs, PreferTheirs, Newest}).Draw(t, "rule")
		m := Merge(base, ours, theirs, rule)

		mirror := map[Rule]Rule{Person: Person, PreferOurs: PreferTheirs, PreferTheirs: PreferOurs, Newest: Newest}[rule]
		if turned := Merge(base, theirs, ours, mirror); !sameDocuments(m.Documents, turned.Documents) || len(m.Open()) != len(turned.Open()) {
			t.Fatalf("the merge depends on the order: %v, %v", m, turned)
		}
		contested := map[string]bool{}
		for _, c := range m.Conflicts {
			contested[c.Key] = true
			if !c.Ours.same(ours.at(c.Key)) || !c.Theirs.same(theirs.at(c.Key)) {
				t.Fatalf("a conflict does not show both sides: %v", c)
			}
		}
		for _, side := range []Documents{ours, theirs} {
			for key := range side {
				changed := !side.at(key).same(base.at(key))
				if kept := m.Documents.at(key).same(side.at(key)); changed && !kept && !contested[key] {
					t.Fatalf("the change of %s is discarded in silence", key)
				}
			}
		}
		for _, c := range m.Open() {
			m, _ = m.Decide(c.Key, rapid.SampledFrom([]Side{Ours, Theirs}).Draw(t, "side"))
		}
		a, b := ours.Apply(m.Changes(ours)), theirs.Apply(m.Changes(theirs))
		if !sameDocuments(a, b) {
			t.Fatalf("the sides do not converge: %v, %v", a, b)
		}
		if len(m.Changes(a)) > 0 {
			t.Fatal("applying twice changes more than applying once")
		}
	})
}
