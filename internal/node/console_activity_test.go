package node

import (
	"testing"
	"time"

	"tandem/internal/arm"
)

func TestActivityIsBoundedAndOfChanges(t *testing.T) {
	var a activity
	at := func(i int) time.Time { return time.Unix(int64(i), 0) }
	for _, r := range []arm.AuditRecord{{Method: "GET", Action: "x/read"}, {Method: "POST", Action: "Microsoft.Network/trafficManagerProfiles/read"}} {
		a.Audit(t.Context(), r)
	}
	if got := a.newest(); len(got) != 0 {
		t.Fatalf("reads are remembered: %v", got)
	}
	for i := range activityKept + 10 {
		a.Audit(t.Context(), arm.AuditRecord{Method: "PUT", Time: at(i)})
	}
	got := a.newest()
	if len(got) != activityKept || !got[0].Time.Equal(at(activityKept+9)) || !got[activityKept-1].Time.Equal(at(10)) {
		t.Fatalf("%d records from %v to %v", len(got), got[0].Time, got[len(got)-1].Time)
	}
}
