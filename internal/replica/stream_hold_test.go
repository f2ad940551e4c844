package replica

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// TestFollowerHeldAndFenced: a held stream goes on when a person releases it, and a fenced one ends.
func TestFollowerHeldAndFenced(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx := t.Context()
	space := openSpace(t, storetest.Memory(), "p")
	commit := func(b store.Batch) {
		t.Helper()
		if _, err := space.Commit(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	var puts, deletes store.Batch
	for _, d := range numbered(60, "1") {
		puts.Put = append(puts.Put, store.Write{Key: d.Key, Value: d.Value})
		deletes.Delete = append(deletes.Delete, d.Key)
	}
	commit(puts)
	s := newSite(t, NewSource(SourceConfig{Space: space, Clock: tandem.SystemClock{}, Heartbeat: 10 * time.Millisecond}), nil)
	defer s.close()
	standby, a := newStandby(t, ApplierConfig{})
	f, stop := follow(t, s.http.Listener.Addr().String(), nil, a)
	await(t, 5*time.Second, "the standby follows", func() bool { return f.Lag().Known })
	commit(deletes)
	await(t, 5*time.Second, "the deletion is held", func() bool { return a.Held() != nil })
	if got, _, err := flat(ctx, standby); err != nil || len(got) == 0 {
		t.Fatalf("the standby has %q, %v", got, err)
	}
	if err := a.Release(*a.Held()); err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "the deletion passed", func() bool { got, _, err := flat(ctx, standby); return err == nil && got == "" })
	if _, err := SetFence(ctx, standby, Fence{Epoch: 0, Revision: 1}); err != nil {
		t.Fatal(err)
	}
	commit(puts)
	result := make(chan error, 1)
	await(t, 10*time.Second, "the stream ends", func() bool { return !f.Lag().Attached })
	go func() { result <- stop() }()
	if err := <-result; tandem.KindOf(err) != tandem.Precondition && !isCanceled(err) {
		t.Errorf("the fenced follower ended with %v", err)
	}
	wantText(t, standby, "")
}
