package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"tandem"
	"tandem/internal/vault"
)

const (
	proofFormat  = "tandem-vault-proof"
	proofVersion = 1
)

// ProofRecord is what the last verification of a snapshot found. It is sealed, so that whoever does not have the vault's key
// cannot call a snapshot proven.
type ProofRecord struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	Snapshot  string    `json:"snapshot"` // its name
	Root      string    `json:"root"`
	At        time.Time `json:"at"`
	Outcome   string    `json:"outcome"` // proven, failed, inconclusive
	Restored  bool      `json:"restored"`
	Resources int       `json:"resources"`
	Policies  int       `json:"policies"`
	Reasons   []string  `json:"reasons"` // why it is not proven; the first twenty
}

// outcomeProven is the outcome that protects a snapshot from pruning.
const outcomeProven = "proven"

// PutProof records a proof in place of an older one.
func (r *Repository) PutProof(ctx context.Context, n Name, p ProofRecord) error {
	p.Format, p.Version, p.Snapshot = proofFormat, proofVersion, n.String()
	p.At = p.At.UTC().Truncate(time.Second)
	p.Reasons = append([]string{}, p.Reasons[:min(len(p.Reasons), 20)]...)
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	blob := proofsAt + n.String()
	sealed, err := r.ring.seal(blob, text)
	if err != nil {
		return err
	}
	_, err = r.Vault.Put(ctx, blob, bytes.NewReader(sealed), vault.PutOptions{})
	return err
}

// Proof reads the last proof of a snapshot; ok is false where it was never verified. One that cannot be read or is of
// another content proves nothing and counts as none.
func (r *Repository) Proof(ctx context.Context, n Name) (p ProofRecord, ok bool, err error) {
	blob := proofsAt + n.String()
	raw, err := readBlob(ctx, r.Vault, blob)
	if errors.Is(err, tandem.NotFound) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	plain, err := r.ring.open(blob, raw)
	if err != nil || json.Unmarshal(plain, &p) != nil || p.Format != proofFormat || p.Version != proofVersion || p.Snapshot != n.String() {
		return ProofRecord{}, false, nil
	}
	return p, true, nil
}

// Proofs reads the last proofs of a service's snapshots, by name; of all services where it is empty.
func (r *Repository) Proofs(ctx context.Context, service string) (map[Name]ProofRecord, error) {
	prefix := proofsAt
	if service != "" {
		prefix += service + "/"
	}
	out := map[Name]ProofRecord{}
	for info, err := range r.Vault.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		n, good := parseName(snapshotsAt + strings.TrimPrefix(info.Name, proofsAt))
		if !good {
			continue
		}
		p, ok, err := r.Proof(ctx, n)
		if err != nil {
			return nil, err
		}
		if ok {
			out[n] = p
		}
	}
	return out, nil
}
