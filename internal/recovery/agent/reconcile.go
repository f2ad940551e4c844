package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/replica"
	"tandem/internal/store"
)

// mergeTries bounds how often a merge begins anew because the holder's documents changed meanwhile.
const mergeTries = 20

// reconcile merges what this former primary and the holder made of what they had in common. Changes are written at the
// holder; this service gets them, and gives up what it has, when it follows the holder. Conflicts that nothing decides
// stop it before anything is written.
func (m *member) reconcile(ctx context.Context, t recovery.Task) (recovery.Outcome, error) {
	for try := 1; ; try++ {
		out, err := m.reconcileOnce(ctx, t)
		if tandem.KindOf(err) != tandem.Precondition || try == mergeTries {
			return out, err
		}
	}
}

func (m *member) reconcileOnce(ctx context.Context, t recovery.Task) (recovery.Outcome, error) {
	var out recovery.Outcome
	service, err := m.service(ctx)
	if err != nil {
		return out, err
	}
	theirs, err := read(ctx, service.Space)
	if err != nil || theirs.Epoch >= t.Epoch {
		return out, err // it follows the holder already
	}
	ours, err := m.holders(ctx)
	if err != nil {
		return out, err
	}
	if ours.Epoch != t.Epoch {
		return out, &tandem.Error{Op: "reconcile", Subject: t.Service, Kind: tandem.Unavailable, Err: fmt.Errorf("the holder is in epoch %d, not yet in %d", ours.Epoch, t.Epoch), Remedy: "ask again when it has begun"}
	}
	base, err := m.base(ctx, service.Space, ours, theirs)
	if err != nil && !errors.Is(err, errNoBase) {
		return out, err
	}
	if err != nil {
		out.Findings = append(out.Findings, recovery.Finding{Result: failover.Unproven, What: "what the members had in common is forgotten: documents that differ are conflicts, and none is deleted"})
	}
	now := m.membership()
	terms, err := m.terms(now)
	if err != nil {
		return out, err
	}
	// The merge is in the terms of this service's region, in which the base is: what the holder has not changed since is the base's.
	there, beside := ours.Documents, maps.Clone(theirs.Documents)
	maps.Copy(beside, base)
	if ours.Documents, err = translate(terms, now.Index.Other(), there, beside); err != nil {
		return out, err
	}
	g := newMerge(m.a.Sealer, base, ours, theirs, t)
	out.Conflicts = g.Conflicts
	if open := g.Open(); len(open) > 0 {
		out.Outcome.Conflicts = uint32(len(open))
		return out, nil
	}
	changes := g.changes()
	if err := carry(terms, now.Index, changes, there); err != nil {
		return out, err
	}
	out.Findings = append(out.Findings, recovery.Finding{Result: failover.Pass, What: fmt.Sprintf("%d documents of %s go to %s, %d conflicts were decided", len(changes), m.id.Name(), m.membership().Peer, len(out.Conflicts))})
	if len(changes) == 0 {
		return out, nil
	}
	if err := m.a.bring(ctx, m.membership(), mergeRequest{Service: m.membership().Peer, Epoch: t.Epoch, Changes: changes}); err != nil {
		return recovery.Outcome{}, err
	}
	return out, nil
}

// merge is a three-way merge of documents.
type merge struct {
	failover.Merged
	ours, theirs         *contents
	oursForm, theirsForm failover.Documents
	base                 failover.Documents
}

func newMerge(s apim.Sealer, base map[string]store.Document, ours, theirs *contents, t recovery.Task) *merge {
	f := newForms(s)
	g := &merge{ours: ours, theirs: theirs, base: f.all(base, nil, 0)}
	g.oursForm, g.theirsForm = f.all(ours.Documents, g.base, ours.Epoch), f.all(theirs.Documents, g.base, theirs.Epoch)
	g.Merged = failover.Merge(g.base, g.oursForm, g.theirsForm, t.Rule)
	for _, c := range g.Conflicts {
		if side, ok := t.Decisions[c.Key]; ok {
			if decided, err := g.Decide(c.Key, side); err == nil { // a decision for neither side leaves it open
				g.Merged = decided
			}
		}
	}
	g.families(t)
	return g
}

// families looks for documents whose parent the other side has deleted: an operation that was added to an API that is gone. The
// parent is a conflict then; who decides for its end ends what is below it as well.
func (g *merge) families(t recovery.Task) {
	for again := true; again; {
		again = false
		for _, key := range g.keys() {
			parent := g.lostParent(key)
			if parent == "" {
				continue
			}
			c := failover.Conflict{Key: parent, Base: at(g.base, parent), Ours: at(g.oursForm, parent), Theirs: at(g.theirsForm, parent)}
			c.Chosen = t.Decisions[parent]
			switch {
			case c.Chosen != failover.Neither:
			case t.Rule == failover.PreferTheirs:
				c.Chosen = failover.Theirs
			case t.Rule == failover.PreferOurs || t.Rule == failover.Newest && g.ours.Epoch > g.theirs.Epoch:
				c.Chosen = failover.Ours
			}
			g.settle(c)
			again = true
		}
	}
}

func (g *merge) keys() []string {
	out := make([]string, 0, len(g.Documents))
	for key, d := range g.Documents {
		if !d.Gone {
			out = append(out, key)
		}
	}
	return out
}

func at(d failover.Documents, key string) failover.Document {
	if doc, ok := d[key]; ok {
		return doc
	}
	return failover.Document{Gone: true}
}

// lostParent is the key of a document's parent where the merge deletes it; empty: it has none, or it stays.
func (g *merge) lostParent(key string) string {
	typ, _, _ := strings.Cut(key, "/")
	above := strings.LastIndexByte(typ, '.')
	if above < 0 {
		return ""
	}
	d, ok := g.theirs.Documents[key]
	if !ok {
		d = g.ours.Documents[key]
	}
	doc, err := apim.Decode(key, d)
	depth := strings.Count(typ, ".")
	if err != nil || len(doc.IDs) < depth {
		return ""
	}
	parent := apim.Key(typ[:above], doc.IDs[:depth])
	if to, ok := g.Documents[parent]; !ok || !to.Gone {
		return ""
	}
	return parent
}

// settle puts a conflict about a parent in its place among the others.
func (g *merge) settle(c failover.Conflict) {
	chosen := c.Ours
	if c.Chosen == failover.Theirs {
		chosen = c.Theirs
	}
	switch {
	case c.Chosen == failover.Neither:
		delete(g.Documents, c.Key)
	case !chosen.Gone:
		g.Documents[c.Key] = chosen
	default:
		for _, key := range g.keys() {
			if g.lostParent(key) == c.Key {
				g.Documents[key] = failover.Document{Gone: true, Epoch: chosen.Epoch}
			}
		}
	}
	i := 0
	for i < len(g.Conflicts) && g.Conflicts[i].Key < c.Key {
		i++
	}
	if i < len(g.Conflicts) && g.Conflicts[i].Key == c.Key {
		g.Conflicts[i].Chosen = c.Chosen
		return
	}
	g.Conflicts = append(g.Conflicts[:i:i], append([]failover.Conflict{c}, g.Conflicts[i:]...)...)
}

// changes are what the holder has to write, each on condition that its document is as it was read.
func (g *merge) changes() []mergeChange {
	var out []mergeChange
	for _, c := range g.Merged.Changes(g.oursForm) {
		change := mergeChange{Key: c.Key, Revision: g.ours.Documents[c.Key].Revision, Gone: c.To.Gone}
		if !c.To.Gone {
			change.Value = g.theirs.Documents[c.Key].Value
		}
		out = append(out, change)
	}
	return out
}

// carry turns the documents of changes into the terms of the holder's region, whose own stand beside.
func carry(t *replica.Terms, from failover.Service, changes []mergeChange, own map[string]store.Document) error {
	for i, c := range changes {
		if c.Gone {
			continue
		}
		turned, err := translate(t, from, map[string]store.Document{c.Key: {Key: c.Key, Value: c.Value}}, own)
		if err != nil {
			return err
		}
		changes[i].Value = turned[c.Key].Value
	}
	return nil
}
