package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/replica"
	"tandem/internal/store"
	"tandem/internal/vault"
)

func revisionText(r tandem.Revision) string { return strconv.FormatInt(int64(r), 10) }

// keep puts what this former primary holds and the successor did not apply aside: the whole service as a snapshot of its
// own, and the number of documents that differ from what the two had in common.
func (m *member) keep(ctx context.Context, t recovery.Task) (recovery.Outcome, error) {
	service, err := m.service(ctx)
	if err != nil {
		return recovery.Outcome{}, err
	}
	theirs, err := read(ctx, service.Space)
	if err != nil {
		return recovery.Outcome{}, err
	}
	if theirs.Epoch >= t.Epoch {
		return recovery.Outcome{}, nil // it follows the holder already: it has nothing of its own
	}
	ours, err := m.holders(ctx)
	if err != nil {
		return recovery.Outcome{}, err
	}
	base, err := m.base(ctx, service.Space, ours, theirs)
	found := recovery.Finding{Result: failover.Pass, What: "what the members had in common is known"}
	switch {
	case errors.Is(err, errNoBase):
		terms, err := m.terms(m.membership())
		if err != nil {
			return recovery.Outcome{}, err
		}
		if base, err = translate(terms, m.membership().Index.Other(), ours.Documents, theirs.Documents); err != nil {
			return recovery.Outcome{}, err
		}
		found = recovery.Finding{Result: failover.Unproven, What: "what the members had in common is forgotten; all that differs from the primary is kept and counted"}
	case err != nil:
		return recovery.Outcome{}, err
	default:
		if err := m.putAside(ctx, common(ours, theirs), base); err != nil {
			return recovery.Outcome{}, err
		}
	}
	f := newForms(m.a.Sealer)
	n := differ(base, theirs.Documents, f.same)
	out := recovery.Outcome{Outcome: failover.Outcome{Orphans: uint32(n)}, Findings: []recovery.Finding{found}}
	if n == 0 {
		return out, nil
	}
	out.Kept = fmt.Sprintf("orphans/%s/%d-%d.tandem", m.id.Name(), theirs.Epoch, theirs.Revision)
	return out, m.capture(ctx, out.Kept)
}

// capture writes a snapshot of the service into the group's vault, or beside it where the group has none.
func (m *member) capture(ctx context.Context, name string) error {
	service, rec, err := m.a.APIM.Find(ctx, m.id)
	if err != nil {
		return err
	}
	v, now := m.a.Aside, m.membership()
	if now.Vault != "" && m.a.Vault != nil {
		if v, err = m.a.Vault(ctx, now.Vault); err != nil {
			return err
		}
	}
	if v == nil {
		return &tandem.Error{Op: "keep orphaned writes", Subject: m.id.String(), Kind: tandem.Unavailable, Err: errors.New("the group has no vault and the node no folder for them"), Remedy: "name a vault in the group"}
	}
	var b bytes.Buffer
	if _, err := replica.Capture(ctx, service, rec, m.a.Region, m.a.Clock, &b, m.a.Recipients); err != nil {
		return err
	}
	_, err = v.Put(ctx, name, &b, vault.PutOptions{})
	return err
}

// same compares two documents by what they say; a secret that was sealed anew is the same secret.
func (f *forms) same(a, b store.Document) bool {
	return bytes.Equal(a.Value, b.Value) || f.of(a).Body == f.of(b).Body
}
