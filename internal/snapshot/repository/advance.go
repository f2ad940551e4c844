package repository

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/snapshot"
)

// Change is what became of one resource since a snapshot.
type Change struct {
	Path     string             // of the resource, in the case that it has in the snapshot
	Resource *snapshot.Resource // as it is now, with the same path; nil: it is gone
}

// errNotThere: a change does not fit the snapshot.
var errNotThere = &tandem.Error{Op: "advance snapshot", Kind: tandem.Precondition, Err: errors.New("a change does not continue the snapshot"), Remedy: "save a whole snapshot"}

// Advance saves a snapshot that is an older one with changes: it reads and writes only the chunks that they touch, and gives
// the same tree as Save of all resources would. Precondition: the changes do not continue the snapshot.
func (r *Repository) Advance(ctx context.Context, base Record, meta snapshot.Meta, changes []Change) (Saved, error) {
	work, release, err := r.lock(ctx, false)
	if err != nil {
		return Saved{}, err
	}
	out, err := r.advance(work, base, meta, changes)
	return out, errors.Join(err, release())
}

func (r *Repository) advance(ctx context.Context, base Record, meta snapshot.Meta, changes []Change) (Saved, error) {
	level, nodeNames, err := r.tree(ctx, base)
	if err != nil {
		return Saved{}, err
	}
	if base.Resources == 0 {
		level = nil
	}
	w := &writer{Repository: r, known: map[string]bool{}}
	for _, e := range level {
		w.known[e.chunk] = true
	}
	for _, name := range nodeNames {
		w.known[name] = true
	}
	w.shared = w.known
	changes = slices.Clone(changes)
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	counts := maps.Clone(base.Counts)
	if counts == nil {
		counts = map[string]int{}
	}
	m := &merger{Repository: r, ctx: ctx, old: level, counts: counts}
	if err := m.run(changes); err != nil {
		return Saved{}, err
	}
	fresh := make([]leaf, 0, len(m.out))
	var places []int
	for i, p := range m.out {
		if p.leaf != nil {
			fresh, places = append(fresh, *p.leaf), append(places, i)
		}
	}
	written, err := w.leaves(ctx, fresh)
	if err != nil {
		return Saved{}, err
	}
	entries := make([]entry, len(m.out))
	for i, p := range m.out {
		entries[i] = p.entry
	}
	for i, e := range written {
		entries[places[i]] = e
	}
	for kind, n := range counts {
		if n == 0 {
			delete(counts, kind)
		}
	}
	return w.finish(ctx, meta, counts, entries, &base)
}

// merger walks the leaves of a snapshot and its changes side by side. What no change touches stays as it is.
type merger struct {
	*Repository
	ctx    context.Context
	old    []entry
	counts map[string]int
	out    []place

	lines [][]byte // of the leaf that is being made
	first string
	size  int64
}

// place is a leaf of the new tree: an old one, or one to be written.
type place struct {
	entry entry
	leaf  *leaf
}

func (m *merger) run(changes []Change) error {
	for i, e := range m.old {
		var here []Change
		if i == len(m.old)-1 {
			here, changes = changes, nil
		} else {
			n, _ := slices.BinarySearchFunc(changes, m.old[i+1].first, func(c Change, first string) int { return strings.Compare(c.Path, first) })
			here, changes = changes[:n], changes[n:]
		}
		if len(here) == 0 && len(m.lines) == 0 {
			m.out = append(m.out, place{entry: e})
			continue
		}
		all, err := m.readLeaf(m.ctx, e)
		if err != nil {
			return err
		}
		if err := m.merge(all, here); err != nil {
			return err
		}
	}
	if err := m.merge(nil, changes); err != nil { // of an empty snapshot
		return err
	}
	m.end()
	return nil
}

// merge adds the resources of one leaf with their changes.
func (m *merger) merge(all []snapshot.Resource, changes []Change) error {
	for len(all) > 0 || len(changes) > 0 {
		switch {
		case len(changes) == 0 || len(all) > 0 && all[0].Path < changes[0].Path:
			if err := m.add(all[0]); err != nil {
				return err
			}
			all = all[1:]
			continue
		case len(all) > 0 && all[0].Path == changes[0].Path:
			m.counts[all[0].Kind()]--
			all = all[1:]
		case changes[0].Resource == nil:
			return errNotThere
		}
		if res := changes[0].Resource; res != nil {
			if res.Path != changes[0].Path {
				return errNotThere
			}
			m.counts[res.Kind()]++
			if err := m.add(*res); err != nil {
				return err
			}
		}
		changes = changes[1:]
	}
	return nil
}

func (m *merger) add(res snapshot.Resource) error {
	line, err := snapshot.AppendLine(nil, res)
	if err != nil {
		return unfit(res.Path, err)
	}
	if len(m.lines) == 0 {
		m.first = res.Path
	}
	m.lines = append(m.lines, line)
	if m.size += int64(len(line)); leafEnds(res.Path, m.size) {
		m.end()
	}
	return nil
}

func (m *merger) end() {
	if len(m.lines) > 0 {
		m.out = append(m.out, place{leaf: &leaf{m.first, m.lines, m.size}})
	}
	m.lines, m.size = nil, 0
}
