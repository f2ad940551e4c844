package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/store"
)

// testModel drives the store and a plain map with the same random batches, and compares every past state and the watch.
func testModel(t *testing.T, s store.Store) {
	round := 0 // rapid runs the property many times on the one store: each has its own prefix
	rapid.Check(t, func(rt *rapid.T) {
		round++
		prefix := fmt.Sprintf("round/%d/", round)
		first, err := s.Revision(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		key := rapid.SampledFrom([]string{"a", "a/b", "b", "c"})
		now := map[string]store.Document{}
		states := map[tandem.Revision]string{}
		var events []string
		for range rapid.IntRange(1, 12).Draw(rt, "commits") {
			var b store.Batch
			holds := true
			for _, k := range rapid.SliceOfNDistinct(key, 0, 2, rapid.ID).Draw(rt, "conditions") {
				c := store.Condition{Key: prefix + k, Revision: now[k].Revision}
				switch rapid.IntRange(0, 3).Draw(rt, "condition") {
				case 0:
					c.Revision = store.Any
					holds = holds && now[k].Revision != 0
				case 1:
					c.Revision = 0
					holds = holds && now[k].Revision == 0
				}
				b.If = append(b.If, c)
			}
			written := rapid.SliceOfNDistinct(key, 1, 3, rapid.ID).Draw(rt, "keys")
			slices.Sort(written)
			next, changes := maps.Clone(now), ""
			for _, k := range written {
				if rapid.Bool().Draw(rt, "delete") {
					b.Delete = append(b.Delete, prefix+k)
					if _, there := next[k]; there {
						changes += " -" + prefix + k
					}
					delete(next, k)
					continue
				}
				v := rapid.StringN(0, 3, 8).Draw(rt, "value")
				b.Put = append(b.Put, store.Write{Key: prefix + k, Value: []byte(v)})
				changes += fmt.Sprintf(" %s=%s", prefix+k, v)
				next[k] = store.Document{Key: prefix + k, Value: []byte(v), Created: now[k].Created}
			}
			r, err := s.Commit(t.Context(), b)
			if !holds {
				if tandem.KindOf(err) != tandem.Precondition {
					rt.Fatalf("%+v: got %v, want Precondition", b, err)
				}
				continue
			}
			if err != nil {
				rt.Fatal(err)
			}
			for _, k := range written {
				if d, there := next[k]; there {
					d.Revision = r
					if d.Created == 0 {
						d.Created = r
					}
					next[k] = d
				}
			}
			now = next
			states[r] = showModel(now)
			if changes != "" {
				events = append(events, fmt.Sprintf("%d:%s", r, changes))
			}
		}
		for r, want := range states {
			if got := show(list(t, s, prefix, store.ListOptions{At: r}).Documents); got != want {
				rt.Fatalf("state at %d: got %s, want %s", r, got, want)
			}
		}
		if len(events) > 0 && round%10 == 1 { // an engine may take its time to start a watch of the past
			if got := watch(t, s, prefix, first, len(events)); strings.Join(got, "\n") != strings.Join(events, "\n") {
				rt.Fatalf("watched %q, want %q", got, events)
			}
		}
	})
}

func showModel(state map[string]store.Document) string {
	var documents []store.Document
	for _, k := range slices.Sorted(maps.Keys(state)) {
		documents = append(documents, state[k])
	}
	return show(documents)
}
