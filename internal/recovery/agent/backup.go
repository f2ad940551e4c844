package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/replica"
	"tandem/internal/snapshot"
	"tandem/internal/vault"
)

// origin is what stands beside a backup of a group's primary: whose history it is of, and what the primary's clock read
// before it began. So a restore of it bounds what may be lost, and a later merge knows what the two had in common.
type origin struct {
	Group    string           `json:"group"`
	Position replica.Position `json:"position"`
	Stamp    failover.Stamp   `json:"stamp"`
}

const originSuffix = ".origin.json"

// Backup backs a service of this node up into a vault under a name. A backup of that name that is sound already is the answer.
func (a *Agent) Backup(ctx context.Context, service, container, name string) (recovery.Backup, error) {
	v, err := a.Vault(ctx, container)
	if err != nil {
		return recovery.Backup{}, err
	}
	if p, err := a.sound(ctx, v, name); err == nil {
		return recovery.Backup{Name: name, Revision: p.Manifest.Revision, Resources: p.Resources, Bytes: p.Bytes}, nil
	} else if tandem.KindOf(err) != tandem.NotFound && tandem.KindOf(err) != tandem.Corrupt {
		return recovery.Backup{}, err
	}
	s, rec, err := a.open(ctx, service)
	if err != nil {
		return recovery.Backup{}, err
	}
	o := origin{Stamp: failover.Stamp{Boot: a.boot, At: a.tick()}}
	var b bytes.Buffer
	m, err := replica.Capture(ctx, s, rec, a.Region, a.Clock, &b, a.Recipients)
	if err != nil {
		return recovery.Backup{}, err
	}
	resources := 0
	for _, n := range m.Counts {
		resources += n
	}
	out := recovery.Backup{Name: name, Revision: m.Revision, Resources: resources, Bytes: int64(b.Len())}
	if member := a.member(service); member != nil && holds(member.membership()) {
		now := member.membership()
		o.Group, o.Position = now.Group, replica.Position{Epoch: now.Epoch, Generation: m.Generation, Revision: m.Revision}
		raw, err := json.Marshal(o)
		if err != nil {
			return recovery.Backup{}, err
		}
		if _, err := v.Put(ctx, name+originSuffix, bytes.NewReader(raw), vault.PutOptions{}); err != nil {
			return recovery.Backup{}, err
		}
	}
	_, err = v.Put(ctx, name, &b, vault.PutOptions{})
	return out, err
}

// Verify reads all of a backup and proves that it could be restored: its bytes, its documents and its policies.
func (a *Agent) Verify(ctx context.Context, container, name string) error {
	v, err := a.Vault(ctx, container)
	if err != nil {
		return err
	}
	_, err = a.sound(ctx, v, name)
	return err
}

// sound proves a backup. Corrupt says that it is none that could be restored.
func (a *Agent) sound(ctx context.Context, v vault.Vault, name string) (*replica.Proof, error) {
	r, _, err := v.Get(ctx, name, vault.Range{})
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // it was read to its end
	return a.proved(ctx, r, name)
}

func (a *Agent) proved(ctx context.Context, r io.Reader, name string) (*replica.Proof, error) {
	p := replica.Prove(ctx, r, a.Identities...)
	if p.Outcome == replica.Proven {
		return p, nil
	}
	kind, reasons := tandem.Corrupt, p.Failures
	if p.Outcome == replica.Inconclusive {
		kind, reasons = tandem.Unavailable, p.Doubts
	}
	var lines []string
	for _, reason := range reasons[:min(len(reasons), 5)] {
		lines = append(lines, strings.TrimSpace(reason.Path+" "+reason.Message))
	}
	return p, &tandem.Error{Op: "verify backup", Subject: name, Kind: kind, Err: errors.New(strings.Join(lines, "; ")), Remedy: "take another backup; keep the one before"}
}

// Restore restores a backup into a service of this node, with the overlay, all or nothing, and waits until it is served. A
// service that holds its group's epoch is not restored over.
func (a *Agent) Restore(ctx context.Context, service, container, name string, overlay []recovery.OverlayRule) (recovery.Restored, error) {
	v, err := a.Vault(ctx, container)
	if err != nil {
		return recovery.Restored{}, err
	}
	p, err := a.sound(ctx, v, name)
	if err != nil {
		return recovery.Restored{}, err
	}
	out, err := a.restore(ctx, service, "restore of backup "+name, p, overlay)
	if err != nil {
		return out, err
	}
	return out, a.restored(ctx, v, service, name)
}

func (a *Agent) restore(ctx context.Context, service, reason string, p *replica.Proof, overlay []recovery.OverlayRule) (recovery.Restored, error) {
	if m := a.member(service); m != nil && holds(m.membership()) {
		return recovery.Restored{}, &tandem.Error{Op: "restore", Subject: service, Kind: tandem.Denied, Err: errors.New("it is the primary of its recovery group"), Remedy: "restore into the standby"}
	}
	rules, err := rulesOf(overlay)
	if err != nil {
		return recovery.Restored{}, err
	}
	s, rec, err := a.open(ctx, service)
	if err != nil {
		return recovery.Restored{}, err
	}
	all := p.All()
	if m := a.member(service); m != nil && m.membership().Index == failover.First {
		var own []snapshot.Resource // the overlay is of the second member's region, where this comes from
		if own, err = replica.Resources(ctx, s, rec); err == nil {
			all, err = rules.Back(all, own)
		}
	} else {
		all, err = rules.Apply(all)
	}
	if err != nil {
		return recovery.Restored{}, err
	}
	if _, err := replica.Apply(ctx, s, rand.Text(), reason, all, a.Gateways); err != nil {
		return recovery.Restored{}, err
	}
	h, err := s.Space.Head(ctx)
	return recovery.Restored{Generation: h.Active, Resources: len(all)}, err
}

// rulesOf reads the rules as a file of them is read: with every check.
func rulesOf(overlay []recovery.OverlayRule) (*replica.Overlay, error) {
	if len(overlay) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(map[string]any{"rules": overlay})
	if err != nil {
		return nil, err
	}
	return replica.ParseOverlay("the group's overlay", raw)
}

// restored notes how far the standby is now, and tells the controller.
func (a *Agent) restored(ctx context.Context, v vault.Vault, service, name string) error {
	m := a.member(service)
	if m == nil {
		return nil
	}
	r, _, err := v.Get(ctx, name+originSuffix, vault.Range{})
	if tandem.KindOf(err) == tandem.NotFound {
		return nil // a backup of no primary
	}
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // it was read to its end
	var o origin
	if err := json.NewDecoder(r).Decode(&o); err != nil {
		return &tandem.Error{Op: "read origin of backup", Subject: name, Kind: tandem.Corrupt, Err: err, Remedy: "take another backup"}
	}
	now := m.membership()
	if o.Group != now.Group || o.Position.Epoch != now.Epoch {
		return nil // a backup of former times: the bound on the lag stays unknown
	}
	s, err := m.service(ctx)
	if err != nil {
		return err
	}
	if err := replica.WriteState(ctx, s.Space, o.Position, a.Clock.Now().UTC()); err != nil {
		return err
	}
	return a.Control.Replicated(ctx, now.Group, failover.Replicated{Epoch: o.Position.Epoch, Source: o.Stamp, Revision: o.Position.Revision})
}

// Serves proves that a service's gateway serves what its store has, and honours all of it.
func (a *Agent) Serves(ctx context.Context, service string) error {
	s, _, err := a.open(ctx, service)
	if err != nil {
		return err
	}
	snap, err := s.Space.Snapshot(ctx)
	if err != nil {
		return err
	}
	newest := tandem.Revision(0)
	for d, err := range snap.Documents(ctx) {
		if err != nil {
			return err
		}
		newest = max(newest, d.Revision)
	}
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	if err := a.Gateways.WaitFor(ctx, s.ID, snap.Head.Active, newest); err != nil {
		return err
	}
	d, err := a.Gateways.Detail(ctx, s.ID)
	if err != nil {
		return err
	}
	if d.FullDetail == nil {
		return nil
	}
	for _, p := range d.Problems {
		if p.Fatal {
			return &tandem.Error{Op: "prove", Subject: service, Kind: tandem.Unsupported, Err: fmt.Errorf("%s, line %d: %s", p.Document, p.Line, p.Message), Remedy: "mend the document at the primary"}
		}
	}
	return nil
}

// Sync makes a service of this node what another one is, read from its node, with the overlay.
func (a *Agent) Sync(ctx context.Context, node, from, to string, overlay []recovery.OverlayRule) (recovery.Synced, error) {
	resp, err := a.call(ctx, http.MethodGet, node+capturePath+"?"+url.Values{"service": {from}}.Encode(), nil)
	if err != nil {
		return recovery.Synced{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end
	p, err := a.proved(ctx, resp.Body, from)
	if err != nil {
		return recovery.Synced{}, err
	}
	out, err := a.restore(ctx, to, "sync with "+from, p, overlay)
	return recovery.Synced{Revision: p.Manifest.Revision, Changes: out.Resources}, err
}

// serveCapture sends a snapshot of a service, sealed to the deployment's recipients.
func (a *Agent) serveCapture(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	s, rec, err := a.open(r.Context(), r.URL.Query().Get("service"))
	if err == nil {
		_, err = replica.Capture(r.Context(), s, rec, a.Region, a.Clock, &b, a.Recipients)
	}
	if err != nil {
		fail(w, err)
		return
	}
	_, _ = b.WriteTo(w) // the peer went away; it asks again
}

func (a *Agent) open(ctx context.Context, service string) (*apim.Service, *apim.Record, error) {
	id, err := tandem.ParseResourceID(service)
	if err != nil {
		return nil, nil, err
	}
	return a.APIM.Find(ctx, id)
}
