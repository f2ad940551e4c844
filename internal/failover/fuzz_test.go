package failover

import (
	"reflect"
	"testing"

	"tandem"
)

// tape reads choices off fuzzed bytes; past its end it reads zeros.
type tape []byte

func (t *tape) next() byte {
	if len(*t) == 0 {
		return 0
	}
	b := (*t)[0]
	*t = (*t)[1:]
	return b
}

func (t *tape) flag() bool { return t.next()&1 != 0 }

func (t *tape) name() string { return [...]string{"", "ann", "bob", "cid"}[t.next()&3] }

func (t *tape) stamp() Stamp { return Stamp{uint64(t.next() & 3), Tick(t.next()) * 50} }

// event makes any event, often one that fits the state.
func (t *tape) event(s State) Event {
	run := s.Run.Number
	if t.next() < 20 {
		run += uint32(t.next())
	}
	id := ActionID{run, s.Run.Round, s.Run.Step}
	if t.next() < 20 {
		id.Step = StepKind(t.next())
	}
	switch t.next() % 17 {
	case 0:
		return TookOver{s.Term + uint64(t.next()&1)}
	case 1:
		c := stageConfig()
		c.Approval, c.FailBack, c.Rejoin = Approval(t.next()), t.flag(), t.flag()
		c.Refuse, c.Unfenceable = t.flag(), [2]bool{t.flag(), t.flag()}
		c.Quorum, c.Witnesses, c.Home = t.next()&7, t.next(), Service(t.next()&3)
		return Configured{c}
	case 2, 3:
		return Observed{int(int8(t.next())), [2]Verdict{Verdict(t.next() & 3), Verdict(t.next() & 3)}, t.flag()}
	case 4:
		return Observed{int(t.next() % 3), [2]Verdict{Verdict(1 + t.next()&1), Up}, false}
	case 5:
		return Renewing{Service(t.next()), Renewal{s.Epoch - tandem.Epoch(t.next()&1), uint64(t.next()), t.stamp()}}
	case 6:
		return Replicated{s.Epoch - tandem.Epoch(t.next()&1), t.stamp(), tandem.Revision(t.next())}
	case 7:
		return Requested{Kind(t.next()), t.name()}
	case 8:
		return Approved{run, t.name()}
	case 9:
		return Overridden{run, t.name(), GateSet(t.next()), Bound{t.flag(), Tick(t.next()) * 100}}
	case 10:
		return Resolved{run, t.name()}
	case 11:
		return Cancelled{run, t.name()}
	case 12:
		return HoldSet{Hold{t.flag(), t.flag()}, t.name()}
	case 13:
		return SitesLost{t.flag()}
	case 14:
		return LateWrites{Service(t.next()), uint64(t.next())}
	case 15:
		return ActionFailed{id, "fuzz", t.flag()}
	default:
		var o Outcome
		for g := range o.Gates {
			o.Gates[g] = Result(t.next() & 3)
		}
		o.Revision, o.Conflicts = tandem.Revision(t.next()), uint32(t.next()&1)
		return ActionDone{id, o}
	}
}

// FuzzStep feeds any events at any times. Step never panics, gives the same answer twice, and keeps what one step can show
// of State's invariants.
func FuzzStep(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a failover that nobody asked for, and then some more bytes to go on with"))
	// A person asks for a failover, gates pass, the fence is confirmed.
	f.Add([]byte{100, 100, 7, 1, 1, 5, 100, 100, 16, 1, 1, 1, 1, 1, 9, 0, 5, 100, 100, 9, 1, 255, 0, 0, 5, 100, 100, 16, 0, 0, 0, 0, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := tape(data)
		now := Tick(0)
		s := New(stageConfig(), 1, now)
		for range 200 {
			if len(in) == 0 {
				break
			}
			e := in.event(s)
			now += Tick(int8(in.next())) * 40 // a bad caller's clock may even go back
			next, actions := Step(s, e, now)
			again, repeated := Step(s, e, now)
			if next != again || !reflect.DeepEqual(actions, repeated) {
				t.Fatalf("Step is not a function of its arguments: %T", e)
			}
			checkStep(t, s, next, e, actions, now)
			s = next
		}
	})
}

func checkStep(t *testing.T, before, s State, e Event, actions []Action, now Tick) {
	t.Helper()
	_ = s.String()
	bad := func(what string) {
		t.Fatalf("%s after %T at %d\nbefore: %s\nafter:  %s", what, e, now, before, s)
	}
	if s.Epoch < before.Epoch {
		bad("the epoch went back")
	}
	for _, a := range actions {
		_ = a.String()
		if a.Kind == Answer && (a.Service != before.Holder || a.Epoch != before.Epoch || !before.Open) {
			bad("a grant for " + a.Service.String())
		}
		if a.Kind == Answer && s.Tenure.Given && s.Tenure.Ends < now+a.Grant.Length {
			bad("a grant outlives what the leader remembers")
		}
	}
	if s.Open == (s.Run.Step == Fence || s.Run.Step == Drain || s.Run.Step == Sync) {
		bad("open does not fit the step")
	}
	if s.Epoch > before.Epoch {
		_, confirmed := e.(ActionDone)
		if !confirmed && !before.Tenure.Over(before.Config.Margin, now) {
			bad("an epoch was given out within the former lease")
		}
		if s.Run.Override.By == "" && rules.unmet(rules{}, s.Run.Gates) != 0 {
			bad("an epoch was given out with gates unmet")
		}
		if before.Apart && s.Run.planned() {
			bad("a planned change of roles to a service that went apart")
		}
		if s.Tenure.Given || s.Standby.Known {
			bad("the new epoch inherits the old one's figures")
		}
	}
	if s.Holder > Second || s.Traffic > Second || s.Run.To > Second {
		bad("there are two services")
	}
	if err := s.Config.Validate(); err != nil {
		bad(err.Error())
	}
	if s.Holder != before.Holder && s.Epoch == before.Epoch {
		bad("the holder changed within an epoch")
	}
	if before.Hold.Traffic && s.Hold.Traffic && s.Traffic != before.Traffic {
		bad("traffic moved under a hold")
	}
}
