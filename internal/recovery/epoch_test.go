package recovery

import (
	"testing"
	"testing/synctest"

	"tandem"
	"tandem/internal/failover"
)

// TestFirstEpoch: a group of services that were in a group before begins with an epoch that they have not seen.
func TestFirstEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, testGroup(), func(c *ControllerConfig) {
			s, err := c.Sites(westID)
			if err != nil {
				t.Fatal(err)
			}
			s.(*site).epoch = 6
		})
		s := w.until("the holder's right", func(s failover.State) bool { return s.Tenure.Given })
		if s.Epoch != tandem.Epoch(7) {
			t.Errorf("the group begins with epoch %d", s.Epoch)
		}
	})
}
