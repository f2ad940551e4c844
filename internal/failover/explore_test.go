package failover

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"

	"tandem"
)

// explorer visits every world that a scene can reach, depth first, each once.
type explorer struct {
	scene *scene
	rules rules
	seed  maphash.Seed
	seen  map[uint64]struct{}
	depth int
	pool  []*world // one for each depth
	epoch tandem.Epoch
	most  int // give up beyond, 0: never
	path  []label
	found string // the first broken invariant with its path
	steps int
	ends  int // worlds in which the second epoch was given out: the exploration gets somewhere
}

func explore(sc *scene, r rules, most int) *explorer {
	x := &explorer{scene: sc, rules: r, seed: maphash.MakeSeed(), seen: make(map[uint64]struct{}), most: most}
	w := sc.start(r)
	x.epoch = w.s.Epoch
	x.visit(label{what: "start"}, &w)
	return x
}

func (x *explorer) visit(l label, w *world) {
	if x.found != "" || x.most > 0 && len(x.seen) >= x.most {
		return
	}
	x.steps++
	w.judge()
	key := maphash.Comparable(x.seed, *w)
	if _, ok := x.seen[key]; ok {
		return
	}
	x.seen[key] = struct{}{}
	x.path = append(x.path, l)
	if w.ghost.broken != "" {
		x.found = x.trace(w)
	}
	if w.s.Epoch > x.epoch {
		x.ends++
	}
	if x.depth == len(x.pool) {
		x.pool = append(x.pool, new(world))
	}
	next := x.pool[x.depth]
	x.depth++
	x.scene.successors(w, next, x.rules, func(l label, next *world) {
		if *next != *w {
			x.visit(l, next)
		}
	})
	x.depth--
	x.path = x.path[:len(x.path)-1]
}

// trace tells how a broken invariant was reached.
func (x *explorer) trace(w *world) string {
	var b strings.Builder
	b.WriteString(w.ghost.broken)
	for _, l := range x.path {
		fmt.Fprintf(&b, "\n  %s %d %s", l.what, l.n, l.id)
	}
	return b.String() + "\n  " + w.s.String()
}

func modelConfig() Config {
	return Config{Witnesses: 3, Quorum: 2, Lease: 2, Margin: 1, Fresh: 1000, Objective: 2, Retry: 1000, Attempts: 2, Reprove: 1000}
}

// start is the first world of a scene: all is well and every witness says so.
func (sc *scene) start(r rules) world {
	w := world{s: New(sc.config, 1, 0), budget: sc.budget}
	w.svc[First] = modelService{lease: NewLease(1), epoch: 1}
	w.svc[Second] = modelService{lease: NewLease(1)}
	for i := range 3 {
		w.ghost.views[i] = Up
		w.feed(r, Observed{Witness: i, Seen: [2]Verdict{Up, Up}})
	}
	if sc.prepare != nil {
		sc.prepare(&w)
	}
	return w
}

func requests(kind Kind, by string) func(*world) Event {
	return func(*world) Event { return Requested{kind, by} }
}

func approves(by string) func(*world) Event {
	return func(w *world) Event {
		if w.s.Run.Step != Approve {
			return nil
		}
		return Approved{w.s.Run.Number, by}
	}
}

// overrides quotes the gates that are refused now, and the loss that was shown when they were refused first.
func overrides(by string) func(*world) Event {
	return func(w *world) Event {
		if w.s.Run.Step != Stopped {
			return nil
		}
		return Overridden{w.s.Run.Number, by, r0.unmet(w.s.Run.Gates), w.ghost.shown}
	}
}

func holds(h Hold) func(*world) Event {
	return func(*world) Event { return HoldSet{h, "a"} }
}

func cancels(by string) func(*world) Event {
	return func(w *world) Event {
		if !w.s.Run.Active() {
			return nil
		}
		return Cancelled{w.s.Run.Number, by}
	}
}

// scenes are the explorations. Small ones come first, so that a broken rule is found soon.
func scenes() []*scene {
	with := func(change func(*Config)) Config {
		c := modelConfig()
		change(&c)
		return c
	}
	// diverged is a group after a failover: the home is back, with a history of its own.
	diverged := func(w *world) {
		w.s.Epoch, w.s.Holder, w.s.Apart, w.s.Away, w.s.Traffic = 2, Second, true, true, Second
		w.svc[First].epoch, w.svc[Second].epoch = 1, 2
		w.ghost.apart[First] = true
		w.ghost.promoted[2] = ActionID{Run: 99}
	}
	// running is a group whose holder has the right and whose standby is in step, at the start.
	running := func(w *world) {
		svc := &w.svc[First]
		var q Renewal
		svc.lease, q = svc.lease.Ask(1, 0)
		w.feed(rules{}, Renewing{First, q})
		svc.lease = svc.lease.Granted(Grant{Renewal: q, Length: w.s.Config.Lease}, 0)
		w.n, w.net = 0, [netSize]message{}
		w.ghost.applied = q.Sent
		w.feed(rules{}, Replicated{1, q.Sent, 0})
	}
	return []*scene{
		{name: "lease", config: modelConfig(), horizon: 3, people: []func(*world) Event{requests(Failover, "a")},
			budget: budget{asks: 2, replications: 1, drifts: 1}},
		{name: "lag", config: with(func(c *Config) { c.Objective = 1 }), horizon: 5, prepare: running,
			people: []func(*world) Event{requests(Failover, "a"), overrides("b")}, budget: budget{asks: 1, replications: 1}},
		{name: "restart", config: modelConfig(), horizon: 3, people: []func(*world) Event{requests(Failover, "a")},
			budget: budget{asks: 2, replications: 1, restarts: 1}},
		{name: "take-over", config: modelConfig(), horizon: 4, prepare: running, people: []func(*world) Event{requests(Failover, "a"), cancels("b")},
			budget: budget{asks: 1, replications: 1, takeovers: 1}},
		{name: "people", config: with(func(c *Config) { c.Approval = TwoHumans }), horizon: 1,
			budget: budget{looks: 2, asks: 1, replications: 1, badGates: 1},
			people: []func(*world) Event{approves("a"), approves("a"), approves("b"), overrides("a")}},
		{name: "hold", config: modelConfig(), horizon: 1,
			budget: budget{looks: 3, asks: 1, replications: 1}, people: []func(*world) Event{holds(Hold{true, true}), holds(Hold{})}},
		{name: "switchover", config: with(func(c *Config) { c.Retry = 2 }), horizon: 4, prepare: running,
			budget: budget{asks: 2}, people: []func(*world) Event{requests(Switchover, "a")}},
		{name: "failback", config: modelConfig(), horizon: 2, prepare: diverged,
			budget: budget{asks: 2, replications: 1}, people: []func(*world) Event{requests(Failback, "a"), requests(Switchover, "c")}},
		{name: "failover", config: modelConfig(), horizon: 3, prepare: running,
			budget: budget{looks: 3, asks: 1, replications: 1}},
	}
}

// TestExplore proves laws 4 and 5 in every state of the small model. The full run is a million and a half states; with -short
// or the race detector it is cut off early.
func TestExplore(t *testing.T) {
	most, total := 0, 0
	if testing.Short() || raced {
		most = 20_000
	}
	for _, sc := range scenes() {
		x := explore(sc, rules{}, most)
		total += len(x.seen)
		t.Logf("%-10s %8d states, %9d steps, %7d after the next epoch was given out", sc.name, len(x.seen), x.steps, x.ends)
		if x.found != "" {
			t.Fatalf("%s: %s", sc.name, x.found)
		}
		if x.ends == 0 && most == 0 {
			t.Errorf("%s never gives out an epoch", sc.name)
		}
	}
	if most == 0 && total < 1_000_000 {
		t.Errorf("only %d states were explored", total)
	}
	t.Logf("%d distinct states explored, no invariant broken", total)
}
