package recovery

import (
	"strings"
	"testing"
	"testing/synctest"

	"tandem/internal/failover"
)

func TestFailoverWhenTheHolderDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, testGroup(), nil)
		w.until("steady state", steady)
		w.kill(w.east)
		s := w.until("the failover", func(s failover.State) bool { return s.Runs == 1 && !s.Run.Active() })
		if s.Epoch != 2 || s.Holder != failover.Second || !s.Apart {
			t.Fatalf("after the failover: %s", s)
		}
		if w.traffic.last() != westID {
			t.Errorf("traffic goes to %q", w.traffic.last())
		}
		rec := w.runRecord("run-1")
		if rec.Status != Succeeded || rec.Epoch != 2 || len(rec.Steps) < 4 || rec.Steps[0].Findings == nil {
			t.Errorf("the record is %+v", rec)
		}
		w.until("the successor's right", func(s failover.State) bool { return s.Tenure.Given })
		for _, line := range []string{"seen down first", "began run 1 (failover)", "closed run 1", "gave run 1", "ended run 1"} {
			if !strings.Contains(w.facts(), line) {
				t.Errorf("the history lacks %q:\n%s", line, w.facts())
			}
		}
	})
}
