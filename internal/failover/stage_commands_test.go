package failover

import (
	"slices"
	"strings"

	"tandem"
)

// act carries out one command of a scenario.
func (s *stage) act(verb string, words []string) {
	plain, args := arguments(words)
	run := s.state.Run.Number
	switch verb {
	case "group":
		s.group(args)
	case "wait":
		s.pass(s.number(plain[0]))
	case "see":
		s.see(plain[0], args, slices.Contains(plain, "sick"))
	case "silence":
		for _, w := range plain {
			s.seen[s.number(w)] = nil
		}
	case "kill", "pause", "resume", "cut", "join":
		a := &s.services[s.service(plain[0])]
		switch verb {
		case "kill":
			a.dead = true
		case "pause", "resume":
			a.paused = verb == "pause"
		default:
			a.cut = verb == "cut"
		}
	case "restart":
		a := &s.services[s.service(plain[0])]
		a.dead, a.paused, a.lease = false, false, NewLease(a.lease.Boot+1)
	case "clock":
		a := &s.services[s.service(plain[0])]
		a.offset += a.clock(s.now)
		a.rate = s.number(args["rate"])
		a.offset -= s.now * a.rate / 1000
	case "replication":
		s.cut = plain[0] == "off"
	case "takeover":
		s.offset = s.number(args["offset"])
		s.step(TookOver{s.state.Term + 1})
	case "done":
		s.done(args)
	case "fail":
		task, _ := s.state.task()
		s.step(ActionFailed{ID: task.ID, Why: strings.Join(plain, " "), Final: args["final"] == "yes"})
	case "request":
		s.step(Requested{kindOf(strings.ReplaceAll(plain[0], "-", " ")), args["by"]})
	case "approve":
		s.step(Approved{run, args["by"]})
	case "override":
		s.override(args)
	case "resolve":
		s.step(Resolved{run, args["by"]})
	case "cancel":
		s.step(Cancelled{run, args["by"]})
	case "hold":
		s.step(HoldSet{Hold{Roles: slices.Contains(plain, "roles"), Traffic: slices.Contains(plain, "traffic")}, args["by"]})
	case "sites":
		s.step(SitesLost{Back: plain[0] == "back"})
	case "late":
		s.step(LateWrites{s.service(plain[0]), uint64(s.number(plain[1]))})
	case "capture":
		s.step(Replicated{s.state.Epoch, Stamp{s.state.Term, s.now + s.offset}, 1})
	case "ask":
		// A question with an epoch of the sender's choice, as from a service that missed a change.
		a := &s.services[s.service(plain[0])]
		var q Renewal
		a.lease, q = a.lease.Ask(tandem.Epoch(s.number(args["epoch"])), a.clock(s.now))
		s.step(Renewing{s.service(plain[0]), q})
	default:
		s.t.Fatalf("no command %q", verb)
	}
}

func kindOf(word string) Kind {
	return Kind(max(0, slices.Index(kindWords[:], word)))
}

func (s *stage) group(args map[string]string) {
	c := stageConfig()
	for k, v := range args {
		switch k {
		case "approval":
			c.Approval = Approval(s.number(v))
		case "objective":
			c.Objective = s.number(v)
		case "onLag":
			c.Refuse = v == "refuse"
		case "failback":
			c.FailBack = v == "automatic"
		case "rejoin":
			c.Rejoin = v == "automatic"
		case "traffic":
			c.HoldTraffic = v == "hold"
		case "unfenceable":
			c.Unfenceable = [2]bool{v != "second", v != "first"}
		case "reprove":
			c.Reprove = s.number(v)
		case "margin":
			c.Margin = s.number(v)
		default:
			s.t.Fatalf("no setting %q", k)
		}
	}
	if err := c.Validate(); err != nil {
		s.t.Fatal(err)
	}
	s.state = New(c, 1, s.now)
	for i, without := range c.Unfenceable {
		if without {
			s.services[i].epoch = 0
		}
	}
}

// see sets what witnesses report, at once and from then on.
func (s *stage) see(who string, args map[string]string, sick bool) {
	for i := range s.seen {
		if who != "all" && who != string(rune('0'+i)) {
			continue
		}
		o := Observed{Witness: i, Sick: sick, Seen: [2]Verdict{Up, Up}}
		for k, v := range args {
			o.Seen[s.service(k)] = map[string]Verdict{"up": Up, "down": Down}[v]
		}
		s.seen[i] = &o
		s.step(o)
	}
}

// done reports the running task as done, and does to the services what the task does.
func (s *stage) done(args map[string]string) {
	task, ok := s.state.task()
	if !ok {
		s.t.Fatal("no task runs")
	}
	var o Outcome
	for k, v := range args {
		switch k {
		case "gates":
			o.Gates = s.gates(v)
		case "revision":
			o.Revision = tandem.Revision(s.number(v))
		case "conflicts":
			o.Conflicts = uint32(s.number(v))
		case "orphans":
			o.Orphans = uint32(s.number(v))
		case "id":
			// A late or doubled outcome, of another step.
			task.ID.Step = StepKind(slices.Index(stepWords[:], v))
		}
	}
	if args["id"] == "" {
		a := &s.services[task.Service]
		switch task.ID.Step {
		case Fence, Drain:
			a.lease = a.lease.Drop()
		case Promote:
			a.epoch = task.Epoch
		}
	}
	s.step(ActionDone{task.ID, o})
}

// gates reads "pass", or "pass" with exceptions: "pass,keys:fail,backends:unproven".
func (s *stage) gates(text string) Results {
	var out Results
	for i, part := range strings.Split(text, ",") {
		if i == 0 && part == "pass" {
			out = Results{Pass, Pass, Pass, Pass, Pass}
			continue
		}
		name, result, _ := strings.Cut(part, ":")
		g := slices.Index(gateWords[:], name)
		if g < 0 {
			s.t.Fatalf("no gate %q", name)
		}
		out[g] = map[string]Result{"pass": Pass, "fail": Fail}[result]
	}
	return out
}

// override takes gates=lag+keys and loss=shown, loss=unknown or a number.
func (s *stage) override(args map[string]string) {
	e := Overridden{Run: s.state.Run.Number, By: args["by"], Loss: s.state.Run.Loss}
	for _, name := range strings.Split(args["gates"], "+") {
		e.Gates |= 1 << max(0, slices.Index(gateWords[:], name))
	}
	switch args["loss"] {
	case "", "shown":
	case "unknown":
		e.Loss = Bound{}
	default:
		e.Loss = Bound{true, s.number(args["loss"])}
	}
	s.step(e)
}
