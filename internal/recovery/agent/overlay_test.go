package agent

import (
	"testing"

	"tandem/internal/failover"
	"tandem/internal/recovery"
)

// TestOverlay: each region keeps its own addresses through replication, a switchover, a failover and a merge, and what a person
// changes in either arrives in the other.
func TestOverlay(t *testing.T) {
	w := newWorld(t, func(c *failover.Config) { c.Lease, c.Margin = 2000, 20 })
	here := "east.test"
	w.overlay = []recovery.OverlayRule{{Paths: []string{"namedValues/host"}, Property: "value", Set: &here}, {Paths: []string{"namedValues/*-url"}, Property: "value", Replace: "west", With: "east"}}
	west, east := begin(t, w)
	check := func(when, westHost, westURL, eastHost, eastURL string) {
		t.Helper()
		await(t, when, func() bool {
			a, b := west.values(), east.values()
			return a["host"] == westHost && a["a-url"] == westURL && b["host"] == eastHost && b["a-url"] == eastURL
		})
	}
	west.mustPut("host", "west.test")
	west.mustPut("a-url", "https://west/v1")
	check("replicated", "west.test", "https://west/v1", "east.test", "https://east/v1")
	w.run(failover.Switchover)
	w.drive(nil, nil)
	east.mustPut("after", "1")
	await(t, "the west follows", func() bool { return west.values()["after"] == "1" })
	check("after the switchover", "west.test", "https://west/v1", "east.test", "https://east/v1")
	east.mustPut("b-url", "https://east/v2")
	east.mustPut("a-url", "https://new/v3")
	check("changed in the east", "west.test", "https://new/v3", "east.test", "https://new/v3")
	w.run(failover.Switchover)
	w.drive(nil, nil)
	west.mustPut("a-url", "https://west/v4")
	check("back in the west", "west.test", "https://west/v4", "east.test", "https://east/v4")

	apart(t, w, west, east)
	orphan(t, west, "a-url", "https://west/v5")
	east.mustPut("other", "1")
	w.run(failover.Rejoin)
	w.drive(nil, nil)
	if s := w.snapshot(); s.Apart {
		t.Fatalf("after the merge: %v", w.facts)
	}
	check("merged", "west.test", "https://west/v5", "east.test", "https://east/v5")
	await(t, "the west has the rest", func() bool { return west.values()["other"] == "1" })
}
