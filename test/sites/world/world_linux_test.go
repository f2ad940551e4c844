package world

import (
	"context"
	"sync"
	"testing"
	"time"

	"tandem"
)

func TestOrdinaryDayAcrossSites(t *testing.T) {
	w := built(t)
	clock := tandem.SystemClock{}
	ctx, cancel := context.WithCancel(t.Context())
	c, wr := w.NewCaller(), w.NewWriter(Central)
	var work sync.WaitGroup
	work.Go(func() { c.Run(ctx, 50*time.Millisecond) })
	work.Go(func() { wr.Run(ctx, 50*time.Millisecond) })
	_ = clock.Sleep(ctx, 3*time.Second)
	cancel()
	work.Wait()
	good := 0
	for _, x := range c.All() {
		switch {
		case x.Wrong != "" || x.Site != Central && x.Site != "":
			t.Errorf("%+v", x)
		case x.Failed != "": // a machine under load answers late
			t.Logf("%+v", x)
		default:
			good++
		}
	}
	if 2*good < len(c.All()) {
		t.Errorf("%d of %d calls were answered", good, len(c.All()))
	}
	acked := 0
	for _, x := range wr.All() {
		if x.OK {
			acked++
		} else if x.Why != unknown {
			t.Errorf("%+v", x)
		}
	}
	values, err := w.Values(t.Context(), Central)
	if err != nil {
		t.Fatal(err)
	}
	if lost := Lost(wr.All(), values); len(lost) > 0 {
		t.Errorf("lost: %+v", lost)
	}
	t.Logf("%d calls, %d writes acknowledged", len(c.All()), acked)
}
