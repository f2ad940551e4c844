package repository

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"tandem"
	"tandem/internal/vault"
)

// PruneOptions say what is deleted.
type PruneOptions struct {
	Policy  Policy
	Service string // its folder; empty: all services, each by itself
	DryRun  bool   // only tell
}

// Pruned is what a pruning did, or would do.
type Pruned struct {
	Decisions []Decision `json:"decisions"`
	Snapshots int        `json:"snapshots"` // deleted
	Chunks    int        `json:"chunks"`    // deleted
	Bytes     int64      `json:"bytes"`     // of them, in the vault
	Kept      int        `json:"kept"`      // chunks
	Locked    int        `json:"locked"`    // chunks and records that the store still refuses to delete; a later pruning does it
}

// Prune deletes the snapshots that the policy does not keep, and then the chunks that no snapshot uses. Cut off anywhere, it
// leaves every kept snapshot whole, and the next one goes on. Locked: somebody writes or prunes.
func (r *Repository) Prune(ctx context.Context, o PruneOptions) (Pruned, error) {
	if err := o.Policy.Check(); err != nil {
		return Pruned{}, err
	}
	work, release, err := r.lock(ctx, true)
	if err != nil {
		return Pruned{}, err
	}
	out, err := r.prune(work, o)
	return out, errors.Join(err, release())
}

func (r *Repository) prune(ctx context.Context, o PruneOptions) (Pruned, error) {
	now, err := Open(ctx, r.Config) // the minimum retention may have been raised
	if err != nil {
		return Pruned{}, err
	}
	out := Pruned{Decisions: []Decision{}}
	all, err := r.Snapshots(ctx, "")
	if err != nil {
		return out, err
	}
	records := make([]Record, len(all))
	if err := r.each(ctx, len(all), 1, func(ctx context.Context, i int) (err error) {
		if records[i], err = r.Record(ctx, all[i]); err != nil {
			return fmt.Errorf("nothing is deleted, since the chunks of this snapshot are not known: %w", err)
		}
		return nil
	}); err != nil {
		return out, err
	}
	if out.Decisions, err = now.decide(ctx, all, records, o); err != nil {
		return out, err
	}
	gone := map[Name]bool{}
	for _, d := range out.Decisions {
		if d.Keep {
			continue
		}
		refused, err := r.remove(ctx, d.Name.blob(), o.DryRun)
		switch {
		case err != nil:
			return out, err
		case refused:
			out.Locked++
			continue
		}
		gone[d.Name] = true
		out.Snapshots++
		if _, err := r.remove(ctx, proofsAt+d.Name.String(), o.DryRun); err != nil {
			return out, err
		}
	}
	var kept []Record
	for i, n := range all {
		if !gone[n] {
			kept = append(kept, records[i])
		}
	}
	return out, r.sweep(ctx, kept, &out, o.DryRun)
}

// decide applies the policy to each service.
func (r *Repository) decide(ctx context.Context, all []Name, records []Record, o PruneOptions) ([]Decision, error) {
	proofs, err := r.Proofs(ctx, o.Service)
	if err != nil {
		return nil, err
	}
	made := map[string]vault.Info{}
	for info, err := range r.Vault.List(ctx, snapshotsAt) {
		if err != nil {
			return nil, err
		}
		made[info.Name] = info
	}
	vaultNow, err := r.VaultTime(ctx)
	if err != nil {
		return nil, err
	}
	out := []Decision{}
	byService := map[string][]Candidate{}
	var services []string
	for i, n := range all {
		if o.Service != "" && n.Service != o.Service {
			continue
		}
		c := Candidate{Name: n, Proven: proofs[n].Outcome == outcomeProven && proofs[n].Root == records[i].Root, Until: records[i].Created.Add(r.Minimum())}
		if u := records[i].KeepUntil; u != nil && u.After(c.Until) {
			c.Until = *u
		}
		c.Young = vaultNow.Sub(made[n.blob()].Modified) < c.Until.Sub(records[i].Created)
		if byService[n.Service] == nil {
			services = append(services, n.Service)
		}
		byService[n.Service] = append(byService[n.Service], c)
	}
	for _, s := range services {
		out = append(out, o.Policy.Decide(byService[s], r.Clock.Now())...)
	}
	return out, nil
}

// remove deletes a blob; refused means that the store holds it until a time.
func (r *Repository) remove(ctx context.Context, blob string, dry bool) (refused bool, err error) {
	if dry {
		return false, nil
	}
	err = r.Vault.Delete(ctx, blob)
	if errors.Is(err, tandem.Locked) {
		return true, nil
	}
	return false, err
}

// sweep deletes the chunks that no kept snapshot uses.
func (r *Repository) sweep(ctx context.Context, kept []Record, out *Pruned, dry bool) error {
	used, err := r.used(ctx, kept)
	if err != nil {
		return fmt.Errorf("no chunk is deleted, since not all are known that are used: %w", err)
	}
	var idle []vault.Info
	for info, err := range r.Vault.List(ctx, chunksAt) {
		if err != nil {
			return err
		}
		if len(info.Name) > 64 && used[info.Name[len(info.Name)-64:]] {
			out.Kept++
		} else {
			idle = append(idle, info)
		}
	}
	var chunks, bytes, locked, done atomic.Int64
	err = r.each(ctx, len(idle), 1, func(ctx context.Context, i int) error {
		refused, err := r.remove(ctx, idle[i].Name, dry)
		switch {
		case err != nil:
			return err
		case refused:
			locked.Add(1)
		default:
			chunks.Add(1)
			bytes.Add(idle[i].Size)
		}
		r.tell("delete chunks", int(done.Add(1)), len(idle))
		return nil
	})
	out.Chunks, out.Bytes, out.Locked = int(chunks.Load()), bytes.Load(), out.Locked+int(locked.Load())
	return err
}

// used names the chunks of snapshots. Nodes that they share are read once.
func (r *Repository) used(ctx context.Context, records []Record) (map[string]bool, error) {
	used := map[string]bool{}
	type at struct {
		name   string
		height int
	}
	var level []at
	for _, rec := range records {
		if !used[rec.Root] {
			used[rec.Root] = true
			if rec.Height > 0 {
				level = append(level, at{rec.Root, rec.Height})
			}
		}
	}
	for len(level) > 0 {
		below := make([][]entry, len(level))
		if err := r.each(ctx, len(level), 1, func(ctx context.Context, i int) error {
			plain, err := r.chunk(ctx, level[i].name)
			if err == nil {
				below[i], err = parseNode(plain)
			}
			return err
		}); err != nil {
			return nil, err
		}
		var next []at
		for i, entries := range below {
			for _, e := range entries {
				if !used[e.chunk] {
					used[e.chunk] = true
					if level[i].height > 1 {
						next = append(next, at{e.chunk, level[i].height - 1})
					}
				}
			}
		}
		level = next
	}
	return used, nil
}
