package replica

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"tandem"
	"tandem/internal/snapshot/repository"
)

// VerifyOptions say what of a vault is verified.
type VerifyOptions struct {
	Service string // its folder, or its name where that is the only one; empty: all
	Sample  int    // older snapshots of each service, beside the newest: those whose last proof is the oldest, or that have none
	All     bool   // every snapshot
	Restore bool   // also restore each into a scratch service, and compare
	// Requests are replayed against the newest one in the scratch service and, where Original names a gateway, against that.
	Requests   []ReplayRequest
	Original   string
	HTTP       *http.Client
	Identities []age.Identity // that open the journal
	Clock      tandem.Clock
	// Progress, where given, is told of each snapshot before it is verified.
	Progress func(n repository.Name, done, total int)
}

// SnapshotProof is the proof of one snapshot.
type SnapshotProof struct {
	Name     repository.Name `json:"-"`
	Snapshot string          `json:"snapshot"`
	Why      string          `json:"why"` // newest, sample, all
	*Proof
}

// JournalProof is the proof of one service's journal.
type JournalProof struct {
	Service  string          `json:"service"`
	Outcome  ProofOutcome    `json:"outcome"`
	Reason   string          `json:"reason,omitempty"`
	Segments int             `json:"segments"`
	Entries  int             `json:"entries"`
	To       tandem.Revision `json:"to"` // the newest revision in it
}

// VaultProof is what a verification of a vault found.
type VaultProof struct {
	Outcome    ProofOutcome    `json:"outcome"` // the worst of all
	At         time.Time       `json:"at"`
	Snapshots  []SnapshotProof `json:"snapshots"`
	Journals   []JournalProof  `json:"journals"`
	Unrecorded []string        `json:"unrecorded"` // proofs that the vault did not take, and why
}

// VerifyVault verifies the newest snapshot of each service, a rolling sample of older ones, and the journals, and records
// each proof in the vault, where it protects the snapshot from pruning. Run on a schedule, it comes round to every snapshot. The
// error is of what prevented the verification; what is found is in the outcome.
func VerifyVault(ctx context.Context, repo *repository.Repository, o VerifyOptions) (*VaultProof, error) {
	out := &VaultProof{Outcome: Proven, At: o.Clock.Now().UTC().Truncate(time.Second), Snapshots: []SnapshotProof{}, Journals: []JournalProof{}, Unrecorded: []string{}}
	if o.Service != "" {
		var err error
		if o.Service, err = FindService(ctx, repo, o.Service); err != nil {
			return out, err
		}
	}
	chosen, err := snapshotsToVerify(ctx, repo, o)
	if err != nil {
		return out, err
	}
	if len(chosen) == 0 {
		return out, &tandem.Error{Op: "verify vault", Kind: tandem.NotFound, Err: errors.New("it holds no snapshot"), Remedy: "back up first"}
	}
	for i := range chosen {
		c := &chosen[i]
		if o.Progress != nil {
			o.Progress(c.Name, i, len(chosen))
		}
		rec, err := verifyOne(ctx, repo, c, o)
		if err != nil {
			return out, err
		}
		out.worst(c.Outcome)
		if err := repo.PutProof(ctx, c.Name, proofRecord(c.Proof, rec.Root, o.Clock.Now())); err != nil {
			if ctx.Err() != nil {
				return out, context.Cause(ctx)
			}
			out.Unrecorded = append(out.Unrecorded, c.Snapshot+": "+err.Error())
		}
		out.Snapshots = append(out.Snapshots, *c)
	}
	return out, verifyJournals(ctx, repo, o, out)
}

func (p *VaultProof) worst(o ProofOutcome) {
	if o == Failed || o == Inconclusive && p.Outcome == Proven {
		p.Outcome = o
	}
}

// snapshotsToVerify chooses what is verified.
func snapshotsToVerify(ctx context.Context, repo *repository.Repository, o VerifyOptions) ([]SnapshotProof, error) {
	all, err := repo.Snapshots(ctx, o.Service)
	if err != nil {
		return nil, err
	}
	var proofs map[repository.Name]repository.ProofRecord
	if o.Sample > 0 && !o.All {
		if proofs, err = repo.Proofs(ctx, o.Service); err != nil {
			return nil, err
		}
	}
	byService := map[string][]repository.Name{}
	for _, n := range all {
		byService[n.Service] = append(byService[n.Service], n)
	}
	var out []SnapshotProof
	for _, service := range sortedKeys(byService) {
		list := byService[service]
		newest := list[len(list)-1]
		out = append(out, SnapshotProof{Name: newest, Snapshot: newest.String(), Why: "newest"})
		older := slices.Clone(list[:len(list)-1])
		slices.SortStableFunc(older, func(a, b repository.Name) int { return proofs[a].At.Compare(proofs[b].At) })
		why := "sample"
		if o.All {
			why = "all"
		} else {
			older = older[:min(o.Sample, len(older))]
		}
		for _, n := range older {
			out = append(out, SnapshotProof{Name: n, Snapshot: n.String(), Why: why})
		}
	}
	return out, nil
}

// verifyOne proves one snapshot.
func verifyOne(ctx context.Context, repo *repository.Repository, c *SnapshotProof, o VerifyOptions) (repository.Record, error) {
	rec, err := repo.Record(ctx, c.Name)
	if err == nil {
		c.Proof = proveResources(ctx, rec.Manifest(), repo.Resources(ctx, rec))
		c.Files, c.Bytes = rec.Resources, rec.Bytes
	} else {
		c.Proof = newProof()
		c.Failures = append(c.Failures, Reason{Message: err.Error()})
		c.settle()
	}
	if ctx.Err() != nil {
		return rec, context.Cause(ctx)
	}
	if o.Restore {
		var requests []ReplayRequest
		if c.Why == "newest" {
			requests = o.Requests
		}
		if err := c.Rehearse(ctx, o.Clock, requests, o.Original, o.HTTP); err != nil {
			return rec, err
		}
	}
	c.all = nil // the next one needs the memory
	return rec, nil
}

func proofRecord(p *Proof, root string, now time.Time) repository.ProofRecord {
	out := repository.ProofRecord{Root: root, At: now, Outcome: string(p.Outcome), Restored: p.Restored, Resources: p.Resources, Policies: p.Policies}
	for _, r := range slices.Concat(p.Failures, p.Doubts) {
		out.Reasons = append(out.Reasons, r.String())
	}
	return out
}

// verifyJournals verifies the journals of the services whose snapshots were verified.
func verifyJournals(ctx context.Context, repo *repository.Repository, o VerifyOptions, out *VaultProof) error {
	for _, c := range out.Snapshots {
		id := c.Manifest.Source.ID
		if c.Why != "newest" || id == "" {
			continue
		}
		j := &Journal{Vault: repo.Vault, Prefix: repository.JournalPrefix(id), Service: id, Identities: o.Identities}
		segments, err := j.Segments(ctx)
		if err == nil && len(segments) == 0 {
			continue
		}
		p := JournalProof{Service: c.Name.Service, Outcome: Proven}
		if err == nil {
			var v Verified
			if v, err = j.Verify(ctx, 0); err == nil {
				p.Segments, p.Entries, p.To = v.Segments, v.Entries, v.To.Revision
				if v.Needs > 0 && !slices.ContainsFunc(out.Snapshots, func(s SnapshotProof) bool {
					return s.Name.Service == c.Name.Service && s.Manifest.Revision >= v.Needs && s.Manifest.Revision <= v.To.Revision
				}) {
					p.Outcome, p.Reason = Inconclusive, fmt.Sprintf("it continues revision %d, and no snapshot between that and its end was verified", v.Needs)
				}
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			p.Outcome, p.Reason = Failed, err.Error()
			if kind := tandem.KindOf(err); kind == tandem.Unavailable || kind == tandem.Denied {
				p.Outcome = Inconclusive
			}
		}
		out.worst(p.Outcome)
		out.Journals = append(out.Journals, p)
	}
	return nil
}

// String tells a proof in one line.
func (c SnapshotProof) String() string {
	var why []string
	for _, r := range slices.Concat(c.Failures, c.Doubts) {
		why = append(why, r.String())
	}
	return fmt.Sprintf("%s (%s): %s%s", c.Snapshot, c.Why, c.Outcome, strings.Join(append([]string{""}, why...), "\n    "))
}
