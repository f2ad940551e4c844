//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"tandem/internal/traffic/health"
)

// A fleet is three vantage points that watch one endpoint, in simulated time: each probes on its own way, decides by
// health.Step, tells the others a way's length later, and counts votes by health.Agree.

const (
	oneWay   = 40 * time.Millisecond
	fleetDay = 24 * time.Hour
)

// fleetCase is what happens to a fleet in a day.
type fleetCase struct {
	name string
	// up is the truth about the endpoint; reach tells whether a place reaches it and cut whether one reaches the others.
	up    func(at time.Duration) bool
	reach func(place int, at time.Duration) bool
	cut   func(place int, at time.Duration) bool
	loss  float64 // share of probes lost on every way
	want  int     // moves at each place that the truth demands
}

func always(time.Duration) bool { return true }

// between tells whether a time of the day lies in the third quarter.
func between(at time.Duration) bool { return at >= fleetDay/2 && at < fleetDay*3/4 }

func fleetCases() []fleetCase {
	everyWay := func(int, time.Duration) bool { return true }
	noCut := func(int, time.Duration) bool { return false }
	return []fleetCase{
		{"nothing", always, everyWay, noCut, 0, 0},
		{"1 % of probes lost on every way", always, everyWay, noCut, 0.01, 0},
		{"one way cut for six hours", always, func(p int, at time.Duration) bool { return p != 0 || !between(at) }, noCut, 0, 0},
		{"one way lossy, 50 %, all day", always, func(p int, at time.Duration) bool { return p != 0 || at/time.Millisecond%2 == 0 }, noCut, 0, 0},
		{"one place cut off from all for six hours", always, func(p int, at time.Duration) bool { return p != 0 || !between(at) }, func(p int, at time.Duration) bool { return p == 0 && between(at) }, 0, 0},
		{"the endpoint away for six hours", func(at time.Duration) bool { return !between(at) }, everyWay, noCut, 0, 2},
		{"the same with 1 % lost and one place cut off", func(at time.Duration) bool { return !between(at) }, everyWay, func(p int, at time.Duration) bool { return p == 2 && between(at) }, 0.01, 2},
	}
}

// place is one vantage point of a fleet.
type place struct {
	state     health.State
	effective health.Status
	next      time.Duration // the next probe
	told      []letter
}

// letter is a verdict on its way.
type letter struct {
	status  health.Status
	arrives time.Duration
}

// run plays a day. It gives the moves of all places together and those against the truth: down while the endpoint was up, or
// up while it was not, for the last ten seconds.
func (c fleetCase) run(seed uint64) (moves, wrong int) {
	rules := health.Rules{Strikes: 3, Recover: 2, Budget: 10, SteadyRun: 10, HoldDown: 5 * time.Second, HoldDownMax: 5 * time.Minute, FlapWindow: time.Hour, Recheck: 20 * time.Millisecond, Interval: 5 * time.Second}
	quorum := health.QuorumRule{Vantages: 3, Fresh: 2 * time.Second, Alone: 10 * time.Second}
	random, zero := rand.New(rand.NewPCG(seed, 7)), time.Unix(0, 0)
	var places [3]place
	for i := range places {
		places[i] = place{state: health.Fresh(zero), effective: health.Checking, next: time.Duration(i) * time.Second}
	}
	for {
		at, who := fleetDay, -1 // whose probe is next
		for i := range places {
			if places[i].next < at {
				at, who = places[i].next, i
			}
		}
		if who < 0 {
			return moves, wrong
		}
		p := &places[who]
		e := health.Event{Kind: health.Success}
		if !c.up(at) || !c.reach(who, at) || random.Float64() < c.loss {
			e = health.Event{Kind: health.Failure, Reason: "lost"}
		}
		next, d := health.Step(rules, p.state, e, zero.Add(at))
		if e.Kind == health.Failure && next.Status == health.Degraded && p.state.Status != health.Degraded && c.cut(who, at) {
			next, d.Next = p.state, time.Second // nothing answers this place: it suspects itself, as Monitor does
		}
		p.state = next
		p.told = append(p.told, letter{next.Status, at + oneWay})
		p.told = p.told[max(0, len(p.told)-8):]
		p.next = at + rules.Interval
		if d.Next > 0 {
			p.next = at + d.Next
		}
		for i := range places { // all count anew: letters arrive between probes
			was := places[i].effective
			now := at + oneWay
			places[i].effective = health.Agree(quorum, health.Verdict{Status: places[i].state.Status, Held: zero.Add(now).Sub(places[i].state.Since)}, c.heard(&places, i, now), was)
			if got := places[i].effective; got != was && was != health.Checking {
				moves++
				if c.steady(at) && (got == health.Online) != c.up(at) {
					wrong++
				}
			}
		}
	}
}

// steady tells that the truth has stood for ten seconds.
func (c fleetCase) steady(at time.Duration) bool {
	return c.up(at) == c.up(max(0, at-10*time.Second))
}

// heard is what a place has of the others; who is cut off is heard of no more.
func (c fleetCase) heard(places *[3]place, me int, at time.Duration) (out []health.Verdict) {
	for i := range places {
		if i == me || c.cut(i, at) || c.cut(me, at) {
			continue
		}
		status := health.Status("")
		for _, l := range places[i].told {
			if l.arrives <= at {
				status = l.status
			}
		}
		if status != "" {
			out = append(out, health.Verdict{Status: status})
		}
	}
	return out
}

// runFleet prints what each case comes to over a few days.
func runFleet() {
	const days = 5
	row("three vantage points, "+fmt.Sprint(days)+" days each", "moves of all three", "demanded by the truth", "wrong moves")
	row("---", "---", "---", "---")
	for _, c := range fleetCases() {
		moves, wrong := 0, 0
		for seed := range uint64(days) {
			m, w := c.run(seed)
			moves, wrong = moves+m, wrong+w
		}
		row(c.name, fmt.Sprint(moves), fmt.Sprint(3*days*c.want), fmt.Sprint(wrong))
	}
}
