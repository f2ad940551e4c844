package replica

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tandem"
	"tandem/internal/vault/vaulttest"
)

func TestRestoreService(t *testing.T) {
	repo, _ := openRepository(t, &vaulttest.Memory{}, tandem.SystemClock{})
	s := newService(t, "source")
	put(t, s, sample()...)
	put(t, s, document{"gateways", []string{"edge"}, map[string]any{"description": "Edge"}, map[string]any{"primaryKey": "edge-one", "secondaryKey": "edge-two"}})
	saveService(t, repo, s, SaveOptions{})
	want := capture(t, s)
	put(t, s, document{"products", []string{"plus"}, map[string]any{"displayName": "broken"}, nil}, document{"tags", []string{"mine"}, map[string]any{"displayName": "Mine"}, nil})
	changed := contents(t, s)
	restore := func(o RestoreOptions) *RestoredService {
		t.Helper()
		o.Owner = "test"
		out, err := RestoreService(t.Context(), repo, Moment{Service: "source", ID: "latest"}, s, record, fakes{}, o)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := restore(RestoreOptions{DryRun: true}); out.Swapped || len(out.Plan.Changed) != 1 || len(out.Plan.Deleted) != 1 || !cmp.Equal(changed, contents(t, s)) {
		t.Errorf("told: %+v", out.Plan.Difference)
	}
	var phases []string
	if out := restore(RestoreOptions{PlanOptions: PlanOptions{Only: []string{"products"}}, Phase: func(p string) { phases = append(phases, p) }}); !out.Swapped || len(phases) != 3 {
		t.Errorf("%+v, %q", out, phases)
	}
	if d, err := Diff(want, capture(t, s)); err != nil || len(d.Added) != 1 || d.Added[0].Path != "tags/mine" || len(d.Changed)+len(d.Deleted) != 0 {
		t.Errorf("only products: %+v, %v", d, err)
	}
	if out := restore(RestoreOptions{}); !out.Swapped {
		t.Errorf("%+v", out)
	}
	if d, err := Diff(want, capture(t, s)); err != nil || !d.Empty() || len(d.Inconclusive) > 0 {
		t.Errorf("all: %+v, %v", d, err)
	}
	if _, err := Undo(t.Context(), s, "test", fakes{}); err != nil {
		t.Fatal(err)
	}
	if d, err := Diff(want, capture(t, s)); err != nil || len(d.Added) != 1 {
		t.Errorf("undone: %+v, %v", d, err)
	}
	if _, err := Undo(t.Context(), s, "test", fakes{waitErr: errors.New("it does not serve")}); !errors.Is(err, tandem.Unavailable) {
		t.Errorf("a gateway that does not follow: %v", err)
	}
	if d, err := Diff(want, capture(t, s)); err != nil || len(d.Added) != 1 {
		t.Errorf("an undo that failed changed what serves: %+v, %v", d, err)
	}
	if _, err := Undo(t.Context(), newService(t, "fresh"), "test", fakes{}); !errors.Is(err, tandem.NotFound) {
		t.Errorf("nothing to undo: %v", err)
	}
}
