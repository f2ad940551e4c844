package main

import (
	"context"
	"time"

	"tandem/test/sites/relay"
	"tandem/test/sites/world"
)

// watcher is the site of the vantage point, well the one of the endpoint that is always fine.
const watcher, well = "watcher", "well"

// interval and timeout of the probes, in milliseconds; strikes is one more than what is tolerated.
const interval, timeout, tolerated = 200, 1000, 2

// trial is one profile: its first endpoint has a site and troubles of its own, its second is the one that is always fine.
type trial struct {
	name    string
	what    string
	fails   float64       // share of probes answered 503
	slow    time.Duration // longest answer
	loss    float64       // of packets, each way
	outages bool          // the endpoint vanishes for a third of the time, in the middle
}

func trials() []trial {
	return []trial{
		{name: "steady", what: "nothing is wrong"},
		{name: "fails-10", what: "10 % of probes answered 503", fails: 0.1},
		{name: "fails-30", what: "30 % of probes answered 503", fails: 0.3},
		{name: "fails-50", what: "50 % of probes answered 503", fails: 0.5},
		{name: "slow", what: "answers take 450 to 900 ms of the 1000 allowed", slow: 900 * time.Millisecond},
		{name: "loses-5", what: "5 % of packets lost each way", loss: 0.05},
		{name: "vanishes", what: "cut off for a third of the time, once", outages: true},
	}
}

// phase is something that happens to all trials at once.
type phase struct {
	name string
	what string
	// breaks and mends act on the network and the vantage point; nil: nothing happens.
	breaks, mends func(context.Context, *bench) error
	sickness      bool // the trials' own troubles are on
}

func phases() []phase {
	return []phase{
		{name: "endpoints in trouble", what: "every profile has a first endpoint of its own trouble, and a second one that is well", sickness: true},
		{name: "the vantage point cut off", what: "the vantage point reaches no endpoint; clients and endpoints are well",
			breaks: func(_ context.Context, b *bench) error { return b.cutWatcher(true) },
			mends:  func(_ context.Context, b *bench) error { return b.cutWatcher(false) }},
	}
}

// cutWatcher cuts the vantage point off from all endpoints. Clients still reach its name server.
func (b *bench) cutWatcher(on bool) error {
	for _, s := range b.world.Sites() {
		if s.Name == watcher || s.Name == world.Client {
			continue
		}
		for _, way := range [][2]string{{watcher, s.Name}, {s.Name, watcher}} {
			if err := b.world.Change(way[0], way[1], func(s *relay.Settings) { s.Cut = on }); err != nil {
				return err
			}
		}
	}
	return nil
}
