package tandem_test

import (
	"testing"

	"tandem"
)

func TestBoottimeNeverGoesBack(t *testing.T) {
	last := tandem.Boottime(tandem.SystemClock{})
	if last <= 0 {
		t.Fatalf("the clock reads %s", last)
	}
	for range 1000 {
		now := tandem.Boottime(tandem.SystemClock{})
		if now < last {
			t.Fatalf("it went from %s to %s", last, now)
		}
		last = now
	}
}
