package failover

import (
	"slices"
	"strings"
	"testing"
)

// mutants break the protocol one rule at a time. in is the scene that must show it, want is a part of the invariant that must catch it.
var mutants = []struct {
	name  string
	in    string
	rules rules
	want  string
}{
	{"no wait for the lease", "lease", rules{noLeaseWait: true}, "law 4"},
	{"no margin for drift", "lease", rules{noMargin: true}, "law 4"},
	{"stale epoch granted", "lease", rules{staleEpoch: true}, "law 4"},
	{"grants while fencing", "lease", rules{openWhileFencing: true}, "law 4"},
	{"ticks of a former leader", "take-over", rules{foreignTicks: true}, "law 4"},
	{"quorum of one", "failover", rules{quorumOfOne: true}, "witnesses"},
	{"renewal timed from receipt", "lease", rules{fromReceipt: true}, "law 4"},
	{"grant for a former process", "restart", rules{anyBoot: true}, "law 4"},
	{"grant after the drop", "lease", rules{lateGrants: true}, "law 4"},
	{"lag without the lease", "lag", rules{lagWithoutLease: true}, "law 5"},
	{"skipped gates", "lease", rules{skipGates: true}, "law 5"},
	{"inconclusive passes", "lease", rules{unclearPasses: true}, "law 5"},
	{"outcome of another action", "lease", rules{anyOutcome: true}, ""},
	{"action under a new id", "take-over", rules{newIDs: true}, "given out twice"},
	{"override without record", "lag", rules{silentOverride: true}, "not on record"},
	{"override beyond what was shown", "lag", rules{blankOverride: true}, "than the person saw"},
	{"failback without merge", "failback", rules{noMerge: true}, "not merged"},
	{"no final sync", "switchover", rules{noFinalSync: true}, "lost writes"},
	{"one person approves twice", "people", rules{sameApprover: true}, "people"},
	{"hold ignored", "hold", rules{ignoreHold: true}, "under a hold"},
}

// TestMutants proves that the exploration sees each way to get the protocol wrong.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			all := scenes()
			sc := all[slices.IndexFunc(all, func(sc *scene) bool { return sc.name == m.in })]
			x := explore(sc, m.rules, 0)
			if x.found == "" {
				t.Fatalf("not caught in %d states", len(x.seen))
			}
			what, _, _ := strings.Cut(x.found, "\n")
			t.Logf("caught in %s after %d states: %s", sc.name, len(x.seen), what)
			if !strings.Contains(what, m.want) {
				t.Errorf("caught by the wrong invariant, want %q: %s", m.want, x.found)
			}
		})
	}
}
