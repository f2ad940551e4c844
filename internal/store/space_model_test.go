package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// spaceModel is what a Space should be: whole maps, one of which is active.
type spaceModel struct {
	generations map[tandem.Generation]map[string]string // the active and the kept ones
	active      tandem.Generation
	newest      tandem.Generation
	owner       string // of the lock
	staged      map[string]string
	stage       *store.Stage
	spaces      []*store.Space // several on one store, so that caches get old
}

// TestSpaceModel drives spaces and the model with the same random calls, and compares answers, errors and contents.
func TestSpaceModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := storetest.Memory()
		m := &spaceModel{active: 1, newest: 1, generations: map[tandem.Generation]map[string]string{1: {}}}
		for range 2 {
			p, err := store.OpenSpace(t.Context(), s, "s")
			if err != nil {
				rt.Fatal(err)
			}
			m.spaces = append(m.spaces, p)
		}
		ctx := t.Context()
		owner := rapid.SampledFrom([]string{"x", "y"})
		key := rapid.SampledFrom([]string{"a", "a/b", "c"})
		some := func(rt *rapid.T) *store.Space { return rapid.SampledFrom(m.spaces).Draw(rt, "space") }
		rt.Repeat(map[string]func(*rapid.T){
			"commit": func(rt *rapid.T) {
				k, v := key.Draw(rt, "key"), rapid.StringN(0, 2, 4).Draw(rt, "value")
				b := store.Batch{Put: writes(k, v)}
				if rapid.Bool().Draw(rt, "delete") {
					b = store.Batch{Delete: []string{k}}
				}
				_, err := some(rt).Commit(ctx, b)
				if m.expect(rt, err, m.owner != "", tandem.Locked) {
					m.generations[m.active][k] = v
					if b.Delete != nil {
						delete(m.generations[m.active], k)
					}
				}
			},
			"lock": func(rt *rapid.T) {
				o := owner.Draw(rt, "owner")
				if m.expect(rt, some(rt).Lock(ctx, o, "test"), m.owner != "" && m.owner != o, tandem.Locked) {
					m.owner = o
				}
			},
			"unlock": func(rt *rapid.T) {
				o := owner.Draw(rt, "owner")
				p := some(rt)
				if m.expect(rt, p.Unlock(ctx, o), m.owner != "" && m.owner != o, tandem.Locked) {
					m.owner, m.staged, m.stage = "", nil, nil
					m.expect(rt, p.Sweep(ctx), false, "")
				}
			},
			"stage": func(rt *rapid.T) {
				o := owner.Draw(rt, "owner")
				content := rapid.MapOfN(key, rapid.StringN(0, 2, 4), 0, 3).Draw(rt, "content")
				var ws []store.Write
				for k, v := range content {
					ws = append(ws, store.Write{Key: k, Value: []byte(v)})
				}
				stage, err := some(rt).Stage(ctx, o, each(ws))
				if m.expect(rt, err, m.owner != o, tandem.Locked) {
					m.newest++
					m.staged, m.stage = content, stage
				}
			},
			"swap": func(rt *rapid.T) {
				if m.stage == nil {
					rt.Skip("nothing is staged")
				}
				stage, err := some(rt).Resume(ctx, m.owner)
				if m.expect(rt, err, m.owner == "", tandem.Locked) {
					_, err := stage.Swap(ctx)
					if m.expect(rt, err, false, "") {
						m.active = m.newest
						m.generations[m.active], m.staged, m.stage = m.staged, nil, nil
					}
				}
			},
			"discard": func(rt *rapid.T) {
				if m.stage == nil {
					rt.Skip("nothing is staged")
				}
				if m.expect(rt, m.stage.Discard(ctx), false, "") {
					m.staged, m.stage = nil, nil
				}
			},
			"roll back": func(rt *rapid.T) {
				o, to := owner.Draw(rt, "owner"), tandem.Generation(rapid.Int64Range(1, int64(m.newest)).Draw(rt, "to"))
				_, err := some(rt).Rollback(ctx, o, to)
				switch _, kept := m.generations[to]; {
				case m.owner != o:
					m.expect(rt, err, true, tandem.Locked)
				case m.expect(rt, err, !kept, tandem.NotFound):
					m.active = to
				}
			},
			"drop": func(rt *rapid.T) {
				g := tandem.Generation(rapid.Int64Range(1, int64(m.newest)).Draw(rt, "generation"))
				_, kept := m.generations[g]
				p := some(rt)
				if m.expect(rt, p.Drop(ctx, g), !kept || g == m.active, tandem.NotFound) {
					delete(m.generations, g)
				}
			},
			"": func(rt *rapid.T) {
				for i, p := range m.spaces {
					m.compare(t, rt, i, p)
				}
				for k, want := range m.generations[m.active] {
					if d, err := some(rt).Get(ctx, k, 0); err != nil || string(d.Value) != want {
						rt.Fatalf("get %s: %q, %v, want %q", k, d.Value, err, want)
					}
				}
				l, err := s.List(ctx, "", store.ListOptions{})
				want := 1 + len(m.staged)
				for _, g := range m.generations {
					want += len(g)
				}
				if err != nil || len(l.Documents) != want {
					rt.Fatalf("the store has %d documents, %v, want %d: %s", len(l.Documents), err, want, show(l.Documents))
				}
			},
		})
	})
}

// expect is true where the call succeeded, as it should.
func (m *spaceModel) expect(rt *rapid.T, err error, fails bool, kind tandem.Kind) bool {
	if fails != (err != nil) || fails && tandem.KindOf(err) != kind {
		rt.Fatalf("got %v, want failure %v of kind %q", err, fails, kind)
	}
	return !fails
}

func (m *spaceModel) compare(t *testing.T, rt *rapid.T, i int, p *store.Space) {
	l, err := p.List(t.Context(), "", store.ListOptions{})
	if err != nil {
		rt.Fatal(err)
	}
	var want []string
	for _, k := range slices.Sorted(maps.Keys(m.generations[m.active])) {
		want = append(want, k+"="+m.generations[m.active][k])
	}
	if got := show(l.Documents); got != strings.Join(want, " ") {
		rt.Fatalf("space %d has %s, want %s", i, got, want)
	}
	h := l.Head
	kept := fmt.Sprint(slices.Sorted(slices.Values(append(slices.Clone(h.Kept), h.Active))))
	if all := fmt.Sprint(slices.Sorted(maps.Keys(m.generations))); kept != all || h.Active != m.active || h.Newest != m.newest {
		rt.Fatalf("head %+v, want active %d of %s, newest %d", h, m.active, all, m.newest)
	}
	if (h.Lock == nil) != (m.owner == "") || h.Lock != nil && h.Lock.Owner != m.owner {
		rt.Fatalf("lock %+v, want %q", h.Lock, m.owner)
	}
}
