package world

import (
	"context"
	"sync"
	"testing"
	"time"

	"tandem"
	"tandem/test/sites/lab"
)

func TestOrdinaryDayAcrossSites(t *testing.T) {
	l := lab.New(t, Sites()...)
	program, err := lab.Program(t.Context(), t.TempDir(), "tandem/cmd/tandem")
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(l, program)
	if err != nil {
		t.Fatal(err)
	}
	began := l.Clock.Now()
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("up after %s", l.Clock.Now().Sub(began))
	if err := w.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("built after %s", l.Clock.Now().Sub(began))
	clock := tandem.SystemClock{}
	ctx, cancel := context.WithCancel(t.Context())
	c, wr := w.NewCaller(), w.NewWriter(Central)
	var work sync.WaitGroup
	work.Go(func() { c.Run(ctx, 50*time.Millisecond) })
	work.Go(func() { wr.Run(ctx, 50*time.Millisecond) })
	_ = clock.Sleep(ctx, 3*time.Second)
	cancel()
	work.Wait()
	for _, x := range c.All() {
		if !x.Good() || x.Site != Central {
			t.Errorf("%+v", x)
		}
	}
	acked := 0
	for _, x := range wr.All() {
		if x.OK {
			acked++
		} else {
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
