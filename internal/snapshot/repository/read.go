package repository

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"sync"

	"tandem"
	"tandem/internal/snapshot"
)

// chunk reads a chunk and opens it.
func (r *Repository) chunk(ctx context.Context, name string) ([]byte, error) {
	blob := chunkBlob(name)
	raw, err := readBlob(ctx, r.Vault, blob)
	if errors.Is(err, tandem.NotFound) {
		return nil, &tandem.Error{Op: "read chunk", Subject: blob, Kind: tandem.Corrupt, Err: errors.New("it is missing from the vault"), Remedy: "put back a copy of the blob, restore from another snapshot, or back up again"}
	}
	if err != nil {
		return nil, err
	}
	plain, err := r.ring.open(blob, raw)
	if err == nil && r.ring.chunkName(plain) != name {
		err = &tandem.Error{Op: "read chunk", Subject: blob, Kind: tandem.Corrupt, Err: errors.New("its content is not what its name says"), Remedy: "back up again with --rewrite, which writes every chunk anew"}
	}
	return plain, err
}

func badChunk(e entry, err error) error {
	return &tandem.Error{Op: "read chunk", Subject: chunkBlob(e.chunk), Kind: kindOr(err, tandem.Corrupt), Err: fmt.Errorf("the resources from %q on cannot be read: %w", e.first, err), Remedy: "restore from another snapshot, or back up again with --rewrite"}
}

// tree reads all nodes of a snapshot and gives the entries of its leaves, and the names of the nodes.
func (r *Repository) tree(ctx context.Context, rec Record) (leaves []entry, names []string, err error) {
	level := []entry{{chunk: rec.Root, resources: rec.Resources, bytes: rec.Bytes}}
	for h := rec.Height; h > 0; h-- {
		below := make([][]entry, len(level))
		if err := r.each(ctx, len(level), 1, func(ctx context.Context, i int) error {
			plain, err := r.chunk(ctx, level[i].chunk)
			if err != nil {
				return err
			}
			if below[i], err = parseNode(plain); err != nil {
				return badChunk(level[i], err)
			}
			if s := summary(below[i]); s.resources != level[i].resources || s.bytes != level[i].bytes || s.first != level[i].first && h < rec.Height {
				return badChunk(level[i], errors.New("it is another node than the one above it says"))
			}
			return nil
		}); err != nil {
			return nil, nil, err
		}
		for _, e := range level {
			names = append(names, e.chunk)
		}
		level = level[:0:0]
		for _, b := range below {
			if n := len(level); n > 0 && level[n-1].first >= b[0].first {
				return nil, nil, badChunk(b[0], errors.New("it is out of order"))
			}
			level = append(level, b...)
		}
	}
	return level, names, nil
}

// readLeaf reads a leaf and checks it against its entry.
func (r *Repository) readLeaf(ctx context.Context, e entry) ([]snapshot.Resource, error) {
	plain, err := r.chunk(ctx, e.chunk)
	if err != nil {
		return nil, badChunk(e, err)
	}
	lines, err := parseLeaf(plain)
	if err == nil && (len(lines) != e.resources || int64(len(plain)-len(leafHeader)) != e.bytes) {
		err = errors.New("it is another leaf than the node above it says")
	}
	if err != nil {
		return nil, badChunk(e, err)
	}
	out := make([]snapshot.Resource, len(lines))
	for i, line := range lines {
		if out[i], err = snapshot.ParseLine(line); err != nil {
			return nil, badChunk(e, fmt.Errorf("resource %d: %w", i+1, err))
		}
		if i > 0 && out[i-1].Path >= out[i].Path {
			return nil, badChunk(e, errors.New("its resources are out of order"))
		}
	}
	if len(out) > 0 && e.first != "" && out[0].Path != e.first {
		return nil, badChunk(e, errors.New("it begins with another resource than the node above it says"))
	}
	return out, nil
}

// Resources reads a snapshot to its end: every resource once, in the byte order of paths, each chunk checked against its
// name. An error ends it; act on nothing before the loop has ended well.
func (r *Repository) Resources(ctx context.Context, rec Record) iter.Seq2[snapshot.Resource, error] {
	return func(yield func(snapshot.Resource, error) bool) {
		leaves, _, err := r.tree(ctx, rec)
		if err != nil {
			yield(snapshot.Resource{}, err)
			return
		}
		counts, last, n := map[string]int{}, "", 0
		seen := make(map[string]bool, rec.Resources)
		for part, err := range r.ahead(ctx, leaves) {
			if err != nil {
				yield(snapshot.Resource{}, err)
				return
			}
			for _, res := range part {
				key := snapshot.Fold(res.Path)
				if n > 0 && res.Path <= last || seen[key] {
					yield(snapshot.Resource{}, &tandem.Error{Op: "read snapshot", Subject: res.Path, Kind: tandem.Corrupt, Err: errors.New("it is out of order, or stands twice"), Remedy: "restore from another snapshot"})
					return
				}
				last, n, seen[key] = res.Path, n+1, true
				counts[res.Kind()]++
				if !yield(res, nil) {
					return
				}
			}
		}
		if n != rec.Resources || !maps.Equal(counts, rec.Counts) {
			yield(snapshot.Resource{}, &tandem.Error{Op: "read snapshot", Subject: rec.Root, Kind: tandem.Corrupt, Err: errors.New("its counts are not those of its resources"), Remedy: "restore from another snapshot"})
		}
	}
}

// ahead reads leaves in order, several at once.
func (r *Repository) ahead(ctx context.Context, leaves []entry) iter.Seq2[[]snapshot.Resource, error] {
	type result struct {
		all []snapshot.Resource
		err error
	}
	return func(yield func([]snapshot.Resource, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wait sync.WaitGroup
		defer wait.Wait()
		defer cancel()
		slots := make([]chan result, len(leaves))
		next := 0
		start := func() {
			if next == len(leaves) {
				return
			}
			i := next
			next++
			slots[i] = make(chan result, 1)
			wait.Go(func() {
				all, err := r.readLeaf(ctx, leaves[i])
				slots[i] <- result{all, err}
			})
		}
		for range 2 * r.Concurrency {
			start()
		}
		for i := range leaves {
			got := <-slots[i]
			slots[i] = nil
			if err := context.Cause(ctx); err != nil && got.err == nil {
				got.err = err
			}
			if !yield(got.all, got.err) || got.err != nil {
				return
			}
			start()
			r.tell("read chunks", i+1, len(leaves))
		}
	}
}

// Read reads all resources of a snapshot.
func (r *Repository) Read(ctx context.Context, rec Record) ([]snapshot.Resource, error) {
	out := make([]snapshot.Resource, 0, min(rec.Resources, 1<<20))
	for res, err := range r.Resources(ctx, rec) {
		if err != nil {
			return nil, err
		}
		out = append(out, res)
	}
	return out, nil
}
