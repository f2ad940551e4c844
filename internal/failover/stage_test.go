package failover

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"tandem"
)

// stage is the world of a text scenario: two services with clocks and leases of their own, three witnesses, and a leader.
// Time goes in steps of 100 ms; witnesses report and services renew every 500 ms while they can.
type stage struct {
	t        *testing.T
	state    State
	now      Tick // true time
	offset   Tick // the leader's clock is true time plus this
	services [2]actor
	seen     [3]*Observed // what each witness reports; nil: silent
	cut      bool         // replication is cut
	unfenced bool
	passing  bool // time goes by
	out      strings.Builder
}

// actor is a Tandem service as far as leases go.
type actor struct {
	lease  Lease
	offset Tick // its clock is true time times rate, plus this
	rate   Tick // in thousandths
	dead   bool
	paused bool
	cut    bool // from the leader
	epoch  tandem.Epoch
}

func (a actor) clock(now Tick) Tick { return now*a.rate/1000 + a.offset }

func stageConfig() Config {
	return Config{Witnesses: 3, Quorum: 2, Lease: 3000, Margin: 100, Fresh: 1500, FailAfter: 1000, Steady: 3000, Objective: 5000,
		Retry: 1000, Attempts: 3, Reprove: 10000, HoldDown: HoldDownConfig{Base: 5000, Most: 60000, Quiet: 20000}}
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, state: New(stageConfig(), 1, 0)}
	s.services[0] = actor{lease: NewLease(1), offset: 100000, rate: 1000, epoch: 1}
	s.services[1] = actor{lease: NewLease(7), offset: 900000, rate: 1000}
	for i := range s.seen {
		s.seen[i] = &Observed{Witness: i, Seen: [2]Verdict{Up, Up}}
	}
	return s
}

// step feeds one event and prints what follows. Quiet events print only when they cause an action or turn something.
func (s *stage) step(e Event) {
	before := s.state.String()
	next, actions := Step(s.state, e, s.now+s.offset)
	s.state = next
	for _, a := range actions {
		if a.Kind == Answer {
			svc := &s.services[a.Service]
			svc.lease = svc.lease.Granted(a.Grant, svc.clock(s.now))
			continue
		}
		if a.Kind == Do && a.ID.Step == Promote {
			s.unfenced = s.unfenced || s.state.Run.Unfenced
		}
		fmt.Fprintf(&s.out, "%6d  %s\n", s.now, a)
	}
	if _, quiet := e.(Renewing); quiet || strip(before) == strip(next.String()) {
		return
	}
	if len(actions) > 0 && s.passing {
		fmt.Fprintf(&s.out, "%6d  = %s\n", s.now, next)
	}
}

// strip takes the figures that change with every renewal out of a state's line.
func strip(line string) string {
	_, rest, _ := strings.Cut(line, ";")
	return line[:min(len(line), 14)] + rest
}

// pass lets time go by.
func (s *stage) pass(d Tick) {
	s.passing = true
	defer func() { s.passing = false }()
	for end := s.now + d; s.now < end; {
		s.now += 100
		s.beat()
		s.step(Elapsed{})
		s.check()
	}
}

func (s *stage) beat() {
	if s.now%500 != 0 {
		return
	}
	for _, o := range s.seen {
		if o != nil {
			s.step(*o)
		}
	}
	for i := range s.services {
		a := &s.services[i]
		if a.dead || a.paused || a.cut || a.epoch == 0 {
			continue
		}
		var q Renewal
		a.lease, q = a.lease.Ask(a.epoch, a.clock(s.now))
		s.step(Renewing{Service(i), q})
	}
	h := s.state.Holder
	holder, standby := &s.services[h], s.services[h.Other()]
	if !s.cut && !holder.dead && !holder.paused && !standby.dead && holder.epoch == s.state.Epoch {
		stamp := Stamp{holder.lease.Boot, holder.clock(s.now)}
		s.step(Replicated{s.state.Epoch, stamp, tandem.Revision(s.now / 100)})
		holder.lease = holder.lease.Confirmed(stamp)
	}
}

// check holds law 4 at every moment.
func (s *stage) check() {
	if s.writers() == "both" && !s.unfenced {
		s.t.Errorf("at %d both services may acknowledge writes (law 4)", s.now)
	}
}

func (s *stage) writers() string {
	a, b := s.may(0), s.may(1)
	switch {
	case a && b:
		return "both"
	case a:
		return "first"
	case b:
		return "second"
	default:
		return "nobody"
	}
}

func (s *stage) may(i int) bool {
	a := s.services[i]
	return !a.dead && a.lease.MayAcknowledge(a.clock(s.now))
}

// command carries out one line and gives its trace.
func (s *stage) command(line string) string {
	s.out.Reset()
	words := strings.Fields(line)
	s.act(words[0], words[1:])
	s.check()
	fmt.Fprintf(&s.out, "%6d  = %s\n        may write: %s\n", s.now, s.state, s.writers())
	return s.out.String()
}

// arguments splits key=value words off plain ones.
func arguments(words []string) (plain []string, keyed map[string]string) {
	keyed = map[string]string{}
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok {
			keyed[k] = v
			continue
		}
		plain = append(plain, w)
	}
	return plain, keyed
}

func (s *stage) number(word string) Tick {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		s.t.Fatalf("%q is no number", word)
	}
	return Tick(n)
}

func (s *stage) service(word string) Service {
	switch word {
	case "first":
		return First
	case "second":
		return Second
	}
	s.t.Fatalf("%q is no service", word)
	return 0
}
