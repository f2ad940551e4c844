package failover

import "testing"

func TestMeasure(t *testing.T) {
	at := func(m Mark, clock string, boot uint64, tick Tick) Moment { return Moment{m, clock, Stamp{boot, tick}} }
	outage := []Moment{at(LastGood, "probe", 1, 1000), at(FirstBad, "probe", 1, 1200), at(LastBad, "probe", 1, 2000), at(FirstGood, "probe", 1, 2100)}
	for _, c := range []struct {
		name     string
		timeline []Moment
		rto, rpo string
	}{
		{"nothing known", nil, "unknown", "unknown"},
		{"outage", outage, "800ms to 1100ms", "unknown"},
		{"not over yet", outage[:3], "unknown", "unknown"},
		{"the worst observer counts", append(outage, at(LastGood, "other", 1, 50), at(FirstBad, "other", 1, 60), at(FirstGood, "other", 1, 3050)), "800ms to 3000ms", "unknown"},
		{"clocks of two machines", []Moment{at(LastGood, "a", 1, 1000), at(FirstBad, "a", 1, 1100), at(FirstGood, "b", 1, 1200)}, "unknown", "unknown"},
		{"clocks of two boots", []Moment{at(Applied, "p", 1, 1000), at(RightEnds, "p", 2, 1100)}, "unknown", "unknown"},
		{"bounded loss", []Moment{at(Applied, "p", 1, 1000), at(RightEnds, "p", 1, 4000)}, "unknown", "0ms to 3000ms"},
		{"told loss", []Moment{at(Applied, "p", 1, 1000), at(RightEnds, "p", 1, 4000), at(LastAcked, "p", 1, 1400)}, "unknown", "400ms"},
		{"no loss", []Moment{at(Applied, "p", 1, 1000), at(LastAcked, "p", 1, 900)}, "unknown", "0ms"},
	} {
		m := Measure(c.timeline)
		if m.RTO.String() != c.rto || m.RPO.String() != c.rpo {
			t.Errorf("%s: RTO %s RPO %s, want %s and %s", c.name, m.RTO, m.RPO, c.rto, c.rpo)
		}
	}
	s := Span{true, 800, 1100}
	for objective, want := range map[Tick]Result{700: Fail, 1000: Unproven, 1100: Pass} {
		if got := s.Meets(objective); got != want {
			t.Errorf("%s against %d: %d, want %d", s, objective, got, want)
		}
	}
	if (Span{}).Meets(1000) != Unproven {
		t.Error("an unknown span meets an objective (law 9)")
	}
}
