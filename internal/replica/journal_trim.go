package replica

import (
	"context"
	"strings"
	"time"

	"tandem"
	"tandem/internal/snapshot/repository"
	"tandem/internal/vault"
)

// Trimmed is what Trim deleted, or would delete.
type Trimmed struct {
	Service  string `json:"service"`
	Segments int    `json:"segments"`
	Bytes    int64  `json:"bytes"`
}

// Trim deletes the segments of a journal that a snapshot takes the place of: those that end at its revision or before, were
// written before it, and are older than the minimum. All times are of the vault's own clock (law 11): snapshot is when the
// snapshot's record was written, now the vault's present. A store that was made anew counts revisions from one again; its segments
// were written after the snapshot, and stay. The newest segment stays always.
func (j *Journal) Trim(ctx context.Context, revision tandem.Revision, snapshot, now time.Time, minimum time.Duration, dry bool) (Trimmed, error) {
	var out Trimmed
	var newest SegmentName
	infos := map[SegmentName]vault.Info{}
	for info, err := range j.Vault.List(ctx, j.Prefix+"/") {
		if err != nil {
			return out, err
		}
		n, err := ParseSegmentName(strings.TrimPrefix(info.Name, j.Prefix+"/"))
		if err != nil {
			return out, err
		}
		infos[n] = info
		if n.after(newest) {
			newest = n
		}
	}
	for n, info := range infos {
		if n == newest || n.Last > revision || !info.Modified.Before(snapshot) || now.Sub(info.Modified) < minimum {
			continue
		}
		if !dry {
			if err := j.Vault.Delete(ctx, info.Name); err != nil {
				return out, err
			}
		}
		out.Segments++
		out.Bytes += info.Size
	}
	return out, nil
}

// PrunedVault is what a pruning did, or would do.
type PrunedVault struct {
	repository.Pruned
	Journals []Trimmed `json:"journals"`
}

// PruneVault applies a retention policy to the snapshots of a vault, deletes the chunks that none uses, and cuts each journal
// off before the oldest snapshot that is kept: no point in time before that can be restored any more.
func PruneVault(ctx context.Context, repo *repository.Repository, o repository.PruneOptions) (PrunedVault, error) {
	done, err := repo.Prune(ctx, o)
	out := PrunedVault{Pruned: done, Journals: []Trimmed{}}
	if err != nil {
		return out, err
	}
	now, err := repo.VaultTime(ctx)
	if err != nil {
		return out, err
	}
	oldest := map[string]repository.Name{}
	for _, d := range done.Decisions {
		if n, ok := oldest[d.Service]; d.Keep && (!ok || d.ID < n.ID) {
			oldest[d.Service] = d.Name
		}
	}
	for _, service := range sortedKeys(oldest) {
		rec, err := repo.Record(ctx, oldest[service])
		if err != nil {
			return out, err
		}
		made, err := repo.Made(ctx, oldest[service])
		if err != nil {
			return out, err
		}
		if rec.Revision == 0 {
			continue
		}
		j := &Journal{Vault: repo.Vault, Prefix: repository.JournalPrefix(rec.Source.ID), Service: rec.Source.ID}
		t, err := j.Trim(ctx, rec.Revision, made, now, repo.Minimum(), o.DryRun)
		if err != nil {
			return out, err
		}
		if t.Service = service; t.Segments > 0 {
			out.Journals = append(out.Journals, t)
		}
	}
	return out, nil
}
