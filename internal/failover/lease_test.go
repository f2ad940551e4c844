package failover

import "testing"

// TestLease holds the invariants of Lease one by one.
func TestLease(t *testing.T) {
	ask := func(l Lease, now Tick) (Lease, Renewal) { return l.Ask(5, now) }
	l, q := ask(NewLease(3), 1000)
	if l.MayAcknowledge(1000) {
		t.Error("asking is no right")
	}
	held := l.Granted(Grant{Renewal: q, Length: 300}, 1250)
	for now, want := range map[Tick]bool{1250: true, 1299: true, 1300: false, 1549: false} {
		if held.MayAcknowledge(now) != want {
			t.Errorf("at %d: %v; the right is timed from the sending", now, !want)
		}
	}
	restarted, q2 := ask(NewLease(4), 1100)
	if q2.Seq != q.Seq {
		t.Fatal("this test needs two questions with the same number")
	}
	if restarted.Granted(Grant{Renewal: q, Length: 300}, 1100).MayAcknowledge(1100) {
		t.Error("a grant for a former process counts")
	}
	if l.Drop().Granted(Grant{Renewal: q, Length: 300}, 1001).MayAcknowledge(1001) {
		t.Error("a grant that was asked for before the drop counts")
	}
	again, q3 := ask(held.Drop(), 1010)
	if !again.Granted(Grant{Renewal: q3, Length: 300}, 1011).MayAcknowledge(1011) {
		t.Error("a grant that was asked for after the drop lifts it")
	}
	if next, _ := held.Ask(6, 1001); next.MayAcknowledge(1001) {
		t.Error("a new epoch begins with a right")
	}
}

// TestLeaseLimit is onLag: refuse on the holder's side.
func TestLeaseLimit(t *testing.T) {
	l, q := NewLease(1).Ask(1, 0)
	l = l.Granted(Grant{Renewal: q, Length: 1000, Limit: 100}, 0)
	if l.MayAcknowledge(10) {
		t.Error("it acknowledges before the standby confirmed anything")
	}
	l = l.Confirmed(Stamp{1, 50}).Confirmed(Stamp{1, 20}).Confirmed(Stamp{9, 900})
	for now, want := range map[Tick]bool{50: true, 150: true, 151: false} {
		if l.MayAcknowledge(now) != want {
			t.Errorf("at %d: %v, want %v", now, !want, want)
		}
	}
}

func TestHoldDown(t *testing.T) {
	c := HoldDownConfig{Base: 10, Most: 40, Quiet: 100}
	var h HoldDown
	if !h.Over(0) {
		t.Error("a group that never moved is held down")
	}
	now := Tick(0)
	for i, want := range []Tick{10, 20, 40, 40} {
		h = h.Moved(c, now)
		if h.Until-now != want || h.Over(h.Until-1) || !h.Over(h.Until) {
			t.Errorf("move %d: held down for %d, want %d", i, h.Until-now, want)
		}
		now = h.Until
	}
	if h = h.Moved(c, now+500); h.Until-h.Last != 10 {
		t.Errorf("after a quiet time the hold-down is %d, want 10", h.Until-h.Last)
	}
}

func TestLossWithLimit(t *testing.T) {
	s := State{Tenure: Tenure{Given: true, Longest: 300, End: Stamp{1, 1300}, Free: Stamp{1, 800}, Limit: 100}}
	for _, c := range []struct {
		name string
		at   Position
		want string
	}{
		{"free grants long ago", Position{Known: true, Source: Stamp{1, 900}}, "100ms"},
		{"behind the last free grant", Position{Known: true, Source: Stamp{1, 600}}, "200ms"},
		{"nearly in step", Position{Known: true, Source: Stamp{1, 1280}}, "20ms"},
		{"nothing known", Position{}, "unknown"},
	} {
		s.Standby = c.at
		if got := s.Loss(0); got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	s.Tenure.Free, s.Standby = Stamp{}, Position{}
	if got := s.Loss(0); got.String() != "100ms" {
		t.Errorf("every grant was limited: %s, want 100ms", got)
	}
}
