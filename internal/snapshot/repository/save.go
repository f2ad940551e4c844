package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
	"tandem/internal/snapshot"
	"tandem/internal/vault"
)

// SaveOptions say how a snapshot is saved.
type SaveOptions struct {
	// Rewrite writes every chunk, also those that the vault has: it mends a vault whose chunks were damaged.
	Rewrite bool
}

// Saved is what a save did.
type Saved struct {
	Name      Name   `json:"-"`
	ID        string `json:"id"`
	Record    Record `json:"record"`
	Chunks    int    `json:"chunks"`    // of the snapshot
	NewChunks int    `json:"newChunks"` // that the vault did not have
	NewBytes  int64  `json:"newBytes"`  // written, as they lie in the vault, with the record
}

// Save writes a snapshot of all resources of a service. It is in the vault when Save returns, and there is nothing of it that
// looks whole before.
func (r *Repository) Save(ctx context.Context, meta snapshot.Meta, all []snapshot.Resource, o SaveOptions) (Saved, error) {
	work, release, err := r.lock(ctx, false)
	if err != nil {
		return Saved{}, err
	}
	out, err := r.save(work, meta, all, o)
	return out, errors.Join(err, release())
}

func (r *Repository) save(ctx context.Context, meta snapshot.Meta, all []snapshot.Resource, o SaveOptions) (Saved, error) {
	all = slices.Clone(all)
	slices.SortFunc(all, snapshot.Less)
	counts := map[string]int{}
	seen := make(map[string]bool, len(all))
	for _, res := range all {
		if key := snapshot.Fold(res.Path); seen[key] {
			return Saved{}, unfit(res.Path, errors.New("it stands twice"))
		} else {
			seen[key] = true
		}
		counts[res.Kind()]++
	}
	lines := make([][]byte, len(all))
	if err := r.each(ctx, len(all), 256, func(_ context.Context, i int) (err error) {
		if lines[i], err = snapshot.AppendLine(make([]byte, 0, len(all[i].Properties)+256), all[i]); err != nil {
			err = unfit(all[i].Path, err)
		}
		return err
	}); err != nil {
		return Saved{}, err
	}
	w := &writer{Repository: r, rewrite: o.Rewrite, known: map[string]bool{}}
	if !o.Rewrite {
		if err := w.learn(ctx); err != nil {
			return Saved{}, err
		}
	}
	var leaves []leaf
	from, size := 0, int64(0)
	for i := range all {
		size += int64(len(lines[i]))
		if leafEnds(all[i].Path, size) || i == len(all)-1 {
			leaves = append(leaves, leaf{first: all[from].Path, lines: lines[from : i+1], bytes: size})
			from, size = i+1, 0
		}
	}
	entries, err := w.leaves(ctx, leaves)
	if err != nil {
		return Saved{}, err
	}
	base, err := w.base(ctx, ServiceFolder(meta.Source.ID))
	if err != nil {
		return Saved{}, err
	}
	return w.finish(ctx, meta, counts, entries, base)
}

// base gives the newest snapshot of the service, and notes its chunks, where they decide what the store is to keep; nil where
// it does not matter or none can be read.
func (w *writer) base(ctx context.Context, service string) (*Record, error) {
	if _, ok := w.Vault.(vault.Retainer); !ok || w.Minimum() == 0 {
		return nil, nil
	}
	all, err := w.Snapshots(ctx, service)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	rec, err := w.Record(ctx, all[len(all)-1])
	if err == nil {
		w.shared, err = w.used(ctx, []Record{rec})
	}
	if errors.Is(err, tandem.Corrupt) {
		return nil, nil // then all chunks are asked for
	}
	return &rec, err
}

func unfit(path string, err error) error {
	return &tandem.Error{Op: "save snapshot", Subject: path, Kind: kindOr(err, tandem.Invalid), Err: err, Remedy: "repair the resource at its source, or exclude it"}
}

// leaf is a leaf before it has a name.
type leaf struct {
	first string
	lines [][]byte
	bytes int64
}

// writer puts the chunks of one snapshot.
type writer struct {
	*Repository
	rewrite bool
	known   map[string]bool // chunks that the vault has; not changed while chunks are written
	shared  map[string]bool // chunks of the base
	chunks  atomic.Int64
	news    atomic.Int64
	bytes   atomic.Int64
}

// learn lists the chunks that the vault has.
func (w *writer) learn(ctx context.Context) error {
	for info, err := range w.Vault.List(ctx, chunksAt) {
		if err != nil {
			return err
		}
		w.known[info.Name[strings.LastIndexByte(info.Name, '/')+1:]] = true
	}
	return nil
}

func chunkBlob(name string) string { return chunksAt + name[:2] + "/" + name }

// put writes a chunk that the vault does not have, and gives its name.
func (w *writer) put(ctx context.Context, plain []byte) (string, error) {
	name := w.ring.chunkName(plain)
	w.chunks.Add(1)
	if w.known[name] {
		return name, nil
	}
	blob := chunkBlob(name)
	sealed, err := w.ring.seal(blob, plain)
	if err != nil {
		return "", err
	}
	_, err = w.Vault.Put(ctx, blob, bytes.NewReader(sealed), vault.PutOptions{IfAbsent: !w.rewrite})
	if errors.Is(err, tandem.Exists) {
		return name, nil
	}
	if err != nil {
		return "", err
	}
	w.news.Add(1)
	w.bytes.Add(int64(len(sealed)))
	return name, nil
}

// leaves writes leaves and gives their entries.
func (w *writer) leaves(ctx context.Context, all []leaf) ([]entry, error) {
	out := make([]entry, len(all))
	var done atomic.Int64
	err := w.each(ctx, len(all), 1, func(ctx context.Context, i int) (err error) {
		l := all[i]
		plain := make([]byte, 0, int(l.bytes)+len(leafHeader))
		plain = append(plain, leafHeader...)
		for _, line := range l.lines {
			plain = append(plain, line...)
		}
		out[i] = entry{resources: len(l.lines), bytes: l.bytes, first: l.first}
		out[i].chunk, err = w.put(ctx, plain)
		w.tell("write chunks", int(done.Add(1)), len(all))
		return err
	})
	return out, err
}

// finish writes the nodes above the leaves and the record.
func (w *writer) finish(ctx context.Context, meta snapshot.Meta, counts map[string]int, level []entry, base *Record) (Saved, error) {
	rec := Record{Format: recordFormat, Version: recordVersion, Created: meta.Created.UTC().Truncate(time.Second), Source: meta.Source, Region: meta.Region,
		Revision: meta.Revision, Generation: meta.Generation, Journal: meta.Journal, Counts: counts, Omissions: append([]snapshot.Omission{}, meta.Omissions...)}
	if meta.Window != nil {
		rec.Window = &snapshot.Window{From: meta.Window.From.UTC().Truncate(time.Second), To: meta.Window.To.UTC().Truncate(time.Second)}
	}
	for _, e := range level {
		rec.Resources += e.resources
		rec.Bytes += e.bytes
	}
	used := make([]string, 0, len(level)*5/4+1)
	for _, e := range level {
		used = append(used, e.chunk)
	}
	if len(level) == 0 {
		name, err := w.put(ctx, []byte(leafHeader))
		if err != nil {
			return Saved{}, err
		}
		rec.Root, used = name, append(used, name)
	}
	for len(level) > 1 {
		rec.Height++
		if rec.Height > maxHeight {
			return Saved{}, fmt.Errorf("save snapshot: a tree of %d resources is higher than %d", rec.Resources, maxHeight)
		}
		groups := nodes(rec.Height, level)
		next := make([]entry, len(groups))
		if err := w.each(ctx, len(groups), 1, func(ctx context.Context, i int) (err error) {
			next[i] = summary(groups[i])
			next[i].chunk, err = w.put(ctx, node(groups[i]))
			return err
		}); err != nil {
			return Saved{}, err
		}
		for _, e := range next {
			used = append(used, e.chunk)
		}
		level = next
	}
	if len(level) == 1 {
		rec.Root = level[0].chunk
	}
	if w.Minimum() > 0 {
		until := rec.Created.Add(w.Minimum())
		rec.KeepUntil = &until
	}
	var err error
	if rec.Locked, err = w.lockChunks(ctx, rec, used, base, w.shared); err != nil {
		return Saved{}, err
	}
	name, err := w.putRecord(ctx, rec)
	if err != nil {
		return Saved{}, err
	}
	return Saved{Name: name, ID: name.ID, Record: rec, Chunks: int(w.chunks.Load()), NewChunks: int(w.news.Load()), NewBytes: w.bytes.Load()}, nil
}

// each runs do for 0..n-1 on Concurrency goroutines, batch numbers at a time; the first error ends it.
func (r *Repository) each(ctx context.Context, n, batch int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(r.Concurrency, (n+batch-1)/batch) {
		wait.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(int64(batch))) - batch
				for i := from; i < min(from+batch, n); i++ {
					if err := do(ctx, i); err != nil {
						cancel(err)
						return
					}
				}
				if from >= n {
					return
				}
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}
