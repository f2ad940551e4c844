package agent

import (
	"context"
	"strings"
	"testing"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/store"
	"tandem/internal/vault"
)

func (w *world) services() Services {
	client := w.places[0].server.Client()
	return Services{Client: client, Proves: w.places[0].agent.Verify,
		Vault: func(context.Context, string) (vault.Vault, error) { return w.vault, nil },
		Node: func(service string) string {
			for _, p := range w.places {
				if serviceID(p.index) == service {
					return p.server.URL
				}
			}
			return ""
		}}
}

// TestNative: backup, restore, verify by the controller's hand. The restore bounds the lag, is refused over the primary, and
// gives a later merge what the two had in common.
func TestNative(t *testing.T) {
	w := newWorld(t, func(c *failover.Config) { c.Lease, c.Margin = 2000, 20 })
	w.mode = recovery.Native
	w.sees(failover.Up, failover.Up)
	w.tell()
	west, east := w.places[0], w.places[1]
	west.mustPut("one", "1")
	secret(t, west, "password", "mellon")
	s, ctx := w.services(), t.Context()
	made, err := s.Backup(ctx, serviceID(0), "vault", "nightly-1")
	must(t, err)
	again, err := s.Backup(ctx, serviceID(0), "vault", "nightly-1")
	must(t, err)
	if made.Revision == 0 || made.Resources < 2 || again.Revision != made.Revision || again.Resources != made.Resources {
		t.Errorf("made %+v, and again %+v", made, again)
	}
	must(t, s.Verify(ctx, "vault", "nightly-1"))
	wantKind(t, "a backup that is not there", s.Verify(ctx, "vault", "none"), tandem.NotFound)
	_, err = w.vault.Put(ctx, "torn", strings.NewReader("no backup"), vault.PutOptions{})
	must(t, err)
	wantKind(t, "a torn backup", s.Verify(ctx, "vault", "torn"), tandem.Corrupt)
	_, err = s.Restore(ctx, serviceID(0), "vault", "nightly-1", nil)
	wantKind(t, "a restore over the primary", err, tandem.Denied)
	_, err = s.Backup(ctx, serviceID(0)+"x", "vault", "b")
	wantKind(t, "a service that nobody has", err, tandem.NotFound)

	value := "east"
	overlay := []recovery.OverlayRule{{Paths: []string{"namedValues/one"}, Property: "value", Set: &value}}
	out, err := s.Restore(ctx, serviceID(1), "vault", "nightly-1", overlay)
	must(t, err)
	if out.Resources < 2 || east.values()["one"] != "east" {
		t.Errorf("restored %+v: %v", out, east.values())
	}
	must(t, s.Serves(ctx, serviceID(1)))
	_, err = s.Restore(ctx, serviceID(1), "vault", "nightly-1", []recovery.OverlayRule{{Paths: []string{"nothing/*"}, Property: "value", Set: &value}})
	wantKind(t, "an overlay that names nothing", err, tandem.Invalid)
	if !w.snapshot().Standby.Known {
		t.Error("the controller does not know how far the standby is")
	}

	// A second one, as it is: what is written at the primary after it is an orphan, and the merge has a base.
	_, err = s.Backup(ctx, serviceID(0), "vault", "nightly-2")
	must(t, err)
	_, err = s.Restore(ctx, serviceID(1), "vault", "nightly-2", nil)
	must(t, err)
	apart(t, w, west, east)
	orphan(t, west, "late", "2")
	east.mustPut("one", "changed")
	w.run(failover.Rejoin)
	w.drive(nil, nil)
	if s := w.snapshot(); s.Apart {
		t.Fatalf("after the merge: %v", w.facts)
	}
	if got := east.values(); got["late"] != "2" || got["one"] != "changed" {
		t.Errorf("after the merge: %v", got)
	}
	// The west is the first member: what the overlay would make of its own stays its own.
	changed := "changed"
	synced, err := s.Sync(ctx, serviceID(1), serviceID(0), []recovery.OverlayRule{{Paths: []string{"namedValues/one"}, Property: "value", Set: &changed}})
	must(t, err)
	if got := west.values(); synced.Changes < 3 || got["one"] != "1" || got["late"] != "2" {
		t.Errorf("after the sync with an overlay: %+v %v", synced, got)
	}
	_, err = s.Sync(ctx, serviceID(1), serviceID(0), nil)
	must(t, err)
	if west.text() != east.text() {
		t.Errorf("after the sync: %+v %s %s", synced, west.text(), east.text())
	}
	must(t, s.Prune(ctx, "vault", "nightly-", 1))
	var left []string
	for info, err := range w.vault.List(ctx, "nightly-") {
		must(t, err)
		left = append(left, info.Name)
	}
	if len(left) != 2 || !strings.HasPrefix(left[1], left[0]) {
		t.Errorf("left in the vault: %v", left)
	}
	if l, err := east.store.List(ctx, "recovery/base/", store.ListOptions{}); err != nil || len(l.Documents) > 0 {
		t.Errorf("%d documents of a base are left, %v", len(l.Documents), err)
	}
}
